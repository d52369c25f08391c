"""One writer a course: an advisory lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assessor.errors import AlreadyRunning, DatabaseUnavailable


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Holds the course's writer lock.

    Raises:
        AlreadyRunning: another process holds it; names its process id.
        DatabaseUnavailable: ours; the lock cannot be made, because the folder is read-only or the disk is full.
    """
    file = root / ".assessor" / "writer.lock"
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise DatabaseUnavailable(f"{file}: {fault.strerror}; marks are written only under this lock") from fault
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(
                f"{root}: process {holder} is writing marks of this course; wait until it is done"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # also where a child that was forked meanwhile still has it open
        os.close(handle)
