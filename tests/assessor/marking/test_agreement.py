"""Two markers agree or need a third; the statistics are those of the books."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from assessor.course import MarkingPolicy
from assessor.marking.agreement import agree, agreement, band, error_rate, severities

BOUNDARIES = tuple(Decimal(mark) for mark in (40, 50, 60, 70))


def policy(**second: object) -> MarkingPolicy:
    return MarkingPolicy.model_validate({"second": second})


def agreed(*marks: str, **second: object) -> Decimal | None:
    return agree([(f"m{n}", Decimal(mark)) for n, mark in enumerate(marks)], policy(**second)).percent


@pytest.mark.parametrize(
    ("marks", "second", "expected"),
    [
        (("62", "67"), {}, "64.5"),  # five apart, one band
        (("62", "67.5"), {}, None),
        (("58", "61"), {}, None),  # three apart, two bands
        (("58", "61"), {"same_band": False}, "59.5"),
        (("62", "69"), {"within": 7}, "65.5"),
        (("62", "66"), {"agreed": "first"}, "62"),  # Cumbria: same band, first mark stands
        (("58", "66", "64"), {}, "66"),  # the third is nearer to the second
        (("58", "66", "61"), {}, "58"),
        (("58", "66", "62"), {}, "58"),  # as near to both: the first
        (("58", "66", "62"), {"third": "third"}, "62"),
        (("62",), {}, None),
        ((), {}, None),
    ],
)
def test_when_two_marks_become_one(marks: tuple[str, ...], second: dict[str, object], expected: str | None) -> None:
    assert agreed(*marks, **second) == (None if expected is None else Decimal(expected))


def test_why_a_third_marker_is_needed_is_said() -> None:
    marks = [("alice", Decimal(58)), ("bob", Decimal(66))]
    assert agree(marks, MarkingPolicy()).words == "a third marker is needed: more than 5 apart (alice 58, bob 66)"


def test_a_mark_on_a_boundary_is_in_the_band_above_it() -> None:
    assert [band(Decimal(mark), BOUNDARIES) for mark in ("39.99", "40", "59", "60", "100")] == [0, 1, 2, 3, 4]


PAIRS = [(62, 65), (48, 52), (71, 69), (55, 55), (38, 41), (80, 74), (66, 70), (59, 60)]


def test_limits_of_agreement_by_hand() -> None:
    found = agreement([(Decimal(a), Decimal(b)) for a, b in PAIRS], BOUNDARIES)
    assert found.pairs == 8
    assert found.mean_difference == pytest.approx(-0.875)
    spread = (sum((a - b + 0.875) ** 2 for a, b in PAIRS) / 7) ** 0.5
    assert (found.low, found.high) == (pytest.approx(-0.875 - 1.96 * spread), pytest.approx(-0.875 + 1.96 * spread))


def test_the_icc_of_shrout_and_fleiss() -> None:
    """Their six targets, the first two of their four judges, worked by hand."""
    judges = [(9, 2), (6, 1), (8, 4), (7, 1), (10, 5), (6, 2)]
    found = agreement([(Decimal(a), Decimal(b)) for a, b in judges], BOUNDARIES)
    between, of_judges, left = 23.416667 / 5, 80.083333, 3.416667 / 5
    assert found.icc == pytest.approx((between - left) / (between + left + 2 * (of_judges - left) / 6), abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=40))
def test_weighted_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    found = agreement([(Decimal(a), Decimal(b)) for a, b in pairs], BOUNDARIES).kappa
    bands = [[band(Decimal(mark), BOUNDARIES) for mark in side] for side in zip(*pairs, strict=True)]
    if len({*bands[0], *bands[1]}) == 1:
        assert found is None
        return
    assert found == pytest.approx(cohen_kappa_score(*bands, weights="quadratic", labels=range(5)))


def test_perfect_agreement_is_one() -> None:
    found = agreement([(Decimal(mark), Decimal(mark)) for mark in (45, 58, 72)], BOUNDARIES)
    assert (found.icc, found.kappa, found.low, found.high) == (pytest.approx(1), 1, 0, 0)


def test_too_few_give_no_statistics() -> None:
    assert agreement([(Decimal(50), Decimal(50))], BOUNDARIES).mean_difference is None


def test_a_severe_marker_is_found_and_effects_sum_to_zero() -> None:
    work = [(f"t{n}", marker, Decimal(55 + 3 * n + by)) for n in range(6) for marker, by in (("a", 0), ("b", -8), ("c", 0))]
    found = {one.marker: one for one in severities(work)}
    assert {marker: round(one.effect, 6) for marker, one in found.items()} == {"a": 2.666667, "b": -5.333333, "c": 2.666667}
    assert [marker for marker, one in found.items() if one.is_notable] == ["b"]
    assert severities([("t1", "a", Decimal(50))]) == ()


@pytest.mark.parametrize("looked_at", [20, 60, 300])
def test_no_error_in_n_bounds_the_rate_near_three_by_n(looked_at: int) -> None:
    assert error_rate(0, looked_at).high == pytest.approx(3 / looked_at, rel=0.08)


def test_no_error_in_sixty_is_at_most_five_per_cent() -> None:
    found = error_rate(0, 60)
    assert (found.low, round(found.high, 2)) == (0, 0.05)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, max(1, n - 1)), st.just(n))))
def test_bounds_are_those_of_clopper_and_pearson(pair: tuple[int, int]) -> None:
    errors, looked_at = pair
    if errors in (0, looked_at):
        return
    exact = binomtest(errors, looked_at).proportion_ci(0.95, method="exact")
    found = error_rate(errors, looked_at)
    assert (found.low, found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_nothing_looked_at_says_nothing() -> None:
    assert (error_rate(0, 0).low, error_rate(0, 0).high) == (0, 1)
