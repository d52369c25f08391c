"""Process 1 of a container: fixed, readable by the student, holding nothing of ours but one connection.

Container engines and gVisor do not hand the descriptors of their caller on, so this program fetches them. It connects
to the path that it is told (or takes its standard input, where that is `-`), and receives over it, in this order: a
length with the descriptors attached, a header, the seccomp filters, the files. It writes the files to the home, starts
the program with exactly the descriptors and the environment of the header, and then does what process 1 must: it waits
for every orphan, tells the program's exit status, and ends. With it ends everything in the container.

The connection is also the line by which the owner holds it: at its end, whoever caused it, this process ends too.

gVisor can receive a connected socket of the host but not a listening one. There the header names `listeners`: they are
made here, and each connection that the owner accepted outside comes over the line and is joined to one made inside.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

CHUNK = 1 << 16
MAX_DESCRIPTORS = 250
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 22, 38
SECCOMP_MODE_FILTER = 2


class Program(ctypes.Structure):
    """`struct sock_fprog` of the kernel."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main() -> None:
    """Takes what is handed over, starts the program, and stays until it ends."""
    os.umask(0o022)
    line = connect(sys.argv[1])
    length, received = take_descriptors(line)
    header = json.loads(read(line, length))
    programs = [read(line, size) for size in header["filters"]]
    for name, size in header["files"]:
        write_file(line, Path(header["home"], name), size)
    listeners = {int(number): listen(number) for number in header["listeners"]}
    given = {**dict(zip(header["numbers"], received, strict=True)), **listeners}
    control(PR_SET_DUMPABLE, 0)  # the program has our user id, but may not look into us
    child = os.fork()
    if child == 0:
        become(header, given, programs)
    for descriptor in received:
        os.close(descriptor)
    names = {number: socket.socket(fileno=descriptor).getsockname() for number, descriptor in listeners.items()}
    threading.Thread(target=hold, args=(line, names), daemon=True).start()
    while True:
        pid, status = os.wait()
        if pid == child:
            break
    code = os.waitstatus_to_exitcode(status)
    code = code if code >= 0 else 128 - code
    try:
        line.sendall(struct.pack(">I", code))
    finally:
        os._exit(code)


def connect(place: str) -> socket.socket:
    """The line to the owner."""
    if place == "-":
        line = socket.socket(fileno=os.dup(0))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return line
    line = socket.socket(socket.AF_UNIX)
    line.connect(place)
    return line


def take_descriptors(line: socket.socket) -> tuple[int, list[int]]:
    """The length of the header, and the descriptors that came with it."""
    data, received, _, _ = socket.recv_fds(line, 8, MAX_DESCRIPTORS)
    if not data:
        raise SystemExit("the owner hung up")
    data += read(line, 8 - len(data))
    return struct.unpack(">Q", data)[0], list(received)


def read(line: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    parts = []
    while size:
        part = line.recv(min(size, CHUNK))
        if not part:
            raise SystemExit("the owner hung up")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_file(line: socket.socket, path: Path, size: int) -> None:
    """The next file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while size:
            part = read(line, min(size, CHUNK))
            file.write(part)
            size -= len(part)


def listen(number: int) -> int:
    """A listening socket in the place of one of the owner's; under a name of this container's network alone."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0handover-{number}")
    listener.listen(16)
    listener.setblocking(False)
    return listener.detach()


def become(header: dict[str, Any], given: dict[int, int], programs: list[bytes]) -> None:
    """The child: its session, descriptors, filters; then the program. Never returns."""
    try:
        os.setsid()
        os.chdir(header["home"])
        place_descriptors(given)
        control(PR_SET_NO_NEW_PRIVS, 1)
        for program in programs:
            buffer = ctypes.create_string_buffer(program, len(program))
            filtering = Program(len(program) // 8, ctypes.addressof(buffer))
            control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filtering))
        os.execvpe(header["argv"][0], header["argv"], header["env"])  # noqa: S606
    except BaseException as fault:  # noqa: BLE001 - whatever it is, this copy of process 1 must not go on
        os.write(2, f"{header['argv'][0]}: {fault}\n".encode(errors="replace"))
    finally:
        os._exit(1)


def place_descriptors(given: dict[int, int]) -> None:
    """Gives each descriptor its number, closes all others but the standard streams."""
    above = max([2, *given, *given.values()]) + 1
    moved = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, above) for number, descriptor in given.items()}
    for number, descriptor in moved.items():
        os.dup2(descriptor, number, inheritable=True)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in given:
            try:
                os.close(int(name))
            except OSError:  # the listing's own
                continue


def control(option: int, *values: int) -> None:
    """prctl(2)."""
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)][:4]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} is refused")


def hold(line: socket.socket, names: dict[int, Any]) -> None:
    """Ends this process, and so the container, when the owner is gone; joins the connections that he sends."""
    while True:
        try:
            data, received, _, _ = socket.recv_fds(line, 4, 1)
        except OSError:
            data, received = b"", []
        if not data:
            os._exit(137)
        inner = socket.socket(socket.AF_UNIX)
        inner.connect(names[struct.unpack(">I", data)[0]])
        outer = socket.socket(fileno=received[0])
        threading.Thread(target=join, args=(outer, inner), daemon=True).start()


def join(outer: socket.socket, inner: socket.socket) -> None:
    """Carries bytes both ways until one side ends."""
    back = threading.Thread(target=carry, args=(inner, outer), daemon=True)
    back.start()
    carry(outer, inner)
    back.join()
    outer.close()
    inner.close()


def carry(source: socket.socket, sink: socket.socket) -> None:
    """Carries bytes one way; at the end of one, both are over."""
    try:
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


if __name__ == "__main__":
    main()
