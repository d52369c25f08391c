"""A device for a run: who gets one, when, and what of it.

Theory of operation. A run joins the queue, and when its turn has come looks at every device: one that does not answer,
that has no room, or on which something of an earlier run is left, is passed over. By default a run has its device, a card
or a MIG slice, for itself. Where the course says `gpu_share = n`, n runs may have one at the same time, each with 1/n of
its memory; runs of different shares on one card never come to more than the whole.

Sharing isolates nothing: who shares a device may slow, starve or, by a fault, end the other's run, and no promise is
known that its memory is cleared between two.

A run that prefers a GPU waits for one as long as one that requires it: whether it gets one depends on the machine it is
on, never on how busy the machine is, because marks must not.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event

from gpu_runner.errors import DeviceUnavailable, RunnerError
from gpu_runner.gpus.devices import Devices, devices_of
from gpu_runner.gpus.discovery import DeviceLost, Gpu, Nvml, Reading, system_nvml
from gpu_runner.gpus.ledger import Held, Ledger, Record, machine_state
from gpu_runner.gpus.queue import Ticket, draw

log = logging.getLogger(__name__)
NEEDS = ("required", "preferred", "none")
POLL_SECONDS = 0.1


class LeaseCancelled(RunnerError):
    """The wait for a GPU was called off."""


class Decision(StrEnum):
    """What becomes of a run's need for a GPU."""

    DEVICE = "device"
    CPU = "cpu"
    WAIT = "wait"
    REPORT = "report"
    """It cannot run here: our fault, the job goes back to the queue or to review."""


def decide(need: str, *, devices: int, free: int, may_wait: bool = True) -> Decision:
    """Resolves a need on a machine.

    Args:
        need: 'required', 'preferred' or 'none'.
        devices: how many this machine has; free: how many of them could be taken now.
        may_wait: whether there is time left to wait.

    Raises:
        DeviceUnavailable: ours; `need` is none of the three.
    """
    if need not in NEEDS:
        raise DeviceUnavailable(f"gpu = {need!r}: expected one of {', '.join(NEEDS)}")
    if need == "none" or (need == "preferred" and not devices):
        return Decision.CPU
    if not devices:
        return Decision.REPORT
    if free:
        return Decision.DEVICE
    return Decision.WAIT if may_wait else Decision.REPORT


@dataclass(frozen=True)
class Waiting:
    """Why a run waits: how many devices work, who is before it, and what is said against each device."""

    label: str
    working: int
    ahead: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Lease:
    """A device, or a share of one, for one run.

    Attributes:
        memory_bytes: what the run may use of its memory, CUDA's own context included.
        before: what the device held when the lease began.
    """

    gpu: Gpu
    share: int
    memory_bytes: int
    before: Reading
    nvml: Nvml
    _held: Held = field(repr=False)

    @property
    def devices(self) -> Devices:
        """What the run's sandbox must show.

        Raises:
            DeviceUnavailable: ours; a device node is missing or closed.
        """
        return devices_of(self.gpu)

    def note(self, pids: set[int]) -> None:
        """Writes down processes of the run, so that who comes next can tell them from others, even if we are killed."""
        self._held.note(pids)


@contextmanager
def leased(
    need: str,
    *,
    share: int = 1,
    label: str = "",
    nvml: Nvml | None = None,
    folder: Path | None = None,
    timeout_seconds: float = 3600.0,
    cancelled: Event | None = None,
    progress: Callable[[Waiting], None] = lambda waiting: None,
) -> Iterator[Lease | None]:
    """Leases a device for a run, waiting in turn for one.

    Args:
        need: 'required', 'preferred' (None where this host has no GPU that works) or 'none'.
        share: how many runs may have one device at the same time.
        label: what others who wait are told about this run.
        folder: where the locks lie; every process that shares devices must name the same.
        cancelled: calls the wait off when set.
        progress: told why it waits, at first and whenever that changes.

    Raises:
        DeviceUnavailable: ours; it is required and this host has none, or none was free in time.
        LeaseCancelled: ours.
    """
    if decide(need, devices=1, free=1) is Decision.CPU:
        yield None
        return
    nvml, gpus, reason = _found(nvml)
    if nvml is None or decide(need, devices=len(gpus), free=0) is not Decision.WAIT:
        if need == "required":
            raise DeviceUnavailable(f"a GPU is required, and this host has none that works: {reason}")
        yield None
        return
    wait = _Wait(need, nvml, gpus, Ledger(folder), share, label or f"process {os.getpid()}")
    lease = wait.until(time.monotonic() + timeout_seconds, cancelled or Event(), progress)
    try:
        yield lease
    finally:
        if lease is not None:
            lease._held.release()


def _found(nvml: Nvml | None) -> tuple[Nvml | None, tuple[Gpu, ...], str]:
    try:
        nvml = nvml or system_nvml()
    except DeviceUnavailable as fault:
        return None, (), str(fault)
    gpus, reason = nvml.discover()
    if gpus and reason:
        log.warning("%s", reason)
    return nvml, gpus, reason


class _Wait:
    """One run's wait for a device."""

    def __init__(self, need: str, nvml: Nvml, gpus: tuple[Gpu, ...], ledger: Ledger, share: int, label: str) -> None:
        self._need, self._nvml, self._gpus = need, nvml, gpus
        self._ledger, self._share, self._label = ledger, share, label

    def until(self, deadline: float, cancelled: Event, progress: Callable[[Waiting], None]) -> Lease | None:
        told: Waiting | None = None
        ticket = draw(self._ledger, self._label)
        try:
            while True:
                lease, waiting = self._try(ticket)
                may_wait = time.monotonic() <= deadline
                decision = decide(self._need, devices=waiting.working, free=int(lease is not None), may_wait=may_wait)
                if decision in (Decision.DEVICE, Decision.CPU):
                    return lease
                if decision is Decision.REPORT:
                    raise DeviceUnavailable(f"no GPU was free in time: {'; '.join((*waiting.ahead, *waiting.devices))}")
                if cancelled.is_set():
                    raise LeaseCancelled(f"the wait of {self._label} for a GPU was called off")
                if waiting != told:
                    told = waiting
                    progress(waiting)
                cancelled.wait(POLL_SECONDS)
        finally:
            ticket.give_back()

    def _try(self, ticket: Ticket) -> tuple[Lease | None, Waiting]:
        """A lease if it is our turn and a device is free; else why not."""
        ahead = ticket.ahead()
        if ahead:
            return None, Waiting(self._label, len(self._gpus), tuple(f"{one} waits too" for one in ahead), ())
        against: list[str] = []
        working = 0
        for gpu in sorted(self._gpus, key=self._load):
            try:
                before = self._nvml.read(gpu.uuid)
            except DeviceLost as fault:
                against.append(str(fault))
                continue
            working += 1
            left = self._ledger.settle(gpu.uuid, before, gpu.driver)
            held = None if left else self._take(gpu, before)
            if held is not None:
                share = self._places(gpu)
                lease = Lease(gpu, share, gpu.memory_bytes // share, before, self._nvml, held)
                return lease, Waiting(self._label, working, (), ())
            against += left or [f"{gpu.uuid}: {self._users(gpu)}"]
        return None, Waiting(self._label, working, (), tuple(against))

    def _take(self, gpu: Gpu, before: Reading) -> Held | None:
        record = Record(
            holder=os.getpid(),
            label=self._label,
            boot=machine_state(gpu.driver),
            used_bytes=before.used_bytes,
            residue_bytes=before.residue_bytes,
            present=tuple(sorted(before.processes)),
        )
        return self._ledger.take(gpu.uuid, self._places(gpu), record)

    def _places(self, gpu: Gpu) -> int:
        """How many may share it: a card in an exclusive mode lets no second process on."""
        return self._share if gpu.sharable else 1

    def _load(self, gpu: Gpu) -> int:
        """Every device once before any twice."""
        return sum(place.held for place in self._ledger.places(gpu.uuid))

    def _users(self, gpu: Gpu) -> str:
        records = [place.record() for place in self._ledger.places(gpu.uuid) if place.held]
        return "held by " + (", ".join(record.label for record in records if record) or "a run that just began")
