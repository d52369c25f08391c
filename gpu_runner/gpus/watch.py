"""What a run uses of its device: memory, against its share, and time, where the driver tells.

The watchdog of the run asks `look` every 50 ms. Memory is summed over the run's own processes, so that nobody pays for
what another one on the card takes. Where the driver's process ids are not ours (a container with its own ids) or it does
not tell sizes, a run that has the device for itself is charged with what the device holds more than before; a shared
device cannot be watched there, and that is logged.

A device that stops answering is our fault: `lost` says so, the run must be ended, and no mark follows from it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from gpu_runner.execution import Outcome
from gpu_runner.gpus.discovery import DeviceLost, Reading
from gpu_runner.gpus.leases import Lease

log = logging.getLogger(__name__)
PATIENCE = 20
"""So many looks in a row may fail (one second) before a device counts as lost."""
SAMPLE_SECONDS = 0.5
LONGEST_SAMPLE_US = 1_000_000
"""The driver averages over at most a second: a longer gap between two samples was idle."""
FIRST_PID_NAMESPACE = 0xEFFF_FFFC


class GpuWatch:
    """Watches one run on its device.

    Args:
        memory_bytes: a limit of the run besides its share; the lower of the two holds.
        clock: seconds since the epoch, as the driver's samples count them.

    Attributes:
        peak_bytes: the most it used.
        gpu_seconds: how long it kept the device busy; None where the driver does not tell.
        lost: why the device counts as lost; '' while it does not.
    """

    def __init__(self, lease: Lease, memory_bytes: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self._lease, self._clock = lease, clock
        self.limit_bytes = lease.memory_bytes if memory_bytes is None else min(lease.memory_bytes, memory_bytes)
        self.peak_bytes = 0
        self.gpu_seconds: float | None = 0.0
        self.lost = ""
        self._failed = 0
        self._sampled_us: dict[int, int] = {}
        self._since_us = self._next_us = int(clock() * 1e6)
        self._began_us = self._since_us
        self._same_pids = pids_are_the_drivers()
        if lease.share > 1 and not self._same_pids:
            log.warning("%s: shared, but the driver's process ids are not ours: shares are not watched", lease.gpu.uuid)

    def look(self, pids: set[int]) -> Outcome | None:
        """Looks once.

        Args:
            pids: the processes of the run, by the host's numbers.

        Returns:
            `GPU_MEMORY_EXCEEDED` when the run must be ended for it.
        """
        try:
            now = self._lease.nvml.read(self._lease.gpu.uuid)
        except DeviceLost as fault:
            self._failed += 1
            if self._failed >= PATIENCE:
                self.lost = self.lost or str(fault)
            return None
        self._failed = 0
        used = self._used(now, pids)
        self.peak_bytes = max(self.peak_bytes, used)
        self._sample(pids)
        return Outcome.GPU_MEMORY_EXCEEDED if used > self.limit_bytes else None

    def check(self) -> None:
        """Called when the run is over, before anything is made of its result.

        Raises:
            DeviceLost: ours; its device was lost on the way.
        """
        if self.lost:
            raise DeviceLost(f"{self._lease.gpu.name}: {self.lost}; look at the kernel's log (dmesg, Xid)")

    def _used(self, now: Reading, pids: set[int]) -> int:
        ours = {pid: size for pid, size in now.processes.items() if pid in pids}
        self._lease.note(set(ours))
        if self._lease.share == 1 and (None in ours.values() or not self._same_pids):
            return max(0, now.used_bytes - self._lease.before.used_bytes)
        return sum(size or 0 for size in ours.values())

    def _sample(self, pids: set[int]) -> None:
        """Adds up the samples since the last time, each for the time that it stands for."""
        now_us = int(self._clock() * 1e6)
        if self.gpu_seconds is None or now_us < self._next_us:
            return
        self._next_us = now_us + int(SAMPLE_SECONDS * 1e6)
        samples = self._lease.nvml.utilization(self._lease.gpu.uuid, self._since_us)
        if samples is None:
            self.gpu_seconds = None
            return
        for sample in sorted(samples, key=lambda one: one.timestamp_us):
            last = self._sampled_us.get(sample.pid, self._began_us)
            if sample.pid in pids and sample.timestamp_us > last:
                span = min(sample.timestamp_us - last, LONGEST_SAMPLE_US)
                self.gpu_seconds += span / 1e6 * sample.percent / 100
            self._sampled_us[sample.pid] = max(last, sample.timestamp_us)
            self._since_us = max(self._since_us, sample.timestamp_us)


def pids_are_the_drivers() -> bool:
    """Whether the process ids that we see are the machine's own, which the driver tells."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == FIRST_PID_NAMESPACE
    except OSError:
        return False
