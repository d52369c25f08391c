"""What the suite watches of the machine: baits that nobody may read, and whatever a run could leave behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SANDBOX_UIDS = 0x7000_0000
PLANTED = "planted"
"""Part of every file name that a hostile notebook makes."""
PR_SET_CHILD_SUBREAPER = 36
LONG_AGO = 10**9
OURS = ("/mnt", "/tmp", "/home", "/opt/agent", "/newroot", "/oldroot", "/dev/shm")


def adopt_orphans() -> None:
    """From now on a process that its parent leaves comes to us, so that none can get out of sight."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@dataclass(frozen=True)
class Baits:
    """Files that look worth reading, each holding a secret word, and listeners that look worth calling."""

    word: str
    files: dict[Path, bytes] = field(default_factory=dict)
    sockets: tuple[socket.socket, ...] = ()

    def lay(self, path: Path) -> Path:
        """Makes a file; its time of last access is long ago, so that the next one shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"{self.word} {path.name}\n".encode()
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
        self.files[path] = content
        return path

    def disturbed(self) -> list[str]:
        """What was read, changed, moved or called."""
        found = [str(path) for path in self.files if not _untouched(path)]
        for sock in self.sockets:
            with contextlib.suppress(BlockingIOError):
                came = sock.accept() if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else sock.recv(64)
                found.append(f"{sock.getsockname()}: {came!r}")
        return found

    def take_up(self) -> list[str]:
        """Removes them; those whose content is another one."""
        changed = [str(path) for path, content in self.files.items() if not path.is_file() or path.read_bytes() != content]
        for path in self.files:
            path.unlink(missing_ok=True)
        for sock in self.sockets:
            sock.close()
        return changed


def _untouched(path: Path) -> bool:
    with contextlib.suppress(OSError):
        state = path.lstat()
        return state.st_nlink == 1 and int(state.st_atime) == int(state.st_mtime) == LONG_AGO
    return False


def accesses_show(folder: Path) -> bool:
    """Whether this file system notes that a file was read."""
    bait = Baits("x")
    path = bait.lay(folder / "probe")
    path.read_bytes()
    shown = not _untouched(path)
    path.unlink()
    return shown


@dataclass(frozen=True)
class Left:
    """What was there when this was looked at. Equal before and after a run."""

    processes: tuple[str, ...]
    groups: frozenset[str]
    mounts: frozenset[str]
    files: frozenset[str]


def look(temporary: Path, watched: tuple[Path, ...]) -> Left:
    """All processes below us, our cgroups, mounts and files, and what sandboxes could have planted elsewhere."""
    tree = psutil.Process().children(recursive=True)
    owners = {os.getpid(), *(process.pid for process in tree)}
    groups = {str(folder) for folder in Path("/sys/fs/cgroup").glob("**/assessor-*-*") if _owner(folder) in owners}
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    files = {str(path) for path in temporary.rglob("*")}
    files |= {str(folder) for folder in Path("/tmp").glob("assessor-*-*") if _owner(folder) in owners}
    for folder in watched:
        with os.scandir(folder) as entries:
            files |= {entry.path for entry in entries if _planted(entry)}
    return Left(
        processes=tuple(sorted(filter(None, map(_name, tree)))),
        groups=frozenset(groups),
        mounts=frozenset(place for place in mounts if place.startswith(OURS)),
        files=frozenset(files),
    )


def settled(before: Left, temporary: Path, watched: tuple[Path, ...], seconds: float = 10.0) -> Left:
    """What there is once nothing more goes away; the last process may take a moment."""
    deadline = time.monotonic() + seconds
    while (found := look(temporary, watched)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _owner(folder: Path) -> int:
    part = folder.name.split("-")[1]
    return int(part) if part.isdecimal() else 0


def _planted(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return PLANTED in entry.name or entry.stat(follow_symlinks=False).st_uid >= SANDBOX_UIDS
    return False


def _name(process: psutil.Process) -> str:
    """Its name, '' where it is gone by now; an ended orphan that came to us goes now."""
    with contextlib.suppress(psutil.Error):
        if process.status() == psutil.STATUS_ZOMBIE and process.ppid() == os.getpid():
            os.waitpid(process.pid, os.WNOHANG)
            return ""
        return process.name()
    return ""


def end_orphans(known: set[int]) -> None:
    """Ends the processes that came to us since `known`, so that the next run does not start beside them."""
    for child in psutil.Process().children():
        if child.pid not in known and child.uids().real >= SANDBOX_UIDS:
            child.kill()
            child.wait(10)
