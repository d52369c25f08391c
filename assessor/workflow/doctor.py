"""Is this machine fit to mark? Each check says what was found and, where it is not good, how to mend it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assessor.course import load_course
from assessor.database import open_database
from assessor.errors import AssessorError
from gpu_runner.execution import GIB
from gpu_runner.gpus import discover
from gpu_runner.sandbox import check_backend

DEFAULT_BACKEND = "bubblewrap"
DISK_FREE_BYTES = 5 * GIB
CLOCK_SLACK_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One check. `remedy` is empty when `ok`."""

    subject: str
    ok: bool
    found: str
    remedy: str = ""


def doctor(root: Path | None) -> Iterator[Finding]:
    """Checks this machine, and the course at `root` where one is given; yields findings as they are made."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield _finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    for check in check_backend(_backend(root)):
        yield Finding(check.name, check.ok, check.detail, "" if check.ok else check.remedy)
    yield gpu()
    yield disk(root or Path.cwd())
    yield clock(root)
    if root is not None:
        yield from course_health(root)


def _backend(root: Path | None) -> str:
    """The sandbox that the course asks for; the default where it cannot be read, which is said below."""
    try:
        return load_course(root).environment.sandbox if root is not None else DEFAULT_BACKEND
    except AssessorError:
        return DEFAULT_BACKEND


def _finding(subject: str, ok: bool, found: str, remedy: str) -> Finding:
    """In one line each; the remedy only where it is needed."""
    return Finding(subject, ok, " ".join(found.split()), "" if ok else remedy)


def gpu() -> Finding:
    """What GPUs the driver names. None is no fault: only assignments that require one cannot be graded here."""
    found, reason = discover()
    if found:
        return Finding("gpu", True, "; ".join(f"{one.name}, {one.memory_bytes / GIB:.0f} GiB" for one in found))
    nodes = sorted(Path("/dev").glob("nvidia[0-9]*"))
    if nodes:
        return Finding("gpu", False, f"{nodes[0]} is there, but {reason}", "check the NVIDIA driver (nvidia-smi)")
    return Finding("gpu", True, "none; an assignment with gpu = 'required' goes to review here, others run on the CPU")


def disk(place: Path) -> Finding:
    """Free space where the course lies."""
    remedy = f"make at least {DISK_FREE_BYTES // GIB} GiB free"
    try:
        free = shutil.disk_usage(place).free
    except OSError as fault:
        return _finding("disk", False, f"{place}: {fault.strerror}", "name a course directory that can be read")
    return _finding("disk", free >= DISK_FREE_BYTES, f"{free / GIB:.1f} GiB free", remedy)


def clock(root: Path | None) -> Finding:
    """Whether the clock can be right: lateness depends on it.

    A clock that lies behind the course's own newest file was set back; where systemd knows, it must be synchronised.
    """
    remedy = "set the clock and let it follow a time server (timedatectl set-ntp true)"
    newest = max((path.stat().st_mtime for path in _own_files(root)), default=0.0)
    behind = newest - time.time()
    if behind > CLOCK_SLACK_SECONDS:
        return Finding("clock", False, f"{behind:.0f} s behind the newest file of this course", remedy)
    program = shutil.which("timedatectl")
    state = ""
    if program is not None:
        ask = [program, "show", "--property=NTPSynchronized", "--value"]
        try:
            state = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            state = ""
    if state == "no":
        return Finding("clock", False, "not synchronised", remedy)
    return Finding("clock", True, "synchronised" if state == "yes" else "plausible (no time service to ask)")


def _own_files(root: Path | None) -> list[Path]:
    """The files whose time stamps the clock must not lie behind."""
    here = [Path(__file__)]
    if root is not None:
        here += [path for path in (root / "course.toml", root / "assessor.db", root / "inbox") if path.exists()]
    return here


def course_health(root: Path) -> Iterator[Finding]:
    """The course loads, its secrets are private and its database opens."""
    try:
        course = load_course(root)
    except AssessorError as fault:
        yield _finding("course", False, str(fault), "mend the line that it names")
        return
    yield Finding("course", True, f"{course.code}, {len(course.assignments)} assignments")
    private = root / ".assessor"
    if private.is_dir():
        mode = private.stat().st_mode & 0o777
        yield _finding("secrets", not mode & 0o077, f".assessor has mode {mode:o}", f"chmod 700 {private}")
    try:
        database = open_database(root)
    except AssessorError as fault:
        if (root / "assessor.db").exists():
            remedy = "mend what it names, or put a backup of assessor.db in its place"
            yield _finding("database", False, str(fault), remedy)
        else:
            yield Finding("database", True, "none yet; `assessor roster` makes it")
        return
    try:
        yield Finding("database", True, database.describe())
    finally:
        database.close()
