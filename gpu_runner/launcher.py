"""The first program in a kernel's sandbox: fixed, readable by the student, holding no secret worth having.

It runs as a plain file beside agent.py and tensors.py. It sets the limits that a process can only set itself, fixes
what would make two runs differ, and becomes an ordinary ipykernel whose sockets are descriptors that it was given:
already bound and listening, so that no path of the host need be visible here. One message type more than usual,
`assessor_serve`, makes the main thread answer the trusted end of the channel until that end closes it or asks for a pause.

Until the kernel is made, the current directory is not the student's: a torch.py beside the notebook must not be ours.

Nothing here resists the student: whatever this process says later is a claim. The bound on output is a kindness to
honest loops that print; the one that counts is in client.py.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import resource
import socket
import sys
import types
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    """Reads launch.json beside this file and becomes the kernel."""
    here = Path(__file__).parent
    config = json.loads((here / "launch.json").read_text())
    sys.path[:] = [entry for entry in sys.path if entry != str(here)]
    home = Path.cwd()
    os.chdir("/")
    set_limits(config["limits"])
    make_deterministic(config["threads"])
    agent = load_agent(here)
    app = make_kernel(config, here / "connection.json")
    bound_output(app, **config["output"])
    add_serving(app.kernel, agent, config["channel"])
    fix_seeds(config["seed"])
    os.chdir(home)
    app.start()


def set_limits(limits: dict[str, int | None]) -> None:
    """Per-process limits, hard ones: they cannot be raised again. `processes` is None where it would count others'."""
    wanted = {
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
    }
    for kind, value in wanted.items():
        if value is None:
            continue
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def make_deterministic(threads: int) -> None:
    """Deterministic algorithms and a fixed number of threads; the libraries are imported before any student's file."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def fix_seeds(seed: int) -> None:
    """Seeds every generator; last, since making a kernel draws from them."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def load_agent(here: Path) -> Any:
    """agent.py, which finds tensors.py beside it."""
    sys.path.insert(0, str(here))
    try:
        import agent  # type: ignore[import-not-found, unused-ignore]
    finally:
        sys.path.remove(str(here))
    return agent


def make_kernel(config: dict[str, Any], connection_file: Path) -> Any:
    """An ipykernel on the given descriptors, not yet started.

    What only costs time here is left out: a debugger that nobody can reach, options read from a command line.
    """
    from ipykernel import debugger, ipkernel
    from ipykernel.heartbeat import Heartbeat
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    descriptors = {int(port): number for port, number in config["sockets"].items()}

    def bind(sock: Any, app: Any, port: int) -> int:
        import zmq

        sock.setsockopt(zmq.USE_FD, descriptors[port])
        sock.setsockopt(zmq.SNDHWM, 0)  # a slow reader costs this process memory, not its last words
        sock.bind(f"ipc://{app.ip}-{port}")  # names the endpoint; nothing is made there
        return port

    class Kernel(IPKernelApp):  # type: ignore[misc, unused-ignore]
        def _try_bind_socket(self, s: Any, port: int) -> int:
            return bind(s, self, port)

        def init_crash_handler(self) -> None:  # no report files
            pass

        def parse_command_line(self, argv: Any = None) -> None:
            pass

    def bind_heartbeat(self: Any) -> None:
        bind(self.socket, self, self.port)

    Heartbeat._try_bind_socket = bind_heartbeat
    warnings.filterwarnings("ignore", module="ipykernel|traitlets|zmq")
    options = Config()
    options.HistoryManager.enabled = False
    options.InteractiveShellApp.exec_PYTHONSTARTUP = False
    app = Kernel.instance(connection_file=str(connection_file), log_level=50, config=options)
    debugger._is_debugpy_available = False
    ipkernel.sys = types.SimpleNamespace(**{**vars(sys), "modules": {}})  # which it would all look at, for the debugger
    gc.disable()  # nothing is garbage yet
    try:
        app.initialize([])
    finally:
        gc.enable()
        ipkernel.sys = sys
    app.shell.enable_tip = False  # each banner would draw from `random`
    return app


def bound_output(app: Any, text: int, messages: int, message_bytes: int, kept_bytes: int) -> None:
    """Drops what the reader would drop anyway, before it fills this process's memory.

    Args:
        text: characters that may be printed.
        messages: how many messages may be sent; small ones that are no output pass all the same.
        message_bytes: size of the largest that the reader accepts.
        kept_bytes: what is small.
    """
    from ipykernel.iostream import OutStream

    used = {"text": 0, "messages": 0}
    write, send = OutStream.write, app.iopub_thread.send_multipart

    def bounded_write(self: Any, string: str) -> int | None:
        length = len(string)
        room = max(0, text - used["text"])
        used["text"] += length
        if length > room:
            if room:
                write(self, string[:room])
            return length
        return int(write(self, string) or length)

    def bounded_send(parts: list[Any], *arguments: Any, **keywords: Any) -> None:
        size, topic = sum(map(len, parts)), bytes(parts[0])
        used["messages"] += 1
        if size > message_bytes:
            sys.stderr.write(f"[an output of {size} bytes was left out here]\n")
        elif used["messages"] <= messages or (size <= kept_bytes and not topic.startswith((b"stream", b"display"))):
            send(parts, *arguments, **keywords)

    if hasattr(app.shell, "_tee"):  # IPython would keep all that is printed in its history, without bound
        app.shell._tee = lambda channel: contextlib.nullcontext()
    OutStream.write = bounded_write
    app.iopub_thread.send_multipart = bounded_send


def add_serving(kernel: Any, agent: Any, descriptor: int) -> None:
    """The message that makes the main thread serve the channel."""
    os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=descriptor)

    session = agent.Session(channel, kernel.shell.user_ns)

    def serve(*_: Any) -> None:
        session.serve()

    kernel.shell_handlers["assessor_serve"] = serve


if __name__ == "__main__":
    main()
