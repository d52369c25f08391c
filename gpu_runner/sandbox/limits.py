"""Metering and capping a process tree: cgroup v2 where it carries controllers, else v1, else by looking at the tree.

A meter is made before the sandbox starts. The launch script writes its own process id into `join_files`, so that
everything it ever starts is counted. The tree meter has nothing to join: it walks the tree and is only as quick as
whoever asks it; the provisioner's watchdog does, every 50 ms.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import psutil

from gpu_runner.execution import Limits

PARENT = "assessor"
_numbers = itertools.count()


class Meter(ABC):
    """Counts what one process tree uses, and caps it where the kernel lets us."""

    mechanism: ClassVar[str]
    join_files: tuple[Path, ...] = ()
    caps_memory: ClassVar[bool] = True

    def members(self) -> list[int]:
        """Process ids of everything in the cgroup; empty where there is none."""
        with contextlib.suppress(OSError):
            return [int(pid) for file in self.join_files[:1] for pid in file.read_text().split()]
        return []

    @abstractmethod
    def cpu_seconds(self) -> float:
        """CPU time of all processes, ended ones included."""

    @abstractmethod
    def memory_bytes(self) -> tuple[int, int]:
        """Memory now, and its peak."""

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Whether a process was killed for memory."""

    @abstractmethod
    def close(self) -> None:
        """Takes the cgroup away; whatever was in it has ended."""


class CgroupV1(Meter):
    """cgroup v1: memory, pids and cpuacct, each in its own hierarchy."""

    mechanism = "cgroup v1 (memory, pids, cpuacct)"
    ROOT: ClassVar[Path] = Path("/sys/fs/cgroup")
    CONTROLLERS: ClassVar[tuple[str, ...]] = ("memory", "pids", "cpuacct")

    def __init__(self, limits: Limits) -> None:
        name = f"{PARENT}-{os.getpid()}-{next(_numbers)}"
        self._folders = {kind: self.ROOT / kind / PARENT / name for kind in self.CONTROLLERS}
        for folder in self._folders.values():
            folder.mkdir(parents=True)
        memory = self._folders["memory"]
        (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        with contextlib.suppress(OSError):  # no swap accounting: nothing to cap
            (memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_bytes))
        (self._folders["pids"] / "pids.max").write_text(str(limits.processes))
        self.join_files = tuple(folder / "cgroup.procs" for folder in self._folders.values())
        self._last_cpu, self._last_memory, self._oom = 0.0, (0, 0), False

    @classmethod
    def usable(cls) -> bool:
        """Whether this process may make cgroups in all three hierarchies."""
        return all(os.access(cls.ROOT / kind / "cgroup.procs", os.W_OK) for kind in cls.CONTROLLERS)

    def cpu_seconds(self) -> float:
        """As `Meter` says."""
        with contextlib.suppress(OSError):
            self._last_cpu = int((self._folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9
        return self._last_cpu

    def memory_bytes(self) -> tuple[int, int]:
        """As `Meter` says."""
        folder = self._folders["memory"]
        with contextlib.suppress(OSError):
            now, peak = (int((folder / f"memory.{key}_in_bytes").read_text()) for key in ("usage", "max_usage"))
            self._last_memory = now, peak
        return self._last_memory

    def out_of_memory(self) -> bool:
        """As `Meter` says."""
        with contextlib.suppress(OSError):
            text = (self._folders["memory"] / "memory.oom_control").read_text()
            counts = dict(line.split() for line in text.splitlines())
            self._oom = self._oom or int(counts.get("oom_kill", 0)) > 0
        return self._oom

    def close(self) -> None:
        """As `Meter` says."""
        self.cpu_seconds(), self.memory_bytes(), self.out_of_memory()
        _remove(self._folders.values())


class CgroupV2(Meter):
    """cgroup v2, in a group of our own below the one that we were given."""

    mechanism = "cgroup v2 (memory, pids, cpu)"
    CONTROLLERS: ClassVar[frozenset[str]] = frozenset({"memory", "pids"})

    def __init__(self, limits: Limits) -> None:
        parent = self._parent()
        if parent is None:
            raise OSError("no cgroup v2 group that we may divide")
        self._folder = parent / f"{PARENT}-{os.getpid()}-{next(_numbers)}"
        self._folder.mkdir()
        (self._folder / "memory.max").write_text(str(limits.memory_bytes))
        with contextlib.suppress(OSError):
            (self._folder / "memory.swap.max").write_text("0")
        (self._folder / "pids.max").write_text(str(limits.processes))
        self.join_files = (self._folder / "cgroup.procs",)
        self._last_cpu, self._last_memory, self._oom = 0.0, (0, 0), False

    @classmethod
    def _parent(cls) -> Path | None:
        """The nearest group above this process that hands memory and pids on to groups of ours."""
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        roots = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next((line.split("::", 1)[1] for line in lines if line.startswith("0::")), "/")
        for root in roots:
            group = root / own.lstrip("/")
            for folder in (group, *group.parents):
                with contextlib.suppress(OSError):
                    given = set((folder / "cgroup.subtree_control").read_text().split())
                    if given >= cls.CONTROLLERS and os.access(folder, os.W_OK) and _may_join(folder):
                        return folder
                if folder == root:
                    break
        return None

    @classmethod
    def usable(cls) -> bool:
        """Whether there is a group that we may divide."""
        return cls._parent() is not None

    def cpu_seconds(self) -> float:
        """As `Meter` says."""
        with contextlib.suppress(OSError):
            counts = dict(line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
            self._last_cpu = int(counts["usage_usec"]) / 1e6
        return self._last_cpu

    def memory_bytes(self) -> tuple[int, int]:
        """As `Meter` says."""
        with contextlib.suppress(OSError):
            now = int((self._folder / "memory.current").read_text())
            peak_file = self._folder / "memory.peak"
            peak = int(peak_file.read_text()) if peak_file.exists() else max(now, self._last_memory[1])
            self._last_memory = now, peak
        return self._last_memory

    def out_of_memory(self) -> bool:
        """As `Meter` says."""
        with contextlib.suppress(OSError):
            counts = dict(line.split() for line in (self._folder / "memory.events").read_text().splitlines())
            self._oom = self._oom or int(counts.get("oom_kill", 0)) > 0
        return self._oom

    def close(self) -> None:
        """As `Meter` says."""
        self.cpu_seconds(), self.memory_bytes(), self.out_of_memory()
        _remove([self._folder])


def _may_join(folder: Path) -> bool:
    """Whether a process of ours may be moved below `folder` (it must be able to write its cgroup.procs)."""
    return os.access(folder / "cgroup.procs", os.W_OK)


class ProcessTree(Meter):
    """No cgroup: walks the tree below the sandbox. Counts memory as PSS, so that shared pages count once."""

    mechanism = "watchdog on the process tree (PSS), rlimits"
    caps_memory = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._roots: list[psutil.Process] = []
        self._cpu, self._peak, self._oom = 0.0, 0, False

    def watch(self, pid: int) -> None:
        """Names a process at the root of a tree; a kernel of a warm start is not below its sandbox."""
        with contextlib.suppress(psutil.Error):
            self._roots.append(psutil.Process(pid))

    def members(self) -> list[int]:
        """Process ids of the trees."""
        return [process.pid for process in self._tree()]

    def _tree(self) -> list[psutil.Process]:
        tree = list(self._roots)
        for root in self._roots:
            with contextlib.suppress(psutil.Error):
                tree += root.children(recursive=True)
        return tree

    def cpu_seconds(self) -> float:
        """As `Meter` says."""
        total = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                # the children's part is of those that have ended and were waited for, so nothing is counted twice
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        self._cpu = max(self._cpu, total)
        return self._cpu

    def memory_bytes(self) -> tuple[int, int]:
        """As `Meter` says."""
        tree = self._tree()
        now = sum(_resident(process) for process in tree)
        if now > self._limits.memory_bytes:
            now = sum(_proportional(process) for process in tree)
        self._peak = max(self._peak, now)
        self._oom = self._oom or now > self._limits.memory_bytes
        return now, self._peak

    def out_of_memory(self) -> bool:
        """As `Meter` says."""
        return self._oom

    def close(self) -> None:
        """As `Meter` says."""
        self._roots = []


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _proportional(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return _resident(process)


def _remove(folders: object, seconds: float = 5.0) -> None:
    """Removes cgroups; the last process may take a moment to be gone from them."""
    deadline = time.monotonic() + seconds
    for folder in folders:  # type: ignore[attr-defined]
        while folder.exists():
            try:
                folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.001)


def best_meter() -> type[Meter]:
    """The strongest way this machine has."""
    if CgroupV2.usable():
        return CgroupV2
    return CgroupV1 if CgroupV1.usable() else ProcessTree


def make_meter(limits: Limits) -> Meter:
    """A meter of the strongest kind."""
    _sweep()
    return best_meter()(limits)  # type: ignore[call-arg]


@lru_cache(maxsize=1)
def _sweep() -> None:
    """Once a process: ends what killed processes of ours left behind in their cgroups, and removes these."""
    places = [CgroupV1.ROOT / kind / PARENT for kind in CgroupV1.CONTROLLERS]
    parent = CgroupV2._parent()
    for place in [*places, *([parent] if parent else [])]:
        for folder in place.glob(f"{PARENT}-*-*") if place.is_dir() else ():
            pid = folder.name.split("-")[1]
            if pid.isdecimal() and not psutil.pid_exists(int(pid)):
                with contextlib.suppress(OSError):
                    for member in (folder / "cgroup.procs").read_text().split():
                        os.kill(int(member), signal.SIGKILL)
                _remove([folder], 1.0)
