"""What a sandbox prints: drained all the time, its end kept."""

from __future__ import annotations

import os
import threading

MAX_LOG_BYTES = 16_384


class Log:
    """Drains a pipe and keeps its end, so that a flood of standard output fills no memory and blocks nobody."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        self._tail = b""
        self._spoke = threading.Event()
        self._thread = threading.Thread(target=self._drain, name="sandbox-log", daemon=True)

    def started(self) -> None:
        """To be called when the writing end belongs to the sandbox alone."""
        os.close(self.writer)
        self.writer = -1
        self._thread.start()

    def _drain(self) -> None:
        while chunk := os.read(self._reader, 65_536):
            self._tail = (self._tail + chunk)[-MAX_LOG_BYTES:]
            self._spoke.set()
        self._spoke.set()

    def text(self) -> str:
        """What is kept of it."""
        return self._tail.decode("utf-8", "replace").strip()

    def first_words(self, timeout_seconds: float) -> str:
        """What is there once anything was printed, or the pipe was closed; '' when nothing came in time."""
        self._spoke.wait(timeout_seconds)
        return self.text()

    def settle(self) -> None:
        """Waits for the end of the pipe."""
        self._thread.join(5)

    def close(self) -> None:
        """Ends the draining; every writer has ended."""
        if self.writer >= 0:
            os.close(self.writer)
        else:
            self.settle()
        os.close(self._reader)
