"""One writer a course: an advisory lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assessor.errors import AlreadyRunning


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Holds the course's writer lock.

    Raises:
        AlreadyRunning: another process holds it; names its process id.
    """
    folder = root / ".assessor"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        os.close(handle)
