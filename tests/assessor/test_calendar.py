"""Week dates become instants, and lateness counts working days in local time, over every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.calendar import DAYS, Break, Term, working_days_late

LONDON = ZoneInfo("Europe/London")
ZONES = [LONDON, *map(ZoneInfo, ("America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"))]
TERM = Term(date(2021, 2, 1), LONDON, (Break(after_week=8, weeks=4),))


def at(text: str, zone: ZoneInfo = LONDON) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def late(due: str, submitted: str, *closures: str) -> int:
    return working_days_late(at(due), at(submitted), LONDON, frozenset(map(date.fromisoformat, closures)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("week 1 Monday 00:00", "2021-02-01 00:00"),
        ("week 8 Friday 16:00", "2021-03-26 16:00"),  # the last week before the clocks and the break
        ("week 8 Sunday 16:00", "2021-03-28 16:00"),  # the day of the change
        ("week 9 Monday 09:00", "2021-04-26 09:00"),  # after four weeks of break
        ("week 10 Monday 16:00", "2021-05-03 16:00"),
        (" week 10 Monday 16:00 ", "2021-05-03 16:00"),
    ],
)
def test_a_week_date_is_local_time(text: str, expected: str) -> None:
    assert TERM.instant(text) == at(expected).astimezone(UTC)


def test_an_instant_is_kept_in_utc() -> None:
    assert TERM.instant("week 10 Monday 16:00").tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "week 10", "week ten Monday 16:00", "week 0 Monday 16:00", "week -1 Monday 16:00", "week 10 monday 16:00",
     "week 10 Monday 4pm", "week 10 Monday 16:60", "week 10 Monday 24:00", "week 10 Monday 16:00:00",
     "week 100 Monday 16:00", "week ١٠ Monday 16:00"],
)  # fmt: skip
def test_what_is_not_a_week_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"form|range"):
        TERM.instant(text)


BREAKS = st.lists(st.builds(Break, st.integers(1, 30), st.integers(1, 5)), max_size=3)


@given(st.integers(1, 30), st.sampled_from(DAYS), st.times(), BREAKS)
def test_a_week_date_reads_back_as_its_day_and_time(week: int, day: str, clock: time, breaks: list[Break]) -> None:
    term = Term(date(2021, 2, 1), LONDON, tuple(breaks))
    text = f"week {week} {day} {clock:%H:%M}"
    local = term.instant(text).astimezone(LONDON)
    skipped = sum(rest.weeks for rest in breaks if rest.after_week < week)
    gap = timedelta(hours=1) if (local.hour, local.minute) != (clock.hour, clock.minute) else timedelta(0)
    assert (local - gap).strftime("%A %H:%M") == f"{day} {clock:%H:%M}"  # 01:30 does not exist when clocks go forward
    assert (local.date() - term.start).days // 7 == week - 1 + skipped


@pytest.mark.parametrize(
    ("due", "submitted", "closures", "days"),
    [
        ("2021-05-03 16:00", "2021-05-03 15:59:59", (), 0),
        ("2021-05-03 16:00", "2021-05-03 16:00:00", (), 0),
        ("2021-05-03 16:00", "2021-05-03 16:00:01", (), 1),
        ("2021-05-03 16:00", "2021-05-04 16:00:00", (), 1),
        ("2021-05-03 16:00", "2021-05-04 16:00:01", (), 2),
        ("2021-05-03 16:00", "2021-05-06 10:00", (), 3),
        ("2021-05-07 16:00", "2021-05-07 16:00:01", (), 1),  # Friday
        ("2021-05-07 16:00", "2021-05-09 23:00", (), 1),  # the weekend is free
        ("2021-05-07 16:00", "2021-05-10 16:00", (), 1),
        ("2021-05-07 16:00", "2021-05-10 16:00:01", (), 2),
        ("2021-05-08 12:00", "2021-05-08 12:00:01", (), 1),  # due on a Saturday
        ("2021-05-08 12:00", "2021-05-10 12:00", (), 1),
        ("2021-04-01 16:00", "2021-04-06 16:00", ("2021-04-02", "2021-04-05"), 1),  # Easter closure
        ("2021-04-01 16:00", "2021-04-06 16:00", (), 3),
        ("2021-03-26 16:00", "2021-03-29 16:00", (), 1),  # the clocks go forward on Sunday
        ("2021-03-26 16:00", "2021-03-29 16:00:01", (), 2),
        ("2021-10-29 16:00", "2021-11-01 16:00", (), 1),  # and back
        ("2021-10-29 16:00", "2021-11-01 16:00:01", (), 2),
        ("2021-05-03 16:00", "2022-05-03 16:00", (), 261),
    ],
)
def test_days_late(due: str, submitted: str, closures: tuple[str, ...], days: int) -> None:
    assert late(due, submitted, *closures) == days


def test_a_break_in_teaching_is_not_a_closure() -> None:
    due, submitted = TERM.instant("week 8 Friday 16:00"), at("2021-04-02 16:00")
    assert working_days_late(due, submitted, LONDON, TERM.closures) == 5


def test_the_zone_of_the_hand_in_does_not_matter() -> None:
    due, submitted = at("2021-05-03 16:00"), at("2021-05-03 20:30:01", ZoneInfo("Asia/Kolkata"))
    assert working_days_late(due, submitted, LONDON) == 1


INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2024, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001
DELAYS = st.timedeltas(timedelta(seconds=1), timedelta(days=40))
CLOSURES = st.frozensets(st.dates(date(2020, 1, 1), date(2025, 2, 28)), max_size=60)


@given(INSTANTS, DELAYS, st.sampled_from(ZONES), CLOSURES)
def test_days_late_counts_the_ends_of_days_that_had_begun(
    due: datetime, delay: timedelta, zone: ZoneInfo, closures: frozenset[date]
) -> None:
    """An independent wording: one, and one more for each working date whose deadline time lies before the hand-in."""
    submitted = due + delay
    first = due.astimezone(zone)
    ends = []
    for offset in range(1, 400):
        day = first.date() + timedelta(days=offset)
        if day.isoweekday() <= 5 and day not in closures:
            ends.append(datetime.combine(day, first.time(), zone).astimezone(UTC))
    assert working_days_late(due, submitted, zone, closures) == 1 + sum(end < submitted for end in ends)


@given(INSTANTS, DELAYS, DELAYS, st.sampled_from(ZONES), CLOSURES)
def test_later_is_never_less_late(
    due: datetime, delay: timedelta, more: timedelta, zone: ZoneInfo, closures: frozenset[date]
) -> None:
    soon = working_days_late(due, due + delay, zone, closures)
    assert soon <= working_days_late(due, due + delay + more, zone, closures)
    assert working_days_late(due + more, due + delay, zone, closures) <= soon


@given(INSTANTS, DELAYS, st.sampled_from(ZONES), CLOSURES)
def test_closures_never_make_a_hand_in_later(
    due: datetime, delay: timedelta, zone: ZoneInfo, closures: frozenset[date]
) -> None:
    assert 1 <= working_days_late(due, due + delay, zone, closures) <= working_days_late(due, due + delay, zone)


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=40)), st.sampled_from(ZONES))
def test_in_time_is_never_late(due: datetime, early: timedelta, zone: ZoneInfo) -> None:
    assert working_days_late(due, due - early, zone) == 0
