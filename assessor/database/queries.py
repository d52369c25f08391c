"""Questions to the database: which attempt counts, which mark is in force, how far things are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Row, Select, func, select, text
from sqlalchemy.orm import Session, aliased

from assessor.database.acts import Act, Decided, Resit, Verb, acts_in_force, decided, resit_of
from assessor.database.tables import OUT, QUEUED, RECORDED, REVIEW, Extension, Job, Mark, Student, Submission
from assessor.marking.marks import ItemMark

Key = tuple[str, str]
"""(student, assignment)."""
Penalised = Callable[[str, datetime, datetime | None, Decimal], Decimal]
"""(assignment, handed in at, extended until, points) -> what lateness leaves of the points."""


class Attempt(NamedTuple):
    """A submission's facts that decide a mark. Plain tuples: a cohort's are read by the ten thousand."""

    id: int
    student: str
    assignment: str
    attempt: int
    submitted_at: datetime


MarkRow = Row[int, str, str, str, int | None, Decimal, Decimal, str, str, bool]
"""As `_marks` asks for it: id, student, assignment, item, submission, and what `ItemMark` has."""


@dataclass(frozen=True)
class Record:
    """What came in: attempts oldest first, marks oldest first, and for each student and assignment until when."""

    attempts: list[Attempt]
    marks: list[MarkRow]
    extensions: dict[Key, datetime]


@dataclass(frozen=True)
class Counted:
    """What of a record counts.

    Attributes:
        counting: for each student and assignment the attempt that counts.
        marks: for each student, assignment and item the mark in force: the newest of those that belong to the counting
            attempt or to no attempt.
        extensions: for each student and assignment until when; the newest extension holds.
    """

    counting: Mapping[Key, Attempt]
    marks: Mapping[tuple[str, str, str], ItemMark]
    extensions: Mapping[Key, datetime]


@dataclass(frozen=True)
class InForce(Counted):
    """Everything that decides the marks of a cohort, read in six queries whatever its size.

    Attributes:
        job_states: state of the newest job of each submission.
        decided: the acts in force.
        earlier: where a student tries again, by deferral or referral, what counted before; the rest is of the new try.
    """

    students: tuple[Student, ...]
    job_states: Mapping[int, str]
    decided: Decided
    earlier: Counted


def in_force(session: Session, policy: str, penalised: Penalised | None = None) -> InForce:
    """Reads what is in force.

    Args:
        policy: which attempt counts: 'last', or 'best' (the most points after lateness; the later one of two alike).
        penalised: what lateness leaves, for 'best'; without it lateness costs nothing.
    """
    students = tuple(session.scalars(select(Student).order_by(Student.id)))
    jobs = session.connection().execute(select(Job.submission_id, Job.state).order_by(Job.id))
    states = {submission: state for submission, state in jobs}  # noqa: C416 - rows are not tuples to the type checker
    acts = decided(session)
    now, before = _tries(session, acts.resits)
    this, earlier = (_counted(record, policy, penalised) for record in (now, before))
    return InForce(this.counting, this.marks, this.extensions, students, states, acts, earlier)


def _tries(session: Session, resits: Mapping[Key, Resit], *only: Sequence[object]) -> tuple[Record, Record]:
    """What came in, of each student's newest try and of the one before it.

    Args:
        only: conditions on submissions, marks and extensions.
    """
    conditions = only or ((), (), ())
    rows = session.connection().execute  # not the session's own, which takes as long again over rows that are no objects
    attempts_ = [Attempt._make(row) for row in rows(_attempts().where(*conditions[0]))]  # type: ignore[arg-type]
    marks = [*rows(_marks().where(*conditions[1]))]  # type: ignore[arg-type]
    given = [(row[0], row[1], row[2], row[3]) for row in rows(_extensions().where(*conditions[2]))]  # type: ignore[arg-type]
    if not resits:
        return Record(attempts_, marks, {(who, what): until for who, what, until, _ in given}), Record([], [], {})
    number = {each.id: each.attempt for each in attempts_}
    now, before = Record([], [], {key: resit.until for key, resit in resits.items()}), Record([], [], {})
    for each in attempts_:
        resit = resits.get((each.student, each.assignment))
        (now if resit is None or each.attempt > resit.attempt else before).attempts.append(each)
    for mark in marks:
        id_, student, assignment, _, submission, *_ = mark
        resit = resits.get((student, assignment))
        new = resit is None or (id_ > resit.mark if submission is None else number[submission] > resit.attempt)
        (now if new else before).marks.append(mark)
    for student, assignment, until, at in given:
        resit = resits.get((student, assignment))
        if resit is not None and at <= resit.at:
            before.extensions[student, assignment] = until
        else:
            now.extensions[student, assignment] = max(until, resit.until) if resit else until
    return now, before


def _counted(record: Record, policy: str, penalised: Penalised | None) -> Counted:
    counting = _counting(record, policy, penalised)
    force: dict[tuple[str, str, str], ItemMark] = {}
    for id_, student, assignment, item, submission, points, out_of, author, reason, not_submitted in record.marks:
        attempt = counting.get((student, assignment))
        if submission is None or (attempt is not None and submission == attempt.id):
            force[student, assignment, item] = ItemMark(item, points, out_of, author, reason, not_submitted, id_)
    return Counted(counting, force, record.extensions)


def _marks() -> Select[int, str, str, str, int | None, Decimal, Decimal, str, str, bool]:
    return select(
        Mark.id, Mark.student_id, Mark.assignment, Mark.item, Mark.submission_id, Mark.points, Mark.out_of,
        Mark.author, Mark.reason, Mark.not_submitted,
    ).order_by(Mark.id)  # fmt: skip


def _attempts() -> Select[int, str, str, int, datetime]:
    return select(
        Submission.id, Submission.student_id, Submission.assignment, Submission.attempt, Submission.submitted_at
    ).order_by(Submission.attempt)


def _extensions() -> Select[str, str, datetime, datetime]:
    return select(Extension.student_id, Extension.assignment, Extension.until, Extension.at).order_by(Extension.id)


def _counting(record: Record, policy: str, penalised: Penalised | None) -> dict[Key, Attempt]:
    """The attempt that counts of each student and assignment."""
    if policy == "last":
        return {(each.student, each.assignment): each for each in record.attempts}
    newest = {
        (submission, item): points for _, _, _, item, submission, points, *_ in record.marks if submission is not None
    }  # fmt: skip
    points: dict[int | None, Decimal] = {}
    for (submission, _), value in newest.items():
        points[submission] = points.get(submission, Decimal(0)) + value
    chosen: dict[Key, tuple[Decimal, Attempt]] = {}
    for each in record.attempts:
        key = (each.student, each.assignment)
        score = points.get(each.id, Decimal(-1))
        if penalised and score > 0:
            score = penalised(each.assignment, each.submitted_at, record.extensions.get(key), score)
        if key not in chosen or score >= chosen[key][0]:
            chosen[key] = (score, each)
    return {key: attempt for key, (_, attempt) in chosen.items()}


def counting_submission(
    session: Session, student: str, assignment: str, policy: str, penalised: Penalised | None = None
) -> Submission | None:
    """The attempt of one student that counts, by the same rule as `in_force`."""
    found = _counting(_one(session, student, assignment), policy, penalised).get((student, assignment))
    return None if found is None else session.get(Submission, found.id)


def _one(session: Session, student: str, assignment: str) -> Record:
    """What came in of one student's newest try of one assignment."""
    key = (student, assignment)
    again = acts_in_force(
        session, Act.verb.in_((Verb.DEFER, Verb.REFER)), Act.student_id == student, Act.subject == assignment
    )
    return _tries(
        session, {key: resit_of(again[-1])} if again else {},
        (Submission.student_id == student, Submission.assignment == assignment),
        (Mark.student_id == student, Mark.assignment == assignment),
        (Extension.student_id == student, Extension.assignment == assignment),
    )[0]  # fmt: skip


def extended_until(session: Session, student: str, assignment: str) -> datetime | None:
    """Until when one student has more time, by extension or a later try; the newest holds."""
    return _one(session, student, assignment).extensions.get((student, assignment))


def attempts(session: Session, student: str, assignment: str) -> list[Submission]:
    """All attempts of one student, oldest first."""
    query = select(Submission).where(Submission.student_id == student, Submission.assignment == assignment)
    return list(session.scalars(query.order_by(Submission.attempt)))


def submissions(session: Session, assignment: str) -> list[Submission]:
    """All attempts of all students, by student and attempt."""
    query = select(Submission).where(Submission.assignment == assignment)
    return list(session.scalars(query.order_by(Submission.student_id, Submission.attempt)))


def history(session: Session, student: str, assignment: str) -> list[Mark]:
    """Every mark that was ever given, oldest first."""
    query = select(Mark).where(Mark.student_id == student, Mark.assignment == assignment)
    return list(session.scalars(query.order_by(Mark.id)))


HISTORY = {
    "sqlite": "SELECT count(*), group_concat(line, char(10)) FROM ("
    "SELECT id || :sep || student_id || :sep || assignment || :sep || item"
    " || :sep || rtrim(rtrim(points, '0'), '.') || :sep || rtrim(rtrim(out_of, '0'), '.')"
    " || :sep || not_submitted || :sep || author || :sep || at AS line FROM mark ORDER BY id)",
    "postgresql": "SELECT count(*), string_agg(line, chr(10) ORDER BY id) FROM ("
    "SELECT id, id || :sep || student_id || :sep || assignment || :sep || item"
    " || :sep || trim_scale(points) || :sep || trim_scale(out_of)"
    " || :sep || CAST(not_submitted AS integer) || :sep || author || :sep"
    " || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS line FROM mark) AS lines",
}
"""How many marks were ever given, and a line for each, the same on both engines. The database writes them: rows made into
numbers and times first, and into text again, took most of a mark sheet's time."""


def fingerprint(session: Session) -> tuple[int, str]:
    """How many marks were ever given, and a SHA-256 over all of them; the same on every engine."""
    marks, lines = session.execute(text(HISTORY[session.get_bind().dialect.name]), {"sep": "\x1f"}).one()
    return marks, hashlib.sha256((lines or "").encode("utf-8", "backslashreplace")).hexdigest()


def student_ids(session: Session) -> list[str]:
    """The class list's ids."""
    return list(session.scalars(select(Student.id).order_by(Student.id)))


@dataclass(frozen=True)
class Progress:
    """How far one assignment is. Students are counted once, by their newest attempt and its newest job.

    Attributes:
        submitted: students with at least one attempt; attempts: all attempts.
        queued, out, recorded, review: of the submitted; `out` is with a worker; the rest has no job yet.
    """

    submitted: int = 0
    attempts: int = 0
    queued: int = 0
    out: int = 0
    recorded: int = 0
    review: int = 0


def progress(session: Session) -> dict[str, Progress]:
    """How far each assignment is that has any submission."""
    newest = (
        select(Submission.student_id, Submission.assignment, func.max(Submission.attempt).label("attempt"))
        .group_by(Submission.student_id, Submission.assignment)
        .subquery()
    )
    last_job = select(Job.submission_id, func.max(Job.id).label("id")).group_by(Job.submission_id).subquery()
    mine = aliased(Submission)
    here = (
        (mine.student_id == newest.c.student_id)
        & (mine.assignment == newest.c.assignment)
        & (mine.attempt == newest.c.attempt)
    )
    query = (
        select(mine.assignment, Job.state, func.count())
        .join(newest, here)
        .outerjoin(last_job, last_job.c.submission_id == mine.id)
        .outerjoin(Job, Job.id == last_job.c.id)
        .group_by(mine.assignment, Job.state)
    )
    states: dict[str, dict[str | None, int]] = {}
    for assignment, state, count in session.execute(query):
        states.setdefault(assignment, {})[state] = count
    totals = select(Submission.assignment, func.count()).group_by(Submission.assignment)
    return {
        assignment: Progress(
            submitted=sum(states[assignment].values()),
            attempts=count,
            queued=states[assignment].get(QUEUED, 0),
            out=sum(states[assignment].get(state, 0) for state in OUT),
            recorded=states[assignment].get(RECORDED, 0),
            review=states[assignment].get(REVIEW, 0),
        )
        for assignment, count in session.execute(totals)
    }


def ungraded(session: Session, assignment: str, policy: str) -> list[int]:
    """Ids of submissions to grade: the newest attempt of each student, unless it is recorded.

    Under 'best' every attempt is graded, since any may turn out to be it.
    """
    done = select(Job.submission_id).where(Job.state == RECORDED)
    query = select(Submission).where(Submission.assignment == assignment, Submission.id.not_in(done))
    open_ = list(session.scalars(query.order_by(Submission.id)))
    if policy == "best":
        return [submission.id for submission in open_]
    last = select(Submission.student_id, func.max(Submission.attempt)).where(Submission.assignment == assignment)
    newest = {student: attempt for student, attempt in session.execute(last.group_by(Submission.student_id))}  # noqa: C416
    return [submission.id for submission in open_ if newest[submission.student_id] == submission.attempt]
