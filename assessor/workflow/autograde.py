"""Grade every submission that counts and has no mark yet: in parallel, resumable, with one writer.

Theory of operation. The coordinator (this process) holds the course's writer lock, so it is the only one that writes
marks. Jobs are rows: queued -> leased -> started -> finished -> recorded, or review. Workers are processes of a pool;
each gets a `Bundle` and returns a `Grading`, and never sees the database. A job's evidence file, its test results, its
mark and its state are written only after its worker is done, the rows in one transaction. So:

- kill the coordinator at any moment: its workers end with it, and their sandboxes with them. Jobs it had leased are
  queued again by the next run; what was recorded stays; nothing is recorded twice.
- kill a worker: the pool breaks. Every job that was out is queued again and tried alone, so that one that kills its
  worker cannot take others with it; after `MAX_TRIES` such deaths it goes to review.
- on a cluster, Dask itself gives a dead worker's job to another; one that ends two workers, alone too, goes to review.
- a fault of ours (`RunnerError`, `GraderFault`, any other exception from a worker): no mark, the job goes to review
  with the reason. The rest goes on. A job in review is tried again by the next run.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import AUTOMATIC, Assignment, Course
from assessor.database import Database, queue
from assessor.database.audit import add_event
from assessor.database.locking import writer_lock
from assessor.database.queries import ungraded
from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading
from assessor.workflow.bundles import grader_sha256, make_bundle
from assessor.workflow.evidence import keep_evidence
from assessor.workflow.keys import course_secret
from assessor.workflow.recording import AUTOGRADE, record
from gpu_runner.cluster import ClusterExecutor
from gpu_runner.executor import make_executor

log = logging.getLogger(__name__)
MAX_TRIES = 3


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
class Answer:
    """What a worker sends back: its grading, and when it began and ended."""

    grading: Grading
    started_at: datetime
    finished_at: datetime


def work(bundle: Bundle) -> Answer:
    """A worker's whole task."""
    started_at = datetime.now(UTC)
    grading = grade(bundle)
    return Answer(grading, started_at, datetime.now(UTC))


@dataclass(frozen=True)
class _Ticket:
    """A queued job on its way through the pool."""

    job_id: int
    student: str
    assignment: Assignment
    attempt: int
    submission_id: int
    folder: Path


Progress = Callable[[Graded | None, int, int], None]


def autograde(
    course: Course,
    database: Database,
    names: Sequence[str] = (),
    *,
    workers: int | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    author: str = AUTOGRADE,
) -> AutogradeReport:
    """Grades what counts and is not graded yet.

    Args:
        names: notebook assignments to grade; all of them when empty.
        workers: worker processes; the number of cores when None; 0 grades in this process.
        cluster: address of a Dask scheduler whose workers grade instead; they see the course at the same path.
        author: who started it, for the audit.
        progress: called once at the start (with no row) and after each submission, with how many are done of how many.

    Raises:
        AlreadyRunning: another process is writing this course's marks.
        DatabaseUnavailable: marks cannot be written; what was recorded before stays.
    """
    started = time.monotonic()
    assignments = [course.assignment(name) for name in names] or list(course.assignments)
    with writer_lock(course.root):
        queue.release_stale(database)
        tickets = _enqueue(course, database, [a for a in assignments if a.kind == "notebook"], clock())
        if tickets:
            with database.transaction() as session:
                detail = {"assignments": sorted({ticket.assignment.name for ticket in tickets}), "submissions": len(tickets)}
                add_event(session, author, "autograde", clock(), detail)
        run = _Run(course, database, clock, progress, len(tickets))
        if cluster and tickets:
            run.grade_on(ClusterExecutor(cluster), tickets)
        else:
            run.grade_all(tickets, (os.cpu_count() or 1) if workers is None else workers)
    return AutogradeReport(tuple(run.rows), time.monotonic() - started)


def _enqueue(course: Course, database: Database, assignments: list[Assignment], now: datetime) -> list[_Ticket]:
    """Queues what is to be graded and takes the whole queue."""
    for assignment in assignments:
        with database.reading() as session:
            wanted = ungraded(session, assignment.name, course.marking.counting_attempt)
        if wanted:
            queue.enqueue(database, wanted, grader_sha256(assignment), now)
    by_name = {assignment.name: assignment for assignment in assignments}
    return [
        _Ticket(
            job.id, job.submission.student_id, by_name[job.submission.assignment], job.submission.attempt,
            job.submission.id, course.root / job.submission.path,
        )
        for job in queue.queued(database, by_name)
    ]  # fmt: skip


class _Run:
    """One run of the coordinator: what is out, what is done."""

    def __init__(
        self, course: Course, database: Database, clock: Callable[[], datetime], progress: Progress | None, total: int
    ) -> None:
        self._course, self._database, self._clock = course, database, clock
        self._progress, self._total = progress, total
        self._secret = course_secret(course.root) if total else b""
        self._host = socket.gethostname()
        self.rows: list[Graded] = []

    def grade_all(self, tickets: list[_Ticket], workers: int) -> None:
        """Grades all tickets, `workers` at a time; those that were out when the pool broke are tried one by one."""
        self._report(None)
        suspects = self._through_pool(tickets, workers)
        for ticket in suspects:
            while self._through_pool([ticket], min(workers, 1)):
                pass

    def grade_on(self, cluster: ClusterExecutor, tickets: list[_Ticket]) -> None:
        """Grades all tickets on a cluster, which itself sees to workers that end."""
        self._report(None)
        self._through(cluster, tickets, 2 * cluster.workers)

    def _through_pool(self, tickets: list[_Ticket], workers: int) -> list[_Ticket]:
        """One pool's life; returns the tickets to try again alone."""
        again, waiting = self._through(make_executor(workers), tickets, max(workers, 1))
        return again + (self._through_pool(waiting, workers) if again and waiting else [])

    def _through(self, executor: Executor, tickets: list[_Ticket], at_once: int) -> tuple[list[_Ticket], list[_Ticket]]:
        """Feeds tickets to an executor until all are through or it breaks; returns those that were out then, and the rest."""
        waiting, again = list(reversed(tickets)), []
        out: dict[Future[Answer], _Ticket] = {}
        try:
            while waiting or out:
                while waiting and len(out) < at_once:
                    ticket = waiting.pop()
                    future = self._submit(executor, ticket)
                    if future is not None:
                        out[future] = ticket
                done, _ = wait(out, return_when=FIRST_COMPLETED)
                for future in done:
                    ticket = out.pop(future)
                    if self._settle(ticket, future):
                        continue
                    again.append(ticket)
                if again:  # the pool is broken: whatever else was out is lost with it
                    return [*again, *out.values()], list(reversed(waiting))
        finally:
            for ticket in out.values():
                queue.requeue(self._database, ticket.job_id)
            _end(executor)
        return again, []

    def _submit(self, executor: Executor, ticket: _Ticket) -> Future[Answer] | None:
        """Leases a job and gives it to a worker; None where it went to review instead."""
        tries = queue.mark_leased(self._database, ticket.job_id, self._host, self._clock())
        if tries > MAX_TRIES:
            self._to_review(ticket, f"set aside: it ended its worker {MAX_TRIES} times")
            return None
        try:
            bundle = make_bundle(
                self._course, ticket.assignment, ticket.submission_id, ticket.student, ticket.folder, self._secret
            )
        except OSError as fault:
            self._to_review(ticket, f"its files cannot be read: {fault}")
            return None
        return executor.submit(work, bundle)

    def _settle(self, ticket: _Ticket, future: Future[Answer]) -> bool:
        """Records a worker's answer; False where the worker died and the job must be tried again."""
        try:
            answer = future.result()
        except BrokenProcessPool:
            queue.requeue(self._database, ticket.job_id)
            return False
        except Exception as fault:  # noqa: BLE001 - whatever a worker raises is ours, and never costs a mark
            log.warning("%s, %s: %s", ticket.student, ticket.assignment.name, fault)
            self._to_review(ticket, f"{type(fault).__name__}: {fault}")
            return True
        self._record(ticket, answer)
        return True

    def _record(self, ticket: _Ticket, answer: Answer) -> None:
        grading, assignment = answer.grading, ticket.assignment
        notebook = assignment.notebooks[0]
        keep_evidence(self._course.root, ticket.student, assignment.name, ticket.attempt, notebook, grading)
        wrong = "" if grading.needs_review else wrong_total(grading, assignment.hidden_marks)
        if wrong:
            self._to_review(ticket, wrong)
            return
        record(
            self._database, ticket.job_id, grading, author=AUTOGRADE, now=self._clock(), hidden_item=AUTOMATIC,
            out_of=assignment.hidden_marks, started_at=answer.started_at, finished_at=answer.finished_at,
        )  # fmt: skip
        review = grading.needs_review
        broken = ", ".join(test.name for test in grading.tests if test.verdict.name == "REVIEW")
        self._report(
            Graded(
                ticket.student, assignment.name, ticket.attempt, "review" if review else "recorded",
                None if review else grading.points, grading.out_of, grading.execution.outcome.value,
                f"hidden tests to look at: {broken}" if review else grading.note,
                (answer.finished_at - answer.started_at).total_seconds(),
            )
        )  # fmt: skip

    def _to_review(self, ticket: _Ticket, reason: str) -> None:
        queue.to_review(self._database, ticket.job_id, reason)
        name = ticket.assignment.name
        self._report(Graded(ticket.student, name, ticket.attempt, "review", None, None, "not graded", reason, 0.0))

    def _report(self, row: Graded | None) -> None:
        if row is not None:
            self.rows.append(row)
        if self._progress is not None:
            self._progress(row, len(self.rows), self._total)


def wrong_total(grading: Grading, marks: Decimal) -> str:
    """Why the hidden tests' total can be no mark: a fault of the tests, not the student's."""
    if grading.out_of != marks:
        return f"hidden tests are out of {grading.out_of}, assignment.toml says {marks}"
    if not 0 <= grading.points <= grading.out_of:
        return f"hidden tests gave {grading.points} of {grading.out_of}"
    return ""


def _end(executor: Executor) -> None:
    """Ends a pool and its processes: on an interrupt or a broken pool nobody waits for a notebook to finish."""
    processes = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
