"""The gradebook: every student's marks with their working, from what is in force in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from assessor.course import Assignment, Course
from assessor.database.engine import Database
from assessor.database.queries import InForce, Penalised, counting_submission, in_force
from assessor.database.tables import REVIEW, Submission
from assessor.marking.assignments import mark_assignment
from assessor.marking.components import mark_component
from assessor.marking.exact import HUNDRED
from assessor.marking.lateness import days_late, deadline, late_effect
from assessor.marking.marks import AssignmentMark, ItemMark, ModuleMark
from assessor.marking.total import mark_module


@dataclass(frozen=True)
class StudentRow:
    """One student's module."""

    id: str
    name: str
    email: str
    marking_id: str
    mark: ModuleMark


def gradebook(course: Course, database: Database, now: datetime | None = None) -> list[StudentRow]:
    """Works out all marks of a cohort, in the order of student ids.

    Args:
        now: where given, an assignment that is not yet due and not handed in is missing, not "not submitted".
    """
    with database.reading() as session:
        force = in_force(session, course.marking.counting_attempt, _penalised(course))
    return [
        StudentRow(student.id, student.name, student.email, student.marking_id, _module(course, force, student.id, now))
        for student in force.students
    ]


def counting_attempt(course: Course, session: Session, student: str, assignment: str) -> Submission | None:
    """The attempt of one student that counts: the one that the gradebook marks."""
    return counting_submission(session, student, assignment, course.marking.counting_attempt, _penalised(course))


def _penalised(course: Course) -> Penalised:
    rules = course.marking.late
    known = {assignment.name: assignment for assignment in course.assignments}

    def penalised(name: str, submitted_at: datetime, extended_until: datetime | None, points: Decimal) -> Decimal:
        if name not in known:  # of last year's course.toml
            return points
        days = days_late(deadline(known[name].due, extended_until), submitted_at, rules, course.term)
        return late_effect(days, rules).of(HUNDRED * points / known[name].marks)

    return penalised


def _module(course: Course, force: InForce, student: str, now: datetime | None) -> ModuleMark:
    components = []
    for name, weight in course.components.items():
        assignments = course.of_component(name)
        marks = [_assignment(course, assignment, force, student, now) for assignment in assignments]
        components.append(mark_component(name, weight, marks, {a.name: a.weight for a in assignments}, course.marking))
    return mark_module(components, course.marking)


def _assignment(
    course: Course, assignment: Assignment, force: InForce, student: str, now: datetime | None
) -> AssignmentMark:
    attempt = force.counting.get((student, assignment.name))
    extended = force.extensions.get((student, assignment.name))
    return mark_assignment(
        assignment,
        [_item(force, student, assignment.name, item, out_of) for item, out_of in assignment.items.items()],
        policy=course.marking,
        term=course.term,
        submitted_at=attempt.submitted_at if attempt else None,
        attempt=attempt.attempt if attempt else None,
        extended_until=extended,
        in_review=attempt is not None and force.job_states.get(attempt.id) == REVIEW,
        closed=now is None or now > deadline(assignment.due, extended),
    )


def _item(force: InForce, student: str, assignment: str, item: str, out_of: Decimal) -> ItemMark:
    mark = force.marks.get((student, assignment, item))
    if mark is None:
        return ItemMark(item, None, out_of)
    return ItemMark(item, mark.points, mark.out_of, mark.author, mark.reason, mark.not_submitted)
