"""A student's record goes out whole, and goes away whole, on every engine; nobody else's does."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.audit import add_event
from assessor.database.tables import Event, Mark, Student
from assessor.errors import AssessorError, UnknownName
from assessor.workflow.student_record import FOLDERS, erase_record, export_record
from tests.assessor.database.conftest import Fill, empty_place, postgresql_server  # noqa: F401 - fixtures
from tests.assessor.database.test_append_only import COLUMN, count, one_of_each
from tests.assessor.workflow.conftest import NOW

INBOX = "inbox/powers"


@pytest.fixture
def filled(small: Course, empty_place: Path | str) -> Iterator[Database]:  # noqa: F811
    """Two students with a row in every table and a file in every folder, and events that name them."""
    database = open_database(empty_place, create=True)
    for student in ("bob", "bob-2"):
        one_of_each(database, Fill(database), student)
        for folder in (*FOLDERS, INBOX):
            (small.root / folder / student).mkdir(parents=True)
            (small.root / folder / student / "file.txt").write_text(student)
    with database.transaction() as session:
        add_event(session, "marker", "mark", NOW, {"student": "bob", "reason": "was ill"})
        add_event(session, "marker", "import", NOW, {"students": ["bob", "bob-2"], "file": "bobs.csv"})
        add_event(session, "bob", "submit", NOW, {"path": "submitted/bob/powers"})
    yield database
    database.close()


def test_an_export_holds_every_row_and_file_of_one_student(small: Course, filled: Database, tmp_path: Path) -> None:
    done = export_record(small, filled, "bob", tmp_path / "bob.zip", author="registrar", now=NOW)
    assert (done.student, done.files) == ("bob", 4)
    with zipfile.ZipFile(tmp_path / "bob.zip") as archive:
        rows = json.loads(archive.read("record.json"))
        assert set(archive.namelist()) == {"record.json", *(f"{folder}/bob/file.txt" for folder in (*FOLDERS, INBOX))}
    assert set(COLUMN) | {"student", "submission", "job"} == set(rows)
    assert all(len(of) == 1 for table, of in rows.items() if table != "event")
    assert rows["mark"][0]["points"] == "1"
    assert len(rows["event"]) == 5
    with pytest.raises(AssessorError, match="exists already"):
        export_record(small, filled, "bob", tmp_path / "bob.zip", author="registrar", now=NOW)


def test_an_erasure_leaves_nothing_of_the_student_and_all_of_the_others(small: Course, filled: Database) -> None:
    before = {table: count(filled, table) for table in COLUMN}
    done = erase_record(small, filled, "bob", author="registrar", reason="request 17", now=NOW)
    assert (done.student, done.files, done.rows["mark"]) == ("Mbob", 4, 1)
    assert {table: count(filled, table) for table in COLUMN} == {
        table: rows + 1 if table == "event" else rows - 1 for table, rows in before.items()
    }
    with filled.reading() as session:
        events = list(session.scalars(select(Event).order_by(Event.id)))
        assert session.scalars(select(Student.id)).all() == session.scalars(select(Mark.student_id)).all() == ["bob-2"]
    told = [(event.author, event.verb, event.detail) for event in events]
    assert ("marker", "mark", {"student": "Mbob"}) in told
    assert ("marker", "import", {"students": ["Mbob", "bob-2"], "file": "bobs.csv"}) in told
    assert ("Mbob", "submit", {"path": "submitted/Mbob/powers"}) in told
    assert ("registrar", "erase", {"student": "Mbob", "reason": "request 17"}) in told
    assert not any((small.root / folder / "bob").exists() for folder in (*FOLDERS, INBOX))
    assert all((small.root / folder / "bob-2" / "file.txt").exists() for folder in (*FOLDERS, INBOX))
    with pytest.raises(UnknownName):
        erase_record(small, filled, "bob", author="registrar", reason="again", now=NOW)


@pytest.mark.parametrize("reason", ["", "  ", "bob asked", "Bob asked for it"])
def test_an_erasure_needs_a_reason_that_does_not_name_the_student(small: Course, filled: Database, reason: str) -> None:
    with pytest.raises(AssessorError, match="do not name the student"):
        erase_record(small, filled, "bob", author="registrar", reason=reason, now=NOW)
    assert count(filled, "mark") == 2


def test_where_a_file_cannot_be_removed_no_row_is_gone(small: Course, filled: Database) -> None:
    shutil.rmtree(small.root / "feedback" / "bob")
    (small.root / "feedback" / "bob").write_text("no folder")
    with pytest.raises(NotADirectoryError):
        erase_record(small, filled, "bob", author="registrar", reason="request 17", now=NOW)
    assert count(filled, "mark") == 2
    assert count(filled, "erasing") == 0
