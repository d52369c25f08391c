"""No sandbox at all: the program runs as this user, on this machine, with everything in reach.

For a trusted notebook on a machine where nothing better is allowed. Never chosen silently: only by name, and every
result says so.

Theory of operation. The program is a child in a session of its own, in a temporary directory. Its limits are the
meter's (a cgroup where there is one) and its own rlimits. Ending it ends whatever is in the cgroup, its descendants and
its process group; where there is no cgroup, a process that left both others outlives it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import psutil

from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import Limits
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox.bubblewrap import AS_USER, BubblewrapProcess
from gpu_runner.sandbox.contract import Check, Launch, Sandbox, SandboxProcess
from gpu_runner.sandbox.log import Log


class Unconfined(Sandbox):
    """Confines nothing."""

    name: ClassVar[str] = "unconfined"
    shows_gpus: ClassVar[bool] = True
    own_users: ClassVar[bool] = False

    def unavailable(self) -> tuple[str, str] | None:
        """Always there."""
        return None

    def start(self, launch: Launch) -> SandboxProcess:
        """Starts the program as an ordinary child."""
        folder = Path(tempfile.mkdtemp(prefix="unconfined-"))
        agent, home = folder / "agent", folder / "home"
        for place, files in ((agent, launch.agent_files), (home, launch.files)):
            place.mkdir()
            for name, content in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
        meter, log = limiting.make_meter(launch.limits), Log()
        settings = {**launch.env, "HOME": str(home)}
        words = [f"{key}={value}" for key, value in settings.items()]
        argv = [part.replace("{agent}", str(agent)) for part in launch.argv]
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", AS_USER, "unconfined", *words, *argv],
                env={"PATH": "/usr/bin:/bin", "JOIN": " ".join(map(str, meter.join_files))},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log.writer,
                stderr=log.writer,
                pass_fds=launch.pass_fds,
                start_new_session=True,
            )
        except OSError as fault:
            log.close()
            meter.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise SandboxFailed(self.name, str(fault)) from fault
        log.started()
        return UnconfinedProcess(process, meter, log, folder)

    def describe(self, limits: Limits) -> dict[str, Any]:
        """For the manifest; says that nothing was confined."""
        return {
            "backend": self.name,
            "confined": False,
            "enforced_by": {
                "memory, processes, cpu": limiting.best_meter().mechanism,
                "wall, output": "watchdog, client",
            },
        }

    def checks(self) -> list[Check]:
        """What doctor reports of it."""
        return [Check("sandbox: unconfined", False, "confines nothing", "use bubblewrap")]


class UnconfinedProcess(BubblewrapProcess):
    """A child in a session of its own."""

    def __init__(self, process: subprocess.Popen[bytes], meter: limiting.Meter, log: Log, folder: Path) -> None:
        super().__init__(process, meter, log, -1)
        self._folder = folder

    def kill(self) -> None:
        """SIGKILL to its cgroup, its tree and its group."""
        for pid in self._meter.members():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends it and removes its directory."""
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
