"""The owner's end of process 1 of a container: what the container gets, how it is held, how its end is known.

Theory of operation. A container engine starts init.py as process 1, and init.py comes to us over one connection. The
order is what makes it safe: the process is known by the kernel's word (SO_PEERCRED), moved into the cgroup that counts
it, and only then given descriptors, filters and files; the student's program starts last. Afterwards the connection is
a line: init.py tells the exit status over it, and ends when it breaks, so that a killed owner takes the container along.

A `Relay` serves a sandbox that cannot receive listening sockets: it accepts outside and sends the connections in.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import Outcome, Usage
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox import seccomp
from gpu_runner.sandbox.bubblewrap import HOME
from gpu_runner.sandbox.contract import AGENT_FOLDER, Launch, SandboxProcess
from gpu_runner.sandbox.log import Log

INIT = Path(__file__).with_name("init.py")
CONNECT_SECONDS = 60.0
CLOSE_SECONDS = 20.0
KILLED = 128 + signal.SIGKILL
PEER = struct.Struct("3i")


class Line:
    """The connection to process 1 of a container.

    Attributes:
        pid: the process of this machine whose end is the container's; it waits for us when this is made.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self.pid = connection, pid
        self._handle = os.pidfd_open(pid)
        self._connection.settimeout(CONNECT_SECONDS)
        self._lock = threading.Lock()
        self._status: int | None = None

    def give(
        self, launch: Launch, *, argv: tuple[str, ...], listening: bool = True, more_filters: tuple[bytes, ...] = ()
    ) -> dict[int, int]:
        """Hands all over that the launch names; the program starts then.

        Args:
            argv: the program, as seen inside.
            listening: whether listening sockets can be received there.
            more_filters: seccomp programs beyond those of every backend.

        Returns:
            The listening sockets that stay outside and need a relay, number inside -> copy of the descriptor.
        """
        kept = {} if listening else {number: os.dup(number) for number in launch.pass_fds if _listens(number)}
        numbers = [number for number in launch.pass_fds if number not in kept]
        programs = (*seccomp.programs(), *more_filters)
        header = json.dumps(
            {
                "argv": [part.replace("{agent}", AGENT_FOLDER) for part in argv],
                "env": {**launch.env, "HOME": HOME},
                "home": HOME,
                "numbers": numbers,
                "listeners": list(kept),
                "filters": [len(program) for program in programs],
                "files": [[name, len(content)] for name, content in launch.files.items()],
            }
        ).encode()
        try:
            socket.send_fds(self._connection, [struct.pack(">Q", len(header))], numbers)
            for part in (header, *programs, *launch.files.values()):
                if part:  # after the last byte a quick program may be gone: to send it nothing is an error then
                    self._connection.sendall(part)
        except OSError:
            for descriptor in kept.values():
                os.close(descriptor)
            raise
        return kept

    def send(self, number: int, connection: socket.socket) -> None:
        """Sends a connection in that was accepted on the listening socket of this number."""
        socket.send_fds(self._connection, [struct.pack(">I", number)], [connection.fileno()])

    def status(self, wait_seconds: float = 0.0) -> int | None:
        """The exit status; None while the program runs. When the line broke without a word it was killed."""
        if self._status is None and _readable(self._connection, wait_seconds):  # not under the lock: others ask meanwhile
            with self._lock:
                if self._status is None:
                    data = b""
                    with contextlib.suppress(OSError):
                        data = self._connection.recv(4, socket.MSG_WAITALL)
                    self._status = struct.unpack(">I", data)[0] if len(data) == 4 else KILLED
        return self._status

    def cut(self) -> None:
        """SIGKILL to the process that all others hang on, and the line broken where we may send no signal."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Gives the descriptors back."""
        with self._lock:
            self._status = KILLED if self._status is None else self._status
            self._connection.close()
            os.close(self._handle)
            self._handle = -1  # `cut` may be called again


class Relay:
    """Accepts on listening sockets of this side and sends the connections over a line."""

    def __init__(self, line: Line, listeners: dict[int, int]) -> None:
        self._line = line
        self._listeners = {number: socket.socket(fileno=descriptor) for number, descriptor in listeners.items()}
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="sandbox-relay", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._wake, selectors.EVENT_READ)
            for number, listener in self._listeners.items():
                ready.register(listener, selectors.EVENT_READ, number)
            while all(key.fd != self._wake and self._pass_on(key) for key, _ in ready.select()):
                pass

    def _pass_on(self, key: selectors.SelectorKey) -> bool:
        """Whether the line still holds."""
        try:
            connection, _ = self._listeners[key.data].accept()
        except BlockingIOError:
            return True
        with connection:
            try:
                self._line.send(key.data, connection)
            except OSError:
                return False
        return True

    def close(self) -> None:
        """No more connections."""
        os.write(self._stop, b"x")
        self._thread.join()
        for listener in self._listeners.values():
            listener.close()
        os.close(self._wake)
        os.close(self._stop)


class HandedProcess(SandboxProcess):
    """A running container, held by its line."""

    def __init__(
        self,
        engine: subprocess.Popen[bytes],
        line: Line,
        relay: Relay | None,
        meter: limiting.Meter,
        log: Log,
        clear: Callable[[], None],
    ) -> None:
        self.pid, self._engine, self._line, self._relay = line.pid, engine, line, relay
        self._meter, self._log, self._clear = meter, log, clear
        if isinstance(meter, limiting.ProcessTree):
            meter.watch(line.pid)

    def poll(self) -> int | None:
        """What process 1 said; the engine says it later."""
        return self._line.status()

    def kill(self) -> None:
        """Ends process 1, or what runs it; everything else goes with it."""
        self._line.cut()

    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for process 1's word."""
        return self._line.status(timeout_seconds)

    def usage(self) -> Usage:
        """From the meter."""
        return Usage(cpu_seconds=self._meter.cpu_seconds(), peak_memory_bytes=self._meter.memory_bytes()[1])

    def passed_limit(self) -> Outcome | None:
        """Memory, by the cgroup's own account or the watchdog's."""
        return Outcome.MEMORY_EXCEEDED if self._meter.out_of_memory() else None

    def over_memory(self) -> bool:
        """Whether a watchdog must end it for memory, because no cgroup does."""
        if self._meter.caps_memory:
            return False
        self._meter.memory_bytes()
        return self._meter.out_of_memory()

    def output(self) -> str:
        """The last it printed."""
        return self._log.text()

    def close(self) -> None:
        """Ends it, waits until the engine has taken it away, and removes what was made for it."""
        self.kill()
        self._line.status(CLOSE_SECONDS)
        if self._relay is not None:
            self._relay.close()
        try:
            self._engine.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._engine.kill()
            self._engine.wait()
        self._line.close()
        self._log.close()
        self._meter.close()
        self._clear()


def accept(listener: socket.socket, engine: subprocess.Popen[bytes], uid: int) -> Line:
    """Waits until process 1, which runs as this user of the host, connects.

    Raises:
        SandboxFailed: ours; the engine ended first, nothing came in time, or somebody else came.
    """
    deadline = time.monotonic() + CONNECT_SECONDS
    while not _readable(listener, 0.05):
        if engine.poll() is not None and not _readable(listener, 0.0):
            raise SandboxFailed("container", f"the engine ended with status {engine.returncode}")
        if time.monotonic() > deadline:
            raise SandboxFailed("container", f"process 1 did not come within {CONNECT_SECONDS:g} s")
    connection, _ = listener.accept()
    pid, peer, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    if peer != uid:
        connection.close()
        raise SandboxFailed("container", f"user {peer} connected where {uid} was awaited")
    return Line(connection, pid)


def remove(folder: Path) -> None:
    """Removes what was laid for a container."""
    shutil.rmtree(folder, ignore_errors=True)


def _listens(descriptor: int) -> bool:
    """Whether it is a listening socket."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def _readable(sock: socket.socket, seconds: float) -> bool:
    ready = select.poll()
    try:
        ready.register(sock, select.POLLIN)
    except ValueError:  # closed
        return False
    return bool(ready.poll(seconds * 1000))
