"""Limits of a run, and the record of one: what ran, how it ended, what it used."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

GIB = 2**30
MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one run may use. Each passed limit has an `Outcome`; a run keeps what it earned before.

    Limits that can cost a mark count CPU time of the process tree, so that a busy machine fails nobody; wall time
    is only a generous backstop (for code that sleeps or waits).
    """

    cell_cpu_seconds: float = 60.0
    cpu_seconds: float = 600.0
    cell_wall_seconds: float = 300.0
    wall_seconds: float = 1800.0
    memory_bytes: int = 4 * GIB
    gpu_memory_bytes: int = 8 * GIB
    processes: int = 256
    open_files: int = 1024
    file_bytes: int = 256 * MIB
    disk_bytes: int = 512 * MIB
    output_bytes: int = 8 * MIB
    message_bytes: int = 512 * MIB
    threads: int = 1


class Outcome(StrEnum):
    """How a whole run ended. All of these are the student's; our own faults raise `RunnerError`."""

    COMPLETED = "completed"
    """Every cell was run; some may have raised."""
    CPU_EXCEEDED = "cpu time exceeded"
    WALL_EXCEEDED = "wall time exceeded"
    MEMORY_EXCEEDED = "memory exceeded"
    GPU_MEMORY_EXCEEDED = "gpu memory exceeded"
    OUTPUT_EXCEEDED = "output exceeded"
    DIED = "process ended"
    """The kernel ended by itself: exit, segmentation fault."""


class CellStatus(StrEnum):
    """How one code cell ended."""

    OK = "ok"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    """Interrupted (and survived) or killed for its CPU or wall time."""
    KILLED = "killed"
    """The kernel ended while it ran."""
    NOT_RUN = "not run"


@dataclass(frozen=True)
class CellRun:
    """One code cell's run. `index` is the cell's place in the notebook that was run, `error` 'Type: message'."""

    index: int
    status: CellStatus
    wall_seconds: float = 0.0
    error: str = ""
    grade_id: str = ""


@dataclass(frozen=True)
class Usage:
    """What a run used, over its whole process tree."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    peak_gpu_memory_bytes: int = 0
    output_bytes: int = 0


@dataclass(frozen=True)
class Execution:
    """The record of one notebook's run.

    Attributes:
        notebook: the executed notebook as nbformat-4 JSON text, outputs included.
        manifest: everything needed to repeat the run and to explain its mark: hashes, versions, backend, limits in
            force and how they are enforced, device, seed, environment. JSON-able.
    """

    outcome: Outcome
    cells: tuple[CellRun, ...]
    usage: Usage
    notebook: str
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def raised(self) -> tuple[CellRun, ...]:
        """The cells that did not end well, in order."""
        return tuple(cell for cell in self.cells if cell.status is not CellStatus.OK)
