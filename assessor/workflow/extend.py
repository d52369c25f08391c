"""More time for one student, with a reason that stays in confidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.course import Assignment, Course
from assessor.csvfile import CsvRow, read_csv
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.enrolment import find_student
from assessor.database.tables import Extension
from assessor.errors import AssessorError

LONGEST = timedelta(days=1100)
DAYS = re.compile(r"\+\s*(\d{1,3})\s*days?")


@dataclass(frozen=True)
class Extended:
    """An extension that was given; `note` tells of an earlier one that it replaces."""

    until: datetime
    note: str


def add_extension(
    course: Course, database: Database, student: str, name: str, until: str | datetime, *,
    author: str, reason: str, now: datetime, replace: bool = False,
) -> Extended:  # fmt: skip
    """Gives a student more time: '+3 days' after the deadline (local time of day kept), a course date, or an instant.

    Args:
        replace: whether it takes the place of an earlier one that says otherwise.

    Raises:
        UnknownName: no such student or assignment.
        AssessorError: no reason, an unreadable time, one that is not after the deadline, or an earlier extension that
            disagrees.
    """
    assignment = course.assignment(name)
    when = later_than_due(course, assignment, until)
    if not reason.strip():
        raise AssessorError(f"{student}, {name}: an extension needs a reason")
    with database.transaction() as session:
        own = find_student(session, student).id
        earlier = _in_force(session, own, name)
        if earlier is not None and earlier.until != when and not replace:
            found = f"{student}, {name}: {_local(course, when)} disagrees with {_given(course, earlier)}"
            raise AssessorError(f"{found}; nothing was changed; say --replace if the new one is to hold")
        if earlier is None or earlier.until != when:
            _append(session, own, name, when, author=author, reason=reason, now=now)
    if earlier is None:
        return Extended(when.astimezone(UTC), "")
    said = "it was so before:" if earlier.until == when else "replaces an earlier extension until"
    return Extended(when.astimezone(UTC), f"{said} {_local(course, earlier.until)}")


@dataclass(frozen=True)
class ExtensionsReport:
    """What an import of extensions did."""

    new: int
    unchanged: int


def import_extensions(
    course: Course, database: Database, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> ExtensionsReport:
    """Gives the extensions of a table (student, assignment, until, reason), all of them or none.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected; so too where two rows disagree, or a row
            disagrees with an extension that was given before.
    """
    rows = read_csv(file, ["student", "assignment", "until", "reason"], encoding=encoding)
    seen: dict[tuple[str, str], tuple[datetime, int]] = {}
    new = 0
    with database.transaction() as session:
        for row in rows:
            own, name, when = _row(course, session, row)
            until, number = seen.setdefault((own, name), (when, row.number))
            if until != when:
                raise row.refuse("until", row.text("until"), f"{_local(course, until)}, as in row {number}")
            earlier = _in_force(session, own, name)
            if earlier is not None and earlier.until != when:
                expected = f"the same as {_given(course, earlier)}; `assessor extend --replace` changes one"
                raise row.refuse("until", row.text("until"), expected)
            if earlier is None:
                _append(session, own, name, when, author=author, reason=row.text("reason"), now=now)
                session.flush()
                new += 1
    return ExtensionsReport(new, len(rows) - new)


def _row(course: Course, session: Session, row: CsvRow) -> tuple[str, str, datetime]:
    """Student, assignment and instant of one row.

    Raises:
        ImportRefused: one of them is none.
    """
    for column in ("student", "assignment", "until", "reason"):
        row.text(column)
    column = "student"
    try:
        student = find_student(session, row.text("student")).id
        column = "assignment"
        assignment = course.assignment(row.text("assignment"))
        column = "until"
        return student, assignment.name, later_than_due(course, assignment, row.text("until"))
    except AssessorError as fault:
        raise row.refuse(column, row.text(column), str(fault)) from None


def _in_force(session: Session, student: str, name: str) -> Extension | None:
    query = select(Extension).where(Extension.student_id == student, Extension.assignment == name)
    return session.scalars(query.order_by(Extension.id.desc()).limit(1)).first()


def _append(
    session: Session, student: str, name: str, until: datetime, *, author: str, reason: str, now: datetime
) -> None:
    session.add(
        Extension(student_id=student, assignment=name, until=until, reason=reason.strip(), author=author, at=now)
    )
    add_event(session, author, "extend", now, {"student": student, "assignment": name, "until": until.isoformat()})


def _given(course: Course, earlier: Extension) -> str:
    at = earlier.at.astimezone(course.time_zone)
    return f"the extension until {_local(course, earlier.until)} that {earlier.author} gave on {at:%d %b %Y}"


def later_than_due(course: Course, assignment: Assignment, until: str | datetime) -> datetime:
    """The instant that a person wrote, in one of three ways.

    Raises:
        AssessorError: it is unreadable, without a zone, or not after the assignment's deadline.
    """
    when = until if isinstance(until, datetime) else _instant(course, assignment.due, until)
    if when.tzinfo is None:
        raise AssessorError(f"{until}: a time without its zone; write 2027-05-10T16:00:00+01:00")
    if when <= assignment.due:
        raise AssessorError(f"{until}: not after the deadline of {assignment.name}, {_local(course, assignment.due)}")
    if when > assignment.due + LONGEST:
        raise AssessorError(f"{until}: more than {LONGEST.days} days after the deadline of {assignment.name}: a slip?")
    return when


def _instant(course: Course, due: datetime, text: str) -> datetime:
    days = DAYS.fullmatch(text.strip())
    if days:
        local = due.astimezone(course.time_zone) + timedelta(days=int(days[1]))
        return local.astimezone(UTC)
    try:
        return course.term.instant(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        forms = "'+3 days', 'week 11 Monday 16:00' or 2027-05-10T16:00:00+01:00"
        raise AssessorError(f"{text!r}: not a time; write {forms}") from None


def _local(course: Course, when: datetime) -> str:
    return f"{when.astimezone(course.time_zone):%a %d %b %Y %H:%M %Z}"
