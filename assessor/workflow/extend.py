"""More time for one student, with a reason that stays in confidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.queries import student_ids
from assessor.database.tables import Extension
from assessor.errors import AssessorError, UnknownName

DAYS = re.compile(r"\+\s*(\d{1,3})\s*days?")


@dataclass(frozen=True)
class Extended:
    """An extension that was given; `note` tells of an earlier one that it replaces."""

    until: datetime
    note: str


def add_extension(
    course: Course, database: Database, student: str, name: str, until: str | datetime, *,
    author: str, reason: str, now: datetime,
) -> Extended:  # fmt: skip
    """Gives a student more time: '+3 days' after the deadline (local time of day kept), a course date, or an instant.

    Raises:
        UnknownName: no such student or assignment.
        AssessorError: no reason, an unreadable time, or one that is not after the deadline.
    """
    assignment = course.assignment(name)
    when = until if isinstance(until, datetime) else _instant(course, assignment.due, until)
    if when.tzinfo is None:
        raise AssessorError(f"{until}: a time without its zone; write 2027-05-10T16:00:00+01:00")
    if when <= assignment.due:
        raise AssessorError(f"{until}: not after the deadline of {name}, {_local(course, assignment.due)}")
    if not reason.strip():
        raise AssessorError(f"{student}, {name}: an extension needs a reason")
    with database.transaction() as session:
        known = student_ids(session)
        if student not in known:
            raise UnknownName("student", student, known)
        query = select(Extension).where(Extension.student_id == student, Extension.assignment == name)
        earlier = list(session.scalars(query.order_by(Extension.id)))
        session.add(
            Extension(
                student_id=student, assignment=name, until=when, reason=reason.strip(), author=author, at=now
            )
        )  # fmt: skip
        add_event(session, author, "extend", now, {"student": student, "assignment": name, "until": when.isoformat()})
    differs = bool(earlier) and earlier[-1].until != when
    note = f"replaces an earlier extension until {_local(course, earlier[-1].until)}" if differs else ""
    return Extended(when.astimezone(UTC), note)


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
