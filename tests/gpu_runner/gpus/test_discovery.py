"""Discovery, on simulated hosts."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pynvml
import pytest

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB, MIB
from gpu_runner.gpus.discovery import DeviceLost, Nvml, Slice, discover

from .simulated import DRIVER_BYTES, SimulatedLibrary, card, mig_slice


def test_the_simulation_has_no_function_that_the_real_module_has_not() -> None:
    names = [name for name in vars(SimulatedLibrary) if name.startswith("nvml")]
    assert len(names) > 10
    for name in names:
        real = list(inspect.signature(getattr(pynvml, name)).parameters)
        ours = list(inspect.signature(getattr(SimulatedLibrary, name)).parameters)[1:]
        assert len(ours) <= len(real), name


def test_two_cards_are_found_with_what_is_known_of_them(nvml: Nvml) -> None:
    found, reason = discover(nvml)
    assert reason == ""
    assert [(gpu.uuid, gpu.name, gpu.memory_bytes, gpu.minor, gpu.driver) for gpu in found] == [
        ("GPU-0", "Simulated H1", 80 * GIB, 0, "580.1"),
        ("GPU-1", "Simulated H1", 80 * GIB, 1, "580.1"),
    ]
    assert {(gpu.compute_mode, gpu.sharable, gpu.mig) for gpu in found} == {("default", True, None)}


def test_where_mig_is_on_the_slices_stand_for_their_card(tmp_path: Path) -> None:
    slices = [mig_slice("MIG-a", 7, 0), mig_slice("MIG-b", 8, 0)]
    found, reason = discover(Nvml(SimulatedLibrary(tmp_path / "nvml", [card(3, mig=slices), card(1)])))
    assert [(gpu.uuid, gpu.minor, gpu.mig) for gpu in found] == [
        ("MIG-a", 3, Slice(7, 0)), ("MIG-b", 3, Slice(8, 0)), ("GPU-1", 1, None),
    ]  # fmt: skip
    assert found[0].memory_bytes == 10 * GIB and reason == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mig": []}, "MIG is on, and the card has no MIG device"),
        ({"mode": 2}, "prohibited"),
        ({"lost": True}, "lost"),
    ],
)
def test_a_card_that_cannot_be_used_is_named_and_costs_only_itself(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    found, reason = discover(Nvml(SimulatedLibrary(tmp_path / "nvml", [card(0, **changes), card(1)])))
    assert [gpu.uuid for gpu in found] == ["GPU-1"]
    assert reason.startswith("GPU 0: ") and why in reason


def test_a_card_for_one_process_at_a_time_cannot_be_shared(tmp_path: Path) -> None:
    (gpu,), _ = discover(Nvml(SimulatedLibrary(tmp_path / "nvml", [card(0, mode=3)])))
    assert (gpu.compute_mode, gpu.sharable) == ("exclusive process", False)


def test_a_driver_without_cards_says_so(tmp_path: Path) -> None:
    assert discover(Nvml(SimulatedLibrary(tmp_path / "nvml", []))) == ((), "the driver names no device")


@pytest.mark.skipif(bool(list(Path("/dev").glob("nvidia[0-9]*"))), reason="this machine has a driver")
def test_without_a_driver_the_reason_is_said() -> None:
    found, reason = discover()
    assert found == () and "no NVIDIA driver answers" in reason
    with pytest.raises(DeviceUnavailable, match="no NVIDIA driver answers"):
        Nvml()


def test_a_driver_that_fails_after_it_was_opened_is_a_reason_not_an_error(library: SimulatedLibrary) -> None:
    nvml = Nvml(library)
    library.nvmlDeviceGetCount = lambda: library._raise(pynvml.NVML_ERROR_UNKNOWN)  # type: ignore[method-assign, assignment]
    found, reason = discover(nvml)
    assert found == () and reason.startswith("the driver does not answer: ")


def test_a_reading_tells_processes_from_what_nobody_accounts_for(nvml: Nvml, library: SimulatedLibrary) -> None:
    library.change("GPU-0", processes={"10": 3 * GIB, "11": GIB}, leaked=7 * MIB)
    reading = nvml.read("GPU-0")
    assert dict(reading.processes) == {10: 3 * GIB, 11: GIB}
    assert reading.used_bytes == DRIVER_BYTES + 4 * GIB + 7 * MIB
    assert reading.residue_bytes == DRIVER_BYTES + 7 * MIB


def test_where_the_driver_tells_no_sizes_nothing_is_made_up(nvml: Nvml, library: SimulatedLibrary) -> None:
    library.change("GPU-0", processes={"10": 3 * GIB}, tells_sizes=False)
    reading = nvml.read("GPU-0")
    assert reading.processes == {10: None} and reading.residue_bytes is None


def test_a_process_that_draws_and_computes_is_counted_once(nvml: Nvml, library: SimulatedLibrary) -> None:
    library.change("GPU-0", processes={"10": 3 * GIB})
    library.nvmlDeviceGetGraphicsRunningProcesses = library.nvmlDeviceGetComputeRunningProcesses  # type: ignore[attr-defined]
    assert dict(nvml.read("GPU-0").processes) == {10: 3 * GIB}


def test_a_card_that_falls_off_the_bus_is_lost_and_may_come_back(nvml: Nvml, library: SimulatedLibrary) -> None:
    nvml.read("GPU-0")
    library.change("GPU-0", lost=True)
    with pytest.raises(DeviceLost, match=r"GPU-0 does not answer: .*lost"):
        nvml.read("GPU-0")
    library.change("GPU-0", lost=False)
    assert nvml.read("GPU-0").used_bytes == DRIVER_BYTES


def test_utilization_is_empty_when_idle_and_none_where_it_is_not_told(nvml: Nvml, library: SimulatedLibrary) -> None:
    assert nvml.utilization("GPU-0", 0) == []
    library.change("GPU-0", samples=[[10, 5, 50], [11, 6, 4711]])
    assert nvml.utilization("GPU-0", 0) == [(10, 5, 50)]
    library.change("GPU-0", samples=None)
    assert nvml.utilization("GPU-0", 0) is None
