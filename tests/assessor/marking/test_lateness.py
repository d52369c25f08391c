"""A day late costs a tenth of the mark, an extension moves the deadline, grace forgives seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.calendar import Term
from assessor.course import LateRules
from assessor.marking.lateness import days_late, deadline, late_effect, rule_words

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)  # Monday, 16:00 in London; Tuesday is a closure day of the fixture
RULES = LateRules()
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("days", "mark"), [(0, "68"), (1, "61.2"), (2, "54.4"), (3, "47.6"), (4, "40.8"), (5, "34.0"), (6, "0"), (60, "0")]
)
def test_southamptons_example_of_68(days: int, mark: str) -> None:
    assert Decimal(68) * late_effect(days, RULES).factor == Decimal(mark)


def test_one_second_late_costs_one_day(term: Term) -> None:
    assert days_late(DUE, DUE, RULES, term) == 0
    assert days_late(DUE, DUE + SECOND, RULES, term) == 1


def test_a_closure_day_costs_nothing(term: Term) -> None:
    assert days_late(DUE, DUE + timedelta(days=2), RULES, term) == 1
    assert days_late(DUE, DUE + timedelta(days=2) + SECOND, RULES, term) == 2


def test_grace_forgives_its_seconds_and_no_more(term: Term) -> None:
    rules = LateRules(grace_seconds=300)
    assert days_late(DUE, DUE + timedelta(seconds=300), rules, term) == 0
    assert days_late(DUE, DUE + timedelta(seconds=301), rules, term) == 1


def test_an_extension_moves_the_deadline_but_never_back() -> None:
    assert deadline(DUE, None) == DUE
    assert deadline(DUE, DUE + timedelta(days=7)) == DUE + timedelta(days=7)
    assert deadline(DUE, DUE - timedelta(days=7)) == DUE


@given(st.decimals(0, 1, places=3), st.integers(0, 30), st.integers(0, 40))
def test_what_is_left_is_from_0_to_1_and_never_grows(per_day: Decimal, days: int, late: int) -> None:
    rules = LateRules(per_day=float(per_day), days=days)
    assert 0 <= late_effect(late + 1, rules).factor <= late_effect(late, rules).factor <= 1
    assert late_effect(0, rules).factor == 1


VARIANTS = [
    # what regulations say, their rules, mark, days late, what is left
    ("Southampton", {}, "68", 2, "54.4"),
    ("Sheffield: 5 % of the mark, 5 days, then 0", {"per_day": "0.05"}, "60", 3, "51"),
    ("Sheffield, the sixth day", {"per_day": "0.05"}, "60", 6, "0"),
    ("QMUL: 5 points per 24 hours, 7 days", {"unit": "points", "per_day": 5, "days": 7, "count": "calendar"}, "62", 7, "27"),
    ("QMUL, the eighth day", {"unit": "points", "per_day": 5, "days": 7, "count": "calendar"}, "62", 8, "0"),
    ("points never go below 0", {"unit": "points", "per_day": 10}, "15", 2, "0"),
    ("Hertfordshire: 10 points, never below 50", {"unit": "points", "per_day": 10, "floor": 50}, "64", 2, "50"),
    ("Hertfordshire, a mark that was below it", {"unit": "points", "per_day": 10, "floor": 50}, "44", 2, "44"),
    ("Hertfordshire, too late", {"unit": "points", "per_day": 10, "floor": 50}, "64", 6, "0"),
    ("Exeter, Worcester: capped at the pass mark", {"per_day": 0, "cap": 50}, "64", 3, "50"),
    ("Exeter, a mark below the cap", {"per_day": 0, "cap": 50}, "44", 3, "44"),
    ("SHU: capped within 24 hours", {"per_day": 0, "cap": 50, "days": 1, "count": "calendar"}, "64", 1, "50"),
    ("SHU, then 0", {"per_day": 0, "cap": 50, "days": 1, "count": "calendar"}, "64", 2, "0"),
    ("Edinburgh: 5 points a day, 7 days", {"unit": "points", "per_day": 5, "days": 7, "count": "calendar"}, "70", 1, "65"),
    ("no penalty at all", {"per_day": 0, "days": 365}, "64", 300, "64"),
]


def rules_of(given_: dict[str, object]) -> LateRules:
    return LateRules.model_validate({k: float(v) if k == "per_day" else v for k, v in given_.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "keys", "mark", "days", "left"), VARIANTS, ids=lambda part: str(part)[:40])
def test_what_institutions_take(name: str, keys: dict[str, object], mark: str, days: int, left: str) -> None:
    assert late_effect(days, rules_of(keys)).of(Decimal(mark)) == Decimal(left), name


@pytest.mark.parametrize("keys", [variant[1] for variant in VARIANTS])
@given(st.decimals(0, 100, places=4), st.decimals(0, 100, places=4), st.integers(0, 12))
def test_no_variant_raises_a_mark_turns_two_round_or_spares_a_later_day(
    keys: dict[str, object], one: Decimal, other: Decimal, days: int
) -> None:
    rules = rules_of(keys)
    effect, low, high = late_effect(days, rules), min(one, other), max(one, other)
    assert 0 <= effect.of(low) <= effect.of(high) <= high
    assert effect.of(low) <= low
    assert late_effect(days + 1, rules).of(high) <= effect.of(high)


def test_a_weekend_costs_nothing_by_working_days_and_two_by_the_calendar(term: Term) -> None:
    friday = datetime(2021, 5, 7, 15, 0, tzinfo=UTC)
    monday = friday + timedelta(days=3)
    assert days_late(friday, monday, RULES, term) == 1
    assert days_late(friday, monday, LateRules(count="calendar"), term) == 3


def test_a_day_of_the_calendar_has_24_hours_but_for_two_a_year(term: Term) -> None:
    saturday = datetime(2021, 3, 27, 16, 0, tzinfo=UTC)  # 16:00 GMT; the clocks go forward in the night
    every_day = LateRules(count="calendar")
    assert days_late(saturday, datetime(2021, 3, 28, 15, 0, tzinfo=UTC), every_day, term) == 1
    assert days_late(saturday, datetime(2021, 3, 28, 15, 0, 1, tzinfo=UTC), every_day, term) == 2


def test_late_at_a_referral_may_count_nothing() -> None:
    assert late_effect(1, LateRules(referral="zero"), referral=True).of(Decimal(80)) == 0
    assert late_effect(1, LateRules(referral="zero")).of(Decimal(80)) == 72
    assert late_effect(1, RULES, referral=True).of(Decimal(80)) == 72


@pytest.mark.parametrize(
    ("keys", "days", "words"),
    [
        ({}, 1, "1 working day late: x 0.9"),
        ({}, 6, "6 working days late: x 0"),
        ({"unit": "points", "per_day": 5, "count": "calendar"}, 2, "2 calendar days late: - 10 points"),
        ({"unit": "points", "per_day": 10, "floor": 50}, 2, "2 working days late: - 20 points, not below 50"),
        ({"per_day": 0, "cap": 50}, 2, "2 working days late: at most 50"),
        ({"per_day": 0}, 2, "2 working days late: no penalty"),
    ],
)
def test_the_working_names_the_rule(keys: dict[str, object], days: int, words: str) -> None:
    assert late_effect(days, rules_of(keys)).line == words


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "each working day late, or part of one, takes 10 % of the mark; after 5 days it is 0; grace 0 s"),
        (
            {"unit": "points", "per_day": 10, "count": "calendar", "floor": 50, "referral": "zero", "grace_seconds": 60},
            "each calendar day late, or part of one, takes 10 points; no mark falls below 50 by it; after 5 days it is 0; "
            "late at a referral it is 0; grace 60 s",
        ),
        (
            {"per_day": 0, "cap": 50, "days": 1, "count": "calendar"},
            "counted in calendar days; late work gets at most 50; after 1 day it is 0; grace 0 s",
        ),
    ],
)
def test_a_sheet_says_the_rule_in_words(keys: dict[str, object], words: str) -> None:
    assert rule_words(rules_of(keys)) == words
