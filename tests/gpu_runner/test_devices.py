"""GPUs and their leases, with a simulated NVML; the tests of a real card are in test_gpu.py."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gpu_runner import devices
from gpu_runner.devices import Gpu, Lease, discover, leased
from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB, MIB, Limits, Outcome, Usage
from gpu_runner.provisioner import Watchdog
from gpu_runner.sandbox import bubblewrap
from gpu_runner.sandbox.contract import Launch


class SimulatedNvml:
    """Two cards whose memory and processes a test sets."""

    def __init__(self, cards: int = 2) -> None:
        self.cards = tuple(Gpu(f"GPU-{number}", "Simulated H1", 80 * GIB, number) for number in range(cards))
        self.used = {gpu.uuid: 0 for gpu in self.cards}
        self.running: dict[str, dict[int, int]] = {gpu.uuid: {} for gpu in self.cards}
        self.fault: Exception | None = None

    def gpus(self) -> tuple[Gpu, ...]:
        return self.cards

    def used_bytes(self, uuid: str) -> int:
        if self.fault:
            raise self.fault
        return self.used[uuid]

    def processes(self, uuid: str) -> Mapping[int, int]:
        if self.fault:
            raise self.fault
        return self.running[uuid]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> SimulatedNvml:
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(devices, "RETURN_SECONDS", 0.3)
    return SimulatedNvml()


def test_what_needs_none_gets_none_and_asks_nobody(tmp_path: Path) -> None:
    with leased("none", folder=tmp_path) as lease:
        assert lease is None
    assert list(tmp_path.iterdir()) == []


def test_each_run_gets_a_card_of_its_own_and_a_third_waits_in_vain(nvml: SimulatedNvml, tmp_path: Path) -> None:
    told: list[str] = []
    with leased("required", nvml=nvml, folder=tmp_path) as first, leased("preferred", nvml=nvml, folder=tmp_path) as second:
        assert first is not None and second is not None
        assert {first.gpu.uuid, second.gpu.uuid} == {"GPU-0", "GPU-1"}
        assert first.memory_bytes == 80 * GIB
        third = leased("required", nvml=nvml, folder=tmp_path, timeout_seconds=0.1, waiting=lambda: told.append("waits"))
        with pytest.raises(DeviceUnavailable, match="none of 2 GPUs was free"), third:
            pass
    assert told == ["waits"]
    with leased("required", nvml=nvml, folder=tmp_path, timeout_seconds=0.1) as again:
        assert again is not None


def test_a_shared_card_has_so_many_places_and_fills_every_card_first(nvml: SimulatedNvml, tmp_path: Path) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        held = [stack.enter_context(leased("required", share=2, nvml=nvml, folder=tmp_path)) for _ in range(4)]
        assert [lease.gpu.uuid for lease in held if lease] == ["GPU-0", "GPU-1", "GPU-0", "GPU-1"]
        assert {lease.memory_bytes for lease in held if lease} == {40 * GIB}
        with pytest.raises(DeviceUnavailable), leased("required", share=2, nvml=nvml, folder=tmp_path, timeout_seconds=0.1):
            pass


def test_without_a_card_preferred_runs_on_the_cpu_and_required_is_our_fault(tmp_path: Path) -> None:
    empty = SimulatedNvml(cards=0)
    with leased("preferred", nvml=empty, folder=tmp_path) as lease:
        assert lease is None
    with pytest.raises(DeviceUnavailable, match="this host has none"), leased("required", nvml=empty, folder=tmp_path):
        pass
    with pytest.raises(DeviceUnavailable, match="expected one of"), leased("sometimes", nvml=empty, folder=tmp_path):
        pass


@pytest.mark.skipif(bool(list(Path("/dev").glob("nvidia[0-9]*"))), reason="this machine has a driver")
def test_without_a_driver_the_reason_is_said() -> None:
    found, reason = discover()
    assert found == () and "no NVIDIA driver answers" in reason
    with leased("preferred") as lease:
        assert lease is None


def test_a_dirty_card_is_given_to_nobody_until_this_process_ends(nvml: SimulatedNvml, tmp_path: Path) -> None:
    nvml.cards = nvml.cards[:1]
    with leased("required", nvml=nvml, folder=tmp_path):
        nvml.used["GPU-0"] = 10 * GIB  # and it stays so
    try:
        with pytest.raises(DeviceUnavailable), leased("required", nvml=nvml, folder=tmp_path, timeout_seconds=0.1):
            pass
    finally:
        os.close(devices._kept.pop())


def test_memory_that_comes_back_late_is_waited_for(nvml: SimulatedNvml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "RETURN_SECONDS", 5.0)
    left = iter([3 * GIB, 2 * GIB, 65 * MIB, 63 * MIB])
    with leased("required", nvml=nvml, folder=tmp_path):
        monkeypatch.setattr(nvml, "used_bytes", lambda uuid: next(left))
    assert next(left, None) is None
    assert devices._kept == []


def test_a_card_that_fell_off_the_bus_is_our_fault(nvml: SimulatedNvml, tmp_path: Path) -> None:
    nvml.fault = RuntimeError("GPU is lost")
    with pytest.raises(DeviceUnavailable, match="GPU is lost"), leased("required", nvml=nvml, folder=tmp_path):
        pass
    lease = Lease(nvml.cards[0], GIB, nvml)
    assert lease.used_by({1}) == 0, "the watchdog goes on"


HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_devices import SimulatedNvml
from gpu_runner.devices import leased
with leased("required", nvml=SimulatedNvml(1), folder=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_holder_gives_its_card_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        one = SimulatedNvml(1)
        with pytest.raises(DeviceUnavailable), leased("required", nvml=one, folder=tmp_path, timeout_seconds=0.1):
            pass
        holder.send_signal(signal.SIGKILL)
        with leased("required", nvml=one, folder=tmp_path, timeout_seconds=20) as lease:
            assert lease is not None


def use(folder: Path, number: int) -> tuple[float, float, str]:
    devices.POLL_SECONDS = 0.01
    with leased("required", nvml=SimulatedNvml(2), folder=folder, timeout_seconds=60) as lease:
        assert lease is not None
        began = time.monotonic()
        time.sleep(0.05)
        return began, time.monotonic(), lease.gpu.uuid


def test_contending_processes_never_hold_the_same_card(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        uses = pool.starmap(use, [(tmp_path, number) for number in range(16)])
    for uuid in ("GPU-0", "GPU-1"):
        spans = sorted((began, ended) for began, ended, used in uses if used == uuid)
        assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"assessor-gpus-{os.getuid()}").symlink_to("/etc")
    with pytest.raises(DeviceUnavailable, match="not a directory of ours"):
        devices._home()


class Running:
    """A sandbox as the watchdog sees it."""

    def __init__(self) -> None:
        self.killed = False

    def poll(self) -> int | None:
        return -9 if self.killed else None

    def kill(self) -> None:
        self.killed = True

    def usage(self) -> Usage:
        return Usage()

    def over_memory(self) -> bool:
        return False

    def pids(self) -> set[int]:
        return {10, 11}


@pytest.mark.parametrize(("used", "over"), [({10: GIB}, False), ({10: GIB, 11: 2 * GIB}, True), ({99: 60 * GIB}, False)])
def test_who_uses_more_than_his_share_is_ended(nvml: SimulatedNvml, used: dict[int, int], over: bool) -> None:
    nvml.running["GPU-0"] = used
    process: Any = Running()
    watchdog = Watchdog(process, Limits(gpu_memory_bytes=8 * GIB), lambda: None, Lease(nvml.cards[0], 2 * GIB, nvml))
    deadline = time.monotonic() + (10 if over else 0.3)
    while not process.killed and time.monotonic() < deadline:
        time.sleep(0.01)
    watchdog.stop()
    assert (process.killed, watchdog.passed) == (over, Outcome.GPU_MEMORY_EXCEEDED if over else None)
    assert watchdog.usage().peak_gpu_memory_bytes == sum(size for pid, size in used.items() if pid in (10, 11))


def test_only_the_leased_device_is_shown(monkeypatch: pytest.MonkeyPatch, python: Callable[[], Any]) -> None:
    there = {"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"}
    monkeypatch.setattr(Path, "exists", lambda self: str(self) in there)
    lease = Lease(Gpu("GPU-1", "x", GIB, 1), GIB, SimulatedNvml())
    assert [str(node) for node in lease.nodes] == ["/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"]
    monkeypatch.undo()
    assert lease.environment["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    launch = Launch(("true",), python(), Limits(), devices=(Path("/dev/nvidia1"),))
    descriptors: list[int] = []
    arguments = bubblewrap._arguments(launch, descriptors, staged=False)
    for descriptor in descriptors:
        os.close(descriptor)
    place = arguments.index("--dev-bind")
    assert arguments[place : place + 3] == ["--dev-bind", "/dev/nvidia1", "/dev/nvidia1"]
    assert arguments.index("--dev") < place


@pytest.fixture
def python() -> Callable[[], Any]:
    from gpu_runner.environment import python_environment

    return python_environment
