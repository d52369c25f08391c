"""Second marking: each marker's own mark is recorded blind; where markers agree, it becomes the mark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.course import TOTAL, Assignment, Course
from assessor.csvfile import exact
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.audit import add_event
from assessor.database.enrolment import find_student
from assessor.database.gradebook import counting_attempt
from assessor.database.queries import history
from assessor.database.tables import Mark, Student
from assessor.database.types import PLACES
from assessor.errors import AssessorError, UnknownName
from assessor.marking.agreement import Agreement, Severity, agree, agreement, severities
from assessor.marking.exact import HUNDRED

MARKER, MODERATOR, CHECK = "marker", "moderator", "check"
"""Roles of whoever records a mark: one of two or three markers; a moderator; a moderator of single hidden tests."""
Percents = tuple[tuple[str, Decimal], ...]
"""(marker, mark in percent), in the order in which they first marked."""


@dataclass(frozen=True)
class Work:
    """One student's item and what its markers say; `percent` is None while another marker is needed."""

    student: str
    item: str
    marks: Percents
    percent: Decimal | None
    words: str
    how: str


@dataclass(frozen=True)
class SecondMarking:
    """Second marking of one assignment: each piece of work (by marking id), how well two markers agree, how severe each is."""

    assignment: str
    works: tuple[Work, ...]
    agreement: Agreement
    severities: tuple[Severity, ...]
    settled: int = 0
    """Marks that were given by this call."""


def record_marking(
    course: Course,
    database: Database,
    student: str,
    name: str,
    points: str,
    item: str | None = None,
    *,
    author: str,
    now: datetime,
    role: str = MARKER,
    reason: str = "",
) -> Decimal:
    """Records what one marker gives an item, without a look at what others gave. It is no mark yet.

    Returns:
        What it is out of.

    Raises:
        UnknownName: no such student, assignment or item.
        AssessorError: points that are no number within the item's range.
    """
    assignment = course.assignment(name)
    chosen = item or default_item(assignment)
    if chosen not in assignment.items:
        raise UnknownName(f"item of {name}", chosen, assignment.items)
    out_of = assignment.items[chosen]
    value = exact(
        points, Decimal(0), out_of,
        lambda found, expected: AssessorError(f"{student}, {name}, {chosen}: found {found!r}; expected {expected}"),
    )  # fmt: skip
    with database.transaction() as session:
        add_act(
            session, Verb.MARKING, student=find_student(session, student).id, subject=name, reason=reason,
            detail={"item": chosen, "points": str(value), "out_of": str(out_of), "role": role}, author=author, now=now,
        )  # fmt: skip
    return out_of


def default_item(assignment: Assignment) -> str:
    """The item that people mark, where there is one only.

    Raises:
        AssessorError: there are several.
    """
    by_hand = [TOTAL] if TOTAL in assignment.items else [item.name for item in assignment.manual]
    if len(by_hand) != 1:
        raise AssessorError(f"{assignment.name}: say which item: {', '.join(assignment.items)}")
    return by_hand[0]


def second_marking(course: Course, database: Database, name: str) -> SecondMarking:
    """How far second marking of an assignment is.

    Raises:
        UnknownName: no such assignment.
    """
    course.assignment(name)
    with database.reading() as session:
        return _state(course, session, name)


def settle(course: Course, database: Database, name: str, *, author: str, now: datetime) -> SecondMarking:
    """Gives every mark on which the markers agree; the rest waits for another marker.

    Raises:
        UnknownName: no such assignment.
    """
    assignment = course.assignment(name)
    with database.transaction() as session:
        state = _state(course, session, name)
        new = [work for work in state.works if _give(course, session, assignment, work, author=author, now=now)]
        if new:
            detail = {"assignment": name, "marks": [[work.student, work.item, work.words] for work in new]}
            add_event(session, author, "agree", now, detail)
    return SecondMarking(name, state.works, state.agreement, state.severities, len(new))


def _give(
    course: Course, session: Session, assignment: Assignment, work: Work, *, author: str, now: datetime
) -> bool:
    """Appends the mark, unless it is in force already; whether it did."""
    if work.percent is None:
        return False
    student, out_of = find_student(session, work.student).id, assignment.items[work.item]
    points = (work.percent * out_of / HUNDRED).quantize(PLACES)
    reason = f"second marking: {work.how}"  # the student may read it: whose marks these were is in the acts
    earlier = [mark for mark in history(session, student, assignment.name) if mark.item == work.item]
    if earlier and (earlier[-1].points, earlier[-1].reason) == (points, reason):
        return False
    attempt = counting_attempt(course, session, student, assignment.name)
    session.add(
        Mark(
            student_id=student, assignment=assignment.name, item=work.item, submission_id=attempt.id if attempt else None,
            points=points, out_of=out_of, author=author, at=now, reason=reason,
        )
    )  # fmt: skip
    return True


def _state(course: Course, session: Session, name: str) -> SecondMarking:
    policy = course.marking
    works = []
    for (student, item), marks in sorted(markings(session, name, MARKER).items()):
        found = agree(marks, policy)
        works.append(Work(student, item, marks, found.percent, found.words, found.how))
    pairs = [(work.marks[0][1], work.marks[1][1]) for work in works if len(work.marks) > 1]
    several = [
        (f"{work.student} {work.item}", marker, mark)
        for work in works
        if len(work.marks) > 1
        for marker, mark in work.marks
    ]
    return SecondMarking(name, tuple(works), agreement(pairs, policy.boundaries), severities(several))


def markings(session: Session, name: str, role: str) -> dict[tuple[str, str], Percents]:
    """What each marker of a role gave: for each (marking id, item) in the order of their first marks; the newest counts."""
    ids = {each.id: each.marking_id for each in session.scalars(select(Student))}
    found: dict[tuple[str, str], dict[str, Decimal]] = {}
    for act in of_role(acts_in_force(session, Act.verb == Verb.MARKING, Act.subject == name), role):
        percent = HUNDRED * Decimal(act.detail["points"]) / Decimal(act.detail["out_of"])
        found.setdefault((ids[act.student_id or ""], act.detail["item"]), {})[act.author] = percent
    return {key: tuple(marks.items()) for key, marks in found.items()}


def of_role(acts: Iterable[Act], role: str) -> list[Act]:
    """Those that were recorded in this role."""
    return [act for act in acts if act.detail["role"] == role]
