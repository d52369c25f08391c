"""One student's marks with their working, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from assessor.course import Course
from assessor.database import Database
from assessor.database.enrolment import find_student
from assessor.database.gradebook import gradebook
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


def worded(steps: Sequence[Step]) -> tuple[str, ...]:
    """Steps as lines: '2 working days late: x 0.8 = 54.4'."""
    return tuple(step.text if step.value is None else f"{step.text} = {plain(step.value)}" for step in steps)
