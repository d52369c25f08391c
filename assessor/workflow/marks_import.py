"""Many marks at once: a table of what people gave, item by item."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import AUTOMATIC, TOTAL, Course
from assessor.csvfile import CsvRow, read_csv
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.gradebook import in_force_now
from assessor.database.tables import Mark
from assessor.errors import UnknownName
from assessor.workflow.mark import NOT_SUBMITTED, Imported

Key = tuple[str, str, str]
"""(student, assignment, item)."""


def import_marks(
    course: Course, database: Database, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> Imported:
    """Appends the marks of a table: student (id or marking id), assignment, item, points and reason; all of them or none.

    A mark belongs to the attempt that counts, where there is one; what is in force already is left alone.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected; so too where a mark is there twice.
    """
    rows = read_csv(file, ["student", "assignment", "points", "reason"], ["item"], encoding=encoding)
    source = f"marks {file.name}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    with database.transaction() as session:
        force = in_force_now(course, session)
        known = {student.marking_id: student.id for student in force.students} | {s.id: s.id for s in force.students}
        seen: dict[Key, int] = {}
        new: list[Mark] = []
        left: list[str] = []
        for row in rows:
            key, points, out_of, absent = _read(course, known, row)
            if key in seen:
                raise row.refuse("student", row.text("student"), f"each mark once; row {seen[key]} gives it too")
            seen[key] = row.number
            student, name, item = key
            if (student, name) in force.decided.resits:
                left.append(student)
                continue
            was = force.marks.get(key)
            if was and (was.points, was.out_of, was.not_submitted) == (points, out_of, absent):
                continue
            attempt = force.counting.get((student, name))
            new.append(
                Mark(
                    student_id=student, assignment=name, item=item, submission_id=attempt.id if attempt else None,
                    points=points, out_of=out_of, author=author, at=now, reason=row.text("reason"), not_submitted=absent,
                )
            )  # fmt: skip
        session.add_all(new)
        if new:
            detail = {
                "source": source, "assignments": sorted({mark.assignment for mark in new}),
                "students": sorted({mark.student_id for mark in new}),
            }  # fmt: skip
            add_event(session, author, "import", now, detail)
    return Imported(len(new), len(rows) - len(new) - len(left), tuple(dict.fromkeys(left)))


def _read(course: Course, known: dict[str, str], row: CsvRow) -> tuple[Key, Decimal, Decimal, bool]:
    """Whose mark of what, its points and what they are out of, and whether nothing was handed in."""
    student = known.get(row.text("student"))
    if student is None:
        raise row.refuse("student", row.text("student"), "a student of the class list")
    try:
        assignment = course.assignment(row.text("assignment"))
    except UnknownName as fault:
        raise row.refuse("assignment", row.text("assignment"), str(fault)) from None
    item = row.values.get("item", "").strip() or (TOTAL if TOTAL in assignment.items else AUTOMATIC)
    if item not in assignment.items:
        raise row.refuse("item", item, f"an item of {assignment.name}: {', '.join(assignment.items)}")
    row.text("reason")
    out_of, absent = assignment.items[item], row.text("points") == NOT_SUBMITTED
    points = Decimal(0) if absent else row.number_in("points", Decimal(0), out_of)
    return (student, assignment.name, item), points, out_of, absent
