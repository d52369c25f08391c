"""gVisor: a kernel of its own, in Go, between the student's program and this machine's kernel.

Theory of operation. Processes, outermost first; each replaces itself by the next (exec) up to runsc:

    this process -> setpriv -> unshare -> (fork) sh: joins the cgroup -> [setpriv ->] runsc run
        -> (fork) gofer: opens the files shown
        -> (fork) sentry: the kernel inside -> (fork) stubs: the program's code

- As with bubblewrap, root shows its directories through a private mount namespace and becomes a user id that no other
  process has, before runsc starts; runsc then makes its own namespaces as anybody could (--rootless), but for that of
  process ids, which its ptrace platform needs to share: so all of it runs in one that unshare made. Its cgroup support
  is not used: all of these processes are counted in ours, the kernel inside included.
- No descriptor of the host reaches a program in there except through process 1: its standard input is the line of
  handover.py. A connected socket can be received over it, a listening one cannot, so a `Relay` of this process accepts
  outside and process 1 joins each connection to a socket of the inside. No directory is shared for writing.
- The filters of bubblewrap's are set by process 1 here too, and the kernel inside obeys them; the sentry itself runs
  under gVisor's own, narrower ones.
- Killing unshare ends runsc (--kill-child), which is process 1 of that namespace, and so everything else. A killed owner
  ends unshare by PR_SET_PDEATHSIG, and the process 1 inside by the broken line.

May kill: this process all of them; the program only what it started itself.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from gpu_runner.environment import python_environment
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import Limits
from gpu_runner.sandbox import limits as limiting
from gpu_runner.sandbox import oci, rootfs, seccomp
from gpu_runner.sandbox.bubblewrap import JOIN, STAGE
from gpu_runner.sandbox.contract import Check, Launch, Sandbox, SandboxProcess
from gpu_runner.sandbox.handover import HandedProcess, Line, Relay, remove
from gpu_runner.sandbox.log import Log

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"
PROGRAMS = ("runsc", "sh", "setpriv", "unshare", "mount")
OWN_THREADS, THREADS_EACH = 256, 4
"""Threads of the host that the sentry and the gofer take for themselves, and for each thread of the program."""
UID_BASE, UIDS = 0x7C00_0000, 2**26
OWN_PID_1 = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")
AS_USER = JOIN + 'exec env -i PATH="$PATH" "$@"'
AS_ROOT = (
    JOIN + STAGE + "mkdir -m 700 /mnt/state; chown $USER_ID:$USER_ID /mnt/state; "
    "exec setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "
    'env -i PATH="$PATH" "$@"'
)


class Gvisor(Sandbox):
    """Sandboxes by gVisor's runsc."""

    name: ClassVar[str] = "gvisor"
    _worked: ClassVar[bool] = False

    def unavailable(self) -> tuple[str, str] | None:
        """Whether the programs are there and a sandbox really starts; once that it does, it is not tried again."""
        missing = None if Gvisor._worked else _unavailable()
        Gvisor._worked = missing is None
        return missing

    def start(self, launch: Launch) -> SandboxProcess:
        """Starts a program in a fresh sandbox."""
        missing = self.unavailable()
        if missing is not None:
            raise SandboxUnavailable(self.name, *missing)
        return _start(launch)

    def describe(self, limits: Limits) -> dict[str, Any]:
        """For the manifest."""
        return {
            "backend": self.name,
            "version": _version(),
            "platform": _platform(),
            "seccomp": "allow-list, kept by gVisor's kernel; gVisor's own on the host",
            "enforced_by": {
                "memory, processes, cpu": limiting.best_meter().mechanism + ", gVisor's own processes included",
                "open files, file size": "rlimits, kept by gVisor's kernel",
                "disk": "sized tmpfs",
                "wall, output": "watchdog, client",
            },
        }

    def checks(self) -> list[Check]:
        """What doctor reports of it."""
        missing = self.unavailable()
        reason, remedy = missing or ("", "")
        slow = "importing torch takes some 4 s; a newer runsc, with systrap, is faster"
        return [
            Check("sandbox: gvisor", missing is None, reason or f"{_version()}, {_platform()}", remedy),
            Check("sandbox: gvisor limits", True, limiting.best_meter().mechanism, slow if _platform() == "ptrace" else ""),
        ]


def _start(launch: Launch) -> HandedProcess:
    as_root = os.geteuid() == 0
    folder = rootfs.make_folder()
    bundle = folder / "bundle"
    threads = OWN_THREADS + THREADS_EACH * launch.limits.processes
    meter = limiting.make_meter(replace(launch.limits, processes=threads))
    log = Log()
    ours, theirs = socket.socketpair()
    engine: subprocess.Popen[bytes] | None = None
    line: Line | None = None
    try:
        binds = rootfs.lay(bundle, launch)
        bundle.chmod(0o755)  # the folder around it is closed
        sources = [bundle, *launch.python.roots]
        staged = {source: Path(f"/mnt/{number}") if as_root else source for number, source in enumerate(sources)}
        (bundle / "config.json").write_text(json.dumps(oci.configuration(launch, binds, staged)))
        (bundle / "config.json").chmod(0o644)
        state = Path("/mnt/state") if as_root else folder / "state"
        options = ["--rootless", "--network=none", "--file-access-mounts=exclusive", f"--platform={_platform()}"]
        command = [_program("runsc"), "--root", str(state), *options, "run", "--bundle", str(staged[bundle]), folder.name]
        stage = [str(len(sources)), *map(str, sources)] if as_root else []
        script = [_program("sh"), "-c", AS_ROOT if as_root else AS_USER, "sandbox", *stage, *command]
        user = [] if as_root else ["--user", "--map-current-user"]
        chain = [_program("setpriv"), "--pdeathsig", "KILL", _program("unshare"), *user, *OWN_PID_1, *script]
        engine = subprocess.Popen(
            chain,
            env={
                "PATH": PATH,
                "JOIN": " ".join(map(str, meter.join_files)),
                "USER_ID": str(UID_BASE + secrets.randbelow(UIDS)),
            },
            cwd="/",
            stdin=theirs.fileno(),
            stdout=log.writer,
            stderr=log.writer,
        )
        theirs.close()
        log.started()
        line = Line(ours, engine.pid)
        relayed = line.give(launch, argv=launch.argv, listening=False, more_filters=(_queue_filter(),))
        relay = Relay(line, relayed) if relayed else None
        return HandedProcess(engine, line, relay, meter, log, lambda: remove(folder))
    except BaseException as fault:
        if engine is not None:
            engine.kill()
            engine.wait()
        if line is not None:
            line.close()
        ours.close()
        theirs.close()
        log.close()
        meter.close()
        remove(folder)
        if isinstance(fault, OSError):
            raise SandboxFailed("gvisor", str(fault), log.text()) from fault
        raise


@lru_cache(maxsize=1)
def _queue_filter() -> bytes:
    """Lets a program set RLIMIT_MSGQUEUE, which gVisor refuses since it limits no queues; every queue is refused anyway."""
    import pyseccomp

    rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    kind = pyseccomp.Arg(1, pyseccomp.EQ, resource.RLIMIT_MSGQUEUE)
    rules.add_rule(pyseccomp.ERRNO(0), "prlimit64", kind, pyseccomp.Arg(2, pyseccomp.NE, 0))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        raise SandboxUnavailable("gvisor", f"the program {name} is missing")
    return found


def _version() -> str:
    """runsc's own words, '' where there is none."""
    return (_said(shutil.which("runsc", path=PATH), "--version").splitlines() or [""])[0]


def _platform() -> str:
    """systrap where this runsc has it; else ptrace, which needs nothing of the machine either."""
    return "systrap" if "systrap" in _said(shutil.which("runsc", path=PATH), "flags") else "ptrace"


@lru_cache(maxsize=8)
def _said(program: str | None, word: str) -> str:
    if program is None:
        return ""
    done = subprocess.run([program, word], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def _unavailable() -> tuple[str, str] | None:
    """Tries a whole sandbox: only trying tells."""
    for name in PROGRAMS:
        if shutil.which(name, path=PATH) is None:
            return f"the program {name} is missing", "apt-get install runsc util-linux, or gVisor's own packages"
    try:
        seccomp.programs()
    except (OSError, ImportError, RuntimeError) as fault:
        return f"libseccomp does not work: {fault}", "apt-get install libseccomp2"
    environment = python_environment()
    launch = Launch((str(environment.executable), "-I", "-c", "print('inside')"), environment, Limits(), {"file": b""})
    try:
        process = _start(launch)
    except SandboxFailed as fault:
        return str(fault), "see the line itself"
    status = process.wait(60)
    process.close()
    said = process.output()
    if status == 0 and "inside" in said:
        return None
    return said or f"exit status {status}", "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
