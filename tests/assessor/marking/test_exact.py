"""Halves go up, digits that a division left do not count, and numbers read short."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.marking.exact import EXACT, plain, round_once


@pytest.mark.parametrize(
    ("value", "expected"),
    [("64.5", 65), ("65.5", 66), ("0.5", 1), ("59.49", 59), ("59.5", 60), ("100", 100), ("0", 0),
     ("49.4999999999999999999999999999999999999999", 49)],
)  # fmt: skip
def test_half_goes_up(value: str, expected: int) -> None:
    assert round_once(Decimal(value)) == expected


@given(st.integers(1, 10_000), st.integers(0, 100))
def test_half_goes_up_after_a_division_that_does_not_end(parts: int, below: int) -> None:
    with localcontext(EXACT):
        share = (Decimal(below) + Decimal("0.5")) / parts
        assert round_once(share * parts) == below + 1


@given(st.fractions(0, 100, max_denominator=10_000))
def test_rounding_agrees_with_fractions(value: Fraction) -> None:
    with localcontext(EXACT):
        found = round_once(Decimal(value.numerator) / Decimal(value.denominator))
    assert found == floor(value + Fraction(1, 2))


@pytest.mark.parametrize(
    ("value", "text"),
    [("72.30", "72.3"), ("100", "100"), ("0.00", "0"), ("1E+2", "100"), ("33.33333333", "33.3333"), ("-0.00001", "0")],
)
def test_a_number_reads_short(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "rounding", "places", "expected"),
    [
        ("69.96", "truncate", 1, "69.9"),  # Southampton's average: never rounded up over a boundary
        ("69.96", "half_up", 0, "70"),
        ("64.5", "half_even", 0, "64"),
        ("65.5", "half_even", 0, "66"),
        ("64.5", "half_up", 0, "65"),
        ("64.45", "half_up", 1, "64.5"),
        ("49.99", "truncate", 0, "49"),
    ],
)
def test_a_course_chooses_how_it_rounds(value: str, rounding: str, places: int, expected: str) -> None:
    assert str(round_once(Decimal(value), rounding, places)) == expected


def test_a_third_three_times_is_one_and_is_not_truncated_away() -> None:
    with localcontext(EXACT):
        assert round_once(Decimal(210) / 3 / 7 * 7, "truncate", 1) == 70
