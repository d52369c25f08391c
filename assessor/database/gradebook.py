"""The gradebook: every student's marks with their working, from what is in force in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from assessor.course import Assignment, Course
from assessor.database.engine import Database
from assessor.database.queries import InForce, in_force
from assessor.database.tables import REVIEW
from assessor.marking.arithmetic import mark_assignment, mark_component, mark_module
from assessor.marking.marks import AssignmentMark, ItemMark, ModuleMark


@dataclass(frozen=True)
class StudentRow:
    """One student's module."""

    id: str
    name: str
    email: str
    marking_id: str
    mark: ModuleMark


def gradebook(course: Course, database: Database, now: datetime | None = None) -> list[StudentRow]:
    """Works out all marks of a cohort.

    Args:
        now: where given, an assignment that is not yet due and not handed in is missing, not "not submitted".
    """
    with database.reading() as session:
        force = in_force(session, course.marking.counting_attempt)
    return [
        StudentRow(student.id, student.name, student.email, student.marking_id, _module(course, force, student.id, now))
        for student in force.students
    ]


def _module(course: Course, force: InForce, student: str, now: datetime | None) -> ModuleMark:
    components = []
    for name, weight in course.components.items():
        assignments = course.of_component(name)
        marks = [_assignment(course, assignment, force, student, now) for assignment in assignments]
        components.append(mark_component(name, weight, marks, {a.name: a.weight for a in assignments}))
    return mark_module(components)


def _assignment(
    course: Course, assignment: Assignment, force: InForce, student: str, now: datetime | None
) -> AssignmentMark:
    submission = force.counting.get((student, assignment.name))
    extension = force.extensions.get((student, assignment.name))
    job = force.jobs.get(submission.id) if submission else None
    items = []
    for item, out_of in assignment.items.items():
        mark = force.marks.get((student, assignment.name, item))
        items.append(
            ItemMark(item, mark.points, mark.out_of, mark.author, mark.reason) if mark else ItemMark(item, None, out_of)
        )
    due = max(assignment.due, extension.until) if extension else assignment.due
    return mark_assignment(
        assignment,
        items,
        rules=course.marking.late,
        term=course.term,
        submitted_at=submission.submitted_at if submission else None,
        attempt=submission.attempt if submission else None,
        extended_until=extension.until if extension else None,
        in_review=job is not None and job.state == REVIEW,
        closed=now is None or now > due,
    )
