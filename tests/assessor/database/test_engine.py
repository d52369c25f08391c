"""Writes are kept whole or not at all, and what goes wrong is one line that says what to do."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from assessor.database import Database, engine, migrating, open_database
from assessor.database.tables import Event, Mark, Student
from assessor.errors import DatabaseUnavailable

from .conftest import NOW, Fill  # type: ignore[import-not-found]


def students(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Student.id).order_by(Student.id)))


def add(database: Database, *names: str) -> None:
    with database.transaction() as session:
        session.add_all(Student(id=name, name=name, email="", marking_id=name) for name in names)


def test_a_transaction_that_ends_well_is_kept(database: Database) -> None:
    add(database, "ada", "bob")
    assert students(database) == ["ada", "bob"]


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as session:
        session.add(Student(id="ada", name="", email="", marking_id="1"))
        session.flush()
        raise RuntimeError
    assert students(database) == []


def test_a_reading_session_keeps_nothing(database: Database) -> None:
    with database.reading() as session:
        session.add(Student(id="ada", name="", email="", marking_id="1"))
        session.flush()
    assert students(database) == []


def test_what_was_read_can_be_used_afterwards(database: Database) -> None:
    add(database, "ada")
    with database.reading() as session:
        student = session.scalars(select(Student)).one()
    assert student.name == "ada"


def test_eight_writers_at_once_lose_and_double_nothing(database: Database, fill: Fill) -> None:
    fill.student("ada")

    def write(writer: int) -> None:
        for number in range(12):
            fill.mark("ada", f"item{writer}", "1", reason=str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with database.reading() as session:
        counts = session.execute(select(Mark.item, func.count(Mark.reason.distinct())).group_by(Mark.item)).all()
        total = session.scalar(select(func.count()).select_from(Mark))
    assert sorted(counts) == [(f"item{writer}", 12) for writer in range(8)]
    assert total == 96


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    add(database, "ada")
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(Student))
        writer = threading.Thread(target=add, args=(database, "bob"))
        writer.start()
        writer.join(10)
        assert not writer.is_alive()
        after = session.scalar(select(func.count()).select_from(Student))
    if database.engine.dialect.name == "sqlite":
        assert (before, after) == (1, 1)
    assert students(database) == ["ada", "bob"]


def test_a_bug_in_a_query_stays_a_bug(database: Database) -> None:
    with pytest.raises((OperationalError, ProgrammingError)), database.reading() as session:
        session.execute(text("SELECT nothing FROM nowhere"))


def test_the_password_is_never_shown() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        open_database("postgresql://marker:hunter2@localhost:1/marks")
    assert "hunter2" not in str(caught.value)
    assert "the server does not answer" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mysterious://here", "unknown kind of database"),
        ("no url at all", "not a database"),
        ("sqlite:////no/such/folder/x.db", "no database yet"),
    ],
)
def test_a_place_that_is_none_is_one_line(place: str, said: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=said):
        open_database(place)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="the folder does not exist"):
        open_database(tmp_path / "no" / "where" / "x.db", create=True)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "assessor.db").write_text("name,mark\n" * 1000)
    with pytest.raises(DatabaseUnavailable, match="something else, or is damaged"):
        open_database(tmp_path)


def test_a_postgresql_server_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="nothing was half-written"):
        open_database(f"postgresql:///marks?host={tmp_path}")


@pytest.mark.parametrize("empty_place", ["postgresql"], indirect=True)
def test_a_connection_that_breaks_is_one_line_and_nothing_is_half_written(database: Database) -> None:
    add(database, "ada")
    with pytest.raises(DatabaseUnavailable, match="nothing was half-written"), database.transaction() as session:
        session.add(Student(id="bob", name="", email="", marking_id="2"))
        session.flush()
        pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
        with database.engine.connect() as other:
            other.execute(text(f"SELECT pg_terminate_backend({pid})"))
        session.execute(text("SELECT 1"))
    assert students(database) == ["ada"]


@pytest.mark.parametrize("empty_place", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes_is_one_line(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="takes no writes now"), database.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.add(Student(id="bob", name="", email="", marking_id="2"))


# SQLite


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path, create=True)
    assert (tmp_path / "assessor.db").exists()
    with database.reading() as session:
        found = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 15_000}
    database.close()


def test_a_locked_database_is_one_line_and_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    database = open_database(tmp_path, create=True)
    holder = sqlite3.connect(tmp_path / "assessor.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match=r"locked; another process is writing; wait until it is done"):
        add(database, "ada")
    holder.execute("ROLLBACK")
    holder.close()
    add(database, "ada")
    assert students(database) == ["ada"]
    database.close()


def test_a_full_disk_is_one_line_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = open_database(tmp_path, create=True)
    add(database, "ada")
    with (
        pytest.raises(DatabaseUnavailable, match=r"the disk is full; make room.*nothing was half-written"),
        database.transaction() as session,
    ):
        pages = session.execute(text("PRAGMA page_count")).scalar()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.add_all(Student(id=f"s{n}", name="x" * 500, email="", marking_id=f"m{n}") for n in range(500))
    assert students(database) == ["ada"]
    with database.reading() as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    database.close()


def test_a_read_only_database_is_one_line_and_can_be_read(tmp_path: Path) -> None:
    writable = open_database(tmp_path, create=True)
    add(writable, "ada")
    database = open_database(f"sqlite:///file:{tmp_path / 'assessor.db'}?mode=ro&uri=true")
    with pytest.raises(DatabaseUnavailable, match="read-only for you; mend its permissions"):
        add(database, "bob")
    assert students(database) == ["ada"]
    database.close()
    writable.close()


def test_a_process_that_was_killed_while_writing_leaves_nothing(tmp_path: Path) -> None:
    import os
    import signal
    import subprocess
    import sys

    database = open_database(tmp_path, create=True)
    add(database, "ada")
    script = (
        "import sys\nfrom pathlib import Path\nfrom assessor.database import open_database\n"
        "from assessor.database.tables import Student\n"
        "with open_database(Path(sys.argv[1])).transaction() as session:\n"
        "    session.add(Student(id='bob', name='', email='', marking_id='2'))\n"
        "    session.flush()\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == b"written\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    add(database, "cyd")
    assert students(database) == ["ada", "cyd"]
    database.close()


def test_the_place_says_engine_and_revision(database: Database) -> None:
    assert database.describe().startswith(f"{database.engine.dialect.name}, revision {migrating.HEAD}, ")


def test_events_are_numbered_in_order(database: Database) -> None:
    with database.transaction() as session:
        session.add_all(Event(author=str(n), verb="v", at=NOW, detail={}) for n in range(5))
    with database.reading() as session:
        assert list(session.scalars(select(Event.author).order_by(Event.id))) == list("01234")
