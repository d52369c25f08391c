"""The watch on a run's memory and time, with a simulated NVML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_runner.execution import GIB, Outcome
from gpu_runner.gpus import watch
from gpu_runner.gpus.discovery import DeviceLost, Nvml
from gpu_runner.gpus.leases import Lease, leased
from gpu_runner.gpus.watch import GpuWatch

from .simulated import SimulatedLibrary

OURS = {10, 11}


@pytest.fixture(autouse=True)
def host_pids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs these tests, a container perhaps: the ids are the driver's unless a test says otherwise."""
    monkeypatch.setattr(watch, "pids_are_the_drivers", lambda: True)


@pytest.fixture
def lease(nvml: Nvml, folder: Path) -> Iterator[Lease]:
    """A whole card."""
    with leased("required", nvml=nvml, folder=folder) as held:
        assert held is not None
        yield held


@pytest.fixture
def shared(nvml: Nvml, folder: Path) -> Iterator[Lease]:
    with leased("required", share=4, nvml=nvml, folder=folder) as held:
        assert held is not None
        yield held


@pytest.mark.parametrize(
    ("processes", "used", "over"),
    [
        ({}, 0, False),
        ({"10": GIB}, GIB, False),
        ({"10": GIB, "11": 2 * GIB}, 3 * GIB, True),
        ({"10": GIB, "99": 60 * GIB}, GIB, False),
    ],
    ids=["nothing", "below", "two processes together", "somebody else's"],
)
def test_a_run_answers_for_its_own_processes_together(
    shared: Lease, library: SimulatedLibrary, processes: dict[str, int], used: int, over: bool
) -> None:
    library.change(shared.gpu.uuid, processes=processes)
    seen = GpuWatch(shared, 2 * GIB)
    assert seen.look(OURS) is (Outcome.GPU_MEMORY_EXCEEDED if over else None)
    assert seen.peak_bytes == used


def test_the_lower_of_share_and_limit_holds(shared: Lease, library: SimulatedLibrary) -> None:
    library.change(shared.gpu.uuid, processes={"10": 21 * GIB})
    assert GpuWatch(shared, 70 * GIB).look(OURS) is Outcome.GPU_MEMORY_EXCEEDED
    library.change(shared.gpu.uuid, processes={"10": 19 * GIB})
    assert GpuWatch(shared, 70 * GIB).look(OURS) is None
    assert GpuWatch(shared, 18 * GIB).look(OURS) is Outcome.GPU_MEMORY_EXCEEDED


def test_the_peak_stays_when_memory_is_given_back(lease: Lease, library: SimulatedLibrary) -> None:
    seen = GpuWatch(lease)
    for size in (GIB, 5 * GIB, 2 * GIB):
        library.change(lease.gpu.uuid, processes={"10": size})
        seen.look(OURS)
    assert seen.peak_bytes == 5 * GIB


def test_where_process_ids_are_not_the_drivers_a_whole_card_is_charged(
    lease: Lease, library: SimulatedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "pids_are_the_drivers", lambda: False)
    library.change(lease.gpu.uuid, processes={"70010": 3 * GIB})
    seen = GpuWatch(lease, 2 * GIB)
    assert seen.look(OURS) is Outcome.GPU_MEMORY_EXCEEDED
    assert seen.peak_bytes == 3 * GIB


def test_where_sizes_are_not_told_a_whole_card_is_charged_once_we_are_on_it(lease: Lease, library: SimulatedLibrary) -> None:
    library.change(lease.gpu.uuid, processes={"99": 3 * GIB}, tells_sizes=False)
    seen = GpuWatch(lease, 2 * GIB)
    assert seen.look(OURS) is None
    library.change(lease.gpu.uuid, processes={"10": 3 * GIB}, tells_sizes=False)
    assert seen.look(OURS) is Outcome.GPU_MEMORY_EXCEEDED


def test_a_shared_card_that_cannot_be_watched_is_logged(
    shared: Lease, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    GpuWatch(shared)
    assert caplog.text == ""
    monkeypatch.setattr(watch, "pids_are_the_drivers", lambda: False)
    GpuWatch(shared)
    assert "shares are not watched" in caplog.text


def test_a_hiccup_of_the_driver_is_forgiven_a_lost_card_is_our_fault(lease: Lease, library: SimulatedLibrary) -> None:
    seen = GpuWatch(lease)
    for _ in range(3):
        library.change(lease.gpu.uuid, lost=True)
        for _ in range(watch.PATIENCE - 1):
            assert seen.look(OURS) is None
        library.change(lease.gpu.uuid, lost=False)
        seen.look(OURS)
    seen.check()
    library.change(lease.gpu.uuid, lost=True)
    for _ in range(watch.PATIENCE):
        assert seen.look(OURS) is None, "a lost card is never the student's fault"
    with pytest.raises(DeviceLost, match=r"Simulated H1: GPU-0 does not answer: .*Xid"):
        seen.check()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_gpu_time_is_the_sum_of_busy_times_of_our_processes(lease: Lease, library: SimulatedLibrary) -> None:
    clock = Clock()
    seen = GpuWatch(lease, clock=clock)
    # at half load from 100.0 to 100.5, ours; then a stranger; then idle; then a sample that stands for a second at most
    samples = [[10, 100_500_000, 50], [99, 100_700_000, 100], [11, 109_000_000, 80]]
    library.change(lease.gpu.uuid, samples=samples)
    clock.now = 110.0
    seen.look(OURS)
    assert seen.gpu_seconds == pytest.approx(0.25 + 0.8)
    clock.now = 120.0
    seen.look(OURS)
    assert seen.gpu_seconds == pytest.approx(0.25 + 0.8), "no sample is counted twice"
    library.change(lease.gpu.uuid, samples=[*samples, [10, 110_000_000, 100], [10, 110_200_000, 100]])
    clock.now = 130.0
    seen.look(OURS)
    assert seen.gpu_seconds == pytest.approx(0.25 + 0.8 + 1.2)


def test_the_driver_is_not_asked_for_samples_at_every_look(lease: Lease, library: SimulatedLibrary) -> None:
    clock = Clock()
    seen = GpuWatch(lease, clock=clock)
    seen.look(OURS)
    library.change(lease.gpu.uuid, samples=[[10, 100_100_000, 100]])
    clock.now += watch.SAMPLE_SECONDS / 2
    seen.look(OURS)
    assert seen.gpu_seconds == 0.0
    clock.now += watch.SAMPLE_SECONDS
    seen.look(OURS)
    assert seen.gpu_seconds == pytest.approx(0.1)


def test_gpu_time_is_unknown_where_the_driver_does_not_tell(lease: Lease, library: SimulatedLibrary) -> None:
    clock = Clock()
    seen = GpuWatch(lease, clock=clock)
    library.change(lease.gpu.uuid, samples=None)
    clock.now = 200.0
    seen.look(OURS)
    assert seen.gpu_seconds is None
