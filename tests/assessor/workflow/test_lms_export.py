"""Marks go to another system in its own columns; what is no mark yet is an empty cell, never a 0."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import Student
from assessor.errors import UnknownName
from assessor.workflow.lms_export import export_marks
from assessor.workflow.mark import add_mark
from tests.assessor.workflow.conftest import NOW

CLOSED = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.fixture
def marked(small: Course, database: Database) -> Database:
    """Ada has a mark of quiz1, bob was absent, eve has none yet; ada's name and bob's would be formulas."""
    add_mark(small, database, "ada", "quiz1", None, "22.5", author="m", reason="r", now=NOW)
    add_mark(small, database, "bob", "quiz1", None, "NS", author="m", reason="r", now=NOW)
    with database.transaction() as session:
        session.get_one(Student, "ada").name = "Ada King =Lovelace"
        session.get_one(Student, "bob").email = "=HYPERLINK(1)"
    return database


def table(small: Course, database: Database, system: str, file: Path, now: datetime = NOW) -> list[list[str]]:
    done = export_marks(small, database, system, file, ["quiz1"], now=now)
    assert (done.students, done.columns) == (3, 1)
    return list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))


def test_moodle(small: Course, marked: Database, tmp_path: Path) -> None:
    assert table(small, marked, "moodle", tmp_path / "m.csv") == [
        ["ID number", "Email address", "quiz1"],
        ["ada", "", "22.5"],
        ["bob", "'=HYPERLINK(1)", "0"],
        ["eve", "", ""],
    ]


def test_canvas_says_what_each_is_out_of(small: Course, marked: Database, tmp_path: Path) -> None:
    assert table(small, marked, "canvas", tmp_path / "c.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "quiz1"],
        ["    Points Possible", "", "", "", "", "30"],
        ["Ada King =Lovelace", "", "ada", "ada", "COMP1", "22.5"],
        ["Bob", "", "bob", "bob", "COMP1", "0"],
        ["Eve", "", "eve", "eve", "COMP1", ""],
    ]


def test_blackboard_has_the_points_in_its_heading(small: Course, marked: Database, tmp_path: Path) -> None:
    assert table(small, marked, "blackboard", tmp_path / "b.csv")[:2] == [
        ["Last Name", "First Name", "Username", "Student ID", "quiz1 [Total Pts: 30 Score] |quiz1"],
        ["'=Lovelace", "Ada King", "ada", "ada", "22.5"],
    ]


def test_all_assignments_where_none_is_named(small: Course, marked: Database, tmp_path: Path) -> None:
    done = export_marks(small, marked, "moodle", tmp_path / "m.csv", now=CLOSED)
    assert done.columns == len(small.assignments)


def test_an_unknown_system_or_assignment_writes_nothing(small: Course, marked: Database, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="moodle"):
        export_marks(small, marked, "moodel", tmp_path / "m.csv", now=NOW)
    with pytest.raises(UnknownName, match="quiz1"):
        export_marks(small, marked, "moodle", tmp_path / "m.csv", ["quiz"], now=NOW)
    assert not (tmp_path / "m.csv").exists()
