"""Attempts to reach out of the sandbox: many in one kernel, since none may have an effect."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_runner.execution import MIB, Limits
from gpu_runner.notebook import Kernel, open_kernel

ROOT = Path(__file__).parents[3]
HELPERS = '''
import ctypes, errno, json, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def outcome(attempt):
    """'reached', or the name of the error."""
    try:
        attempt()
    except OSError as fault:
        return errno.errorcode.get(fault.errno, str(fault))
    except Exception as fault:
        return type(fault).__name__
    return "reached"
def system_call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
def tell(value):
    print("TOLD" + json.dumps(value))
'''


@pytest.fixture(scope="module", params=[True, False], ids=["warm", "cold"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    os.environ["ASSESSOR_TEST_SECRET"] = "swordfish-7319"
    limits = Limits(disk_bytes=32 * MIB, file_bytes=8 * MIB, cell_cpu_seconds=30)
    try:
        with open_kernel(limits, files={"data/points.csv": b"1,2\n"}, warm=request.param) as kernel:
            yield kernel
    finally:
        del os.environ["ASSESSOR_TEST_SECRET"]


@pytest.fixture
def told(kernel: Kernel, notebook: Callable[..., Any], printed: Callable[..., str]) -> Callable[[str], Any]:
    """Runs a cell inside and gives what it told."""

    def run(source: str) -> Any:
        text = printed(kernel.run(notebook(HELPERS + source)))
        assert "TOLD" in text, text
        return json.loads(text.split("TOLD", 1)[1].splitlines()[0])

    return run


def test_no_connection_leaves_it(told: Callable[[str], Any]) -> None:
    name = f"\0assessor-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.5)
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(name)
            abstract.listen()
            found = told(f"""
def to(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as sock:
        sock.settimeout(2)
        sock.connect(address) if kind == socket.SOCK_STREAM else sock.sendto(b"out", address)
tell({{
    "tcp": outcome(lambda: to(socket.AF_INET, ("127.0.0.1", {tcp.getsockname()[1]}))),
    "far": outcome(lambda: to(socket.AF_INET, ("192.0.2.1", 80))),
    "far udp": outcome(lambda: to(socket.AF_INET, ("192.0.2.1", 53), socket.SOCK_DGRAM)),
    "six": outcome(lambda: to(socket.AF_INET6, ("2001:db8::1", 80))),
    "abstract": outcome(lambda: to(socket.AF_UNIX, {name!r})),
    "names": outcome(lambda: socket.getaddrinfo("example.org", 80)),
    "raw": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    "packet": outcome(lambda: socket.socket(17, socket.SOCK_RAW)),
    "vsock": outcome(lambda: socket.socket(40, socket.SOCK_STREAM)),
    "netlink": outcome(lambda: socket.socket(16, socket.SOCK_RAW)),
    "udp": outcome(lambda: to(socket.AF_INET, ("127.0.0.1", {udp.getsockname()[1]}), socket.SOCK_DGRAM)),
}})""")
            assert found.pop("udp") in ("reached", "ENETUNREACH", "ECONNREFUSED")  # its own loopback
            with pytest.raises(TimeoutError):
                udp.recv(16)
    assert "reached" not in found.values(), found
    assert found["netlink"] in ("EOPNOTSUPP", "ENOTSUP")  # libzmq bears no other answer


def test_files_of_the_host_are_not_there(told: Callable[[str], Any], kernel: Kernel, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("no")
    folder = kernel._provisioner._folder
    assert folder is not None
    places = [
        secret, folder, ROOT / "pyproject.toml", ROOT / "gpu_runner", ROOT / "assessor", ROOT / "graders",
        ROOT / ".git", Path.home() / ".bashrc", Path("/etc/shadow"), Path("/etc/ssl"), Path("/sys/kernel"),
        Path("/var"), Path("/run"),
        Path("/dev/vda"), Path("/dev/mem"), Path("/opt/wheels"),
    ]  # fmt: skip
    found = told(f"tell([place for place in {[str(place) for place in places]!r} if os.path.lexists(place)])")
    assert found == []


def test_neither_the_engine_nor_the_graders_can_be_imported(told: Callable[[str], Any]) -> None:
    found = told("""
import importlib, importlib.metadata
importlib.metadata.entry_points()
own = [(top, files) for site in sys.path if site.endswith("site-packages") for name in os.listdir(site)
       if any(part in name for part in ("assessor", "gpu_runner", "nbgrader"))
       for top, _, files in os.walk(os.path.join(site, name)) if files]
names = ("assessor", "gpu_runner", "nbgrader.apps")
tell([[outcome(lambda: importlib.import_module(name)) for name in names], own])""")
    assert found == [["ModuleNotFoundError"] * 3, []]


def test_no_secret_of_the_environment_and_no_process_of_the_host_shows(told: Callable[[str], Any]) -> None:
    found = told("""
seen = []
for pid in filter(str.isdecimal, os.listdir("/proc")):
    for file in ("environ", "cmdline"):
        try: seen.append(open(f"/proc/{pid}/{file}").read())
        except OSError: pass
tell([list(os.environ.values()), seen, len([p for p in os.listdir("/proc") if p.isdecimal()])])""")
    text = json.dumps(found)
    assert "swordfish" not in text
    assert "pytest" not in text
    assert found[2] <= 3


def test_only_its_own_sized_places_can_be_written(told: Callable[[str], Any]) -> None:
    found = told("""
writable = []
for top, folders, _ in os.walk("/"):
    if top in ("/proc", "/usr/share"):
        folders[:] = []
        continue
    try:
        name = os.path.join(top, "planted")
        open(name, "w").close()
        os.unlink(name)
        writable.append(top)
        folders[:] = []
    except OSError: pass
tell(sorted(writable))""")
    assert found == ["/dev/shm", "/home/student", "/tmp"]


def test_what_is_handed_in_is_there_and_the_agent_cannot_be_changed(told: Callable[[str], Any]) -> None:
    found = told("""
tell([open("data/points.csv").read(), os.getcwd(),
      outcome(lambda: open("/opt/agent/agent.py", "a")), outcome(lambda: os.unlink("/opt/agent/agent.py")),
      outcome(lambda: os.rename("/opt", "/opt2")), outcome(lambda: os.chmod("/usr/bin/env", 0o777))])""")
    assert found[:2] == ["1,2\n", "/home/student"]
    assert "reached" not in found


def test_dangerous_system_calls_are_refused(told: Callable[[str], Any]) -> None:
    found = told("""
fd = socket.socket()
buffer = ctypes.create_string_buffer(4096)
listening = [int(fd) for fd in os.listdir("/proc/self/fd") if fd.isdecimal()
             and os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").startswith("socket")]
tell({
    "unshare": outcome(lambda: system_call(272, 0x10000000)),
    "clone new user": outcome(lambda: system_call(56, 0x10000000 | 17, 0, 0, 0, 0)),
    "clone3": outcome(lambda: system_call(435, 0, 0)),
    "mount": outcome(lambda: system_call(165, b"none", b"/tmp", b"tmpfs", 0, 0)),
    "setns": outcome(lambda: system_call(308, 0, 0)),
    "ptrace": outcome(lambda: system_call(101, 0, 0, 0, 0)),
    "keyctl": outcome(lambda: system_call(250, 0, 0)),
    "bpf": outcome(lambda: system_call(321, 0, 0, 0)),
    "io_uring": outcome(lambda: system_call(425, 1, 0)),
    "userfaultfd": outcome(lambda: system_call(323, 0)),
    "perf": outcome(lambda: system_call(298, 0, 0, 0, 0, 0)),
    "memfd": outcome(lambda: system_call(319, b"x", 0)),
    "pidfd": outcome(lambda: system_call(434, 1, 0)),
    "vm read": outcome(lambda: system_call(310, 1, 0, 0, 0, 0, 0)),
    "shmget": outcome(lambda: system_call(29, 0, 4096, 0o1000)),
    "inotify": outcome(lambda: system_call(294, 0)),
    "chroot": outcome(lambda: os.chroot("/tmp")),
    "setuid": outcome(lambda: os.setuid(0)),
    "mknod": outcome(lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0))),
    "type": outcome(lambda: system_call(16, 0, 0x5412, b"x")),
    "type high": outcome(lambda: system_call(16, 0, ctypes.c_long(0x1_0000_5412), b"x")),
    "addresses": outcome(lambda: system_call(16, fd.fileno(), 0x8912, buffer)),
    "network of a socket": {outcome(lambda: system_call(16, fd, 0x894C, 0)) for fd in listening}.pop(),
})""")
    absent = {name for name, result in found.items() if result == "ENOSYS"}
    assert absent == {"clone3", "clone new user"}
    assert {result for name, result in found.items() if name not in absent} == {"EPERM"}, found


def test_it_has_no_privilege_to_win(told: Callable[[str], Any]) -> None:
    found = told("""
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
subprocess.run(["cp", "/usr/bin/id", "/tmp/id"]); os.chmod("/tmp/id", 0o4755)
tell({**{key: status[key].split() for key in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Uid", "Groups")},
      "su": subprocess.run(["su", "-c", "id", "root"], capture_output=True, stdin=subprocess.DEVNULL).returncode,
      "id": subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip(),
      "host": socket.gethostname(), "core": __import__("resource").getrlimit(__import__("resource").RLIMIT_CORE)})""")
    assert found["CapEff"] == found["CapBnd"] == ["0" * 16]
    assert (found["NoNewPrivs"], found["Seccomp"], found["Groups"]) == (["1"], ["2"], [])
    assert set(found["Uid"]) == {"1000"} == {found["id"]}
    assert found["su"] != 0
    assert found["host"] == "sandbox"
    assert found["core"] == [0, 0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_on_the_host_it_is_a_user_of_its_own(kernel: Kernel) -> None:
    process = kernel._provisioner.process
    assert process is not None
    uid = Path(f"/proc/{process.pid}").stat().st_uid
    assert uid > 0x7000_0000
    with open_kernel(Limits()) as other:
        assert uid != Path(f"/proc/{other._provisioner.process.pid}").stat().st_uid


def test_no_descriptor_of_ours_is_open_in_it(told: Callable[[str], Any]) -> None:
    kinds = told("""
links = []
for fd in os.listdir("/proc/self/fd"):
    try: links.append(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError: pass
tell(sorted({link.split(":")[0] for link in links if not link.startswith("/proc/")}))""")
    assert set(kinds) <= {"/dev/null", "anon_inode", "pipe", "socket"}, kinds


def test_a_full_disk_is_its_own(told: Callable[[str], Any], tmp_path: Path) -> None:
    found = told("""
def fill(folder):
    for number in range(100):
        with open(f"{folder}/fill{number}", "wb") as file:
            for _ in range(8): file.write(bytes(2**20 - 1))
results = [outcome(lambda: fill(folder)) for folder in ("/tmp", "/dev/shm", "/home/student")]
for folder in ("/tmp", "/dev/shm", "/home/student"):
    for name in os.listdir(folder):
        if name.startswith("fill"): os.unlink(f"{folder}/{name}")
def large():
    with open("/tmp/large", "wb") as file:
        for _ in range(20): file.write(bytes(2**20))
tell([results, outcome(large)])""")
    assert found == [["ENOSPC"] * 3, "EFBIG"]
    (tmp_path / "ours").write_bytes(bytes(MIB))


def test_the_libraries_of_a_lab_work_in_it(told: Callable[[str], Any]) -> None:
    found = told("""
import warnings; warnings.simplefilter("ignore")
import multiprocessing, numpy, torch, threading
from torch.utils.data import DataLoader, TensorDataset
import matplotlib.pyplot as plt
data = TensorDataset(torch.arange(64.).reshape(32, 2), torch.zeros(32))
total = sum(float(x.sum()) for x, _ in DataLoader(data, batch_size=8, num_workers=2))
with multiprocessing.get_context("fork").Pool(2) as pool: squares = pool.map(abs, [-1, -2])
plt.figure(); plt.plot([1, 2]); plt.show()
net = torch.nn.Linear(3, 1); net(torch.randn(5, 3)).sum().backward()
torch.save(net.state_dict(), "net.pt"); torch.load("net.pt")
listing = get_ipython().getoutput("ls data")
tell([total, squares, float(numpy.linalg.norm(numpy.ones(4))), torch.get_num_threads(), list(listing)])""")
    assert found == [2016.0, [1, 2], 2.0, 1, ["points.csv"]]


def test_the_host_hears_no_one_on_the_kernels_sockets_but_the_kernel(kernel: Kernel) -> None:
    folder = kernel._provisioner._folder
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert threading.active_count() < 20
