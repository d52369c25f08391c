"""The database itself keeps marks and the audit as they were written, and refuses what cannot be."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.tables import Event, Mark
from assessor.errors import DatabaseUnavailable

from .conftest import NOW, Fill  # type: ignore[import-not-found]

CHANGES = [
    "UPDATE mark SET points = '4'",
    "UPDATE mark SET author = 'someone else' WHERE id = 1",
    "DELETE FROM mark",
    "DELETE FROM mark WHERE id = 1",
    "UPDATE event SET author = 'someone else'",
    "DELETE FROM event",
]
REPLACE_IN_SQLITE = [
    "INSERT OR REPLACE INTO mark SELECT * FROM mark WHERE id = 1",
    "REPLACE INTO event SELECT * FROM event WHERE id = 1",
    "INSERT INTO mark SELECT * FROM mark WHERE TRUE ON CONFLICT (id) DO UPDATE SET points = '4'",
]
REPLACE_IN_POSTGRESQL = [
    "TRUNCATE mark",
    "TRUNCATE event",
    "TRUNCATE student CASCADE",
    "INSERT INTO mark SELECT * FROM mark ON CONFLICT (id) DO UPDATE SET points = 4",
    "WITH gone AS (DELETE FROM mark RETURNING *) SELECT * FROM gone",
]


@pytest.fixture
def one_mark(database: Database, fill: Fill) -> Database:
    """One student, one mark, one event."""
    fill.student("ada")
    fill.mark("ada", "automatic", "1")
    with database.transaction() as session:
        add_event(session, "marker", "mark", NOW, {"student": "ada"})
    return database


def refused(database: Database, statement: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="append-only"), database.transaction() as session:
        session.execute(text(statement))
    with database.reading() as session:
        mark = session.scalars(select(Mark)).one()
        event = session.scalars(select(Event)).one()
    assert (mark.points, mark.author, event.author) == (1, "marker", "marker")


@pytest.mark.parametrize("statement", CHANGES)
def test_marks_and_events_cannot_be_changed_or_taken_away(one_mark: Database, statement: str) -> None:
    refused(one_mark, statement)


@pytest.mark.parametrize("statement", REPLACE_IN_SQLITE)
@pytest.mark.parametrize("empty_place", ["sqlite"], indirect=True)
def test_sqlites_ways_round_are_closed(one_mark: Database, statement: str) -> None:
    refused(one_mark, statement)


@pytest.mark.parametrize("statement", REPLACE_IN_POSTGRESQL)
@pytest.mark.parametrize("empty_place", ["postgresql"], indirect=True)
def test_postgresqls_ways_round_are_closed(one_mark: Database, statement: str) -> None:
    refused(one_mark, statement)


def test_a_change_through_the_session_is_refused_too(one_mark: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="add a new one"), one_mark.transaction() as session:
        session.scalars(select(Mark)).one().reason = "changed my mind"


def test_a_new_mark_can_always_be_added(one_mark: Database, fill: Fill) -> None:
    first = fill.mark("ada", "automatic", "2")
    assert fill.mark("ada", "automatic", "3") > first


@pytest.mark.parametrize(("points", "out_of"), [("-0.5", "4"), ("4.0001", "4"), ("101", "100"), ("10", "9")])
def test_a_mark_outside_its_range_cannot_be_written(fill: Fill, points: str, out_of: str) -> None:
    fill.student("ada")
    with pytest.raises(IntegrityError, match="ck_mark_in_range"):
        fill.mark("ada", "automatic", points, out_of)


def test_not_submitted_has_no_points(fill: Fill) -> None:
    fill.student("ada")
    fill.mark("ada", "automatic", "0", not_submitted=True)
    with pytest.raises(IntegrityError, match="ck_mark_in_range"):
        fill.mark("ada", "automatic", "1", not_submitted=True)


def test_a_mark_needs_its_student(fill: Fill) -> None:
    with pytest.raises(IntegrityError):
        fill.mark("nobody", "automatic", "1")


def test_two_attempts_of_one_number_cannot_be(fill: Fill) -> None:
    fill.student("ada")
    fill.submission("ada")
    with pytest.raises(IntegrityError):
        fill.submission("ada")


def test_one_submission_has_one_job_for_each_version_of_its_grader(database: Database, fill: Fill) -> None:
    fill.student("ada")
    submission = fill.submission("ada")
    fill.job(submission, "queued", "version 1")
    fill.job(submission, "queued", "version 2")
    with pytest.raises(IntegrityError):
        fill.job(submission, "queued", "version 1")


def test_any_text_can_be_kept(database: Database) -> None:
    names = ["Zoë O'Brien", "=HYPERLINK(1)", "李小龍", "محمد", "𝓐 🎓", "Robert'); DROP TABLE student;--"]
    with database.transaction() as session:
        for name in names:
            add_event(session, name, "v", NOW, {"name": name})
    with database.reading() as session:
        assert [e.detail["name"] for e in session.scalars(select(Event).order_by(Event.id))] == names
        assert session.scalar(select(func.count()).select_from(Mark)) == 0
