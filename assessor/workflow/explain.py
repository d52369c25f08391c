"""One student's marks with their working, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from assessor.course import Course
from assessor.database import Database
from assessor.database.enrolment import find_student
from assessor.database.gradebook import gradebook, in_force_of
from assessor.database.queries import attempts, history
from assessor.marking.exact import plain
from assessor.marking.marks import Step


@dataclass(frozen=True)
class Lines:
    """The working of one assignment, of one component, or of the module; `code` is '' where there is nothing to say."""

    name: str
    lines: tuple[str, ...]
    mark: Decimal | None
    code: str
    before: tuple[str, ...] = ()
    """Of an earlier try, where this is a referral or a deferred attempt."""


@dataclass(frozen=True)
class Explained:
    """One student's module. `student` is as the question named them, so that a marking id stays one."""

    student: str
    assignments: tuple[Lines, ...]
    components: tuple[Lines, ...]
    module: Lines


def explain(
    course: Course, database: Database, student: str, names: Sequence[str] = (), *, now: datetime
) -> Explained:
    """The working of one student's marks.

    Args:
        student: id or marking id.
        names: only these assignments; none for all.

    Raises:
        UnknownName: no such student or assignment.
    """
    chosen = {course.assignment(name).name for name in names}
    with database.reading() as session:
        own = find_student(session, student).id
    mark = next(row.mark for row in gradebook(course, database, now, only=own))
    shown, policy = [each for each in mark.assignments if not chosen or each.name in chosen], course.marking
    return Explained(
        student,
        tuple(
            Lines(
                each.name, worded(each.working), each.penalised_percent, policy.shown(each.code) if each.code else "",
                worded(each.first.working) if each.first else (),
            )
            for each in shown
        ),
        tuple(Lines(each.name, worded(each.working), each.percent, "") for each in mark.components),
        Lines("module", worded(mark.working), mark.final, policy.shown(mark.outcome)),
    )  # fmt: skip


@dataclass(frozen=True)
class GivenOnce:
    """One mark as it was given, with its author, time and reason."""

    assignment: str
    item: str
    points: Decimal
    out_of: Decimal
    not_submitted: bool
    attempt: int | None
    in_force: bool
    author: str
    at: datetime
    reason: str


def mark_history(course: Course, database: Database, student: str, names: Sequence[str] = ()) -> tuple[GivenOnce, ...]:
    """Every mark that a student was ever given, oldest first; those of one item stand together.

    Raises:
        UnknownName: no such student or assignment.
    """
    chosen = [course.assignment(name).name for name in names] or [each.name for each in course.assignments]
    with database.reading() as session:
        own = find_student(session, student).id
        force = {mark.id for mark in in_force_of(course, session, own)}
        found = [mark for name in chosen for mark in sorted(history(session, own, name), key=lambda each: each.item)]
        tries = {each.id: each.attempt for name in chosen for each in attempts(session, own, name)}
    return tuple(
        GivenOnce(
            mark.assignment, mark.item, mark.points, mark.out_of, mark.not_submitted, tries.get(mark.submission_id or 0),
            mark.id in force, mark.author, mark.at, mark.reason,
        )
        for mark in found
    )  # fmt: skip


def worded(steps: Sequence[Step]) -> tuple[str, ...]:
    """Steps as lines: '2 working days late: x 0.8 = 54.4'."""
    return tuple(step.text if step.value is None else f"{step.text} = {plain(step.value)}" for step in steps)
