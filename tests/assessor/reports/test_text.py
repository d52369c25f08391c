from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.reports.text import clean, fixed, local_time, one_line, plain


@given(st.text(st.characters()))
def test_clean_text_can_be_written_and_cleaning_twice_changes_nothing(text):
    shown = clean(text)
    shown.encode("utf-8")
    assert clean(shown) == shown
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in shown)


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\x1b", "\u202e", "\u2066", "\ufffe"])
def test_characters_that_act_or_cannot_be_written_are_left_out(text):
    assert clean(f"a{text}b") == "ab"


def test_long_text_is_cut():
    assert len(clean("x" * 10_000, limit=100)) == 100


def test_one_line_has_no_line_ends():
    assert one_line(" a\r\n\tb\u2028c ") == "a b c"


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("72.345", 2, "72.35"),
        ("72.30", 2, "72.3"),
        ("100", 2, "100"),
        ("0", 2, "0"),
        ("-0.001", 2, "0"),
        ("1E+2", 2, "100"),
    ],
)
def test_plain_numbers_have_no_trailing_zeros(value, places, expected):
    assert plain(Decimal(value), places) == expected


def test_no_number_is_no_text():
    assert (plain(None), fixed(None)) == ("", "")


def test_fixed_numbers_keep_their_places():
    assert (fixed(Decimal("0.005")), fixed(Decimal(7), 4)) == ("0.01", "7.0000")


def test_a_moment_reads_in_the_time_of_the_course():
    moment = datetime(2021, 4, 19, 15, 0, 1, tzinfo=UTC)
    assert local_time(moment, ZoneInfo("Europe/London")) == "2021-04-19 16:00:01 BST"
    assert local_time(None, ZoneInfo("Europe/London")) == ""
