"""A Jupyter kernel provisioner: any Jupyter tool that starts kernels can start them in a sandbox.

Theory of operation. Before a launch this side makes, in a private directory that no sandbox sees, five listening unix
sockets, and hands their descriptors to the kernel; clients connect to the paths. One more descriptor, half of a socket
pair, is the channel. A watchdog thread looks every 50 ms at what the process tree has used and ends it at a limit; a
cell over its CPU time is interrupted first, and killed when it does not heed that within a grace time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.provisioning import KernelProvisionerBase
from jupyter_client.session import Session
from traitlets import Bool, Dict, Instance, Integer, Unicode

from gpu_runner.client import KEPT_BYTES, MAX_MESSAGES, max_message_bytes
from gpu_runner.environment import PythonEnvironment, python_environment
from gpu_runner.errors import DeviceUnavailable, SandboxFailed
from gpu_runner.execution import Limits, Outcome, Usage
from gpu_runner.gpus import Devices, GpuWatch, Lease
from gpu_runner.sandbox import get_sandbox
from gpu_runner.sandbox.bubblewrap import exit_reason
from gpu_runner.sandbox.contract import Launch, SandboxProcess

PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}
AGENT_SOURCES = ("launcher.py", "agent.py", "tensors.py")
POLL_SECONDS = 0.05
GRACE_SECONDS = 2.0
READY_SECONDS = 90.0
MAX_ANSWER_BYTES = 2**20


def determinism(limits: Limits, python: Path) -> dict[str, str]:
    """The environment of every kernel: constant, and nothing of ours."""
    threads = str(limits.threads)
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "USER": "student",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - inside the sandbox
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/torchinductor",  # noqa: S108
        "IPYTHONDIR": "/tmp/ipython",  # noqa: S108
        "JUPYTER_PLATFORM_DIRS": "1",
    }


class SandboxProvisioner(KernelProvisionerBase):  # type: ignore[misc]
    """Starts kernels in a sandbox. Configure by traits, or by the kernelspec's metadata."""

    backend = Unicode("bubblewrap", help="Name of the sandbox backend.").tag(config=True)
    seed = Integer(0, help="Seed of random, numpy and torch in the kernel.").tag(config=True)
    warm = Bool(True, help="Whether the kernel may start from a parent that has done the imports.").tag(config=True)
    python = Unicode("", help="The kernel's Python; ours when empty.").tag(config=True)
    limits = Instance(Limits, kw={})
    lease = Instance(Lease, allow_none=True, default_value=None, help="The GPU that the kernel may use.")
    files = Dict(help="What the working directory holds, relative path -> bytes.")

    process: SandboxProcess | None = None
    channel_socket: socket.socket | None = None
    _folder: Path | None = None
    _watchdog: Watchdog | None = None

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._listeners: dict[str, socket.socket] = {}

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started."""
        return self.process is not None

    @property
    def environment(self) -> PythonEnvironment:
        """The kernel's Python."""
        return python_environment(Path(self.python) if self.python else None)

    @property
    def watchdog(self) -> Watchdog:
        """The watchdog of the running kernel."""
        if self._watchdog is None:
            raise SandboxFailed(self.backend, "no kernel was started")
        return self._watchdog

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Makes the sockets, and tells the manager where they are."""
        self._folder = Path(tempfile.mkdtemp(prefix=f"assessor-{os.getpid()}-", dir=_socket_home()))
        manager = self.parent
        manager.transport, manager.ip = "ipc", str(self._folder / "s")
        manager.cache_ports = False
        for name, port in PORTS.items():
            setattr(manager, name, port)
        manager.session.key = secrets.token_hex(16).encode()
        for name, port in PORTS.items():
            self._listeners[name] = _listen(self._folder / f"s-{port}")
        self.connection_info = manager.get_connection_info()
        prepared: dict[str, Any] = await super().pre_launch(cmd=[], **kwargs)
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Starts the sandbox and the kernel in it."""
        ours, theirs = socket.socketpair()
        try:
            self.process = get_sandbox(self.backend).start(self._launch(theirs.fileno()))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            self._close_listeners()
        self.channel_socket = ours
        self._watchdog = Watchdog(self.process, self.limits, self.interrupt, self.lease)
        return dict(self.connection_info)

    def _launch(self, channel: int) -> Launch:
        environment = self.environment
        devices = self._devices()
        descriptors = {PORTS[name]: listener.fileno() for name, listener in self._listeners.items()}
        return Launch(
            argv=(str(environment.executable), "-s", "{agent}/launcher.py"),
            python=environment,
            limits=self.limits,
            files=self.files,
            agent_files=self._agent_files(descriptors, channel),
            env=determinism(self.limits, environment.executable) | dict(devices.env),
            devices=devices.nodes,
            read_only=devices.read_only,
            pass_fds=(*descriptors.values(), channel),
            preloaded=self.warm,
        )

    def _devices(self) -> Devices:
        lease: Lease | None = self.lease
        if lease is None:
            return Devices()
        if not get_sandbox(self.backend).shows_gpus:
            raise DeviceUnavailable(f"sandbox {self.backend!r} shows no GPU; use bubblewrap, or gpu = 'none'")
        return lease.devices

    def _close_listeners(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners = {}

    def _agent_files(self, descriptors: Mapping[int, int], channel: int) -> dict[str, bytes]:
        """The fixed files, and the two that say what this kernel is."""
        here = Path(__file__).parent
        connection = {
            "transport": "ipc", "ip": "/kernel", **PORTS,
            "key": self.parent.session.key.decode(), "signature_scheme": self.parent.session.signature_scheme,
        }  # fmt: skip
        config = {
            "sockets": {str(port): number for port, number in descriptors.items()},
            "channel": channel,
            "seed": self.seed,
            "threads": self.limits.threads,
            "output": {
                "text": self.limits.output_bytes + KEPT_BYTES,
                "messages": MAX_MESSAGES + 10,
                "message_bytes": max_message_bytes(self.limits),
                "kept_bytes": KEPT_BYTES,
            },
            "limits": {
                "open_files": self.limits.open_files,
                "file_bytes": self.limits.file_bytes,
                "processes": self.limits.processes if get_sandbox(self.backend).own_users else None,
            },
        }
        files = {name: (here / name).read_bytes() for name in AGENT_SOURCES}
        return {
            **files,
            "connection.json": json.dumps(connection).encode(),
            "launch.json": json.dumps(config).encode(),
        }

    def interrupt(self) -> None:
        """Asks the kernel to interrupt its main thread; from any thread.

        SIGINT from outside would end the sandbox instead of the cell, so it goes as a message to the control channel.
        """
        self._ask("interrupt_request", 0.0)

    def settle(self) -> None:
        """Waits until the kernel has dealt with an interrupt, so that a late one does not hit the next cell."""
        self._ask("kernel_info_request", GRACE_SECONDS)

    def _ask(self, message: str, wait_seconds: float) -> None:
        """Sends a message to the control channel; what the answer says does not matter."""
        session: Session = self.parent.session
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        with context.socket(zmq.DEALER) as control:
            control.linger = 1000
            control.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
            control.connect(f"ipc://{self.parent.ip}-{PORTS['control_port']}")
            Session(key=session.key, signature_scheme=session.signature_scheme).send(control, message, content={})
            if wait_seconds:
                control.poll(int(wait_seconds * 1000))

    async def poll(self) -> int | None:
        """The exit status, None while the kernel runs."""
        return 0 if self.process is None else self.process.poll()

    async def wait(self) -> int | None:
        """Waits for the kernel's end."""
        return None if self.process is None else self.process.wait(GRACE_SECONDS + READY_SECONDS)

    async def send_signal(self, signum: int) -> None:
        """SIGINT becomes a message; SIGKILL and SIGTERM end the sandbox; others have no meaning here."""
        if signum == signal.SIGINT:
            self.interrupt()
        elif signum in (signal.SIGKILL, signal.SIGTERM) and self.process is not None:
            self.process.kill()

    async def kill(self, restart: bool = False) -> None:
        """Ends every process of the sandbox."""
        if self.process is not None:
            self.process.kill()

    async def terminate(self, restart: bool = False) -> None:
        """The same: there is nothing in there worth a farewell."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Gives back everything that was made for the kernel."""
        self._close_listeners()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self.process is not None:
            self.process.close()
            self.process = None
        if self.channel_socket is not None:
            self.channel_socket.close()
            self.channel_socket = None
        self._close_listeners()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def get_shutdown_wait_time(self, recommended: float = 5.0) -> float:
        """None: a sandbox is killed, never asked."""
        return 0.0


class Watchdog:
    """Ends a sandbox that passes a limit, and remembers which."""

    def __init__(self, process: SandboxProcess, limits: Limits, interrupt: Any, lease: Lease | None = None) -> None:
        self._process, self._limits, self._interrupt = process, limits, interrupt
        self._gpu = GpuWatch(lease, limits.gpu_memory_bytes) if lease else None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._cell: tuple[float, float] | None = None
        self._interrupted_at: float | None = None
        self.cell_timed_out = False
        self.passed: Outcome | None = None
        self.started = time.monotonic()
        self._since = 0.0, self.started
        self.wall_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def cell_begins(self) -> None:
        """From here on the cell limits count."""
        with self._lock:
            self._cell = self._process.usage().cpu_seconds, time.monotonic()
            self._interrupted_at, self.cell_timed_out = None, False

    def cell_ends(self) -> bool:
        """The cell is done; whether it was over its time."""
        with self._lock:
            self._cell = None
            return self.cell_timed_out

    def begin_again(self) -> None:
        """Gives what follows a whole run's time of its own."""
        self._since = self._process.usage().cpu_seconds, time.monotonic()

    def check_device(self) -> None:
        """Called before anything is made of a run.

        Raises:
            DeviceLost: ours; its GPU stopped answering on the way.
        """
        if self._gpu is not None:
            self._gpu.check()

    def end(self, outcome: Outcome) -> None:
        """Ends the sandbox for a limit that somebody else saw passed."""
        self.passed = self.passed or outcome
        self._process.kill()

    def stop(self) -> None:
        """No more looking."""
        self._stop.set()
        self._thread.join()
        self.wall_seconds = time.monotonic() - self.started

    def usage(self, output_bytes: int = 0) -> Usage:
        """What was used so far."""
        used = self._process.usage()
        wall = time.monotonic() - self.started
        gpu_bytes = self._gpu.peak_bytes if self._gpu else 0
        return Usage(wall, used.cpu_seconds, used.peak_memory_bytes, gpu_bytes, output_bytes)

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            if self._process.poll() is not None:
                return
            self._look()

    def _look(self) -> None:
        now, cpu = time.monotonic(), self._process.usage().cpu_seconds
        cpu_before, began = self._since
        if self._process.over_memory():
            self.end(Outcome.MEMORY_EXCEEDED)
        elif self._gpu is not None and (passed := self._gpu.look(self._process.pids())):
            self.end(passed)
        elif self._gpu is not None and self._gpu.lost:
            self._process.kill()
        elif cpu - cpu_before > self._limits.cpu_seconds:
            self.end(Outcome.CPU_EXCEEDED)
        elif now - began > self._limits.wall_seconds:
            self.end(Outcome.WALL_EXCEEDED)
        else:
            self._look_at_cell(now, cpu)

    def _look_at_cell(self, now: float, cpu: float) -> None:
        with self._lock:
            if self._cell is None:
                return
            cpu_before, began = self._cell
            over_cpu = cpu - cpu_before > self._limits.cell_cpu_seconds
            if not over_cpu and now - began <= self._limits.cell_wall_seconds:
                return
            if self._interrupted_at is None:
                self._interrupted_at, self.cell_timed_out = now, True
                self._interrupt()
            elif now - self._interrupted_at > GRACE_SECONDS:
                self.end(Outcome.CPU_EXCEEDED if over_cpu else Outcome.WALL_EXCEEDED)


def death_reason(process: SandboxProcess | None, passed: Outcome | None) -> str:
    """Why a kernel ended, in words."""
    if process is None:
        return "closed"
    limit = passed or process.passed_limit()
    return str(limit) if limit else exit_reason(process.poll())


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(16)
    listener.setblocking(False)
    return listener


@lru_cache(maxsize=1)
def _socket_home() -> str:
    """A directory whose paths fit into a unix socket's 107 bytes; swept once of what killed processes left there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    fit = runtime and len(runtime) < 60 and os.access(runtime, os.W_OK)
    home = Path(runtime if fit else "/tmp")  # noqa: S108 - mkdtemp makes private directories in it
    for folder in home.glob("assessor-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
    return str(home)
