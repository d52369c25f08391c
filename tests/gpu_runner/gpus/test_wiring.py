"""A lease on its way into a sandbox: the device nodes that bubblewrap shows, and the watchdog that looks at its memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from gpu_runner.environment import python_environment
from gpu_runner.execution import GIB, Limits, Outcome, Usage
from gpu_runner.gpus import watch
from gpu_runner.gpus.discovery import DeviceLost, Nvml
from gpu_runner.gpus.leases import leased
from gpu_runner.provisioner import Watchdog
from gpu_runner.sandbox import bubblewrap
from gpu_runner.sandbox.contract import Launch

from .simulated import SimulatedLibrary


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


@pytest.mark.parametrize(("used", "over"), [({"10": GIB}, False), ({"10": GIB, "11": 2 * GIB}, True), ({"99": 60 * GIB}, False)])
def test_who_uses_more_than_his_limit_is_ended(
    library: SimulatedLibrary, nvml: Nvml, folder: Path, monkeypatch: pytest.MonkeyPatch, used: dict[str, int], over: bool
) -> None:
    monkeypatch.setattr(watch, "pids_are_the_drivers", lambda: True)
    process: Any = Running()
    with leased("required", nvml=nvml, folder=folder) as lease:
        assert lease is not None
        library.change(lease.gpu.uuid, processes=used)
        watchdog = Watchdog(process, Limits(gpu_memory_bytes=2 * GIB), lambda: None, lease)
        deadline = time.monotonic() + (10 if over else 0.3)
        while not process.killed and time.monotonic() < deadline:
            time.sleep(0.01)
        watchdog.stop()
        library.change(lease.gpu.uuid, processes={})
    assert (process.killed, watchdog.passed) == (over, Outcome.GPU_MEMORY_EXCEEDED if over else None)
    assert watchdog.usage().peak_gpu_memory_bytes == sum(size for pid, size in used.items() if pid in ("10", "11"))
    watchdog.check_device()


def test_a_device_that_is_lost_on_the_way_is_our_fault(
    library: SimulatedLibrary, nvml: Nvml, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 2)
    process: Any = Running()
    with leased("required", nvml=nvml, folder=folder) as lease:
        assert lease is not None
        watchdog = Watchdog(process, Limits(), lambda: None, lease)
        library.change(lease.gpu.uuid, lost=True)
        deadline = time.monotonic() + 20
        while not process.killed and time.monotonic() < deadline:
            time.sleep(0.01)
        watchdog.stop()
        library.change(lease.gpu.uuid, lost=False)
    with pytest.raises(DeviceLost):
        watchdog.check_device()


def test_only_what_is_leased_is_shown() -> None:
    launch = Launch(
        ("true",), python_environment(), Limits(), devices=(Path("/dev/nvidia1"),), read_only=(Path("/sys"),)
    )
    descriptors: list[int] = []
    arguments = bubblewrap._arguments(launch, descriptors, staged=False)
    for descriptor in descriptors:
        os.close(descriptor)
    place = arguments.index("--dev-bind")
    assert arguments[place : place + 3] == ["--dev-bind", "/dev/nvidia1", "/dev/nvidia1"]
    assert arguments.index("--dev") < place
    assert arguments.count("--dev-bind") == 1
    assert ["--ro-bind", "/sys", "/sys"] in [arguments[i : i + 3] for i in range(len(arguments))]
