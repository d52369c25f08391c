"""Doubles for tests: a channel without a sandbox, and a recorded execution.

`in_process` is for trusted code alone: our own reference solutions, correct variants and mutants. `in_subprocess` has a
process of its own, so that code may patch libraries, loop or exit, but no sandbox: our own attacks, never a stranger's.
"""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpu_runner import agent
from gpu_runner.channel import Channel
from gpu_runner.execution import CellRun, CellStatus, Execution, Outcome, Usage

MAX_MESSAGE_BYTES = 2**29

_SERVE = """
import socket, sys, traceback
from gpu_runner import agent
namespace = {"__name__": "__main__"}
try:
    exec(compile(sys.argv[2], "<notebook>", "exec"), namespace)
except Exception:
    traceback.print_exc()
agent.serve(socket.socket(fileno=int(sys.argv[1])), namespace)
"""


@contextmanager
def in_process(namespace: dict[str, Any], *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[Channel]:
    """Serves `namespace` from a thread of this process."""
    ours, theirs = socket.socketpair()
    session = agent.Session(theirs, namespace)
    thread = threading.Thread(target=session.serve, name="agent", daemon=True)

    def interrupt() -> None:
        if session.working and thread.ident is not None:
            session.working = False
            target = ctypes.c_ulong(thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(KeyboardInterrupt))

    def death() -> str | None:
        return None if thread.is_alive() else "the thread ended"

    thread.start()
    channel = Channel(ours, interrupt=interrupt, death=death, max_message_bytes=max_message_bytes)
    try:
        yield channel
    finally:
        channel.close()
        thread.join(timeout=10)
        theirs.close()


@contextmanager
def in_subprocess(source: str, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[Channel]:
    """Runs `source` in a process of its own, then serves its names. No sandbox."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(theirs.fileno()), source],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

        def death() -> str | None:
            code = process.poll()
            if code is None:
                return None
            return f"exit status {code}" if code >= 0 else signal.Signals(-code).name

        channel = Channel(
            ours,
            interrupt=lambda: process.send_signal(signal.SIGINT),
            death=death,
            max_message_bytes=max_message_bytes,
        )
        try:
            yield channel
        finally:
            channel.close()
            process.kill()
            process.wait()


def recorded_execution(
    cells: dict[str, CellStatus] | None = None,
    *,
    outcome: Outcome = Outcome.COMPLETED,
    errors: dict[str, str] | None = None,
) -> Execution:
    """An execution as if a notebook with these grade ids had run."""
    runs = tuple(
        CellRun(index, status, 0.0, (errors or {}).get(grade_id, ""), grade_id)
        for index, (grade_id, status) in enumerate((cells or {}).items())
    )
    notebook = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return Execution(outcome, runs, Usage(), notebook, {"backend": "recorded"})
