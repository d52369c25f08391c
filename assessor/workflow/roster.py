"""The class list: who is on the course."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from assessor.csvfile import CsvRow, read_csv
from assessor.database import Database
from assessor.database.tables import Student
from assessor.workflow.submit import STUDENT_ID

MAX_NAME = 200


@dataclass(frozen=True)
class RosterReport:
    """What one import did. Nobody is ever removed by it."""

    added: int
    updated: int
    unchanged: int


def import_roster(database: Database, file: Path, *, encoding: str | None = None) -> RosterReport:
    """Imports a class list: id, name, email and optionally marking_id; all of it or nothing.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    rows = read_csv(file, ["id", "name"], ["email", "marking_id"], encoding=encoding)
    ids = [_student_id(row) for row in rows]
    _no_doubles(rows, "id", ids)
    given = [row.values.get("marking_id", "").strip() for row in rows]
    _no_doubles(rows, "marking_id", given)
    added = updated = unchanged = 0
    with database.transaction() as session:
        known = {student.id: student for student in session.scalars(select(Student))}
        taken = {student.marking_id: student.id for student in known.values()}
        for row, student_id, marking_id in zip(rows, ids, given, strict=True):
            if marking_id and taken.get(marking_id, student_id) != student_id:
                raise row.refuse("marking_id", marking_id, "one that no other student has")
            name, email = _name(row), row.values.get("email", "").strip()
            old = known.get(student_id)
            if old is None:
                session.add(Student(id=student_id, name=name, email=email, marking_id=marking_id or _fresh(taken)))
                added += 1
            elif (old.name, old.email) != (name, email) or (marking_id and marking_id != old.marking_id):
                old.name, old.email, old.marking_id = name, email, marking_id or old.marking_id
                updated += 1
            else:
                unchanged += 1
    return RosterReport(added, updated, unchanged)


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


def _fresh(taken: dict[str, str]) -> str:
    """A marking id that says nothing about the student."""
    while True:
        candidate = f"m{secrets.randbelow(10**6):06}"
        if candidate not in taken:
            taken[candidate] = ""
            return candidate
