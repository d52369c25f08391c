from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_runner.execution import MIB, Limits
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox.limits import CgroupV1, CgroupV2, Meter, ProcessTree, best_meter, make_meter

LIMITS = Limits(memory_bytes=200 * MIB, processes=16)
WORK = """
import subprocess, sys, time
end = time.process_time() + 0.4
while time.process_time() < end: pass
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.4: pass"])
held = b"x" * (60 * 2**20)
print("done", flush=True)
time.sleep(60)
"""


def start(meter: Meter, program: str) -> subprocess.Popen[str]:
    join = "; ".join(f"echo $$ > {file}" for file in meter.join_files) or "true"
    script = f'{join}; exec "$@"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(params=[CgroupV1, CgroupV2, ProcessTree], ids=lambda kind: kind.__name__)
def meter(request: pytest.FixtureRequest) -> Iterator[Meter]:
    if not getattr(request.param, "usable", lambda: True)():
        pytest.skip(f"this machine has no {request.param.mechanism}")
    meter = request.param(LIMITS)
    yield meter
    meter.close()


def test_it_counts_the_whole_tree_ended_processes_included(meter: Meter) -> None:
    with start(meter, WORK) as process:
        if isinstance(meter, ProcessTree):
            meter.watch(process.pid)
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        assert 0.8 <= meter.cpu_seconds() < 10
        now, peak = meter.memory_bytes()
        assert 60 * MIB <= now <= peak < 150 * MIB
        assert not meter.out_of_memory()
        process.kill()
    before = meter.cpu_seconds()
    meter.close()
    assert meter.cpu_seconds() == before


def test_too_much_memory_is_known_as_such(meter: Meter) -> None:
    hog = "held = [b'x' * 10**7 for _ in range(60)]\nprint('done', flush=True)\nimport time; time.sleep(60)"
    with start(meter, hog) as process:
        if isinstance(meter, ProcessTree):
            meter.watch(process.pid)
        assert process.stdout is not None
        said = process.stdout.readline()
        meter.memory_bytes()
        assert meter.out_of_memory()
        assert (said == "") is meter.caps_memory  # a watchdog only sees; its owner kills
        process.kill()


def test_a_closed_cgroup_is_gone(meter: Meter) -> None:
    folders = [file.parent for file in meter.join_files]
    meter.close()
    assert not any(folder.exists() for folder in folders)


def test_shared_pages_count_once_for_the_watchdog() -> None:
    program = "import os, time\nheld = b'x' * (80 * 2**20)\nfor _ in range(4):\n    if os.fork() == 0: time.sleep(60)\n"
    meter = ProcessTree(Limits(memory_bytes=200 * MIB))
    with start(meter, program + "print('done', flush=True)\ntime.sleep(60)") as process:
        meter.watch(process.pid)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)
        assert 80 * MIB <= meter.memory_bytes()[0] < 200 * MIB
        assert not meter.out_of_memory()
        for child in meter._tree()[::-1]:
            child.kill()


def test_version_2_writes_its_limits_and_reads_its_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(CgroupV2, "_parent", classmethod(lambda cls: tmp_path))
    meter = CgroupV2(LIMITS)
    (folder,) = tmp_path.iterdir()
    assert meter.join_files == (folder / "cgroup.procs",)
    assert (folder / "memory.max").read_text() == str(LIMITS.memory_bytes)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "16"
    (folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (folder / "memory.current").write_text("10")
    (folder / "memory.peak").write_text("20")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 0\n")
    assert (meter.cpu_seconds(), meter.memory_bytes(), meter.out_of_memory()) == (2.5, (10, 20), False)
    (folder / "memory.events").write_text("oom_kill 1\n")
    assert meter.out_of_memory()
    for file in folder.iterdir():
        file.unlink()
    meter.close()
    assert meter.cpu_seconds() == 2.5


def test_the_strongest_way_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for usable, chosen in ((("v2", "v1"), CgroupV2), (("v1",), CgroupV1), ((), ProcessTree)):
        monkeypatch.setattr(CgroupV2, "usable", classmethod(lambda cls, u=usable: "v2" in u))
        monkeypatch.setattr(CgroupV1, "usable", classmethod(lambda cls, u=usable: "v1" in u))
        assert best_meter() is chosen


@pytest.mark.skipif(not CgroupV1.usable(), reason="needs cgroup v1")
def test_groups_of_killed_owners_are_swept_and_live_ones_stay() -> None:
    root = CgroupV1.ROOT / "pids" / limiting.PARENT
    stale, live = root / "assessor-4194999-0", root / f"assessor-{os.getppid()}-777"
    for folder in (stale, live):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        limiting._sweep.cache_clear()
        make_meter(LIMITS).close()
        assert not stale.exists()
        assert live.exists()
    finally:
        live.rmdir()
