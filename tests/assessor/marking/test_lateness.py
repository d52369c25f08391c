"""A day late costs a tenth of the mark, an extension moves the deadline, grace forgives seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.calendar import Term
from assessor.course import LateRules
from assessor.marking.lateness import days_late, deadline, late_factor

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)  # Monday, 16:00 in London; Tuesday is a closure day of the fixture
RULES = LateRules()
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("days", "mark"), [(0, "68"), (1, "61.2"), (2, "54.4"), (3, "47.6"), (4, "40.8"), (5, "34.0"), (6, "0"), (60, "0")]
)
def test_southamptons_example_of_68(days: int, mark: str) -> None:
    assert Decimal(68) * late_factor(days, RULES) == Decimal(mark)


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
    assert 0 <= late_factor(late + 1, rules) <= late_factor(late, rules) <= 1
    assert late_factor(0, rules) == 1
