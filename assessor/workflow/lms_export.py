"""Marks for the gradebook of a learning management system: the CSV that Moodle, Canvas or Blackboard imports.

One column an assignment, in points after lateness and every decision. Nothing handed in is 0; a mark that is not there yet,
or must not be shown (in review, held, deferred, waived), is an empty cell, which none of the three takes for a 0.

Source: help pages of Moodle (grade import), Canvas (import grades) and Blackboard (work offline with grade data).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.database import Database
from assessor.database.gradebook import StudentRow, gradebook
from assessor.errors import UnknownName
from assessor.files import replacing
from assessor.marking.marks import AssignmentMark, Status
from assessor.reports.marksheet_csv import guarded, number

SHOWN = {Status.MARKED, Status.NOT_SUBMITTED}
Lines = Iterator[list[str]]


@dataclass(frozen=True)
class Exported:
    """The file that was written."""

    file: str
    students: int
    columns: int


def export_marks(
    course: Course, database: Database, system: str, file: Path, names: Sequence[str] = (), *, now: datetime
) -> Exported:
    """Writes the marks of some assignments, or of all.

    Args:
        system: 'moodle', 'canvas' or 'blackboard'.

    Raises:
        UnknownName: no such system or assignment.
        OSError: ours; the disk is full or read-only.
    """
    if system not in SYSTEMS:
        raise UnknownName("system", system, SYSTEMS)
    assignments = [course.assignment(name) for name in names] or list(course.assignments)
    book = gradebook(course, database, now)
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as opened:
        csv.writer(opened).writerows(SYSTEMS[system](course, assignments, book))
    return Exported(str(file), len(book), len(assignments))


def _moodle(_course: Course, assignments: Sequence[Assignment], book: Sequence[StudentRow]) -> Lines:
    yield ["ID number", "Email address", *(guarded(each.name) for each in assignments)]
    for student in book:
        yield [guarded(student.id), guarded(student.email), *_points(student, assignments)]


def _canvas(course: Course, assignments: Sequence[Assignment], book: Sequence[StudentRow]) -> Lines:
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(guarded(each.name) for each in assignments)]
    yield ["    Points Possible", "", "", "", "", *(number(each.marks) for each in assignments)]
    for student in book:
        who = [guarded(student.name), "", guarded(student.id), guarded(student.id), guarded(course.code)]
        yield [*who, *_points(student, assignments)]


def _blackboard(_course: Course, assignments: Sequence[Assignment], book: Sequence[StudentRow]) -> Lines:
    """A column whose id Blackboard does not know becomes a new one of text: put its own id after the bar."""
    heads = [guarded(f"{each.name} [Total Pts: {number(each.marks)} Score] |{each.name}") for each in assignments]
    yield ["Last Name", "First Name", "Username", "Student ID", *heads]
    for student in book:
        first, _space, last = student.name.rpartition(" ")
        who = [guarded(last), guarded(first), guarded(student.id), guarded(student.id)]
        yield [*who, *_points(student, assignments)]


SYSTEMS: dict[str, Callable[[Course, Sequence[Assignment], Sequence[StudentRow]], Lines]] = {
    "moodle": _moodle, "canvas": _canvas, "blackboard": _blackboard,
}  # fmt: skip


def _points(student: StudentRow, assignments: Sequence[Assignment]) -> list[str]:
    marks = {mark.name: mark for mark in student.mark.assignments}
    return [_shown(marks[each.name]) for each in assignments]


def _shown(mark: AssignmentMark) -> str:
    if mark.status not in SHOWN or mark.penalised_percent is None:
        return "0" if mark.status is Status.NOT_SUBMITTED else ""
    return number(mark.penalised_percent * mark.out_of / Decimal(100))
