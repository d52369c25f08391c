"""Questions to the database: which attempt counts, which mark is in force, how far things are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.database.tables import RECORDED, Extension, Job, Mark, Student, Submission

Key = tuple[str, str]
"""(student, assignment)."""


@dataclass(frozen=True)
class InForce:
    """Everything that decides the marks of a cohort, read in five queries whatever its size.

    Attributes:
        counting: for each student and assignment the attempt that counts.
        marks: for each student, assignment and item the mark in force: the newest of those that belong to the counting
            attempt or to no attempt.
        jobs: state of the newest job of each submission.
        extensions: the newest of each student and assignment.
    """

    students: tuple[Student, ...]
    counting: Mapping[Key, Submission]
    marks: Mapping[tuple[str, str, str], Mark]
    jobs: Mapping[int, Job]
    extensions: Mapping[Key, Extension]


def in_force(session: Session, policy: str) -> InForce:
    """Reads what is in force; `policy` is 'last' or 'best' (the attempt that counts)."""
    students = tuple(session.scalars(select(Student).order_by(Student.id)))
    extensions = {(e.student_id, e.assignment): e for e in session.scalars(select(Extension).order_by(Extension.id))}
    jobs = {job.submission_id: job for job in session.scalars(select(Job).order_by(Job.id))}
    marks = list(session.scalars(select(Mark).order_by(Mark.id)))
    counting = _counting(session.scalars(select(Submission).order_by(Submission.attempt)), marks, policy)
    force: dict[tuple[str, str, str], Mark] = {}
    for mark in marks:
        attempt = counting.get((mark.student_id, mark.assignment))
        if mark.submission_id is None or (attempt is not None and mark.submission_id == attempt.id):
            force[mark.student_id, mark.assignment, mark.item] = mark
    return InForce(students, counting, force, jobs, extensions)


def _counting(submissions: Iterable[Submission], marks: Iterable[Mark], policy: str) -> dict[Key, Submission]:
    points: dict[tuple[int, str], Decimal] = {}
    for mark in marks:
        if mark.submission_id is not None:
            points[mark.submission_id, mark.item] = mark.points
    score: dict[int, Decimal] = {}
    for (submission_id, _), value in points.items():
        score[submission_id] = score.get(submission_id, Decimal(0)) + value
    chosen: dict[Key, Submission] = {}
    for submission in submissions:
        key = (submission.student_id, submission.assignment)
        old = chosen.get(key)
        unmarked = Decimal(-1)
        if old is None or policy == "last" or score.get(submission.id, unmarked) >= score.get(old.id, unmarked):
            chosen[key] = submission
    return chosen


def counting_submission(session: Session, student: str, assignment: str, policy: str) -> Submission | None:
    """The attempt of one student that counts."""
    query = select(Submission).where(Submission.student_id == student, Submission.assignment == assignment)
    marks = session.scalars(
        select(Mark).where(Mark.student_id == student, Mark.assignment == assignment).order_by(Mark.id)
    )
    return _counting(session.scalars(query.order_by(Submission.attempt)), marks, policy).get((student, assignment))


def attempts(session: Session, student: str, assignment: str) -> list[Submission]:
    """All attempts of one student, oldest first."""
    query = select(Submission).where(Submission.student_id == student, Submission.assignment == assignment)
    return list(session.scalars(query.order_by(Submission.attempt)))


def history(session: Session, student: str, assignment: str) -> list[Mark]:
    """Every mark that was ever given, oldest first."""
    query = select(Mark).where(Mark.student_id == student, Mark.assignment == assignment)
    return list(session.scalars(query.order_by(Mark.id)))


def student_ids(session: Session) -> list[str]:
    """The class list's ids."""
    return list(session.scalars(select(Student.id).order_by(Student.id)))


def job_counts(session: Session) -> dict[tuple[str, str], int]:
    """How many jobs of each assignment are in each state."""
    query = select(Submission.assignment, Job.state, func.count()).join(Job.submission)
    return {(a, s): n for a, s, n in session.execute(query.group_by(Submission.assignment, Job.state))}


def ungraded(session: Session, assignment: str, policy: str) -> list[int]:
    """Ids of submissions to grade: the newest attempt of each student, unless it is recorded.

    Under 'best' every attempt is graded, since any may turn out to be it.
    """
    done = select(Job.submission_id).where(Job.state == RECORDED)
    query = select(Submission).where(Submission.assignment == assignment, Submission.id.not_in(done))
    open_ = list(session.scalars(query.order_by(Submission.id)))
    if policy == "best":
        return [submission.id for submission in open_]
    newest = dict(
        session.execute(
            select(Submission.student_id, func.max(Submission.attempt))
            .where(Submission.assignment == assignment)
            .group_by(Submission.student_id)
        )
        .tuples()
        .all()
    )
    return [submission.id for submission in open_ if newest[submission.student_id] == submission.attempt]
