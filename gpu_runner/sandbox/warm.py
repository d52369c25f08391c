"""Warm starts: a fork-server for each Python environment and number of threads, and the sandboxes that its children enter.

Theory of operation. A worker (this process) starts a fork-server when it first needs one, and again when the environment
has changed. For each kernel it makes an ordinary sandbox whose program does nothing but hold the namespaces open, checks
that they are new, and hands the holder's pidfd to the fork-server with the descriptors that the kernel is to have. The
fork-server is reachable over one socket pair only, whose other end no sandbox ever has.

What forkserver.py says is believed: it is our process. What a kernel's own process says is not, and it says nothing here.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_runner.environment import PythonEnvironment
from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import Outcome, Usage
from gpu_runner.sandbox import seccomp
from gpu_runner.sandbox.contract import AGENT_FOLDER, Launch, SandboxProcess
from gpu_runner.sandbox.log import Log

if TYPE_CHECKING:
    from gpu_runner.sandbox.bubblewrap import BubblewrapProcess as Holder

HERE = Path(__file__).parent.parent
SOURCES = ("tensors", "agent", "launcher")
HOLDER = ("/bin/sh", "-c", "echo holding; exec sleep infinity")
HOLDING = "holding"
PRELOAD_SECONDS = 120.0
ENTER_SECONDS = 30.0
GONE_SECONDS = 5.0
MAX_MESSAGE = 1 << 16
NAMESPACES = {"user": 0x10000000, "mnt": 0x00020000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000}
OPTIONAL = {"cgroup": 0x02000000}


class ForkServer:
    """One pre-imported parent. Safe to use from several threads."""

    def __init__(self, environment: PythonEnvironment, threads: int, variables: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        script = seccomp.as_descriptor((HERE / "forkserver.py").read_bytes())
        errors = os.memfd_create("forkserver-errors", os.MFD_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                [str(environment.executable), "-s", "-"],
                stdin=script, stdout=theirs.fileno(), stderr=errors, cwd="/", env=variables, start_new_session=True,
            )  # fmt: skip
        except OSError as fault:
            self._socket.close()
            os.close(errors)
            raise SandboxFailed("fork-server", str(fault)) from fault
        finally:
            os.close(script)
            theirs.close()
        self._errors = errors
        setup = {
            "hidden": [str(path) for path in environment.hidden],
            "folder": AGENT_FOLDER,
            "threads": threads,
            "sources": {name: (HERE / f"{name}.py").read_text("utf-8") for name in SOURCES},
        }
        self._socket.settimeout(PRELOAD_SECONDS)
        try:
            self._socket.send(json.dumps(setup).encode())
            self.hello: dict[str, Any] = json.loads(self._socket.recv(MAX_MESSAGE))
        except (OSError, ValueError) as fault:
            said = self.errors()
            self.close()
            raise SandboxFailed("fork-server", f"did not start: {fault}", said) from fault

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def errors(self) -> str:
        """What it and its keepers printed last."""
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, 4096, max(0, size - 4096)).decode("utf-8", "replace")

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """Asks for one child.

        Raises:
            SandboxFailed: ours; the fork-server is gone.
        """
        try:
            with self._lock:
                socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        except OSError as fault:
            raise SandboxFailed("fork-server", f"is gone: {fault}", self.errors()) from fault

    def close(self) -> None:
        """Ends it and every child."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        os.close(self._errors)


_servers: dict[tuple[Path, int], tuple[object, int, ForkServer]] = {}
_servers_lock = threading.Lock()


@atexit.register
def close_all() -> None:
    """Ends this process's fork-servers."""
    with _servers_lock:
        for _, owner, server in _servers.values():
            if owner == os.getpid():
                server.close()
        _servers.clear()


def fork_server(environment: PythonEnvironment, threads: int, variables: dict[str, str]) -> ForkServer:
    """The fork-server of an environment; made when there is none, when it ended, or when the environment has changed."""
    key, mark = (environment.executable, threads), _fingerprint(environment)
    with _servers_lock:
        known = _servers.get(key)
        if known is not None:
            known_mark, owner, server = known
            if owner == os.getpid() and known_mark == mark and server.alive:
                return server
            del _servers[key]
            if owner == os.getpid():
                server.close()
        server = ForkServer(environment, threads, variables)
        _servers[key] = (mark, os.getpid(), server)
        return server


def _fingerprint(environment: PythonEnvironment) -> object:
    """Changes when packages are installed or removed, or our own files in the sandbox change."""
    watched = [*environment.sites, *(HERE / f"{name}.py" for name in (*SOURCES, "forkserver"))]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in watched)


class WarmKernel:
    """The keeper's end: what became of one child."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._status: int | None = None
        self.keeper = 0

    def enter(self, holder: int) -> None:
        """Sends the child into the sandbox of the process `holder`, and waits until it is there.

        Raises:
            SandboxFailed: ours; it could not enter.
        """
        pidfd = os.pidfd_open(holder)
        self._control.settimeout(ENTER_SECONDS)
        try:
            socket.send_fds(self._control, [str(_namespaces(holder)).encode()], [pidfd])
            told = json.loads(self._control.recv(MAX_MESSAGE) or b"{}")
        except (OSError, ValueError) as fault:
            raise SandboxFailed("fork-server", f"a child did not enter its sandbox: {fault}") from fault
        finally:
            os.close(pidfd)
        if "pid" not in told:
            raise SandboxFailed("fork-server", told.get("error", "a child ended before it entered its sandbox"))
        self.keeper = told["pid"]
        self._control.setblocking(False)

    def poll(self) -> int | None:
        """The kernel's exit status, None while it runs."""
        if self._status is None:
            with contextlib.suppress(BlockingIOError, ValueError):
                message = self._control.recv(MAX_MESSAGE)
                told = json.loads(message) if message else {}
                if "error" not in told:  # whose status comes after it
                    self._status = told.get("status", 70)
        return self._status

    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for the end; None when it has not come by then."""
        if self.poll() is None:
            select.select([self._control], [], [], timeout_seconds)
        return self.poll()

    def close(self) -> None:
        """Lets go of it."""
        self._control.close()


class WarmProcess(SandboxProcess):
    """A kernel that a fork-server's child became, in the sandbox that a holder keeps open."""

    def __init__(self, holder: Holder, kernel: WarmKernel, log: Log) -> None:
        self.pid = kernel.keeper
        self._holder, self._kernel, self._log = holder, kernel, log
        holder.watch(kernel.keeper)

    def poll(self) -> int | None:
        """The kernel's exit status as its keeper tells it, or the sandbox's own."""
        status = self._kernel.poll()
        return self._holder.poll() if status is None else status

    def kill(self) -> None:
        """Ends the sandbox."""
        self._holder.kill()

    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for the keeper's word."""
        return self._kernel.wait(timeout_seconds)

    def usage(self) -> Usage:
        """The sandbox's, in which the kernel is counted."""
        return self._holder.usage()

    def passed_limit(self) -> Outcome | None:
        """The sandbox's."""
        return self._holder.passed_limit()

    def pids(self) -> set[int]:
        """The sandbox's."""
        return self._holder.pids()

    def over_memory(self) -> bool:
        """The sandbox's."""
        return self._holder.over_memory()

    def output(self) -> str:
        """The kernel's last words."""
        return self._log.text()

    def close(self) -> None:
        """Ends the sandbox, and waits until the kernel is gone too."""
        self._holder.kill()
        self._kernel.wait(GONE_SECONDS)
        self._holder.close()
        self._kernel.close()
        self._log.close()


def start(launch: Launch, hold: Callable[[Launch], Holder], home: str, user: int) -> WarmProcess:
    """Makes a sandbox with a holder in it, by `hold`, and lets a child of the fork-server become its kernel.

    Args:
        user: the sandbox's user and group, as seen inside.

    Raises:
        SandboxFailed: ours.
    """
    server = fork_server(launch.python, launch.limits.threads, dict(launch.env))
    holder = hold(replace(launch, argv=HOLDER, pass_fds=()))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kernel, log = WarmKernel(ours), Log()
    try:
        request = {
            "join": [str(path) for path in holder.join_files],
            "user": user,
            "descriptors": list(launch.pass_fds),
            "environment": {**launch.env, "HOME": home, "PWD": home},
            "seccomp": [
                base64.b64encode(program).decode() for program in seccomp.programs(*seccomp.for_devices(launch.devices))
            ],
        }
        server.fork(request, [theirs.fileno(), log.writer, *launch.pass_fds])
        theirs.close()
        if not holder.log.first_words(ENTER_SECONDS).startswith(HOLDING):
            raise SandboxFailed("bubblewrap", "the sandbox did not start", holder.output())
        holder.first_process()  # while it is sure to be bubblewrap's own
        kernel.enter(_program_of(holder.pid))
    except BaseException:
        kernel.close()
        holder.close()
        log.close()
        raise
    finally:
        theirs.close()
    log.started()
    return WarmProcess(holder, kernel, log)


def _program_of(bwrap: int) -> int:
    """The process id of the program that a bubblewrap runs: the child of its child."""
    pid = bwrap
    for _ in range(2):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(children) != 1:
            raise SandboxFailed("bubblewrap", f"found {len(children)} processes where the holder should be")
        pid = int(children[0])
    return pid


def _namespaces(pid: int) -> int:
    """The namespaces of a process as flags of setns.

    Raises:
        SandboxFailed: ours; it shares one with us that it must not share.
    """
    flags = 0
    for name, flag in {**NAMESPACES, **OPTIONAL}.items():
        if os.stat(f"/proc/{pid}/ns/{name}").st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:  # noqa: PTH116
            flags |= flag
        elif name in NAMESPACES:
            raise SandboxFailed("bubblewrap", f"the sandbox shares our {name} namespace")
    return flags
