"""The program of test_contract.py: looks at all that it can see of a sandbox from inside, and tells it as JSON.

Arguments: the descriptor to tell it over, a listening descriptor, what the host wants looked for, and any others.
"""

# ruff: noqa: PTH108, PTH109, PTH112, PTH118, PTH208, SIM115 - a program for anywhere, as short as it can be

import ctypes
import errno
import hashlib
import json
import os
import resource
import socket
import sys
import time

number, listening, host = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
line = socket.socket(fileno=number)
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


def to(family, address):
    with socket.socket(family) as sock:
        sock.settimeout(2)
        sock.connect(address)


def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"out", ("127.0.0.1", host["udp"]))


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def contents(top):
    files = [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
    return {os.path.relpath(file, top): digest(file) for file in files}


def writable():
    found = []
    for top, folders, _ in os.walk("/"):
        if top in ("/proc", "/usr/share", "/usr/lib"):
            folders[:] = []
            continue
        try:
            name = os.path.join(top, "planted")
            open(name, "w").close()
            os.unlink(name)
            found.append(top)
            folders[:] = []
        except OSError:
            continue
    return sorted(found)


def fill(folder):
    written = 0
    try:
        while written < 200:
            with open(f"{folder}/fill{written}", "wb") as file:
                file.write(bytes(2**20))
            written += 1
        return ["endless", written]
    except OSError as fault:
        return [errno.errorcode[fault.errno], written]
    finally:
        for name in os.listdir(folder):
            if name.startswith("fill"):
                os.unlink(f"{folder}/{name}")


def numbers():
    """The open descriptors, without that of the listing itself."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        if outcome(lambda number=int(name): os.fstat(number)) == "reached":
            found.append(int(name))
    return sorted(found)


def families():
    """What becomes of a socket of every family but UNIX, INET and INET6."""
    kinds = (socket.SOCK_DGRAM, socket.SOCK_RAW)
    pairs = [(family, kind) for family in range(3, 46) if family != socket.AF_INET6 for kind in kinds]
    return [[family, outcome(lambda f=family, k=kind: socket.socket(f, k).close())] for family, kind in pairs]


def status(key):
    with open("/proc/self/status") as file:
        return [row.split()[1] for row in file if row.startswith(key)]


pids = [name for name in os.listdir("/proc") if name.isdecimal()]
told = {
    "home": contents("."),
    "cwd": os.getcwd(),
    "empty": [os.listdir(folder) for folder in ("/tmp", "/dev/shm")],
    "agent": {name: read("/opt/agent/" + name) for name in os.listdir("/opt/agent")},
    "argv": sys.argv[4:],
    "agent writes": [outcome(lambda: open("/opt/agent/agent.py", "a")), outcome(lambda: os.unlink("/opt/agent/agent.py"))],
    "seen": [path for path in host["paths"] if os.path.lexists(path)],
    "hidden": [file for file in host["hidden"] if (os.listdir(file) if os.path.isdir(file) else read(file))],
    "writable": writable(),
    "filled": [fill(folder) for folder in ("/home/student", "/tmp", "/dev/shm")],
    "hostname": socket.gethostname(),
    "time": [time.tzname, time.localtime(0)[:6]],
    "uids": os.getresuid(),
    "gids": os.getresgid(),
    "groups": os.getgroups(),
    "umask": os.umask(0o022),
    "environment": dict(os.environ),
    "texts": [read(f"/proc/{pid}/{file}") for pid in pids for file in ("environ", "cmdline")],
    "processes": len(pids),
    "capabilities": status("Cap"),
    "no new privileges": libc.prctl(39, 0, 0, 0, 0),
    "seccomp": status("Seccomp:"),
    "files limit": resource.getrlimit(resource.RLIMIT_NOFILE),
    "interfaces": [row.split(":")[0].strip() for row in read("/proc/net/dev").splitlines() if ":" in row],
    "families": families(),
    "raw": [outcome(lambda f=f: socket.socket(f, socket.SOCK_RAW, 1)) for f in (socket.AF_INET, socket.AF_INET6)],
    "reached": {
        "tcp": outcome(lambda: to(socket.AF_INET, ("127.0.0.1", host["tcp"]))),
        "six": outcome(lambda: to(socket.AF_INET6, ("::1", host["tcp"]))),
        "abstract": outcome(lambda: to(socket.AF_UNIX, "\0" + host["abstract"])),
        "path": outcome(lambda: to(socket.AF_UNIX, host["path"])),
        "names": outcome(lambda: socket.getaddrinfo("localhost.invalid", 80)),
    },
    "sent": outcome(datagram),
    "calls": {
        "unshare": outcome(lambda: system_call(272, 0x10000000)),
        "mount": outcome(lambda: system_call(165, b"n", b"/tmp", b"tmpfs", 0, 0)),
        "setns": outcome(lambda: system_call(308, 0, 0)),
        "ptrace": outcome(lambda: system_call(101, 0, 0, 0, 0)),
        "bpf": outcome(lambda: system_call(321, 0, 0, 0)),
        "keyctl": outcome(lambda: system_call(250, 0, 0)),
        "io_uring": outcome(lambda: system_call(425, 1, 0)),
        "memfd": outcome(lambda: system_call(319, b"x", 0)),
        "shmget": outcome(lambda: system_call(29, 0, 4096, 0o1000)),
        "setuid": outcome(lambda: os.setuid(0)),
        "mknod": outcome(lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0))),
        "chroot": outcome(lambda: os.chroot("/tmp")),
        "type": outcome(lambda: system_call(16, 0, 0x5412, b"x")),
        "type high": outcome(lambda: system_call(16, 0, ctypes.c_long(0x1_0000_5412), b"x")),
        "network of a socket": outcome(lambda: system_call(16, number, 0x894C, 0)),
    },
    "descriptors": numbers(),
}
with socket.socket(fileno=listening) as listener:
    listener.settimeout(20)
    guest, _ = listener.accept()
    with guest:
        told["guest"] = guest.recv(5).decode()
        guest.sendall(b"come in")
line.sendall(json.dumps(told).encode() + b"\n")
line.recv(1)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print("last words", flush=True)
sys.exit(7)
