"""Marks come back as exactly the number that was given, instants as the same instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from assessor.database import Database
from assessor.database.tables import Event, Mark


@pytest.mark.parametrize(
    "points", ["0", "0.1", "0.3333", "2.5", "3", "10", "100", "0.0001", "99.9999", "0.0123456789", "99.9999999999"]
)
def test_a_mark_comes_back_as_it_was_given(database: Database, fill, points: str) -> None:  # type: ignore[no-untyped-def]
    fill.student("ada")
    fill.mark("ada", "automatic", points, "100")
    with database.reading() as session:
        mark = session.scalars(select(Mark)).one()
    assert str(mark.points) == points
    assert str(mark.out_of) == "100"


def test_tenths_add_up_exactly(database: Database, fill) -> None:  # type: ignore[no-untyped-def]
    fill.student("ada")
    for _ in range(10):
        fill.mark("ada", "automatic", "0.1")
    with database.reading() as session:
        assert sum(session.scalars(select(Mark.points))) == 1


def test_two_tenths_and_a_tenth_are_three_tenths(database: Database, fill) -> None:  # type: ignore[no-untyped-def]
    """Binary floats make 0.30000000000000004 of it."""
    fill.student("ada")
    for points in ("0.1", "0.2", "0.3"):
        fill.mark("ada", "automatic", points)
    with database.reading() as session:
        one, two, three = session.scalars(select(Mark.points).order_by(Mark.id))
        assert one + two == three
        alike = select(Mark.id).where(Mark.points == one + two)
        assert len(session.scalars(alike).all()) == 1


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (Decimal(1) / 3, "0.3333333333"), (Decimal(2) / 3, "0.6666666667"), (Decimal("1e-10"), "1E-10"),
        (Decimal("1.00000000004"), "1"), (Decimal("1.00000000006"), "1.0000000001"),
    ],
)  # fmt: skip
def test_what_has_no_end_is_kept_to_ten_decimals(  # type: ignore[no-untyped-def]
    database: Database, fill, given_: Decimal, kept: str
) -> None:
    fill.student("ada")
    fill.mark("ada", "automatic", str(given_))
    with database.reading() as session:
        assert session.scalars(select(Mark.points)).one() == Decimal(kept)


@pytest.mark.parametrize("points", [0.5, 1, "1", Decimal("NaN"), Decimal("Infinity"), Decimal(10) ** 8])
def test_what_is_not_an_exact_mark_is_refused(database: Database, fill, points: object) -> None:  # type: ignore[no-untyped-def]
    fill.student("ada")
    with pytest.raises(StatementError, match="not an exact mark"), database.transaction() as session:
        session.add(
            Mark(student_id="ada", assignment="lab", item="x", points=points, out_of=Decimal(4), author="", reason="",
                 at=datetime.now(UTC))
        )  # fmt: skip


def test_sqlite_keeps_marks_as_text_and_never_as_floats(sqlite_database) -> None:  # type: ignore[no-untyped-def]
    database = sqlite_database()
    with database.transaction() as session:
        session.execute(text("INSERT INTO student VALUES ('ada', 'Ada', '', 'M1')"))
        session.add(
            Mark(student_id="ada", assignment="lab", item="x", points=Decimal("0.1"), out_of=Decimal(4), author="",
                 reason="", at=datetime.now(UTC))
        )  # fmt: skip
    with database.reading() as session:
        assert session.execute(text("SELECT typeof(points), points FROM mark")).one() == ("text", "0.1000000000")


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(INSTANTS)
def test_an_instant_comes_back_in_utc(database: Database, instant: datetime) -> None:
    with database.transaction() as session:
        event = Event(author="a", verb="v", at=instant, detail={})
        session.add(event)
        session.flush()
        number = event.id
    with database.reading() as session:
        found = session.scalars(select(Event.at).where(Event.id == number)).one()
    assert found == instant
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.transaction() as session:
        session.add(Event(author="a", verb="v", at=datetime(2021, 5, 3), detail={}))  # noqa: DTZ001
