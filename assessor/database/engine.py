"""Opening a course's database, and writing to it in transactions that end whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from assessor.database import migrating
from assessor.errors import AssessorError, DatabaseUnavailable

FILE_NAME = "assessor.db"
BUSY_SECONDS = 15
ADVICE = {
    "database is locked": "another process is writing; wait until it is done and run the same command again",
    "readonly database": "the file or its folder is read-only for you; mend its permissions",
    "read-only transaction": "the server takes no writes now; ask who runs it",
    "disk is full": "the disk is full; make room and run the same command again",
    "no space left": "the server's disk is full; make room there and run the same command again",
    "disk i/o error": "the disk failed or is full; check it, then run the same command again",
    "unable to open": "the folder does not exist or is not yours",
    "not a database": "the file is something else, or is damaged; restore a backup",
    "malformed": "the file is damaged; restore a backup",
    "connection refused": "the server does not answer; is it running, is the URL right?",
    "could not translate host": "the server's name is unknown; is the URL right?",
    "failed to resolve host": "the server's name is unknown; is the URL right?",
    "authentication failed": "user or password is wrong",
    "append-only": "marks and events are never changed; add a new one",
}
"""What a driver says, and what to do about it."""


@dataclass(frozen=True)
class Database:
    """An open database: reads by `reading()`, writes by `transaction()`."""

    engine: Engine
    place: str

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading; what it loaded can be used after it."""
        with _translated(self.place), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose writes are all kept when the block ends well, and none otherwise.

        Raises:
            DatabaseUnavailable: locked, read-only, full or unreachable; nothing was written.
        """
        writer = self.engine.execution_options(writer=True)
        with _translated(self.place), Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def describe(self) -> str:
        """Engine, place and revision, for `assessor doctor` and the provenance of a mark sheet."""
        return f"{self.engine.dialect.name}, revision {migrating.current(self.engine) or 'none'}, {self.place}"

    def close(self) -> None:
        """Gives the connections back."""
        self.engine.dispose()


def open_database(place: Path | str, *, create: bool = False) -> Database:
    """Opens the database of a course: a course directory, a file, or any SQLAlchemy URL.

    Args:
        create: make it, or bring it to this version's revision, where need be.

    Raises:
        DatabaseUnavailable: it is not there, cannot be read, or is of another version.
    """
    if isinstance(place, Path):
        file = place / FILE_NAME if place.is_dir() else place
        url, shown = URL.create("sqlite", database=str(file)), str(file)
    else:
        url, shown = _parsed(place)
    if not create and _is_absent(url):
        raise DatabaseUnavailable(f"{shown}: no database yet; import the class list with `assessor roster`")
    engine = _engine(url, shown)
    try:
        with _translated(shown):
            migrating.bring_up(engine, shown, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, shown)


def _parsed(place: str) -> tuple[URL, str]:
    """A URL and how it may be shown: without its password."""
    try:
        url = make_url(place)
    except ArgumentError:
        raise DatabaseUnavailable(f"{place}: not a database; expected a folder, sqlite:/// or postgresql://") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url, url.render_as_string(hide_password=True)


def _is_absent(url: URL) -> bool:
    """Whether it is a file that is not there. SQLite would make an empty one."""
    is_file = url.get_backend_name() == "sqlite" and url.database is not None and not url.database.startswith("file:")
    return is_file and not Path(url.database or "").exists()


def _engine(url: URL, shown: str) -> Engine:
    try:
        engine = create_engine(url)
    except NoSuchModuleError:
        raise DatabaseUnavailable(f"{shown}: unknown kind of database; expected sqlite:/// or postgresql://") from None
    except ImportError as fault:
        advice = "install it with `pip install 'assessor[postgres]'`"
        raise DatabaseUnavailable(f"{shown}: its driver is not installed ({fault}); {advice}") from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, safe against a power cut; transactions begin as writers so that they cannot deadlock."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3's own BEGIN comes too late; ours is below
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            if "readonly" not in str(fault):
                raise

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Turns what the driver says into one line with what to do. A bug in a query stays a bug."""
    try:
        yield
    except UnicodeEncodeError as fault:  # a terminal of another encoding typed it
        raise AssessorError(f"{fault.object[:40]!r}: bytes that are no UTF-8 text; nothing was written") from None
    except DBAPIError as fault:
        said = str(fault.orig).strip().splitlines()[0] if str(fault.orig).strip() else type(fault.orig).__name__
        advice = next((advice for sign, advice in ADVICE.items() if sign in str(fault.orig).lower()), None)
        if advice is None and _is_weather(fault):
            advice = "see `assessor doctor`, then run the same command again"
        if advice is None:
            raise
        raise DatabaseUnavailable(f"{place}: {said}; {advice}; nothing was half-written") from fault


def _is_weather(fault: DBAPIError) -> bool:
    """Whether the engine failed (disk, network, server), rather than refused a query of ours."""
    if not isinstance(fault, OperationalError):
        return False
    return getattr(fault.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
