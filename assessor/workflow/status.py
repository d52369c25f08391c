"""How far a course is: for each assignment what came in, what is graded, what a person must still do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import select

from assessor.course import AUTOMATIC, TOTAL, Course
from assessor.database import Database
from assessor.database.queries import in_force
from assessor.database.tables import QUEUED, RECORDED, REVIEW, Job


@dataclass(frozen=True)
class StatusRow:
    """One assignment, counted in students; `unmarked` are manual items (or imported marks) still to come."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "assignment", "due", "students", "submitted", "queued", "running", "marked", "review", "unmarked",
    )  # fmt: skip
    assignment: str
    due: str
    students: int
    submitted: int
    queued: int
    running: int
    marked: int
    review: int
    unmarked: int


@dataclass(frozen=True)
class InReview:
    """One submission that a fault of ours keeps from its mark."""

    student: str
    assignment: str
    attempt: int
    why: str

    @property
    def cells(self) -> tuple[object, ...]:
        """For a table."""
        return self.student, self.assignment, self.attempt, self.why


@dataclass(frozen=True)
class StatusReport:
    """The whole course."""

    course: str
    students: int
    rows: tuple[StatusRow, ...]
    reviews: tuple[InReview, ...]


def status(course: Course, database: Database) -> StatusReport:
    """Counts, in a handful of queries whatever the cohort's size."""
    with database.reading() as session:
        force = in_force(session, course.marking.counting_attempt)
        query = select(Job).join(Job.submission).where(Job.state == REVIEW).order_by(Job.id)
        reviews = tuple(
            InReview(j.submission.student_id, j.submission.assignment, j.submission.attempt, j.error)
            for j in session.scalars(query)
        )
    rows = []
    for assignment in course.assignments:
        counting = [attempt for (_, name), attempt in force.counting.items() if name == assignment.name]
        states = [force.job_states.get(attempt.id) for attempt in counting]
        marked = dict.fromkeys(assignment.items, 0)
        for _, name, item in force.marks:
            if name == assignment.name and item in marked:
                marked[item] += 1
        by_hand = [item for item in assignment.items if item != AUTOMATIC]
        expected = len(counting) if assignment.kind == "notebook" else len(force.students)
        rows.append(
            StatusRow(
                assignment.name, _shown(course, assignment.due), len(force.students), len(counting),
                queued=sum(state in (QUEUED, None) for state in states) if assignment.kind == "notebook" else 0,
                running=sum(state not in (QUEUED, None, RECORDED, REVIEW) for state in states),
                marked=marked.get(AUTOMATIC, marked.get(TOTAL, 0)), review=states.count(REVIEW),
                unmarked=sum(max(0, expected - marked[item]) for item in by_hand),
            )
        )  # fmt: skip
    return StatusReport(f"{course.code} {course.title}", len(force.students), tuple(rows), reviews)


def _shown(course: Course, when: datetime) -> str:
    return f"{when.astimezone(course.time_zone):%a %d %b %Y %H:%M}"
