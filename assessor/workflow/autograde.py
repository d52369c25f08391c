"""Grade every submission that counts and has no mark yet: in parallel, resumable, with one writer.

Theory of operation. The coordinator (this process) holds the course's writer lock, so it is the only one that writes
marks. Jobs are rows: queued -> leased -> started -> finished -> recorded, or review. Workers are processes of a pool;
each gets a `Bundle` and returns a `Grading`, and never sees the database. A job's evidence file, its test results, its
mark and its state are written only after its worker is done, the rows in one transaction. So:

- kill the coordinator at any moment: its workers end with it, and their sandboxes with them. Jobs it had leased are
  queued again by the next run; what was recorded stays; nothing is recorded twice.
- kill a worker: the pool breaks. Every job that was out is queued again and tried alone, so that one that kills its
  worker cannot take others with it; after `MAX_TRIES` such deaths it goes to review.
- a fault of ours (`RunnerError`, `GraderFault`, any other exception from a worker): no mark, the job goes to review
  with the reason. The rest goes on. A job in review is tried again by the next run.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.database import Database, queue
from assessor.database.locking import writer_lock
from assessor.grading.grade import grade
from assessor.grading.results import Grading
from assessor.workflow.bundles import grader_sha256, make_bundle
from assessor.workflow.evidence import keep_evidence
from assessor.workflow.keys import course_secret
from gpu_runner.executor import make_executor

MAX_TRIES = 3
AUTHOR = "autograde"


@dataclass(frozen=True)
class Graded:
    """One submission's way through this run. `state` is 'recorded' or 'review'."""

    student: str
    assignment: str
    attempt: int
    state: str
    points: Decimal | None
    out_of: Decimal | None
    outcome: str
    note: str
    seconds: float


@dataclass(frozen=True)
class AutogradeReport:
    """What one run did."""

    rows: tuple[Graded, ...]
    seconds: float

    @property
    def in_review(self) -> tuple[Graded, ...]:
        """Submissions that got no mark for our reasons."""
        return tuple(row for row in self.rows if row.state == "review")


@dataclass(frozen=True)
class _Ticket:
    """A leased job on its way through the pool."""

    job_id: int
    student: str
    assignment: Assignment
    attempt: int
    submission_id: int
    folder: Path


def autograde(
    course: Course,
    database: Database,
    names: Sequence[str] = (),
    *,
    workers: int | None = None,
    progress: Callable[[Graded, int, int], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AutogradeReport:
    """Grades what counts and is not graded yet.

    Args:
        names: notebook assignments to grade; all of them when empty.
        workers: worker processes; the number of cores when None; 0 grades in this process.
        progress: called after each submission with its row, how many are done, and how many there are.

    Raises:
        AlreadyRunning: another process is writing this course's marks.
        DatabaseUnavailable: marks cannot be written; what was recorded before stays.
    """
    started = time.monotonic()
    with writer_lock(course.root):
        queue.release_stale(database)
        tickets = _lease_all(course, database, names, clock)
        run = _Run(course, database, course_secret(course.root), clock, progress, len(tickets))
        run.grade_all(tickets, os.cpu_count() or 1 if workers is None else workers)
    return AutogradeReport(tuple(run.rows), time.monotonic() - started)
