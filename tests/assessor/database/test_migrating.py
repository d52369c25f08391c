"""Migrations make what the code expects, go down and up with data in them, and never run twice at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from assessor.database import Database, migrating, open_database
from assessor.database.tables import Mark, Table
from assessor.errors import DatabaseUnavailable

from .conftest import Fill  # type: ignore[import-not-found]


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, Table.metadata) == []


def test_the_newest_revision_is_the_one_that_the_code_expects() -> None:
    assert migrating.known_revisions()[-1] == migrating.HEAD


def test_down_and_up_again_with_data(database: Database, fill: Fill) -> None:
    fill.student("ada")
    fill.mark("ada", "automatic", "1", submission=fill.submission("ada"))
    migrating.migrate(database.engine, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    migrating.migrate(database.engine, migrating.HEAD)
    fill.student("ada")
    fill.mark("ada", "automatic", "2")
    with database.reading() as session:
        assert [mark.points for mark in session.scalars(select(Mark))] == [2]
    with pytest.raises(DatabaseUnavailable, match="append-only"), database.transaction() as session:
        session.execute(text("DELETE FROM mark"))


def test_opening_again_changes_nothing(empty_place: Path | str, database: Database, fill: Fill) -> None:
    fill.student("ada")
    for create in (False, True):
        again = open_database(empty_place, create=create)
        with again.reading() as session:
            assert session.execute(text("SELECT id FROM student")).scalars().all() == ["ada"]
        again.close()


def test_a_database_of_a_newer_version_is_left_alone(empty_place: Path | str, database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for create in (False, True):
        with pytest.raises(DatabaseUnavailable, match=r"newer version \(revision 9999\); update this software"):
            open_database(empty_place, create=create)


def test_a_database_without_tables_is_only_made_where_asked(empty_place: Path | str) -> None:
    with pytest.raises(DatabaseUnavailable, match="assessor roster"):
        open_database(empty_place)
    if isinstance(empty_place, Path):
        assert not empty_place.exists()


def test_a_database_brought_down_is_only_brought_up_where_asked(empty_place: Path | str, database: Database) -> None:
    migrating.migrate(database.engine, "base")
    with pytest.raises(DatabaseUnavailable, match="no tables yet"):
        open_database(empty_place)
    open_database(empty_place, create=True).close()
    open_database(empty_place).close()


def test_many_that_start_at_once_make_it_once(empty_place: Path | str) -> None:
    def make(_: int) -> str:
        opened = open_database(empty_place, create=True)
        opened.close()
        return opened.place

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(make, range(6)))) == 1


def test_a_migration_that_fails_leaves_nothing_behind(empty_place: Path | str) -> None:
    with pytest.raises(DatabaseUnavailable):
        open_database(empty_place)
    database = open_database(empty_place, create=True)
    migrating.migrate(database.engine, "base")
    with database.transaction() as session:
        session.execute(text("CREATE TABLE event (id INTEGER)"))  # the last table that the migration makes
    with pytest.raises(Exception, match="event"):
        migrating.migrate(database.engine, migrating.HEAD)
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version", "event"}
    database.close()
