"""Grading again after a test was corrected: every mark that would change is shown before anything is written.

Nothing is recorded while it runs, and a mark that a person gave stands. What is then recorded is what was shown: the
gradings are kept, not made a third time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.course import AUTOMATIC, Assignment, Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.locking import writer_lock
from assessor.database.queries import in_force
from assessor.database.tables import QUEUED, GradingRecord, Job, Submission
from assessor.workflow.autograde import Answer, work, wrong_total
from assessor.workflow.bundles import grader_sha256, make_bundle
from assessor.workflow.evidence import keep_evidence
from assessor.workflow.keys import course_secret
from assessor.workflow.recording import AUTOGRADE, record
from gpu_runner.executor import make_executor


@dataclass(frozen=True)
class Change:
    """One submission that was graded again. `now` is None where it would go to review, `why` says what for."""

    student: str
    assignment: str
    attempt: int
    then: Decimal
    now: Decimal | None
    tests: tuple[str, ...]
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether the mark would change."""
        return self.then != self.now


@dataclass(frozen=True)
class _Old:
    """What stands: a submission that counts, with the verdicts behind its mark."""

    submission: int
    student: str
    attempt: int
    path: str
    points: Decimal
    verdicts: dict[str, str]


class Regrade:
    """Gradings by the present version of an assignment's tests, not yet recorded."""

    def __init__(self, course: Course, database: Database, assignment: Assignment) -> None:
        self._course, self._database, self._assignment = course, database, assignment
        self._version = grader_sha256(assignment)
        self._answers: list[tuple[_Old, Answer]] = []
        self.changes: list[Change] = []

    def run(self, workers: int | None = None, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Grades what counts and was graded by another version of the tests.

        Raises:
            RunnerError, GraderFault: ours; nothing is recorded.
        """
        with self._database.reading() as session:
            old = self._graded_otherwise(session)
        secret = course_secret(self._course.root)
        progress(0, len(old))
        with make_executor((os.cpu_count() or 1) if workers is None else workers) as executor:
            futures = {}
            for one in old:
                folder = self._course.root / one.path
                bundle = make_bundle(self._course, self._assignment, one.submission, one.student, folder, secret)
                futures[executor.submit(work, bundle)] = one
            for done, future in enumerate(as_completed(futures), 1):
                self._note(futures[future], future.result())
                progress(done, len(futures))
        self.changes.sort(key=lambda change: change.student)

    def _graded_otherwise(self, session: Session) -> list[_Old]:
        force = in_force(session, self._course.marking.counting_attempt)
        found = []
        for (student, name), attempt in force.counting.items():
            mark = force.marks.get((student, name, AUTOMATIC))
            if mark is None or mark.author != AUTOGRADE:  # none yet, or a person has decided
                continue
            query = select(GradingRecord, Job).join(Job, GradingRecord.job_id == Job.id)
            rows = session.execute(query.where(GradingRecord.submission_id == attempt.id).order_by(GradingRecord.id)).all()
            if name != self._assignment.name or not rows:
                continue
            grading, job = rows[-1]
            submission = session.get_one(Submission, attempt.id)
            if job.grader_sha256 != self._version:
                verdicts = {test.name: test.verdict for test in grading.tests}
                found.append(_Old(attempt.id, student, submission.attempt, submission.path, grading.points, verdicts))
        return found

    def _note(self, old: _Old, answer: Answer) -> None:
        grading = answer.grading
        why = "; ".join(test.name for test in grading.tests if test.verdict.name == "REVIEW")
        why = f"a person must look at {why}" if why else wrong_total(grading, self._assignment.hidden_marks)
        tests = tuple(
            f"{test.name}: {old.verdicts.get(test.name, 'not there')} -> {test.verdict.value}"
            for test in grading.tests
            if old.verdicts.get(test.name) != test.verdict.value
        )
        now = None if why else grading.points
        self.changes.append(Change(old.student, self._assignment.name, old.attempt, old.points, now, tests, why))
        self._answers.append((old, answer))

    def record(self, reason: str, *, author: str, now: datetime) -> int:
        """Records what was shown: a mark for each, those in question to review. Returns how many marks were written.

        Raises:
            AlreadyRunning: another process writes this course's marks.
        """
        written = 0
        with writer_lock(self._course.root):
            for old, answer in self._answers:
                with self._database.transaction() as session:
                    job = Job(submission_id=old.submission, grader_sha256=self._version, state=QUEUED, queued_at=now)
                    session.add(job)
                    session.flush()
                    number = job.id
                name, notebook = self._assignment.name, self._assignment.notebooks[0]
                keep_evidence(self._course.root, old.student, name, old.attempt, notebook, answer.grading)
                record(
                    self._database, number, answer.grading, author=AUTOGRADE, now=now, hidden_item=AUTOMATIC,
                    out_of=self._assignment.hidden_marks, started_at=answer.started_at, finished_at=answer.finished_at,
                )  # fmt: skip
                written += not answer.grading.needs_review
            with self._database.transaction() as session:
                students = [change.student for change in self.changes if change.differs]
                detail = {"assignment": self._assignment.name, "reason": reason, "changed": students}
                add_event(session, author, "regrade", now, detail)
        return written


def regrade(
    course: Course,
    database: Database,
    names: Sequence[str],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Regrade, ...]:
    """Grades assignments again by the present version of their tests; nothing is recorded yet.

    Raises:
        UnknownName: there is no such assignment.
    """
    runs = tuple(Regrade(course, database, course.assignment(name)) for name in names)
    for run in runs:
        run.run(workers, progress)
    return runs

