"""Which students' records are to go by the course's rule of retention, and their erasure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force
from assessor.database.audit import add_event
from assessor.database.quizzes import QuizAttempt
from assessor.database.tables import Extension, Mark, Student, Submission
from assessor.errors import AssessorError
from assessor.workflow.student_record import check_reason, erase_record

DATED = ((Mark, Mark.at), (Submission, Submission.submitted_at), (Extension, Extension.at), (Act, Act.at),
         (QuizAttempt, QuizAttempt.started_at))  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """One student's record.

    Attributes:
        last: the day of its newest row, None where it has none.
        until: the last day on which it is kept.
        waits: why it is kept for longer, or ''.
    """

    student: str
    last: date | None
    until: date
    waits: str = ""


@dataclass(frozen=True)
class Retention:
    """The course's rule, and what is due by it."""

    years: int
    ended: date
    students: int
    due: tuple[Kept, ...]
    waiting: tuple[Kept, ...]
    erased: tuple[str, ...] = ()


def retention(course: Course, database: Database, now: datetime) -> Retention:
    """What is due. A year's records are kept for so many years after the module's end.

    The year of a student whose newest row is older than this course's first day is an earlier one, and ended with that row.

    Raises:
        AssessorError: course.toml says no years.
    """
    years = course.retention.years
    if years is None:
        raise AssessorError(
            f"{course.root / 'course.toml'}: no rule of retention, so that nothing is ever due; "
            "write [retention] with years = 6, or what your institution says"
        )
    end = ended(course)
    with database.reading() as session:
        last, undecided = _last(session, course), _undecided(session)
        found = [_kept(course, student, last.get(student), end, years, undecided) for student in _students(session)]
    today = now.astimezone(course.time_zone).date()
    over = [each for each in found if each.until < today]
    return Retention(
        years, end, len(found), tuple(each for each in over if not each.waits), tuple(each for each in over if each.waits)
    )


def ended(course: Course) -> date:
    """The day on which the module ended: as course.toml says, or the last deadline's."""
    return course.retention.ends or max(each.due for each in course.assignments).astimezone(course.time_zone).date()


def apply_retention(course: Course, database: Database, *, author: str, reason: str, now: datetime) -> Retention:
    """Erases every record that is due, one after the other; each stands in the audit, and the whole does.

    Raises:
        AssessorError: no rule, or no reason, or one that names a student.
        OSError: ours; a file cannot be removed. What was erased before stays erased; run it again.
    """
    found, gone = retention(course, database, now), []
    with database.reading() as session:
        check_reason(reason, *session.scalars(select(Student).where(Student.id.in_([each.student for each in found.due]))))
    for each in found.due:
        gone.append(erase_record(course, database, each.student, author=author, reason=reason, now=now).student)
    if gone:
        with database.transaction() as session:
            add_event(
                session, author, "retention", now,
                {"years": found.years, "ended": found.ended.isoformat(), "erased": len(gone), "reason": reason.strip()},
            )  # fmt: skip
    return Retention(found.years, found.ended, found.students, found.due, found.waiting, tuple(gone))


def _students(session: Session) -> list[str]:
    return list(session.scalars(select(Student.id).order_by(Student.id)))


def _last(session: Session, course: Course) -> dict[str, date]:
    """The day of each student's newest row."""
    found: dict[str, date] = {}
    for table, at in DATED:
        query = select(table.student_id, func.max(at)).where(table.student_id.is_not(None)).group_by(table.student_id)
        for student, newest in session.execute(query):
            day = newest.astimezone(course.time_zone).date()
            found[str(student)] = max(day, found.get(str(student), day))
    return found


def _undecided(session: Session) -> set[str]:
    acts = acts_in_force(session, Act.verb.in_([Verb.HOLD, Verb.CLAIM]))
    return {act.student_id for act in acts if act.student_id}


def _kept(course: Course, student: str, last: date | None, end: date, years: int, undecided: set[str]) -> Kept:
    earlier_year = last is not None and last < course.term.start
    base = last if last is not None and (earlier_year or last > end) else end
    waits = "a hold or a claim is not decided" if student in undecided else ""
    return Kept(student, last, _later(base, years), waits)


def _later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, month=3, day=1)
