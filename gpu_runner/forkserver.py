"""The pre-imported parent of warm kernels. Its children enter a sandbox and become kernels.

Theory of operation. This file is no module of ours in there: a worker hands its text to the students' Python on standard
input, so that it needs nothing installed, and talks to it over the socket that is its standard output. It imports what
kernels need and then does nothing but fork, one child for each request:

    this process -> (fork) the keeper: joins the cgroup and, by one setns, all namespaces of a sandbox that bubblewrap made
                           meanwhile and a holder keeps open; becomes the sandbox's user; drops every capability
                 -> (fork) the kernel: inside the pid namespace too; closes what it was not given, loads the seccomp
                           filters, makes sure of all that, and goes on as launcher.py would in a cold start

The keeper stays outside the pid namespace, waits for the kernel's end and reports its status. It and this process end
when the worker does. What a student's process could find in its memory is what was imported, and a request's own words:
this process has an empty environment, reads no file of the course, never holds more than one request and never meets
what a kernel sends.

Standard library only, for any Python that has ipykernel.
"""

from __future__ import annotations

import array
import base64
import contextlib
import ctypes
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION_3 = 0x20080522
MAX_REQUEST = 1 << 18
MAX_DESCRIPTORS = 64
EXPECTED = {"CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapAmb": "0" * 16,
            "NoNewPrivs": "1", "Seccomp": "2"}  # fmt: skip
"""What /proc/self/status must say of a kernel before a student's code comes near it."""
PRELOAD = """
torch torch.nn torch.nn.functional torch.optim torch.utils.data numpy matplotlib.pyplot
ipykernel.kernelapp ipykernel.heartbeat ipykernel.ipkernel ipykernel.zmqshell ipykernel.iostream ipykernel.debugger
IPython.core.completerlib IPython.core.debugger IPython.core.logger IPython.core.oinspect IPython.core.pylabtools
IPython.extensions.storemagic IPython.utils.wildcard tornado.platform.asyncio tornado.queues jedi
encodings.ascii encodings.idna encodings.latin_1 faulthandler mimetypes
""".split()
WRITTEN_AT_IMPORT = ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Imports, says so, and serves requests until the worker is gone."""
    server = socket.socket(fileno=os.dup(1))
    os.dup2(2, 1)
    setup = json.loads(server.recv(MAX_REQUEST))
    sys.path[:] = [entry for entry in sys.path if entry]  # a script on standard input has the current folder first
    forget(setup["hidden"])
    given = dict(os.environ)
    sources = {name: compile(text, f"{setup['folder']}/{name}.py", "exec") for name, text in setup["sources"].items()}
    for name in ("tensors", "agent", "launcher"):
        module = types.ModuleType(name)
        module.__file__ = f"{setup['folder']}/{name}.py"
        sys.modules[name] = module
        exec(sources[name], module.__dict__)  # noqa: S102 - our own files
    preload(setup["threads"])
    changed = {name: value for name, value in os.environ.items() if given.get(name) != value}
    imported = {name: value for name, value in changed.items() if name not in WRITTEN_AT_IMPORT}
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server.send(json.dumps({"ready": os.getpid(), "threads": len(list(Path("/proc/self/task").iterdir()))}).encode())
    serve(server, imported)


def preload(threads: int) -> None:
    """Imports what kernels use; what is not installed there is left out. What imports write goes to a folder that goes."""
    folder = tempfile.mkdtemp(prefix="assessor-preload-")
    for name in WRITTEN_AT_IMPORT:
        os.environ[name] = folder
    for name in PRELOAD:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        sys.modules["launcher"].make_deterministic(threads)  # here for the modules that it imports
    shutil.rmtree(folder, ignore_errors=True)
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None:
        matplotlib.get_configdir = matplotlib.get_cachedir = lambda: "/tmp/matplotlib"  # type: ignore[attr-defined] # noqa: S108


def forget(hidden: list[str]) -> None:
    """Undoes what hidden .pth files did when Python started: a sandbox does not show them."""
    for path in map(Path, hidden):
        if path.suffix != ".pth":
            continue
        sys.path[:] = [entry for entry in sys.path if not entry.startswith(path.stem)]  # an editable install's hook
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("import "):
                for name in line[7:].split(";")[0].split(","):
                    drop_module(name.strip())
            elif line.strip() in sys.path:
                sys.path.remove(line.strip())


def drop_module(name: str) -> None:
    """Takes a module away, and the import hooks that it set up."""
    sys.modules.pop(name, None)
    sys.meta_path[:] = [hook for hook in sys.meta_path if getattr(hook, "__module__", "") != name]
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if getattr(hook, "__module__", "") != name]
    sys.path[:] = [entry for entry in sys.path if name not in entry]
    sys.path_importer_cache.clear()


def serve(server: socket.socket, imported: dict[str, str]) -> None:
    """One child for each request; its descriptors are its alone. `imported`: variables that the imports set."""
    while True:
        message, descriptors = receive(server)
        if not message:
            return
        if os.fork() == 0:
            try:
                server.close()
                become_kernel(json.loads(message), descriptors, imported)
            except BaseException:  # noqa: BLE001
                sys.excepthook(*sys.exc_info())  # on the kernel's log, once that is its standard error
            finally:
                os._exit(70)
        for descriptor in descriptors:
            os.close(descriptor)


def receive(server: socket.socket) -> tuple[bytes, list[int]]:
    """One request and its descriptors."""
    size = array.array("i").itemsize
    message, ancillary, flags, _ = server.recvmsg(MAX_REQUEST, socket.CMSG_SPACE(MAX_DESCRIPTORS * size), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % size])
    if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
        raise OSError("a request was cut short")
    return message, list(descriptors)


def become_kernel(request: dict[str, Any], descriptors: list[int], imported: dict[str, str]) -> None:
    """The child's whole life. Never returns."""
    control, log, *given = descriptors
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        keeper = os.getpid()
        for path in request["join"]:  # takes the kernel of the system a while: meanwhile bubblewrap makes the sandbox
            Path(path).write_text("0")
        enter_sandbox(request["user"], *receive_holder(control))
        kernel = os.fork()
        if kernel:
            keep(kernel, keeper, control)
        control = inherit(control, {1: log, 2: log, **dict(zip(request["descriptors"], given, strict=True))})
        confine(request)
    except BaseException as fault:
        tell(control, error=f"{type(fault).__name__}: {fault}")
        raise
    os.close(control)
    os.environ.clear()
    os.environ.update({**imported, **request["environment"]})
    os.chdir(request["environment"]["HOME"])
    launcher = sys.modules["launcher"]
    sys.argv = [str(launcher.__file__)]
    try:
        launcher.main()
    except SystemExit as leaving:
        os._exit(leaving.code if isinstance(leaving.code, int) else bool(leaving.code))
    os._exit(0)


def tell(control: int, **facts: object) -> None:
    """One message to the worker."""
    os.write(control, json.dumps(facts).encode())


def receive_holder(control: int) -> tuple[int, int]:
    """Waits for the sandbox: its holder's pidfd, and which of its namespaces are its own."""
    with socket.socket(fileno=os.dup(control)) as line:
        message, descriptors = receive(line)
    if not descriptors:
        os._exit(0)  # no sandbox came of it: the worker knows why
    return descriptors[0], int(message)


def enter_sandbox(user: int, holder: int, namespaces: int) -> None:
    """Joins the namespaces, and becomes nobody in them."""
    if os.geteuid() == 0:
        os.setgroups([])
    call("setns", libc.setns(holder, namespaces))
    os.close(holder)
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    call("capset", libc.capset(header, (ctypes.c_uint32 * 6)()))
    call("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    call("pdeathsig", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def keep(kernel: int, keeper: int, control: int) -> None:
    """Holds nothing but the control socket, and reports the kernel's end."""
    control = inherit(control, {})
    tell(control, pid=keeper)
    _, status = os.waitpid(kernel, 0)
    tell(control, status=os.waitstatus_to_exitcode(status))
    os._exit(0)


def inherit(control: int, wanted: dict[int, int]) -> int:
    """Leaves open exactly what is wanted, under its number there, and the control socket, whose new number it gives."""
    sources = {0: os.open("/dev/null", os.O_RDWR), **wanted} if wanted else {}
    high = max([*sources, *sources.values(), control]) + 1
    parked = {number: high + place for place, number in enumerate(sources)}
    for number, place in parked.items():
        os.dup2(sources[number], place)
    kept = high + len(parked)
    os.dup2(control, kept, inheritable=False)
    for number, place in parked.items():
        os.dup2(place, number)
    first = 0
    for number in (*sorted(sources), kept):
        if first < number:  # of an empty range closerange makes the whole one
            os.closerange(first, number)
        first = number + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    return kept


def confine(request: dict[str, Any]) -> None:
    """Loads the filters and makes sure of everything."""
    os.setsid()
    call("pdeathsig", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    for filter_text in request["seccomp"]:
        load_filter(base64.b64decode(filter_text))
    user = request["user"]
    if os.getresuid() != (user,) * 3 or os.getresgid() != (user,) * 3 or os.getppid() != 0:
        raise OSError("not the sandbox's user, or not in its pid namespace")
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    wrong = {name: status.get(name) for name, value in EXPECTED.items() if status.get(name, "").strip() != value}
    if wrong:
        raise OSError(f"not confined: {wrong}")
    call("dumpable", libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))


def load_filter(program: bytes) -> None:
    """A seccomp filter as BPF instructions of eight bytes."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    given = Program(len(program) // 8, program)
    call("seccomp", libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(given), 0, 0))


def call(what: str, result: int) -> None:
    """Turns a C call's failure into an exception."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
