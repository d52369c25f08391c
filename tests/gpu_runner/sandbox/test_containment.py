"""Attempts to break the machine or the run: each takes a kernel of its own, and may cost that kernel alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_runner.execution import GIB, MIB, CellStatus, Execution, Limits, Outcome
from gpu_runner.notebook import open_kernel, run_notebook

LIMITS = Limits(cell_cpu_seconds=1, cell_wall_seconds=12, wall_seconds=60, memory_bytes=GIB, processes=64)


def left_behind() -> dict[str, list[str]]:
    """What sandboxes of this process could leave on the host."""
    groups = Path("/sys/fs/cgroup").rglob(f"assessor-{os.getpid()}-*")
    names = [child.name() for child in psutil.Process().children(recursive=True)]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if " /mnt" in line]
    return {
        "processes": [name for name in names if name != "postgres"],  # a database of other tests
        "cgroups": [str(group) for group in groups],
        "folders": [str(folder) for folder in Path("/tmp").glob(f"assessor-{os.getpid()}-*")],
        "mounts": mounts,
    }


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    """The fork-server is there before anybody counts processes."""
    with open_kernel(LIMITS):
        pass


@pytest.fixture(autouse=True)
def nothing_outlives() -> Any:
    before = left_behind()
    yield
    assert left_behind() == before


@pytest.fixture
def run(notebook: Callable[..., Any]) -> Callable[..., Execution]:
    """Runs a good cell, the one given and another good one."""
    return lambda source, limits=LIMITS: run_notebook(notebook("print('before')", source, "print('after')"), limits)


def statuses(execution: Execution) -> list[str]:
    return [cell.status.value for cell in execution.cells]


def test_a_memory_hog_is_ended_and_said_to_be_one(run: Callable[..., Execution]) -> None:
    limits = Limits(memory_bytes=512 * MIB)
    execution = run("hoard = []\nwhile True:\n    hoard.append(bytearray(10**7))", limits)
    assert execution.outcome is Outcome.MEMORY_EXCEEDED
    assert statuses(execution) == ["ok", "killed", "not run"]
    assert "before" in execution.notebook
    assert execution.usage.peak_memory_bytes <= 1.2 * limits.memory_bytes


def test_memory_in_many_processes_counts_together(run: Callable[..., Execution]) -> None:
    execution = run(
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
        "        part = b'x' * (200 * 2**20)\n        time.sleep(2)\n        os._exit(0)\n"
        "print('ended', [os.wait()[1] for _ in range(8)])"
    )
    assert execution.usage.peak_memory_bytes <= 1.2 * LIMITS.memory_bytes
    # the system may choose a child: then the notebook goes on without it
    assert execution.outcome is Outcome.MEMORY_EXCEEDED or "ended [0, 0, 0, 0, 0, 0, 0, 0]" not in execution.notebook


def test_a_fork_bomb_stays_in_its_sandbox(run: Callable[..., Execution]) -> None:
    execution = run("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert execution.outcome in (Outcome.CPU_EXCEEDED, Outcome.MEMORY_EXCEEDED)
    assert statuses(execution)[::2] == ["ok", "not run"]


def test_an_endless_loop_is_interrupted_and_the_rest_runs(run: Callable[..., Execution]) -> None:
    execution = run("while True: pass")
    assert execution.outcome is Outcome.COMPLETED
    assert statuses(execution) == ["ok", "timed out", "ok"]
    assert execution.cells[1].error.startswith("KeyboardInterrupt")


@pytest.mark.parametrize(
    "source",
    [
        "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    ],
    ids=["a regular expression that holds the interpreter", "interrupts ignored"],
)
def test_what_heeds_no_interrupt_is_ended(run: Callable[..., Execution], source: str) -> None:
    execution = run(source)
    assert execution.outcome is Outcome.CPU_EXCEEDED
    assert statuses(execution) == ["ok", "timed out", "not run"]
    assert execution.usage.cpu_seconds < 12


def test_many_cells_just_under_the_limit_meet_that_of_the_run(notebook: Callable[..., Any]) -> None:
    burn = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    limits = Limits(cell_cpu_seconds=3, cpu_seconds=2.5)
    execution = run_notebook(notebook(*[burn] * 8), limits)
    assert execution.outcome is Outcome.CPU_EXCEEDED
    assert execution.cells[0].status is CellStatus.OK
    assert execution.cells[-1].status is CellStatus.NOT_RUN


def test_sleeping_meets_the_wall_limit(run: Callable[..., Execution]) -> None:
    limits = Limits(cell_wall_seconds=1)
    assert statuses(run("import time; time.sleep(1000)", limits)) == ["ok", "timed out", "ok"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os.kill(os.getppid(), 9); os.kill(1, 9); os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
    ids=["exit", "segmentation fault", "kill parent and self"],
)
def test_a_kernel_that_ends_is_a_result(notebook: Callable[..., Any], source: str, reason: str) -> None:
    with open_kernel(LIMITS) as kernel:
        execution = kernel.run(notebook("x = 1", source, "x"))
        assert kernel.death_reason == reason
        assert not kernel.alive
    assert execution.outcome is Outcome.DIED
    assert statuses(execution) == ["ok", "killed", "not run"]


def test_endless_printing_is_cut_and_kept_to_the_limit(run: Callable[..., Execution]) -> None:
    limits = Limits(cell_cpu_seconds=1, output_bytes=MIB, memory_bytes=GIB)
    execution = run("while True: print('x' * 10_000)", limits)
    assert execution.outcome is Outcome.OUTPUT_EXCEEDED
    assert statuses(execution) == ["ok", "timed out", "ok"]
    assert MIB / 2 < len(execution.notebook) < 1.5 * MIB
    assert "output cut here" in execution.notebook


def test_a_million_display_updates_are_cut_and_a_later_error_still_shows(run: Callable[..., Execution]) -> None:
    source = "from IPython.display import display\nfor number in range(15_000): display(number)\n1 / 0"
    execution = run(source, Limits(cell_cpu_seconds=60))
    assert execution.outcome is Outcome.OUTPUT_EXCEEDED
    assert statuses(execution) == ["ok", "raised", "ok"]
    assert execution.cells[1].error.startswith("ZeroDivisionError")


def test_one_picture_larger_than_all_that_may_be_said_is_left_out(run: Callable[..., Execution]) -> None:
    limits = Limits(output_bytes=MIB)
    execution = run("from IPython.display import display, HTML; display(HTML('x' * 10**7))", limits)
    assert statuses(execution) == ["ok", "ok", "ok"]
    assert "was left out here" in execution.notebook
    assert "after" in execution.notebook


FORGE = """
import json, zmq
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent()
thread = kernel.iopub_socket.io_thread
thread.send_multipart = type(thread).send_multipart.__get__(thread)
def forge(kind, content, parent=parent): session.send(kernel.iopub_socket, kind, content, parent=parent)
"""


def test_forged_messages_neither_raise_nor_stay(run: Callable[..., Execution]) -> None:
    execution = run(
        FORGE + """
for content in ({}, {"name": 1, "text": []}, {"text": None}, {"name": "stdout"}, [], "x", {"data": 1},
                {"data": {"text/html": {"a": 1}}, "metadata": [], "transient": 7}, {"execution_state": []},
                {"ename": 1, "evalue": 2, "traceback": 3}, {"comm_id": "a", "data": {"state": {"x": 1}}},
                {"execution_count": "<b>"}, {"data": {"text/plain": chr(0xd800)}, "transient": {"display_id": {}}}):
    for kind in ("stream", "display_data", "execute_result", "update_display_data", "error", "status", "comm_open",
                 "comm_msg", "clear_output", "execute_input", "no_such_kind", "execute_reply"):
        try: forge(kind, content)
        except Exception: pass
mark = b"<IDS|MSG>"
for parts in ([b""], [b"x"] * 20, [mark], [mark] + [b"{}"] * 5, [mark, b""] + [b"[" * 10**5] * 4):
    kernel.iopub_socket.send_multipart(parts)
forge("stream", {"name": "stdout", "text": "lone " + chr(0xdc80)})
"""
    )
    assert execution.outcome is Outcome.COMPLETED
    assert statuses(execution)[::2] == ["ok", "ok"]
    outputs = [output for cell in json.loads(execution.notebook)["cells"] for output in cell["outputs"]]
    assert all(isinstance(value, str) for output in outputs for value in output.get("data", {}).values())
    execution.notebook.encode("utf-8")


def test_a_flood_past_our_own_bound_ends_the_run(run: Callable[..., Execution]) -> None:
    source = FORGE + "text = 'x' * 500_000\nwhile True: forge('stream', {'name': 'stdout', 'text': text})"
    memory = psutil.Process().memory_info().rss
    execution = run(source, Limits(cell_cpu_seconds=20, output_bytes=MIB, memory_bytes=GIB))
    assert execution.outcome is Outcome.OUTPUT_EXCEEDED
    assert statuses(execution) == ["ok", "killed", "not run"]
    assert len(execution.notebook) < 2 * MIB
    assert psutil.Process().memory_info().rss - memory < 200 * MIB


def test_a_daemon_ends_with_the_run(run: Callable[..., Execution]) -> None:
    execution = run(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True: time.sleep(1)\n    os._exit(0)"
    )
    assert execution.outcome is Outcome.COMPLETED  # and `nothing_outlives` looks


def test_files_named_like_our_modules_do_not_reach_us(notebook: Callable[..., Any]) -> None:
    names = "torch agent tensors zmq comm debugpy signal random sitecustomize IPython numpy".split()
    files = {f"{name}.py": b"import os; os._exit(9)" for name in names}
    files |= {".ipython/profile_default/startup/00.py": b"import os; os._exit(9)", "ipython_config.py": b"1/0"}
    with open_kernel(LIMITS, files=files) as kernel:
        execution = kernel.run(notebook("import torch, random, numpy", "1 / 0"))
        assert {"torch", "random", "numpy"} <= set(kernel.serve().names())
    assert statuses(execution) == ["ok", "raised"]


OWNER = """
import sys, time
from gpu_runner.execution import Limits
from gpu_runner.notebook import open_kernel
with open_kernel(Limits()) as kernel:
    print(kernel._provisioner.process.pid, flush=True)
    time.sleep(600)
"""


def test_a_killed_owner_takes_its_sandbox_along() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        kernel = int(owner.stdout.readline())
        below = psutil.Process(owner.pid).children(recursive=True)
        os.kill(owner.pid, signal.SIGKILL)
    assert kernel in {process.pid for process in below}
    assert len(below) >= 5  # the sandbox, its first process, its holder; the fork-server, keeper and kernel
    _, alive = psutil.wait_procs(below, timeout=20)
    assert alive == []
    for group in list(Path("/sys/fs/cgroup").rglob(f"assessor-{owner.pid}-*")):
        group.rmdir()
    for folder in Path("/tmp").glob(f"assessor-{owner.pid}-*"):
        subprocess.run(["rm", "-r", str(folder)], check=True)


def test_kernels_leave_no_descriptor_and_no_thread() -> None:
    def count() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    with open_kernel(LIMITS):
        pass
    before = count()
    with open_kernel(LIMITS) as kernel:
        kernel.serve()
    deadline = time.monotonic() + 10
    while count() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count() == before
