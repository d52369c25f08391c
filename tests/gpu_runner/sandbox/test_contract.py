"""Every promise of gpu_runner/sandbox/contract.py, tried on every backend that this machine has.

One program per backend (probe.py) looks at all that it can see and tells it over a descriptor that it was given; each
test is about one promise. What a backend cannot keep stands in conftest.py with the reason. Kernels and limits have
their own file, test_contract_kernels.py.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_runner.environment import python_environment
from gpu_runner.execution import GIB, MIB, Limits
from gpu_runner.sandbox import get_sandbox
from gpu_runner.sandbox.contract import Launch, SandboxProcess

HOME = "/home/student"
GIVEN = {"data/points.csv": b"1,2\n" * 1000, "notes.txt": b"", "odd name;$(x)\n.bin": bytes(range(256))}
SETTINGS = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "A_VALUE": "with spaces, = and\nlines", "EMPTY": ""}
DISK = 24 * MIB

PROBE = Path(__file__).with_name("probe.py").read_text()


@dataclass
class Seen:
    """What the probe told of one backend, and what the host saw of it meanwhile."""

    told: dict[str, Any]
    namespaces: dict[str, int]
    uid: int
    status: int | None
    output: str
    survivors: list[psutil.Process]
    datagrams: int
    number: int
    listening: int
    left: set[str]


def on_the_host(process: SandboxProcess) -> list[psutil.Process]:
    """The processes of a sandbox as this machine sees them, the deepest last."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def namespaces(pid: int) -> dict[str, int]:
    return {kind: Path(f"/proc/{pid}/ns/{kind}").stat().st_ino for kind in ("pid", "ipc", "uts", "user", "net", "mnt")}


def traces() -> set[str]:
    """What a sandbox of this process could leave on the host."""
    groups = {str(path) for path in Path("/sys/fs/cgroup").rglob(f"assessor-{os.getpid()}-*")}
    folders = {str(path) for path in Path("/tmp").glob(f"assessor-{os.getpid()}-*")}
    mounts = {row for row in Path("/proc/self/mounts").read_text().splitlines() if "assessor-" in row or " /mnt" in row}
    return {*groups, *folders, *mounts}


@pytest.fixture(scope="module")
def seen(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Runs the probe once."""
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_text("no")
    name = f"assessor-contract-{os.getpid()}"
    before = traces()
    environment = python_environment()
    os.environ["ASSESSOR_TEST_SECRET"] = "swordfish-4711"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX) as guest,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        abstract.bind("\0" + name)
        abstract.listen()
        named.bind(str(secret.with_name("socket")))
        named.listen()
        listener.bind(str(secret.with_name("listener")))
        listener.listen()
        ours, theirs = socket.socketpair()
        number = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 61)  # a high one that is free
        theirs.close()
        closed = "/etc/shadow /etc/ssl /sys/kernel /var /run/lock /dev/vda /dev/mem /dev/kmsg /boot".split()
        paths = [secret, Path(__file__), Path.home() / ".bashrc", *closed]
        host = {
            "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "abstract": name, "path": named.getsockname(),
            "paths": [str(path) for path in paths], "hidden": [str(path) for path in environment.hidden],
        }  # fmt: skip
        launch = Launch(
            argv=(str(environment.executable), "-I", "-c", PROBE, str(number), str(listener.fileno()), json.dumps(host),
                  "{agent}/agent.py", "", "an argument"),
            python=environment, limits=Limits(disk_bytes=DISK, memory_bytes=GIB), files=GIVEN,
            agent_files={"agent.py": b"ours", "deep/er.json": b"{}"}, env=SETTINGS, pass_fds=(number, listener.fileno()),
        )  # fmt: skip
        process = get_sandbox(backend).start(launch)
        listening = listener.fileno()
        try:
            os.close(number)
            guest.settimeout(60)
            guest.connect(listener.getsockname())
            guest.sendall(b"hello")
            assert guest.recv(10) == b"come in", process.output()
            ours.settimeout(120)
            told = b""
            while not told.endswith(b"\n"):
                part = ours.recv(65_536)
                assert part, (process.wait(20), process.output())
                told += part
            inside = on_the_host(process)
            deepest = inside[-1]
            spaces, uid = namespaces(deepest.pid), Path(f"/proc/{deepest.pid}").stat().st_uid
            assert process.poll() is None
            ours.sendall(b"x")
            status = process.wait(60)
        finally:
            process.close()
            ours.close()
            del os.environ["ASSESSOR_TEST_SECRET"]
        _, survivors = psutil.wait_procs(inside, timeout=10)
        datagrams = 0
        while True:
            try:
                udp.recv(10)
                datagrams += 1
            except BlockingIOError:
                break
    return Seen(json.loads(told), spaces, uid, status, process.output(), survivors, datagrams,
                number, listening, traces() - before)  # fmt: skip


class TestContract:
    def test_no_connection_leaves_it(self, seen: Seen) -> None:
        assert "reached" not in seen.told["reached"].values(), seen.told["reached"]
        assert seen.told["sent"] in ("reached", "ENETUNREACH", "ECONNREFUSED")  # its own loopback
        assert seen.datagrams == 0
        assert set(seen.told["interfaces"]) <= {"lo"}

    def test_no_other_kind_of_socket_can_be_made(self, seen: Seen) -> None:
        families = dict(seen.told["families"])
        assert "reached" not in {result for _, result in seen.told["families"]}, families
        assert families[socket.AF_NETLINK] in ("EOPNOTSUPP", "ENOTSUP")  # libzmq bears no other answer
        assert families[socket.AF_VSOCK] == "EAFNOSUPPORT"
        assert "reached" not in seen.told["raw"]

    def test_only_its_own_places_can_be_written(self, seen: Seen) -> None:
        assert seen.told["writable"] == ["/dev/shm", HOME, "/tmp"]
        assert "reached" not in seen.told["agent writes"]

    def test_each_place_has_its_size(self, seen: Seen) -> None:
        for error, written in seen.told["filled"]:
            assert error == "ENOSPC"
            assert DISK - 4 * MIB <= (written + 1) * MIB <= DISK + MIB

    def test_only_what_is_given_is_there(self, seen: Seen) -> None:
        assert seen.told["home"] == {name: hashlib.sha256(content).hexdigest() for name, content in GIVEN.items()}
        assert seen.told["cwd"] == HOME
        # the students' Python may itself lie below /tmp
        shown = {root.parts[2] for root in python_environment().roots if root.parts[1:2] == ("tmp",)}
        assert [set(names) - shown for names in seen.told["empty"]] == [set(), set()]
        assert seen.told["agent"] == {"agent.py": "ours", "deep": ""}
        assert seen.told["seen"] == []
        assert seen.told["hidden"] == []

    def test_arguments_come_as_they_are(self, seen: Seen) -> None:
        assert seen.told["argv"] == ["/opt/agent/agent.py", "", "an argument"]

    def test_its_namespaces_are_its_own(self, seen: Seen) -> None:
        ours = namespaces(os.getpid())
        assert {kind for kind, inode in seen.namespaces.items() if inode == ours[kind]} == set()
        assert seen.told["processes"] <= 3

    def test_it_has_no_privilege(self, seen: Seen) -> None:
        assert set(seen.told["capabilities"]) == {"0" * 16}
        assert seen.told["no new privileges"] == 1
        assert seen.told["seccomp"] == ["2"]

    def test_dangerous_system_calls_are_refused(self, seen: Seen) -> None:
        assert set(seen.told["calls"].values()) == {"EPERM"}, seen.told["calls"]

    def test_who_and_where_it_is_never_changes(self, seen: Seen) -> None:
        assert seen.told["hostname"] == "sandbox"
        assert seen.told["uids"] == seen.told["gids"] == [1000] * 3
        assert set(seen.told["groups"]) <= {1000}
        assert seen.told["umask"] == 0o022
        assert seen.told["time"] == [["UTC", "UTC"], [1970, 1, 1, 0, 0, 0]]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
    def test_on_the_host_it_is_nobody_else(self, seen: Seen) -> None:
        assert seen.uid >= 0x4000_0000

    def test_its_environment_is_exactly_what_is_given(self, seen: Seen) -> None:
        environment = seen.told["environment"]
        assert environment.pop("PWD", HOME) == HOME
        assert environment == {**SETTINGS, "HOME": HOME}
        assert "swordfish" not in json.dumps(seen.told["texts"])
        assert "PYTEST_CURRENT_TEST" not in json.dumps(seen.told["texts"])

    def test_descriptors_keep_their_numbers_and_no_other_is_open(self, seen: Seen) -> None:
        assert seen.told["descriptors"] == sorted([0, 1, 2, seen.number, seen.listening])
        assert seen.told["guest"] == "hello"

    def test_nothing_outlives_it(self, seen: Seen) -> None:
        assert seen.survivors == []
        assert seen.left == set()

    def test_its_end_and_its_last_words_are_known(self, seen: Seen) -> None:
        assert seen.status == 7
        assert seen.output.endswith("last words")

    def test_what_it_is_can_be_told(self, backend: str) -> None:
        described = get_sandbox(backend).describe(Limits())
        assert json.loads(json.dumps(described)) == described
        assert described["backend"] == backend
        assert described["version"]
        assert get_sandbox(backend).checks()[0].ok

    def test_it_is_ended_at_once(self, backend: str) -> None:
        environment = python_environment()
        process = get_sandbox(backend).start(
            Launch((str(environment.executable), "-I", "-c", "import time; time.sleep(600)"), environment, Limits())
        )
        assert process.wait(0.5) is None
        inside = on_the_host(process)
        process.kill()
        assert process.wait(20) in (-9, 137)
        process.kill()
        process.close()
        _, alive = psutil.wait_procs(inside, timeout=10)
        assert alive == []

    def test_a_program_that_is_missing_ends_with_its_name(self, backend: str) -> None:
        process = get_sandbox(backend).start(Launch(("/usr/bin/no-such-program",), python_environment(), Limits()))
        assert process.wait(60) not in (None, 0)
        process.close()
        assert "no-such-program" in process.output()

    def test_a_killed_owner_takes_it_along(self, backend: str) -> None:
        with subprocess.Popen([sys.executable, "-c", OWNER, backend], stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            pids = json.loads(owner.stdout.readline())
            inside = [psutil.Process(pid) for pid in pids]
            assert len(inside) >= 2
            owner.kill()
        _, alive = psutil.wait_procs(inside, timeout=20)
        for path in sorted([*Path("/sys/fs/cgroup").rglob(f"assessor-{owner.pid}-*")], reverse=True):
            path.rmdir()
        for folder in Path("/tmp").glob(f"assessor-{owner.pid}-*"):
            subprocess.run(["rm", "-r", str(folder)], check=True)
        assert alive == []

    def test_many_at_once_do_not_meet(self, backend: str) -> None:
        environment = python_environment()
        program = "import os, time; open('mine', 'x').close(); open('/tmp/mine', 'x').close(); time.sleep(1)"
        launch = Launch((str(environment.executable), "-I", "-c", program), environment, Limits())
        processes = [get_sandbox(backend).start(launch) for _ in range(4)]
        try:
            assert [process.wait(60) for process in processes] == [0] * 4, [process.output() for process in processes]
        finally:
            for process in processes:
                process.close()


OWNER = """
import json, sys, time
import psutil
from gpu_runner.environment import python_environment
from gpu_runner.execution import Limits
from gpu_runner.sandbox import get_sandbox
from gpu_runner.sandbox.contract import Launch
environment = python_environment()
program = "import os, time\\nos.fork(); os.setsid() if os.getpid() != os.getsid(0) else None; time.sleep(600)"
process = get_sandbox(sys.argv[1]).start(Launch((str(environment.executable), "-I", "-c", program), environment, Limits()))
time.sleep(2)
root = psutil.Process(process.pid)
print(json.dumps([root.pid, *[child.pid for child in root.children(recursive=True)]]), flush=True)
time.sleep(600)
"""
