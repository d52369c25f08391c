"""A moderation sample: everything that could matter, and a fair draw of the rest."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from math import ceil, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.course import MarkingPolicy
from assessor.marking.agreement import band
from assessor.marking.sampling import FAIL, RANDOM, TOP, Chosen, Piece, sample

POLICY = MarkingPolicy()


def pieces(*marks: object, markers: str = "a") -> list[Piece]:
    return [Piece(f"s{n:04}", Decimal(str(mark)), markers[n % len(markers)]) for n, mark in enumerate(marks)]


def why(chosen: tuple[Chosen, ...]) -> dict[str, str]:
    return {each.piece.student: each.why for each in chosen}


def test_fails_borderlines_and_the_top_are_always_in_it() -> None:
    found = why(sample(pieces(45, 48.1, 49.9, 52, 52.1, 58, 61.99, 66, 72, 74, 90, 91, 92), POLICY, 1))
    assert [found[f"s{n:04}"] for n in range(3)] == [FAIL] * 3
    assert [found[f"s{n:04}"] for n in (3, 5, 6, 8)] == ["near 50", "near 60", "near 60", "near 70"]
    assert [found[f"s{n:04}"] for n in (10, 11, 12)] == [TOP] * 3


def test_the_random_part_is_the_largest_of_root_tenth_and_least() -> None:
    for count in (9, 40, 100, 250):
        middling = pieces(*([65] * count))
        drawn = Counter(why(sample(middling, POLICY, 1)).values())[RANDOM]
        assert drawn == min(count - 3, max(ceil(sqrt(count)), ceil(0.1 * count), 8))


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    cohort = pieces(*([65] * 200))
    assert sample(cohort, POLICY, 5) == sample(cohort, POLICY, 5)
    assert sample(cohort, POLICY, 5) != sample(cohort, POLICY, 6)


def test_the_order_of_the_class_list_does_not_change_the_draw() -> None:
    cohort = pieces(*([65] * 50))
    assert sample(cohort, POLICY, 5) == sample(cohort[::-1], POLICY, 5)


@given(st.integers(0, 2**31))
def test_markers_and_bands_are_drawn_in_proportion(seed: int) -> None:
    cohort = pieces(*([55, 65, 65, 75] * 100), markers="abbb")  # a: 100 of 55; b: 300
    drawn = [each.piece for each in sample(cohort, POLICY, seed) if each.why == RANDOM]
    strata = Counter((piece.marker, band(piece.percent, POLICY.boundaries)) for piece in drawn)
    assert len(drawn) == 40
    for stratum, share in ((("a", 2), 10), (("b", 3), 20), (("b", 4), 10)):
        assert abs(strata[stratum] - share) <= 2


def test_everyone_is_drawn_alike_often() -> None:
    cohort = pieces(*([65] * 60))
    times = Counter(
        each.piece.student for seed in range(600) for each in sample(cohort, POLICY, seed) if each.why == RANDOM
    )
    often = [times[piece.student] for piece in cohort[3:]]  # the first three are the top
    assert min(often) > 0.5 * max(often)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_small_cohort_is_looked_at_wholly(count: int) -> None:
    assert len(sample(pieces(*([65] * count)), POLICY, 1)) == count


def test_the_course_says_how_much() -> None:
    policy = MarkingPolicy.model_validate({"moderation": {"near": 0, "top": 0, "part": 0, "least": 0}})
    assert Counter(why(sample(pieces(*([65] * 100)), policy, 1)).values()) == {RANDOM: 10}  # the root is always in it
