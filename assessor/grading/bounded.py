"""A bound on the time that code of this side may take, where what it computes with came from a student.

Theory of operation. A timer thread raises `TookTooLong` in the thread that set it; Python delivers it between two of its
instructions, so a loop ends at once, and one long operation of a library when it is over. Works in any thread, unlike a
signal.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TookTooLong(Exception):
    """Code of this side took longer than it may."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises `TookTooLong` in this thread when the block takes longer."""
    thread = ctypes.c_ulong(threading.get_ident())
    lock, over = threading.Lock(), [False]

    def expire() -> None:
        with lock:
            if not over[0]:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TookTooLong))

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over[0] = True
        timer.cancel()
