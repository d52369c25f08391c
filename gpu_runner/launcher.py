"""The first program in a kernel's sandbox: fixed, readable by the student, holding no secret worth having.

It runs as a plain file beside agent.py and tensors.py. It sets the limits that a process can only set itself, fixes what
would make two runs differ, and becomes an ordinary ipykernel whose sockets are descriptors that it was given: already
bound and listening, so that no path of the host need be visible here. One message type more than usual,
`assessor_serve`, makes the main thread answer the trusted end of the channel until that end closes it.

Nothing here resists the student: whatever this process says later is a claim.
"""

from __future__ import annotations

import json
import os
import random
import resource
import socket
import sys
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    """Reads launch.json beside this file and becomes the kernel."""
    here = Path(__file__).parent
    config = json.loads((here / "launch.json").read_text())
    sys.path[:] = [entry for entry in sys.path if entry != str(here)]
    set_limits(config["limits"])
    fix_seeds(config["seed"], config["threads"])
    agent = load_agent(here)
    run_kernel(config, agent, here / "connection.json")


def set_limits(limits: dict[str, int]) -> None:
    """Per-process limits, hard ones: they cannot be raised again."""
    wanted = {
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def fix_seeds(seed: int, threads: int) -> None:
    """Seeds and deterministic algorithms, before any student's import."""
    random.seed(seed)
    try:
        import numpy
    except ImportError:
        pass
    else:
        numpy.random.seed(seed % 2**32)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def load_agent(here: Path) -> Any:
    """agent.py, which finds tensors.py beside it."""
    sys.path.insert(0, str(here))
    try:
        import agent  # type: ignore[import-not-found, unused-ignore]
    finally:
        sys.path.remove(str(here))
    return agent


def run_kernel(config: dict[str, Any], agent: Any, connection_file: Path) -> None:
    """Becomes an ipykernel on the given descriptors."""
    from ipykernel.heartbeat import Heartbeat
    from ipykernel.kernelapp import IPKernelApp

    descriptors = {int(port): number for port, number in config["sockets"].items()}

    def bind(sock: Any, app: Any, port: int) -> int:
        import zmq

        sock.setsockopt(zmq.USE_FD, descriptors[port])
        sock.bind(f"ipc://{app.ip}-{port}")  # names the endpoint; nothing is made there
        return port

    class Kernel(IPKernelApp):  # type: ignore[misc, unused-ignore]
        def _try_bind_socket(self, s: Any, port: int) -> int:
            return bind(s, self, port)

        def init_crash_handler(self) -> None:  # no report files
            pass

    def bind_heartbeat(self: Any) -> None:
        bind(self.socket, self, self.port)

    Heartbeat._try_bind_socket = bind_heartbeat
    warnings.filterwarnings("ignore", module="ipykernel|traitlets|zmq")
    app = Kernel.instance(connection_file=str(connection_file), log_level=50)
    app.initialize(["--HistoryManager.enabled=False", "--InteractiveShellApp.exec_PYTHONSTARTUP=False"])
    add_serving(app.kernel, agent, config["channel"])
    app.start()


def add_serving(kernel: Any, agent: Any, descriptor: int) -> None:
    """The message that makes the main thread serve the channel."""
    os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=descriptor)

    def serve(*_: Any) -> None:
        agent.serve(channel, kernel.shell.user_ns)

    kernel.shell_handlers["assessor_serve"] = serve


if __name__ == "__main__":
    main()
