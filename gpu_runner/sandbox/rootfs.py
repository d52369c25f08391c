"""What a container shows of this machine: a bare root directory and read-only binds, never an overlay of the host's /.

Everything lies in one folder, which the backend makes and removes:

    root/       the bare root: links and empty mount points
    etc/        the few files of /etc
    agent/      the launch's fixed files, shown as /opt/agent
    handover/   init.py and the socket by which it comes to us, shown as /opt/handover
    empty/, nothing, sys/    what lies over things that must not be seen
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from gpu_runner.sandbox.bubblewrap import ETC, HOME
from gpu_runner.sandbox.contract import AGENT_FOLDER, Launch
from gpu_runner.sandbox.handover import INIT

PREFIX = "assessor-"
HANDOVER_FOLDER = "/opt/handover"
SIZED = ("/tmp", "/dev/shm", HOME)  # noqa: S108 - inside the sandbox
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64")
MORE_ETC = {"resolv.conf": "", "hostname": "sandbox\n"}
"""Files that an engine would write by itself if it did not find them."""


@dataclass(frozen=True)
class Bind:
    """A file or directory of this machine, shown read-only."""

    source: Path
    destination: str


def make_folder() -> Path:
    """A private folder for one container; its path is short, as that of a unix socket must be."""
    _sweep()
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-box-", dir="/tmp"))


@lru_cache(maxsize=1)
def _sweep() -> None:
    """Once a process: removes what killed processes of ours left behind."""
    for folder in Path("/tmp").glob(f"{PREFIX}*-box-*"):  # noqa: S108
        pid = folder.name.split("-")[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def lay(folder: Path, launch: Launch, *, system: bool = True) -> list[Bind]:
    """Fills the folder and says what must be bound over `root`, outermost first.

    Args:
        system: whether /usr and the Python environment of this machine are shown; not where an image has its own.
    """
    for name in ("root", "etc", "agent", "handover", "empty", "sys/fs/cgroup"):
        (folder / name).mkdir(parents=True)
    (folder / "nothing").touch()
    (folder / "handover" / "init.py").write_bytes(INIT.read_bytes())
    for name, content in launch.agent_files.items():
        _write(folder / "agent" / name, content)
    binds = [
        Bind(folder / "agent", AGENT_FOLDER),
        Bind(folder / "handover", HANDOVER_FOLDER),
        Bind(folder / "sys", "/sys"),  # an engine would show the hardware there
        Bind(folder / "empty", "/sys/fs/cgroup"),
        Bind(folder / "empty", "/dev/mqueue"),
    ]
    for name, text in {**ETC, **MORE_ETC}.items():
        _write(folder / "etc" / name, text.encode())
        binds.append(Bind(folder / "etc" / name, f"/etc/{name}"))
    if system:
        binds += _system(launch) + _hidden(folder, launch)
    _make_places(folder / "root", binds, links=system)
    _open(folder)
    return sorted(binds, key=lambda bind: bind.destination.count("/"))


def _system(launch: Launch) -> list[Bind]:
    """/usr, what of it is not linked, and the Python environment."""
    shown = [Path("/usr"), *launch.python.roots]
    shown += [Path("/", name) for name in SYSTEM if Path("/", name).is_dir() and not Path("/", name).is_symlink()]
    if Path("/etc/ld.so.cache").is_file():
        shown.append(Path("/etc/ld.so.cache"))
    return [Bind(path, str(path)) for path in shown]


def _hidden(folder: Path, launch: Launch) -> list[Bind]:
    """Nothing, over each file and directory that must not be seen."""
    return [Bind(folder / ("empty" if path.is_dir() else "nothing"), str(path)) for path in launch.python.hidden]


def _make_places(root: Path, binds: list[Bind], *, links: bool) -> None:
    """Mount points, because the root is read-only when things are mounted on it."""
    for name in SYSTEM if links else ():
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in ("proc", "dev", "run", *(folder.lstrip("/") for folder in SIZED if not folder.startswith("/dev/"))):
        (root / name).mkdir(parents=True)
    destinations = {bind.destination for bind in binds}
    for bind in binds:
        if any(str(parent) in destinations for parent in Path(bind.destination).parents):
            continue
        place = root / bind.destination.lstrip("/")
        if bind.source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            _write(place, b"")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _open(folder: Path) -> None:
    """Makes everything in the folder readable for the user inside, whatever our umask; the folder itself stays ours."""
    for top, _, files in os.walk(folder):
        Path(top).chmod(0o755)
        for path in (Path(top, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o644)
    for place in SIZED:
        if (folder / "root" / place.lstrip("/")).is_dir():
            (folder / "root" / place.lstrip("/")).chmod(0o1777)  # runc gives a tmpfs the mode of its mount point
    folder.chmod(0o700)
