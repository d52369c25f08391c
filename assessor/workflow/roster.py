"""The class list: who is on the course."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.csvfile import CsvRow, read_csv
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.enrolment import Person, add_students
from assessor.database.tables import Student
from assessor.workflow.submit import STUDENT_ID

MAX_NAME = 200


@dataclass(frozen=True)
class RosterReport:
    """What one import did. Nobody is ever removed by it."""

    added: int
    updated: int
    unchanged: int


def import_roster(
    database: Database, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> RosterReport:
    """Imports a class list: id, name, email and optionally marking_id; all of it or nothing.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    rows = read_csv(file, ["id", "name"], ["email", "marking_id"], encoding=encoding)
    people = [Person(_student_id(row), _name(row), row.values.get("email", "").strip()) for row in rows]
    _no_doubles(rows, "id", [person.id for person in people])
    given = [row.values.get("marking_id", "").strip() for row in rows]
    _no_doubles(rows, "marking_id", given)
    with database.transaction() as session:
        done = add_students(session, people)
        renumbered = _give_marking_ids(session, list(zip(rows, people, given, strict=True)))
        changed = set(done.changed) | (renumbered - set(done.new))
        detail = {"file": file.name, "new": list(done.new), "changed": sorted(changed)}
        if done.new or changed:
            add_event(session, author, "roster", now, detail)
    return RosterReport(len(done.new), len(changed), len(people) - len(done.new) - len(changed))


def _give_marking_ids(session: Session, rows: list[tuple[CsvRow, Person, str]]) -> set[str]:
    """Sets the marking ids that the table gives; whose changed."""
    session.flush()
    students = {student.id: student for student in session.scalars(select(Student))}
    owners = {student.marking_id: student.id for student in students.values()}
    changed = set()
    for row, person, marking_id in rows:
        if not marking_id or students[person.id].marking_id == marking_id:
            continue
        if marking_id in owners:
            raise row.refuse("marking_id", marking_id, "one that no other student has")
        students[person.id].marking_id = marking_id
        changed.add(person.id)
    return changed


def _student_id(row: CsvRow) -> str:
    value = row.text("id")
    if not STUDENT_ID.fullmatch(value):
        raise row.refuse("id", value, "letters, digits, '.', '_' and '-', at most 64")
    return value


def _name(row: CsvRow) -> str:
    value = row.text("name")
    if len(value) > MAX_NAME or not value.isprintable():
        raise row.refuse("name", value[:40], f"at most {MAX_NAME} printable characters")
    return value


def _no_doubles(rows: list[CsvRow], column: str, values: list[str]) -> None:
    first: dict[str, int] = {}
    for row, value in zip(rows, values, strict=True):
        if value and value in first:
            raise row.refuse(column, value, f"each once; it is in row {first[value]} too")
        first[value] = row.number
