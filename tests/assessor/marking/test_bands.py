"""How a cohort's marks spread: every student is counted, and no few can be picked out."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.marking.bands import LEAST, bands_of, histogram

BOUNDARIES = tuple(map(Decimal, (40, 50, 60, 70)))


def test_bands_have_names_and_counts() -> None:
    marks = [Decimal(mark) for mark in (*[30] * 6, *[45] * 7, *[50] * 8, *["69.99"] * 9, *[100] * 10)]
    assert [(band.words, band.count) for band in bands_of(marks, BOUNDARIES)] == [
        ("below 40", 6), ("40 to below 50", 7), ("50 to below 60", 8), ("60 to below 70", 9), ("70 and above", 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ([55] * 5, []),
        ([55] * 6, [("all marks", 6)]),
        ([10] * 5 + [45] * 1 + [80] * 6, [("below 50", 6), ("50 and above", 6)]),
        ([10] * 6 + [80] * 1 + [55] * 6, [("below 40", 6), ("40 and above", 7)]),
    ],
)
def test_few_are_joined_to_their_neighbours(marks: list[int], found: list[tuple[str, int]]) -> None:
    assert [(band.words, band.count) for band in bands_of([Decimal(mark) for mark in marks], BOUNDARIES)] == found


@given(st.lists(st.decimals(0, 100, places=2), max_size=60), st.sets(st.integers(0, 100), max_size=6))
def test_nobody_is_lost_and_no_band_is_small(marks: list[Decimal], edges: set[int]) -> None:
    bands = bands_of(marks, [Decimal(edge) for edge in sorted(edges)])
    assert sum(band.count for band in bands) == (len(marks) if len(marks) >= 6 else 0)
    assert all(band.count >= 6 for band in bands)
    if bands:
        assert all(sum(band.holds(mark) for band in bands) == 1 for mark in marks)


@given(st.lists(st.decimals(0, 100, places=2), max_size=60))
def test_a_figures_bars_hold_everybody_and_never_a_few(marks: list[Decimal]) -> None:
    bins = histogram(marks)
    assert (bins == ()) is (len(marks) < LEAST)
    assert all(one.high == other.low for one, other in pairwise(bins)) and all(each.count >= LEAST for each in bins)
    if bins:
        assert sum(each.count for each in bins) == len(marks)
        assert bins[0].low <= min(marks) < bins[0].low + 5 or min(marks) == 100
        assert max(marks) < bins[-1].high or bins[-1].high == 100


def test_a_figures_bars_begin_and_end_where_marks_do() -> None:
    marks = [Decimal(mark) for mark in (*[43], *[61, 62, 63, 64, 65, 66], *[71] * 6, *[74] * 6, *[89])]
    assert [(int(each.low), int(each.high), each.count) for each in histogram(marks)] == [(40, 70, 7), (70, 90, 13)]
