"""The default backend: bubblewrap.

Theory of operation. Processes, outermost first; each replaces itself by the next (exec), so they share one pid until
bubblewrap forks:

    this process -> [unshare --mount ->] sh: joins the cgroup -> [setpriv ->] bwrap -> (fork) pid 1 of the sandbox
                                                                                  -> (fork) the program

- Root must not be uid 0 of the host in the sandbox: it would pass every file permission and every per-user limit. So
  when we are root, sh binds the directories that the sandbox shows to a private mount namespace's /mnt, where an
  ordinary user can reach them even when they lie below a closed home, and setpriv becomes a user id that no other
  process has (UID_BASE + pid), without groups or capabilities. bwrap then makes its user namespace as anybody could.
- bwrap gets its arguments by a descriptor, because /proc/1/cmdline is readable inside, and an empty environment,
  because /proc/1/environ is. --die-with-parent is tied to the thread that starts it: callers start from one that lives.
- The program inherits exactly `pass_fds`, standard streams on /dev/null and a pipe. There is no writable host
  directory, no socket path and no shared mount: all that comes out comes through those descriptors.
- Killing bwrap ends pid 1, and with it the kernel ends every process of the pid namespace. Then the cgroup is removed.

May kill: this process anything; the program only what it started itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import psutil

from gpu_runner.environment import python_environment
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import Limits, Outcome, Usage
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox import seccomp, warm
from gpu_runner.sandbox.contract import AGENT_FOLDER, Check, Launch, Sandbox, SandboxProcess
from gpu_runner.sandbox.log import Log

UID_BASE = 0x7000_0000
INSIDE_ID = "1000"
HOME = "/home/student"
PROGRAMS = ("bwrap", "sh", "setpriv", "unshare", "mount")
PASSWD = f"root:x:0:0::/:/usr/sbin/nologin\nstudent:x:{INSIDE_ID}:{INSIDE_ID}::{HOME}:/bin/sh\n"
ETC = {
    "passwd": PASSWD,
    "group": f"root:x:0:\nstudent:x:{INSIDE_ID}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "fonts/fonts.conf": "<fontconfig><dir>/usr/share/fonts</dir><cachedir>/tmp/fontconfig</cachedir></fontconfig>\n",
}
JOIN = 'for group in $JOIN; do echo $$ > "$group" || exit 70; done; unset JOIN; '
AS_USER = JOIN + 'exec env -i "$@"'
STAGE = (
    "mount -n -t tmpfs -o size=4m,mode=755 tmpfs /mnt || exit 71; "
    'count=$1; shift; places=$(number=0; while [ $number -lt $count ]; do echo /mnt/$number; number=$((number + 1)); done); '
    'mkdir $places && for place in $places; do mount -n --bind "$1" $place || exit 71; shift; done; '
)
"""Binds directories where any user reaches them. Arguments: how many, the directories, and then the command."""
AS_ROOT = (
    JOIN + STAGE + f"user=$(({UID_BASE} + $$)); "
    "exec setpriv --reuid=$user --regid=$user --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "
    'env -i "$@"'
)


class Bubblewrap(Sandbox):
    """Sandboxes by bubblewrap, unprivileged user namespaces and seccomp."""

    name: ClassVar[str] = "bubblewrap"
    shows_gpus: ClassVar[bool] = True
    _worked: ClassVar[bool] = False

    def unavailable(self) -> tuple[str, str] | None:
        """Whether the programs are there and a sandbox really starts; once that it does, it is not tried again."""
        missing = None if Bubblewrap._worked else _unavailable()
        Bubblewrap._worked = missing is None
        return missing

    def start(self, launch: Launch) -> SandboxProcess:
        """Starts a program in a fresh sandbox."""
        missing = self.unavailable()
        if missing is not None:
            raise SandboxUnavailable(self.name, *missing)
        if launch.preloaded:
            return warm.start(launch, _start, HOME, int(INSIDE_ID))
        process = _start(launch)
        process.first_process()  # while it is sure to be bwrap's own
        return process

    def describe(self, limits: Limits) -> dict[str, Any]:
        """For the manifest."""
        return {
            "backend": self.name,
            "version": _version(),
            "seccomp": "allow-list",
            "enforced_by": {
                "memory, processes, cpu": limiting.best_meter().mechanism,
                "open files, file size": "rlimits",
                "disk": "sized tmpfs",
                "wall, output": "watchdog, client",
            },
        }

    def checks(self) -> list[Check]:
        """What doctor reports of it."""
        missing = self.unavailable()
        meter = limiting.best_meter()
        found = _version() or "not found"
        reason, remedy = missing or ("", "")
        strong = meter is not limiting.ProcessTree
        advice = "run as root or under `systemd-run --user --scope -p Delegate=yes`, so that a cgroup caps memory"
        return [
            Check("sandbox: bubblewrap", missing is None, reason or found, remedy),
            Check("sandbox: limits", True, meter.mechanism + ("" if strong else f"; better: {advice}")),
        ]


class BubblewrapProcess(SandboxProcess):
    """One running sandbox."""

    def __init__(self, process: subprocess.Popen[bytes], meter: limiting.Meter, log: Log, info: int) -> None:
        self.pid, self._info = process.pid, info
        self._first: int | None = None
        self._process, self._meter, self.log = process, meter, log
        self.watch(process.pid)

    def first_process(self) -> int | None:
        """A pidfd of the sandbox's pid 1, as bwrap told it; None where it did not come that far."""
        if self._info >= 0:
            told = b""
            while not told.rstrip().endswith(b"}") and (chunk := os.read(self._info, 4096)):
                told += chunk
            os.close(self._info)
            self._info = -1
            with contextlib.suppress(ValueError, KeyError, OSError, psutil.Error):
                pid = int(json.loads(told)["child-pid"])
                found = os.pidfd_open(pid)
                if psutil.Process(pid).ppid() == self.pid:
                    self._first = found
                else:  # it is gone, and another has its number
                    os.close(found)
        return self._first

    @property
    def join_files(self) -> tuple[Path, ...]:
        """Where a process writes itself to be counted in this sandbox."""
        return self._meter.join_files

    def watch(self, pid: int) -> None:
        """Counts a process and what it starts, where there is no cgroup that does."""
        if isinstance(self._meter, limiting.ProcessTree):
            self._meter.watch(pid)

    def poll(self) -> int | None:
        """bwrap's exit status, which is the program's."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL to bwrap and to the sandbox's first process; everything else in there dies with that.

        The first would take the second along, had the student no way of changing its mind.
        """
        first = self.first_process()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)

    def wait(self, timeout_seconds: float) -> int | None:
        """Waits for bwrap."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def usage(self) -> Usage:
        """From the meter."""
        return Usage(cpu_seconds=self._meter.cpu_seconds(), peak_memory_bytes=self._meter.memory_bytes()[1])

    def passed_limit(self) -> Outcome | None:
        """Memory, by the cgroup's own account or the watchdog's."""
        return Outcome.MEMORY_EXCEEDED if self._meter.out_of_memory() else None

    def pids(self) -> set[int]:
        """From the meter."""
        return set(self._meter.members())

    def over_memory(self) -> bool:
        """Whether a watchdog must end it for memory, because no cgroup does."""
        if self._meter.caps_memory:
            return False
        self._meter.memory_bytes()
        return self._meter.out_of_memory()

    def output(self) -> str:
        """The last it printed."""
        return self.log.text()

    def close(self) -> None:
        """Ends it and takes everything away."""
        self.kill()
        self._process.wait()
        self.log.close()
        self._meter.close()
        if self._first is not None:
            os.close(self._first)
            self._first = None


def _start(launch: Launch) -> BubblewrapProcess:
    as_root = os.geteuid() == 0
    meter = limiting.make_meter(launch.limits)
    log = Log()
    descriptors: list[int] = []
    info = -1
    try:
        _check_room(len(launch.files))
        arguments = _arguments(launch, descriptors, staged=as_root)
        blob = seccomp.as_descriptor(b"\0".join(part.encode() for part in arguments) + b"\0")
        descriptors.append(blob)
        argv = [part.replace("{agent}", AGENT_FOLDER) for part in launch.argv]
        info, told = os.pipe2(os.O_CLOEXEC)
        descriptors.append(told)
        bwrap = [_program("bwrap"), "--args", str(blob), "--info-fd", str(told), *argv]
        roots = [str(root) for root in launch.python.roots]
        staged = [str(len(roots)), *roots] if as_root else []
        script = [_program("sh"), "-c", AS_ROOT if as_root else AS_USER, "sandbox", *staged, *bwrap]
        chain = [_program("unshare"), "--mount", "--propagation", "private", *script] if as_root else script
        process = subprocess.Popen(
            chain,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "JOIN": " ".join(map(str, meter.join_files)),
            },
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log.writer,
            stderr=log.writer,
            pass_fds=(*launch.pass_fds, *descriptors),
        )
    except BaseException as fault:
        log.close()
        meter.close()
        if info >= 0:
            os.close(info)
        if isinstance(fault, OSError):
            raise SandboxFailed("bubblewrap", str(fault)) from fault
        raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    log.started()
    return BubblewrapProcess(process, meter, log, info)


def _check_room(files: int) -> None:
    """Each file crosses as a descriptor, so there is a bound on how many may."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files > soft - 256:
        raise SandboxFailed("bubblewrap", f"{files} files are too many for {soft} descriptors; pack them in an archive")


def _arguments(launch: Launch, descriptors: list[int], *, staged: bool) -> list[str]:
    """bwrap's arguments; order matters: later mounts lie over earlier ones. Appends the descriptors that they name."""

    def data(content: bytes) -> str:
        descriptors.append(seccomp.as_descriptor(content))
        return str(descriptors[-1])

    limits = launch.limits
    arguments = [
        "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
        "--disable-userns", "--uid", INSIDE_ID, "--gid", INSIDE_ID, "--hostname", "sandbox",
        "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--ro-bind", "/usr", "/usr",
    ]  # fmt: skip
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        host = Path("/", name)
        if host.is_symlink():
            arguments += ["--symlink", str(host.readlink()), str(host)]
        elif host.is_dir():
            arguments += ["--ro-bind", str(host), str(host)]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for memory in ("/proc/1/mem", "/proc/1/task/1/mem"):  # bwrap's own first process has the student's user id
        arguments += ["--ro-bind", "/dev/null", memory]
    for node in launch.devices:
        arguments += ["--dev-bind", str(node), str(node)]
    for shown in launch.read_only:
        arguments += ["--ro-bind", str(shown), str(shown)]
    # before the environment, which may lie below one of them
    for folder in ("/tmp", "/dev/shm", HOME):  # noqa: S108 - inside the sandbox
        arguments += ["--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs", folder]
    for number, root in enumerate(launch.python.roots):
        arguments += ["--ro-bind", f"/mnt/{number}" if staged else str(root), str(root)]
    for path in launch.python.hidden:
        empty_folder = ["--tmpfs", str(path), "--remount-ro", str(path)]
        arguments += empty_folder if path.is_dir() else ["--ro-bind", "/dev/null", str(path)]
    for name, text in ETC.items():
        arguments += ["--ro-bind-data", data(text.encode()), f"/etc/{name}"]
    if Path("/etc/ld.so.cache").is_file():
        arguments += ["--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for name, content in launch.agent_files.items():
        arguments += ["--ro-bind-data", data(content), f"{AGENT_FOLDER}/{name}"]
    for name, content in launch.files.items():
        arguments += ["--perms", "0644", "--file", data(content), f"{HOME}/{name}"]
    for key, value in launch.env.items():
        arguments += ["--setenv", key, value]
    arguments += ["--setenv", "HOME", HOME, "--chdir", HOME]
    for program in seccomp.programs(*seccomp.for_devices(launch.devices)):
        arguments += ["--add-seccomp-fd", data(program)]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/"]


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise SandboxUnavailable("bubblewrap", f"the program {name} is missing")
    return found


@lru_cache(maxsize=1)
def _version() -> str:
    program = shutil.which("bwrap")
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip()


def _unavailable() -> tuple[str, str] | None:
    """Tries a whole sandbox: a namespace may be forbidden in many ways, and only trying tells."""
    for name in PROGRAMS:
        if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"the program {name} is missing", "apt-get install bubblewrap util-linux"
    try:
        seccomp.programs()
    except (OSError, ImportError, RuntimeError) as fault:
        return f"libseccomp does not work: {fault}", "apt-get install libseccomp2"
    environment = python_environment()
    launch = Launch((str(environment.executable), "-I", "-c", "print('inside')"), environment, Limits())
    try:
        process = _start(launch)
    except SandboxFailed as fault:
        return str(fault), "see the line itself"
    try:
        status = process.wait(60)
        process.log.settle()
        if status == 0 and "inside" in process.output():
            return None
        said = process.output() or f"exit status {status}"
    finally:
        process.close()
    return said, (
        "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0, "
        "and on Ubuntu an AppArmor profile for bwrap (kernel.apparmor_restrict_unprivileged_userns)"
    )


def exit_reason(status: int | None) -> str:
    """An exit status of bwrap in words: it gives 128 + n for a signal n inside."""
    if status is None:
        return "still running"
    number = -status if status < 0 else status - 128
    if status < 0 or status > 128:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(number).name}"
    return f"exit status {status}"

