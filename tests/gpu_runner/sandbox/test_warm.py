"""Warm starts: what a fork-server's child sees, and does not see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_runner.environment import python_environment
from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import CellStatus, Limits
from gpu_runner.notebook import open_kernel, run_notebook
from gpu_runner.provisioner import determinism
from gpu_runner.sandbox import warm
from gpu_runner.sandbox.warm import ForkServer, fork_server

SECRET = "swordfish-2207"


def server() -> ForkServer:
    """The fork-server of this process and its own environment."""
    python = python_environment()
    return fork_server(python, 1, determinism(Limits(), python.executable))


@pytest.fixture
def told(notebook: Callable[..., Any], printed: Callable[..., str]) -> Callable[..., Any]:
    """Runs a cell in a warm kernel (a cold one: warm=False) and gives what it printed as JSON."""
    return lambda source, **options: json.loads(printed(run_notebook(notebook(source), Limits(), **options)))


def test_kernels_share_one_fork_server_that_has_one_thread(notebook: Callable[..., Any]) -> None:
    pids = set()
    for _ in range(2):
        with open_kernel(Limits()) as kernel:
            keeper = psutil.Process(kernel._provisioner.process.pid)
            pids.add(keeper.ppid())
            assert keeper.children(), "the kernel runs below its keeper"
    assert pids == {server().pid}
    assert server().hello["threads"] == 1


def test_torch_is_there_before_the_first_cell(told: Callable[..., Any]) -> None:
    names = told("import sys, json; print(json.dumps([n in sys.modules for n in ('torch', 'numpy', 'matplotlib.pyplot')]))")
    assert names == [True, True, True]


@pytest.mark.parametrize(
    "source",
    [
        "import json, os; print(json.dumps({k: v for k, v in os.environ.items()}))",
        "import json, sys; print(json.dumps([sys.path, sys.argv, list(sys.flags), sys.executable, sys.prefix]))",
        "import json, os; print(json.dumps([os.getcwd(), os.listdir('.'), sorted(os.listdir('/')), os.getuid()]))",
        "import json, signal; print(json.dumps([str(signal.getsignal(n)) for n in range(1, 32)]))",
        "import json, resource; print(json.dumps([resource.getrlimit(n) for n in range(16)]))",
        "import json, random, numpy, torch; print(json.dumps([random.random(), numpy.random.rand(), torch.rand(1).item()]))",
        "import json, torch; print(json.dumps([torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()]))",
        "import json, warnings, logging; print(json.dumps([logging.getLogger().level, logging.getLogger().handlers == []]))",
        "import json, __main__; print(json.dumps([__main__.__name__, 'become_kernel' in vars(__main__), __name__]))",
        "import json, os; n = [x.split()[1] for x in open('/proc/self/mounts')]; print(json.dumps(sorted(n)))",
    ],
    ids=["environment", "interpreter", "folders", "signals", "limits", "seeds", "torch", "logging", "main", "mounts"],
)
def test_a_warm_kernel_is_like_a_cold_one(told: Callable[..., Any], source: str) -> None:
    assert told(source, seed=3) == told(source, seed=3, warm=False)


def test_subprocesses_and_workers_run_as_in_a_cold_kernel(told: Callable[..., Any]) -> None:
    source = """
import json, subprocess, sys, torch
from torch.utils.data import DataLoader, TensorDataset
loader = DataLoader(TensorDataset(torch.arange(8.)), batch_size=4, num_workers=2)
said = subprocess.run([sys.executable, '-c', 'import torch; print(torch.ones(2).sum().item())'], capture_output=True, text=True)
print(json.dumps([sum(float(batch[0].sum()) for batch in loader), said.stdout]))
"""
    assert told(source) == [28.0, "2.0\n"]


def test_a_child_sees_nothing_of_an_earlier_child(told: Callable[..., Any]) -> None:
    told(f"""
import json, sys, builtins, torch, os, numpy, random
builtins.left = torch.left = sys.left = '{SECRET}'
sys.modules['leftover'] = sys
torch.nn.functional.relu = None
os.environ['LEFT'] = '{SECRET}'
open('/tmp/left', 'w').write('{SECRET}'); open('left', 'w').write('{SECRET}'); open('/dev/shm/left', 'w').write('{SECRET}')
print(json.dumps(1))""")
    found = told("""
import json, sys, builtins, torch, os
print(json.dumps([hasattr(builtins, 'left'), hasattr(torch, 'left'), hasattr(sys, 'left'), 'leftover' in sys.modules,
    torch.nn.functional.relu is None, 'LEFT' in os.environ, *map(os.path.exists, ['/tmp/left', 'left', '/dev/shm/left'])]))""")
    assert found == [False] * 9


def test_no_secret_of_the_worker_is_in_its_memory(monkeypatch: pytest.MonkeyPatch, told: Callable[..., Any]) -> None:
    """The fork-server is started with a secret in the worker's environment and memory; the whole child is searched."""
    monkeypatch.setenv("ASSESSOR_TEST_SECRET", SECRET)
    kept = SECRET * 3
    monkeypatch.setattr(warm, "_servers", {})
    needle = repr(SECRET[::-1])
    hits = told(f"""
import json
needle = ({needle})[::-1].encode()
hits = []
for line in open('/proc/self/maps'):
    span, mode = line.split()[:2]
    if 'r' not in mode or '[v' in line: continue
    first, last = (int(part, 16) for part in span.split('-'))
    with open('/proc/self/mem', 'rb', 0) as memory:
        memory.seek(first)
        while first < last:
            size = min(1 << 24, last - first)
            try: block = memory.read(size)
            except OSError: break
            place = block.find(needle)
            if place >= 0: hits.append(block[max(0, place - 20):place + 40].decode('latin-1'))
            first += size
del needle
print(json.dumps([hit for hit in hits if 'ASSESSOR' in hit or hit.count('{SECRET[:5]}') > 1]))""")
    assert kept and hits == []
    for _, _, started in warm._servers.values():
        started.close()


def test_the_fork_server_holds_no_descriptor_of_ours(tmp_path: Path) -> None:
    with (tmp_path / "marks.db").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with open_kernel(Limits()):
            links = {str(entry.readlink()) for entry in Path(f"/proc/{server().pid}/fd").iterdir()}
    assert not [link for link in links if "marks.db" in link]
    assert len([link for link in links if link.startswith("socket:")]) == 1


def test_nothing_of_it_is_left_open_for_the_next_child(notebook: Callable[..., Any]) -> None:
    with open_kernel(Limits()):
        pass
    before = len(list(Path(f"/proc/{server().pid}/fd").iterdir()))
    for _ in range(5):
        with open_kernel(Limits()):
            pass
    assert len(list(Path(f"/proc/{server().pid}/fd").iterdir())) == before
    assert psutil.Process(server().pid).children() == []


def test_a_student_reaches_neither_it_nor_the_keeper(told: Callable[..., Any]) -> None:
    found = told("""
import json, os, socket
def attempt(call, *arguments):
    try: call(*arguments); return 'done'
    except OSError as fault: return fault.strerror
names = [line.split()[-1] for line in open('/proc/net/unix') if '/' in line or '@' in line]
pids = [name for name in os.listdir('/proc') if name.isdigit()]
print(json.dumps([os.getppid(), pids, attempt(os.kill, os.getppid() or 999999, 9), names]))""")
    parent, processes, killed, sockets = found
    assert parent == 0
    assert len(processes) <= 4
    assert killed == "No such process"
    assert sockets == []


def test_it_starts_again_when_it_was_killed(notebook: Callable[..., Any]) -> None:
    first = server().pid
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=10)
    deadline = time.monotonic() + 10
    while server().pid == first and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server().pid != first
    assert run_notebook(notebook("1 + 1"), Limits()).cells[0].status is CellStatus.OK


def test_its_kernels_end_with_it(notebook: Callable[..., Any]) -> None:
    with open_kernel(Limits()) as kernel:
        os.kill(server().pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while kernel.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not kernel.alive


def test_a_changed_environment_gets_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first = server().pid
    assert server().pid == first
    monkeypatch.setattr(warm, "_fingerprint", lambda environment: "other packages")
    assert server().pid != first


def test_an_environment_that_cannot_preload_is_our_fault(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho broken environment >&2\nexit 3\n")
    python.chmod(0o755)
    from dataclasses import replace

    with pytest.raises(SandboxFailed, match="did not start") as fault:
        ForkServer(replace(python_environment(), executable=python), 1, {})
    assert "broken environment" in fault.value.log


def test_a_child_that_cannot_be_confined_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the filters the child must end by itself before any cell."""
    monkeypatch.setattr(warm.seccomp, "programs", lambda: ())
    with pytest.raises(SandboxFailed), open_kernel(Limits()):
        pass


def test_a_sandbox_that_shares_a_namespace_is_not_entered() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with pytest.raises(SandboxFailed, match="shares our user namespace"):
                warm._namespaces(process.pid)
        finally:
            process.kill()


def test_the_manifest_says_how_it_started(notebook: Callable[..., Any]) -> None:
    for start in (True, False):
        execution = run_notebook(notebook("1"), Limits(), warm=start)
        assert execution.manifest["start"] == ("warm" if start else "cold")
