"""Locks and records of leases on disk.

Theory of operation. A directory that only this user can enter holds one file for each place on a device, named
`UUID.SHARE.NUMBER`. Whoever holds flock on it has the place. The kernel takes a flock back when the last descriptor of
it is closed, so a holder that is killed gives its place back, whatever killed it; forked children close theirs, so that
none of them keeps a place for the dead.

The file's one line is the record of the last run there. A place that nobody holds and that has a record was used by a
run whose memory has not been seen to be back: while that is so, nobody gets its device. Whoever wants the device next
looks, and empties the file when the memory is back. So giving a place back costs nothing, and it makes no difference
whether its holder finished, crashed or was killed.

Taking a place, and emptying a record, happen under one lock (`mutex`), which is never held while the driver is asked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import MIB
from gpu_runner.gpus.discovery import Reading

SLACK_BYTES = 128 * MIB
"""What the driver itself may hold more than before, after the first program has run."""
_descriptors: set[int] = set()
"""What this process holds; a forked child closes them."""


@dataclass(frozen=True)
class Record:
    """What a run found on its device, and which of its processes were seen there.

    Attributes:
        boot: of which start of the machine and version of the driver the numbers are.
        present: process ids that were on the device before it.
        pids: process ids of the run itself.
    """

    holder: int
    label: str
    boot: str
    used_bytes: int
    residue_bytes: int | None
    present: tuple[int, ...] = ()
    pids: tuple[int, ...] = ()

    def left_behind(self, now: Reading, others: set[int]) -> str:
        """What of this run is still on its device; '' when all is back.

        Args:
            others: process ids of the runs that hold a place on it.
        """
        new = {pid for pid in now.processes if pid not in self.present and pid not in others}
        left = {pid for pid in new if pid in self.pids or not _is_a_strangers(pid)}
        if left:
            size = sum(now.processes[pid] or 0 for pid in left)
            return f"process {', '.join(map(str, sorted(left)))} is still there with {size / MIB:.0f} MiB"
        before, after = self.residue_bytes, now.residue_bytes
        if before is None or after is None:
            if others:
                return ""  # the driver tells nobody's memory: nothing more can be known
            before, after = self.used_bytes, now.used_bytes
        return f"{(after - before) / MIB:.0f} MiB are not back" if after > before + SLACK_BYTES else ""


@dataclass(frozen=True)
class Place:
    """A place on a device, as its file says."""

    path: Path
    share: int
    number: int
    held: bool
    line: bytes

    def record(self) -> Record | None:
        """The record of the last run there; None when nothing is left of it."""
        if not self.line:
            return None
        try:
            fields = json.loads(self.line)
            return Record(**{**fields, "present": tuple(fields["present"]), "pids": tuple(fields["pids"])})
        except (ValueError, TypeError, KeyError):  # its holder was killed while it wrote
            return _UNREADABLE


class Held:
    """A place that this process holds."""

    def __init__(self, descriptor: int, path: Path, record: Record) -> None:
        self._descriptor, self.path, self.record = descriptor, path, record
        self._write()

    def _write(self) -> None:
        # one write, and readers take the first line only: whatever kills us, a whole record is there
        os.pwrite(self._descriptor, json.dumps(asdict(self.record)).encode() + b"\n", 0)

    def note(self, pids: set[int]) -> None:
        """Writes down that these processes of the run were seen on the device."""
        known = set(self.record.pids)
        if not pids <= known:
            self.record = replace(self.record, pids=tuple(sorted(known | pids)))
            self._write()

    def release(self) -> None:
        """Gives the place back. Its record stays until the memory is seen to be back."""
        _close(self._descriptor)


class Ledger:
    """The directory of leases; every process that leases devices must name the same."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = private(folder or default_folder())
        (self.folder / "queue").mkdir(exist_ok=True, mode=0o700)

    @contextmanager
    def mutex(self) -> Iterator[None]:
        """Nobody else takes a place or a ticket meanwhile."""
        descriptor = os.open(self.folder / "mutex", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def places(self, uuid: str) -> list[Place]:
        """The places on a device that were ever taken."""
        found = []
        for path in sorted(self.folder.glob(f"{_name(uuid)}.*.*")):
            share, number = path.name.rsplit(".", 2)[1:]
            found.append(Place(path, int(share), int(number), is_held(path), path.read_bytes().partition(b"\n")[0]))
        return found

    def settle(self, uuid: str, now: Reading, driver: str) -> list[str]:
        """Empties the records of runs whose memory is back; what is not back, in words."""
        places = self.places(uuid)
        others = {pid for place in places if place.held for pid in (place.record() or _NOBODY).pids}
        kept, done = [], []
        for place in places:
            record = None if place.held else place.record()
            if record is None:
                continue
            left = record.left_behind(now, others) if record.boot in ("", machine_state(driver)) else ""
            if left:
                of = record.label or f"process {record.holder}"
                kept.append(f"{uuid}: of the run before ({of}), {left}; to lend it all the same, remove {place.path}")
            else:
                done.append(place)
        if done:
            with self.mutex():
                for place in done:
                    if not is_held(place.path) and place.path.read_bytes().partition(b"\n")[0] == place.line:
                        os.truncate(place.path, 0)
        return kept

    def take(self, uuid: str, share: int, record: Record) -> Held | None:
        """A place on a device; None when there is no room, or something of an earlier run is left on it."""
        with self.mutex():
            places = self.places(uuid)
            if any(place.line and not place.held for place in places):
                return None
            taken = [place for place in places if place.held]
            if sum((Fraction(1, place.share) for place in taken), Fraction(1, share)) > 1:
                return None
            numbers = {place.number for place in taken if place.share == share}
            number = next(number for number in range(share) if number not in numbers)
            path = self.folder / f"{_name(uuid)}.{share}.{number}"
            descriptor = lock(path)
            return None if descriptor is None else Held(descriptor, path, record)


_NOBODY = _UNREADABLE = Record(0, "", "", 0, None)


def lock(path: Path) -> int | None:
    """Makes and locks a file; None when somebody else holds it, or looks at it just now."""
    _close_in_forked_children()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    _descriptors.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    _descriptors.discard(descriptor)
    os.close(descriptor)


def unlock(descriptor: int) -> None:
    """Gives a lock back."""
    _close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody, this process included, holds the lock of a file; not when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # shared, so that two who look do not take each other for the holder
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@lru_cache(maxsize=1)
def _close_in_forked_children() -> None:
    """Closing, not unlocking: an unlock in the child would take the parent's lock away."""

    def close() -> None:
        for descriptor in _descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _descriptors.clear()

    os.register_at_fork(after_in_child=close)


def _is_a_strangers(pid: int) -> bool:
    """Whether a process that nobody wrote down is no run's: a desktop's, say. A sandbox has process ids of its own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # gone for us, and still there for the driver: just the kind that keeps memory
        return False
    return any(line.startswith("NSpid:") and len(line.split()) == 2 for line in status.splitlines())


def machine_state(driver: str) -> str:
    """Changes when the machine or the driver is started anew; numbers from before mean nothing then."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{boot.read_text().strip() if boot.is_file() else ''} {driver}"


def _name(uuid: str) -> str:
    return uuid.replace("/", "_")


def default_folder() -> Path:
    """The same whatever the environment says: a session's, a service's and cron's are different ones."""
    user, run = os.geteuid(), Path("/run")
    return run / "assessor-gpus" if user == 0 and run.is_dir() else Path("/tmp", f"assessor-gpus-{user}")  # noqa: S108


def private(folder: Path) -> Path:
    """Makes a directory of this user alone.

    Raises:
        DeviceUnavailable: ours; it is somebody else's, or others may write it.
    """
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise DeviceUnavailable(f"{folder} is not a directory of this user alone; remove it")
    return folder
