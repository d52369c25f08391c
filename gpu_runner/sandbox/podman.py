"""Containers by an engine: podman, and docker by the same code (docker.py) where its engine runs.

Theory of operation. Processes, and who starts whom:

    this process -> podman run -> conmon -> runc -> process 1 of the container: init.py -> the program
    this process -> docker run ~ dockerd -> containerd -> runc -> the same

- The container's root is a bare directory with /usr and the Python environment bound read-only, or, where ASSESSOR_IMAGE
  names one, an image made by the project's Containerfile, with its own Python. No registry is asked for anything.
- Engines hand no descriptors on (docker cannot), so init.py fetches them, see handover.py. It is the only thing that may:
  the socket is in a folder that only the container's root can enter, and goes away when it has come.
- Root's podman maps the container's users to ids of the host that nobody has, others each time; an ordinary user's podman
  maps `student` to that user.
- The engine's seccomp profile binds process 1; the program itself gets bubblewrap's two filters by init.py.
- Process 1 is moved into our own cgroup where we may make one, as with every backend. Where we may not, the engine is
  told limits of its own as a backstop, and the watchdog looks. Podman of an ordinary user on cgroup v1 can set none:
  then this backend refuses, unless ASSESSOR_PODMAN_UNMETERED says that the watchdog is enough.
- Killing process 1 ends the container; conmon or dockerd then removes it, also when we are no longer there.

May kill: this process the container; the program only what it started itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from gpu_runner.environment import python_environment
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import Limits
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox import oci, rootfs, seccomp
from gpu_runner.sandbox.bubblewrap import INSIDE_ID
from gpu_runner.sandbox.contract import Check, Launch, Sandbox, SandboxProcess
from gpu_runner.sandbox.handover import HandedProcess, Line, accept, remove
from gpu_runner.sandbox.log import Log

UID_BASE, UID_RANGES, UID_RANGE = 0x4000_0000, 0xC_0000, 1024
IMAGE_PYTHON = "/opt/environment/bin/python"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"
UNMETERED = "ASSESSOR_PODMAN_UNMETERED"


class Podman(Sandbox):
    """Containers by podman."""

    name: ClassVar[str] = "podman"
    program: ClassVar[str] = "podman"
    install: ClassVar[str] = "apt-get install podman runc"
    tmpfs_options: ClassVar[str] = ",notmpcopyup"
    _worked: ClassVar[bool] = False

    @property
    def image(self) -> str:
        """The image to run, '' for this machine's own /usr and Python."""
        return os.environ.get("ASSESSOR_IMAGE", "")

    def unavailable(self) -> tuple[str, str] | None:
        """Whether the engine is there and a container really starts; once that it does, it is not tried again."""
        cls = type(self)
        missing = None if cls._worked else self._unavailable()
        cls._worked = missing is None
        return missing

    def start(self, launch: Launch) -> SandboxProcess:
        """Starts a program in a fresh container."""
        missing = self.unavailable()
        if missing is not None:
            raise SandboxUnavailable(self.name, *missing)
        return self._start(launch)

    def describe(self, limits: Limits) -> dict[str, Any]:
        """For the manifest."""
        return {
            "backend": self.name,
            "version": self.version(),
            "image": self._image_id() or "this machine's /usr and Python, read-only",
            "seccomp": "allow-list",
            "enforced_by": {
                "memory, processes, cpu": self._mechanism(),
                "open files, file size": "rlimits",
                "disk": "sized tmpfs",
                "wall, output": "watchdog, client",
            },
        }

    def checks(self) -> list[Check]:
        """What doctor reports of it."""
        missing = self.unavailable()
        reason, remedy = missing or ("", "")
        image = self.image or "none; this machine's /usr and Python are shown read-only"
        capped = self._backstop() or (os.geteuid() == 0 and limiting.best_meter() is not limiting.ProcessTree)
        advice = "use cgroup v2, or run as root: here only a watchdog looks at memory"
        return [
            Check(f"sandbox: {self.name}", missing is None, reason or self.version(), remedy),
            Check(f"sandbox: {self.name} image", True, image, "" if self.image else "build the Containerfile for CUDA"),
            Check(f"sandbox: {self.name} limits", capped, self._mechanism(), "" if capped else advice),
        ]

    @classmethod
    def version(cls) -> str:
        """The engine's own words, '' where there is none."""
        program = shutil.which(cls.program, path=PATH)
        return _said([program, "--version"]) if program else ""

    def _image_id(self) -> str:
        """The image's name and digest; a tag alone may mean another one tomorrow."""
        if not self.image or shutil.which(self.program, path=PATH) is None:
            return self.image
        return f"{self.image} {_said([*self._engine(), 'image', 'inspect', '--format', '{{.Id}}', self.image])}".strip()

    def _meter(self) -> Callable[[Limits], limiting.Meter]:
        """Only root can surely move what an engine started into a cgroup of ours."""
        return limiting.make_meter if os.geteuid() == 0 else limiting.ProcessTree

    def _backstop(self) -> bool:
        """Whether the engine's own limits must stand behind a watchdog, and can."""
        watched = os.geteuid() != 0 or limiting.best_meter() is limiting.ProcessTree
        return watched and (_has_cgroup_v2() or not self.own_users)

    def _mechanism(self) -> str:
        meter = limiting.best_meter() if os.geteuid() == 0 else limiting.ProcessTree
        return meter.mechanism + (f"; {self.program}'s own cgroup as backstop" if self._backstop() else "")

    def _unavailable(self) -> tuple[str, str] | None:
        if shutil.which(self.program, path=PATH) is None:
            return f"the program {self.program} is missing", self.install
        refused = self._refused()
        if refused is not None:
            return refused
        try:
            seccomp.programs()
        except (OSError, ImportError, RuntimeError) as fault:
            return f"libseccomp does not work: {fault}", "apt-get install libseccomp2"
        environment = python_environment()
        launch = Launch((str(environment.executable), "-I", "-c", "print('inside')"), environment, Limits(), {"file": b""})
        try:
            process = self._start(launch)
        except (SandboxFailed, SandboxUnavailable) as fault:
            return str(fault), "see the line itself"
        status = process.wait(60)
        process.close()
        said = process.output()
        return None if status == 0 and "inside" in said else (said or f"exit status {status}", "see the line itself")

    def _refused(self) -> tuple[str, str] | None:
        """Why it may not run here although it could."""
        if os.geteuid() == 0 or _has_cgroup_v2() or os.environ.get(UNMETERED) == "1":
            return None
        return (
            "podman of an ordinary user can set no limits on cgroup v1",
            f"use bubblewrap, cgroup v2 or root; or set {UNMETERED}=1 if a watchdog on memory is enough",
        )

    def _start(self, launch: Launch) -> SandboxProcess:
        folder = rootfs.make_folder()
        name = folder.name
        meter, log = self._meter()(launch.limits), Log()
        engine: subprocess.Popen[bytes] | None = None
        line: Line | None = None
        try:
            binds = rootfs.lay(folder, launch, system=not self.image)
            users = self._users()
            with socket.socket(socket.AF_UNIX) as listener:
                place = folder / "handover" / "socket"
                listener.bind(str(place))
                listener.listen(1)
                self._let_in(folder, place, users)
                engine = subprocess.Popen(
                    [*self._engine(), *self._arguments(launch, folder, name, binds, users)],
                    env=engine_environment(),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log.writer,
                    stderr=log.writer,
                )
                log.started()
                line = accept(listener, engine, users[1])
            place.unlink()
            for file in meter.join_files:
                file.write_text(str(line.pid))
            python = IMAGE_PYTHON if self.image else launch.argv[0]
            argv = (python if launch.argv[0] == str(launch.python.executable) else launch.argv[0], *launch.argv[1:])
            line.give(launch, argv=argv)
            return HandedProcess(engine, line, None, meter, log, lambda: remove(folder))
        except BaseException as fault:
            self._abandon(engine, name)
            if line is not None:
                line.close()
            log.close()
            meter.close()
            remove(folder)
            if isinstance(fault, OSError | SandboxFailed):
                raise SandboxFailed(self.name, getattr(fault, "reason", str(fault)), log.text()) from fault
            raise

    def _abandon(self, engine: subprocess.Popen[bytes] | None, name: str) -> None:
        """Ends a container that did not come so far as to be held."""
        if engine is None:
            return
        engine.kill()
        engine.wait()
        subprocess.run([*self._engine(), "rm", "--force", name], env=engine_environment(), capture_output=True, check=False)

    def _engine(self) -> list[str]:
        """The engine with its global options."""
        program = shutil.which(self.program, path=PATH)
        if program is None:
            raise SandboxUnavailable(self.name, f"the program {self.program} is missing", self.install)
        manager = ["--cgroup-manager", "cgroupfs"] if os.geteuid() == 0 else []
        runtime = ["--runtime", "runc"] if shutil.which("runc", path=PATH) else []
        return [program, "--events-backend", "none", *manager, *runtime]

    def _users(self) -> tuple[int, int]:
        """The host's ids of the container's root and of its student."""
        if os.geteuid() == 0:
            base = UID_BASE + UID_RANGE * secrets.randbelow(UID_RANGES)
            return base, base + int(INSIDE_ID)
        return os.getuid(), os.getuid()

    def _let_in(self, folder: Path, place: Path, users: tuple[int, int]) -> None:
        """Lets the container's users, and nobody else, to its folder and its socket."""
        if os.geteuid() == 0:
            os.chown(folder, users[0], users[0])
            os.chown(place, users[1], users[1])
        else:
            folder.chmod(0o711)  # its root is a subordinate id of ours
        place.chmod(0o600)

    def _arguments(
        self, launch: Launch, folder: Path, name: str, binds: list[rootfs.Bind], users: tuple[int, int]
    ) -> list[str]:
        profile = folder / "seccomp.json"
        profile.write_text(json.dumps(oci.seccomp_profile()))
        limits = launch.limits
        options = [
            "run", "--rm", "--pull", "never", "--name", name, "--read-only",
            "--network", "none", "--ipc", "none", "--hostname", "sandbox", "--user", f"{INSIDE_ID}:{INSIDE_ID}", "--workdir", "/",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={profile}",
            "--security-opt", "label=disable", "--log-driver", "none",
            "--ulimit", "core=0:0", *_ulimit("nofile", 65_536), *_ulimit("nproc", 4096),
        ]  # fmt: skip
        for place in rootfs.SIZED:
            options += ["--tmpfs", f"{place}:rw,exec,nosuid,nodev,size={limits.disk_bytes},mode=1777{self.tmpfs_options}"]
        for bind in binds:
            options += ["--mount", _mount(bind)]
        if self._backstop():
            memory = str(limits.memory_bytes + limits.memory_bytes // 4)  # the watchdog is to see it first, and say so
            options += ["--memory", memory, "--memory-swap", memory, "--pids-limit", str(limits.processes + 8)]
        options += self._own_options(users)
        python = IMAGE_PYTHON if self.image else str(launch.python.executable)
        inside = ["-I", "-S", f"{rootfs.HANDOVER_FOLDER}/init.py", f"{rootfs.HANDOVER_FOLDER}/socket"]
        return [*options, "--entrypoint", python, *self._root(folder), *inside]

    def _own_options(self, users: tuple[int, int]) -> list[str]:
        """What only podman knows."""
        options = ["--unsetenv-all", "--http-proxy=false", "--no-hosts", "--passwd=false", "--read-only-tmpfs=false"]
        options += ["--cgroupns", "private", "--mount", "type=tmpfs,destination=/run,tmpfs-size=4096,ro=true"]
        if os.geteuid() != 0:
            return [*options, "--userns", f"keep-id:uid={INSIDE_ID},gid={INSIDE_ID}"]
        mapping = f"0:{users[0]}:{UID_RANGE}"
        return [*options, "--uidmap", mapping, "--gidmap", mapping]

    def _root(self, folder: Path) -> list[str]:
        """What the container's / is."""
        return [self.image] if self.image else ["--rootfs", str(folder / "root")]


def _mount(bind: rootfs.Bind) -> str:
    if "," in str(bind.source) or '"' in str(bind.source):
        raise SandboxFailed("container", f"an engine cannot show {str(bind.source)!r}: rename it without comma and quote")
    return f"type=bind,source={bind.source},destination={bind.destination},readonly"


def _ulimit(name: str, most: int) -> list[str]:
    """A limit that the engine may set; its own default may be above what this process was given."""
    hard = resource.getrlimit({"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}[name])[1]
    known = most if hard == resource.RLIM_INFINITY else min(most, hard)
    return ["--ulimit", f"{name}={known}:{known}"]


def engine_environment() -> dict[str, str]:
    """What the engine itself needs of our environment; nothing of it comes inside."""
    wanted = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "USER")
    return {"PATH": PATH, **{name: os.environ[name] for name in wanted if name in os.environ}}


def _has_cgroup_v2() -> bool:
    """Whether the engine can set limits for an ordinary user: version 2 is what /sys/fs/cgroup itself is."""
    return Path("/sys/fs/cgroup/cgroup.controllers").is_file()


def _said(command: list[str]) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    return ""
