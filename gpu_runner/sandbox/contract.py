"""What every sandbox backend promises, and to whom.

A backend starts one process tree around a stranger's program and can end all of it at once. It promises: no network;
a read-only system; a private, sized, empty home, /tmp and working directory that hold only the files given; own pid,
ipc, uts, network and user namespaces; no capabilities, no_new_privs, a seccomp allow-list; an environment of exactly
the variables given; and that nothing outlives the run. `unconfined` promises none of this and says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from gpu_runner.environment import PythonEnvironment
from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import Limits, Outcome, Usage

AGENT_FOLDER = "/opt/agent"
"""Where the sandbox shows the launcher and its agent."""


@dataclass(frozen=True)
class Launch:
    """One program to start.

    Attributes:
        argv: as seen inside; `{agent}` stands for the folder of `agent_files`.
        files: what the working directory holds, relative path -> bytes.
        agent_files: our own fixed files, name -> bytes; read-only inside.
        env: the whole environment inside.
        pass_fds: descriptors of ours that the program inherits under the same numbers; no other is open there.
        devices: device nodes that the program may use; read_only: folders of the host that their driver reads.
        preloaded: whether the program is the launcher, which a backend that can may start with its imports done already.
    """

    argv: tuple[str, ...]
    python: PythonEnvironment
    limits: Limits
    files: Mapping[str, bytes] = field(default_factory=dict)
    agent_files: Mapping[str, bytes] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    devices: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    preloaded: bool = False

    def __post_init__(self) -> None:
        """Refuses file names that could lead out of the working directory: no caller may hand a student's on as is."""
        for name in (*self.files, *self.agent_files):
            parts = PurePosixPath(name).parts
            if not parts or name.startswith("/") or ".." in parts or "\0" in name:
                raise SandboxFailed("launch", f"a file may not be called {name!r}")


@dataclass(frozen=True)
class Check:
    """One thing that `assessor doctor` reports of a backend."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class SandboxProcess(ABC):
    """A running sandbox, modelled on `subprocess.Popen`."""

    pid: int

    @abstractmethod
    def poll(self) -> int | None:
        """The exit status, None while it runs. The provisioner asks this all the time: it must be cheap."""

    @abstractmethod
    def kill(self) -> None:
        """Ends every process in it, now. Called on limits, and when the work is done; may be called twice."""

    @abstractmethod
    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for the end; None when it has not come by then."""

    @abstractmethod
    def usage(self) -> Usage:
        """What it has used so far; after its end, what it used in all."""

    def pids(self) -> set[int]:
        """The host's process ids of everything in it, as far as they can be told; asked for what they use of a GPU."""
        return set()

    def over_memory(self) -> bool:
        """Whether the watchdog must end it for memory, because the system does not. Called every 50 ms."""
        return False

    @abstractmethod
    def passed_limit(self) -> Outcome | None:
        """The limit that the system itself enforced on it (memory), if it did."""

    @abstractmethod
    def output(self) -> str:
        """The last of what was printed to its standard output and error, for staff."""

    @abstractmethod
    def close(self) -> None:
        """Ends it if need be, and gives back cgroup, files and descriptors. Called once, by the owner."""


class Sandbox(ABC):
    """A way to start such processes on this machine."""

    name: ClassVar[str]
    own_users: ClassVar[bool] = True
    """Whether a limit on a user's processes counts only those of one sandbox."""
    shows_gpus: ClassVar[bool] = False
    """Whether it obeys `Launch.devices`."""

    @abstractmethod
    def unavailable(self) -> tuple[str, str] | None:
        """None where this machine can offer it, else (reason, remedy). Called before the first start, and by doctor."""

    @abstractmethod
    def start(self, launch: Launch) -> SandboxProcess:
        """Starts a program. Called by the provisioner.

        Raises:
            SandboxUnavailable: ours; this machine cannot.
            SandboxFailed: ours; it could but did not.
        """

    @abstractmethod
    def describe(self, limits: Limits) -> dict[str, Any]:
        """For the manifest: name, version, and by what mechanism each limit is enforced."""

    @abstractmethod
    def checks(self) -> list[Check]:
        """What doctor reports."""
