"""Opening a course's database, and writing to it in transactions that end whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from assessor.database import migrating
from assessor.errors import AssessorError, DatabaseUnavailable

FILE_NAME = "assessor.db"
BUSY_SECONDS = 15
ADVICE = {
    "database is locked": "another process is writing; wait until it is done and run the same command again",
    "readonly database": "the file or its folder is read-only for you; mend its permissions",
    "disk is full": "the disk is full; make room and run the same command again",
    "disk i/o error": "the disk failed or is full; check it, then run the same command again",
    "unable to open": "the folder does not exist or is not yours",
    "not a database": "the file is something else, or is damaged; restore a backup",
    "malformed": "the file is damaged; restore a backup",
    "connection refused": "the server does not answer; is it running, is the URL right?",
    "could not translate host": "the server's name is unknown; is the URL right?",
    "authentication failed": "user or password is wrong",
    "append-only": "marks and events are never changed; add a new one",
}


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
        if not create and not file.exists():
            raise DatabaseUnavailable(f"{file}: no database yet; import the class list with `assessor roster`")
        url, shown = f"sqlite:///{file}", str(file)
    else:
        url = place
        shown = _without_password(place)
    engine = _engine(url, shown)
    with _translated(shown):
        migrating.bring_up(engine, shown, create=create)
    return Database(engine, shown)


def _engine(url: str, shown: str) -> Engine:
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as fault:
        raise DatabaseUnavailable(f"{shown}: {fault}; expected a file, sqlite:/// or postgresql:// URL") from None
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
    """Turns what the driver says into one line with what to do."""
    try:
        yield
    except AssessorError:
        raise
    except DBAPIError as fault:
        said = str(fault.orig).strip().splitlines()[0] if fault.orig else str(fault)
        for sign, advice in ADVICE.items():
            if sign in str(fault.orig).lower():
                raise DatabaseUnavailable(f"{place}: {said}; {advice}; nothing was half-written") from fault
        raise


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
