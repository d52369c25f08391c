"""Real sandboxes whose lease is of a simulated card: what they show, and how its watch ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB, CellStatus, Execution, Limits, Outcome
from gpu_runner.gpus import leases, watch
from gpu_runner.gpus.devices import Devices
from gpu_runner.gpus.discovery import DeviceLost, Nvml
from gpu_runner.gpus.leases import Lease, leased
from gpu_runner.notebook import open_kernel, run_notebook

from .simulated import SimulatedLibrary

LIMITS = Limits(gpu_memory_bytes=4 * GIB, cell_wall_seconds=60)
Notebook = Callable[..., Any]


@pytest.fixture
def lease(nvml: Nvml, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """Of nodes it names one that every machine has, and that is harmless."""
    monkeypatch.setattr(watch, "pids_are_the_drivers", lambda: True)
    shown = Devices((Path("/dev/zero"),), (Path("/sys"),), {"CUDA_VISIBLE_DEVICES": "GPU-0"})
    monkeypatch.setattr(leases, "devices_of", lambda gpu: shown)
    with leased("required", nvml=nvml, folder=folder) as held:
        assert held is not None
        yield held


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_sandbox_with_a_lease_lets_cuda_start_and_the_next_without_one_does_not(
    lease: Lease, notebook: Notebook, printed: Callable[[Execution], str], warm: bool
) -> None:
    """CUDA starts with: the driver's tree in /sys, a name for its thread, memfd_create."""
    look = notebook("""
import os, threading
def works(what):
    try: what(); return True
    except OSError: return False
open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w').write('cuda')
print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.path.isdir('/sys/devices'),
      works(lambda: open('/sys/kernel/mm/transparent_hugepage/enabled', 'w')), works(lambda: os.memfd_create('cuda')))""")
    assert printed(run_notebook(look, LIMITS, lease=lease, warm=warm)).strip() == "GPU-0 True False True"
    assert printed(run_notebook(look, LIMITS, warm=warm)).strip() == "None False False False"


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_who_uses_more_than_his_share_is_ended_and_keeps_what_he_earned(
    lease: Lease, library: SimulatedLibrary, notebook: Notebook, warm: bool
) -> None:
    with open_kernel(LIMITS, lease=lease, warm=warm) as kernel:
        assert kernel.run(notebook("1")).outcome is Outcome.COMPLETED
        pids = kernel._provisioner.process.pids()  # type: ignore[union-attr]
        library.change("GPU-0", processes={str(pid): 5 * GIB for pid in pids})
        execution = kernel.run(notebook("import time", "time.sleep(50)"))
    assert execution.outcome is Outcome.GPU_MEMORY_EXCEEDED
    assert execution.cells[-1].status in (CellStatus.KILLED, CellStatus.NOT_RUN), "ended in it, or just before"
    assert execution.usage.peak_gpu_memory_bytes >= 5 * GIB
    assert execution.manifest["device"] == "Simulated H1"


def test_a_card_lost_in_the_middle_ends_the_run_and_is_our_fault(
    lease: Lease, library: SimulatedLibrary, notebook: Notebook
) -> None:
    with pytest.raises(DeviceLost, match="Simulated H1"), open_kernel(Limits(cell_wall_seconds=600), lease=lease) as kernel:
        library.change("GPU-0", lost=True)
        kernel.run(notebook("import time\ntime.sleep(500)"))


def test_a_card_lost_while_the_channel_answers_is_our_fault_too(
    lease: Lease, library: SimulatedLibrary, notebook: Notebook
) -> None:
    with pytest.raises(DeviceLost, match="Simulated H1"), open_kernel(LIMITS, lease=lease) as kernel:
        kernel.run(notebook("import time\ndef work(seconds): time.sleep(seconds); return 1"))
        channel = kernel.serve()
        library.change("GPU-0", lost=True)
        channel.call("work", [50], timeout=60)


@pytest.mark.parametrize("backend", ["podman", "docker", "gvisor"])
def test_a_backend_that_shows_no_gpu_says_so_before_it_starts(lease: Lease, backend: str) -> None:
    with pytest.raises(DeviceUnavailable, match=f"'{backend}' shows no GPU"), open_kernel(LIMITS, lease=lease, backend=backend):
        pass
