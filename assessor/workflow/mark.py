"""Marks by hand and by import: appended, with author, time and reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.course import AUTOMATIC, TOTAL, Course
from assessor.csvfile import exact
from assessor.database import Database
from assessor.database.acts import decided
from assessor.database.audit import add_event
from assessor.database.enrolment import find_student
from assessor.database.gradebook import counting_attempt
from assessor.database.tables import Mark
from assessor.errors import AssessorError, UnknownName

NOT_SUBMITTED = "NS"


@dataclass(frozen=True)
class Given:
    """A mark that was given by hand; 0 points and `not_submitted` where a person says that nothing was handed in."""

    item: str
    points: Decimal
    out_of: Decimal
    not_submitted: bool = False


@dataclass(frozen=True)
class Imported:
    """What an import of marks did.

    Attributes:
        left: students who try again by deferral or referral: their mark is given by hand, lest a table of the first try
            passes for one of the second.
    """

    new: int
    unchanged: int
    left: tuple[str, ...] = ()


def add_mark(
    course: Course,
    database: Database,
    student: str,
    name: str,
    item: str | None,
    points: str | Decimal,
    *,
    author: str,
    reason: str,
    now: datetime,
) -> Given:
    """Gives one student, by id or marking id, a mark for one item; it belongs to the attempt that counts, where there is one.

    Args:
        item: None for what hidden tests mark, or where there is one item only for that.
        points: 'NS' says that nothing was handed in.

    Raises:
        UnknownName: no such student, assignment or item.
        AssessorError: no reason, or points that are no number within the item's range.
    """
    assignment = course.assignment(name)
    item = item or (TOTAL if TOTAL in assignment.items else AUTOMATIC)
    if item not in assignment.items:
        raise UnknownName(f"item of {name}", item, assignment.items)
    out_of, not_submitted = assignment.items[item], str(points).strip() == NOT_SUBMITTED
    value = exact(
        "0" if not_submitted else str(points), Decimal(0), out_of,
        lambda found, expected: AssessorError(f"{student}, {name}, {item}: found {found!r}; expected {expected}, or NS"),
    )  # fmt: skip
    if not reason.strip():
        raise AssessorError(f"{student}, {name}, {item}: a mark by hand needs a reason")
    with database.transaction() as session:
        student = find_student(session, student).id
        attempt = counting_attempt(course, session, student, name)
        session.add(
            Mark(
                student_id=student, assignment=name, item=item, submission_id=attempt.id if attempt else None,
                points=value, out_of=out_of, author=author, at=now, reason=reason.strip(), not_submitted=not_submitted,
            )
        )  # fmt: skip
        detail = {"student": student, "assignment": name, "item": item, "points": str(points), "reason": reason.strip()}
        add_event(session, author, "mark", now, detail)
    return Given(item, value, out_of, not_submitted)


def append_totals(
    session: Session, name: str, item: str, marks: Mapping[str, Decimal | None], out_of: Decimal, *,
    author: str, reason: str, now: datetime, later: Collection[str] = (),
) -> Imported:  # fmt: skip
    """Appends imported marks where they differ from those in force. None: the student did not take part.

    Args:
        later: students whose mark is known to be of their later try.
    """
    again = decided(session).resits
    left = tuple(student for student in marks if (student, name) in again and student not in later)
    newest = select(func.max(Mark.id)).where(Mark.assignment == name, Mark.item == item).group_by(Mark.student_id)
    query = select(Mark.id, Mark.student_id, Mark.points, Mark.not_submitted).where(Mark.id.in_(newest))
    before = {student: resit.mark for (student, of), resit in again.items() if of == name}
    rows = session.execute(query)
    in_force = {student: (value, absent) for number, student, value, absent in rows if number > before.get(student, 0)}
    new = []
    for student, points in marks.items():
        if student in left:
            continue
        if in_force.get(student) == (points or 0, points is None):
            continue
        session.add(
            Mark(
                student_id=student, assignment=name, item=item, points=points or Decimal(0), out_of=out_of,
                author=author, at=now, reason=reason, not_submitted=points is None,
            )
        )  # fmt: skip
        new.append(student)
    if new:
        add_event(session, author, "import", now, {"assignment": name, "source": reason, "students": new})
    return Imported(len(new), len(marks) - len(new) - len(left), left)
