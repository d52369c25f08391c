"""A backup is whole while the course is in use; a restoration checks everything and overwrites nothing."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import func, select

from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.audit import add_event
from assessor.database.tables import Event as Audit
from assessor.database.tables import Student
from assessor.errors import AssessorError, DatabaseUnavailable
from assessor.workflow.backup import MANIFEST, backup, restore
from tests.assessor.workflow.conftest import NOW


@pytest.fixture
def made(small: Course, database: Database, tmp_path: Path) -> Path:
    """A backup of a course with a hand-in and a key."""
    for name in ("submitted/ada/powers/1/powers.ipynb", ".assessor/key", ".assessor/writer.lock"):
        (small.root / name).parent.mkdir(parents=True, exist_ok=True)
        (small.root / name).write_text("kept")
    backup(small, database, tmp_path / "backup.zip", NOW)
    return tmp_path / "backup.zip"


@pytest.fixture
def empty(small: Course, tmp_path: Path) -> Course:
    """The same course without data, elsewhere."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    shutil.copy(small.root / "course.toml", root)
    return replace(small, root=root)


def test_everything_comes_back(made: Path, database: Database, empty: Course) -> None:
    assert restore(empty, made).files == 3
    assert (empty.root / "submitted/ada/powers/1/powers.ipynb").read_text() == "kept"
    assert (empty.root / ".assessor/key").stat().st_mode & 0o077 == 0
    again = open_database(empty.root)
    with again.reading() as session, database.reading() as before:
        query = select(Student.id, Student.name, Student.marking_id).order_by(Student.id)
        assert session.execute(query).all() == before.execute(query).all() != []
    with pytest.raises(DatabaseUnavailable, match="append-only"), again.transaction() as session:
        add_event(session, "a", "v", NOW, {})
        session.flush()
        session.delete(session.scalars(select(Audit)).first())
    again.close()


def test_a_backup_amid_writing_is_of_one_moment(small: Course, database: Database, empty: Course, tmp_path: Path) -> None:
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            with database.transaction() as session:  # two by two: an odd number would be half a transaction
                add_event(session, "a", "v", NOW, {"text": "x" * 5000})
                add_event(session, "a", "v", NOW, {"text": "x" * 5000})

    writer = Thread(target=write)
    writer.start()
    try:
        backup(small, database, tmp_path / "b.zip", NOW)
    finally:
        stop.set()
        writer.join()
    restore(empty, tmp_path / "b.zip")
    again = open_database(empty.root)
    with again.reading() as session:
        assert (session.scalar(select(func.count()).select_from(Audit).where(Audit.verb == "v")) or 0) % 2 == 0
    again.close()


def test_nothing_is_overwritten(small: Course, database: Database, made: Path) -> None:
    with pytest.raises(AssessorError, match="exists already; a backup overwrites nothing"):
        backup(small, database, made, NOW)
    with pytest.raises(AssessorError, match=r"there already: assessor\.db, .*submitted"):
        restore(small, made)


def test_what_is_left_of_an_old_database_is_not_mixed_with_a_restored_one(made: Path, empty: Course) -> None:
    (empty.root / "assessor.db-wal").write_bytes(b"old")
    with pytest.raises(AssessorError, match=r"there already: assessor\.db-wal"):
        restore(empty, made)


def rewritten(made: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The backup with its files changed."""
    with zipfile.ZipFile(made) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made


def _altered(files: dict[str, bytes]) -> None:
    files["submitted/ada/powers/1/powers.ipynb"] = b"another"


def _lacking(files: dict[str, bytes]) -> None:
    del files[".assessor/key"]


def _elsewhere(files: dict[str, bytes]) -> None:
    manifest = json.loads(files[MANIFEST])
    manifest["sha256"]["../evil"] = "0"
    files[MANIFEST], files["../evil"] = json.dumps(manifest).encode(), b""


def _other(files: dict[str, bytes]) -> None:
    files[MANIFEST] = files[MANIFEST].replace(b"COMP1", b"COMP2")


@pytest.mark.parametrize(
    ("change", "why"),
    [(_altered, "is damaged"), (_lacking, "not those that it lists"), (_elsewhere, "no place in a course"), (_other, "of COMP2")],
)
def test_a_backup_that_was_changed_is_refused_whole(
    made: Path, empty: Course, change: Callable[[dict[str, bytes]], None], why: str
) -> None:
    with pytest.raises(AssessorError, match=why):
        restore(empty, rewritten(made, change))
    assert [path.name for path in empty.root.iterdir()] == ["course.toml"]


def test_a_file_that_is_no_backup_is_refused(empty: Course) -> None:
    with pytest.raises(AssessorError, match="damaged, or no backup"):
        restore(empty, empty.root / "course.toml")
