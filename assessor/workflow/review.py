"""The review queue: gradings that a fault of ours, or a test's author, keeps from becoming marks until a person has looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.course import AUTOMATIC, Course
from assessor.csvfile import exact
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.tables import RECORDED, REVIEW, GradingRecord, Job, Mark, Submission
from assessor.errors import AssessorError
from assessor.grading.results import Verdict
from assessor.workflow.evidence import evidence_folder
from assessor.workflow.mark import Given


@dataclass(frozen=True)
class Question:
    """One hidden test that a person must look at."""

    test: str
    verdict: str
    message: str
    detail: str
    out_of: Decimal


@dataclass(frozen=True)
class Waiting:
    """One submission in review.

    Attributes:
        points: what its other tests gave, out of `out_of`; None where nothing could be graded.
        questions: the tests in question, with all that staff may know.
        evidence: the folder of the executed notebook, '' where there is none.
    """

    student: str
    assignment: str
    attempt: int
    why: str
    points: Decimal | None
    out_of: Decimal | None
    questions: tuple[Question, ...]
    evidence: str


def waiting(course: Course, database: Database, names: Sequence[str] = ()) -> tuple[Waiting, ...]:
    """What is in review, oldest first; of all assignments when no names are given.

    Raises:
        UnknownName: there is no such assignment.
    """
    wanted = {course.assignment(name).name for name in names}
    with database.reading() as session:
        jobs = session.scalars(select(Job).where(Job.state == REVIEW).order_by(Job.id))
        return tuple(_waiting(course, session, job) for job in jobs if not wanted or job.submission.assignment in wanted)


def settle(
    course: Course,
    database: Database,
    student: str,
    name: str,
    points: str | None,
    *,
    author: str,
    reason: str,
    now: datetime,
) -> Given:
    """Takes a submission out of review with a mark.

    Args:
        points: the mark; None accepts what the tests that ran gave.

    Raises:
        UnknownName: there is no such assignment.
        AssessorError: no reason, nothing in review, points out of range, or nothing graded that could be accepted.
    """
    assignment = course.assignment(name)
    place = f"{student}, {name}"
    if not reason.strip():
        raise AssessorError(f"{place}: a decision needs a reason")
    with database.transaction() as session:
        job = _job(session, student, name)
        if job is None:
            raise AssessorError(f"{place}: not in review; `assessor review list` shows what is")
        grading = _grading(session, job)
        if points is not None:
            value = exact(
                points, Decimal(0), assignment.hidden_marks,
                lambda found, expected: AssessorError(f"{place}: found {found!r}; expected {expected}"),
            )  # fmt: skip
        elif grading is None:
            raise AssessorError(f"{place}: nothing was graded that could be accepted ({job.error}); run autograde again")
        else:
            value = grading.points
        verb = "accept" if points is None else "override"
        session.add(
            Mark(
                student_id=student, assignment=name, item=AUTOMATIC, submission_id=job.submission_id, points=value,
                out_of=assignment.hidden_marks, author=author, at=now, reason=f"review, {verb}: {reason.strip()}",
                grading_id=grading.id if grading else None,
            )
        )  # fmt: skip
        detail = {"student": student, "assignment": name, "points": str(value), "reason": reason.strip(), "was": job.error}
        add_event(session, author, f"review {verb}", now, detail)
        job.state, job.recorded_at = RECORDED, now
    return Given(AUTOMATIC, value, assignment.hidden_marks)


def _job(session: Session, student: str, name: str) -> Job | None:
    """The newest job in review of a student's assignment."""
    query = select(Job).join(Job.submission).where(
        Job.state == REVIEW, Submission.student_id == student, Submission.assignment == name
    )  # fmt: skip
    return session.scalars(query.order_by(Job.id.desc())).first()


def _grading(session: Session, job: Job) -> GradingRecord | None:
    query = select(GradingRecord).where(GradingRecord.job_id == job.id)
    return session.scalars(query.order_by(GradingRecord.id.desc())).first()


def _waiting(course: Course, session: Session, job: Job) -> Waiting:
    grading, submission = _grading(session, job), job.submission
    folder = evidence_folder(course.root, submission.student_id, submission.assignment, submission.attempt)
    questions = tuple(
        Question(test.name, test.verdict, test.message, test.detail, test.out_of)
        for test in (grading.tests if grading else ())
        if test.verdict == Verdict.REVIEW.value
    )
    return Waiting(
        submission.student_id, submission.assignment, submission.attempt, job.error,
        grading.points if grading else None, grading.out_of if grading else None, questions,
        str(folder) if grading and folder.is_dir() else "",
    )  # fmt: skip
