"""A board's statistics against worked examples, plain formulas and what must hold of any cohort."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.marking.bands import LEAST
from assessor.marking.statistics import (
    Earlier,
    compare,
    correlation,
    effective_weights,
    fisher,
    near,
    proportion,
    spread,
    suppressed,
)

marks = st.lists(st.floats(0, 100).map(lambda mark: round(mark, 2)), min_size=LEAST, max_size=60)


def test_the_worked_example_of_a_pass_rate() -> None:
    rate = proportion(111, 120)
    assert rate is not None
    assert [round(100 * value, 1) for value in (rate.value, rate.low, rate.high)] == [92.5, 86.4, 96.0]
    assert proportion(0, 0) is None


def test_the_worked_example_of_a_correlation() -> None:
    found = fisher(0.45, 120)
    assert (found.low, found.high) == pytest.approx((0.30, 0.58), abs=0.006)  # the source rounds 0.2945 up


def test_the_worked_example_of_weights_that_act() -> None:
    """Standard deviations 12/9/15, correlations .4/.5/.3: 40/40/20 becomes 47/29/24."""
    sds = np.diag([12.0, 9.0, 15.0])
    covariance = sds @ np.array([[1, 0.4, 0.5], [0.4, 1, 0.3], [0.5, 0.3, 1]]) @ sds
    draw = np.random.default_rng(1).standard_normal((3, 400))
    draw -= draw.mean(axis=1, keepdims=True)
    draw = np.linalg.inv(np.linalg.cholesky(np.cov(draw))) @ draw  # exactly uncorrelated, of variance 1
    labs, project, quizzes = 60 + np.linalg.cholesky(covariance) @ draw
    found = effective_weights(
        {"labs": list(labs), "project": list(project), "quizzes": list(quizzes)}, {"labs": 40, "project": 40, "quizzes": 20}
    )
    assert found is not None
    assert [round(value, 2) for value in found.values()] == [0.47, 0.29, 0.24]


@given(marks)
def test_the_spread_is_what_the_standard_library_says(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.sd == pytest.approx(statistics.stdev(values), abs=1e-9)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    assert (found.lower, found.median, found.upper) == pytest.approx((lower, median, upper))
    assert found.least <= found.lower <= found.median <= found.upper <= found.most


def test_of_few_students_nothing_is_told() -> None:
    assert spread([50.0] * (LEAST - 1)) is None
    assert correlation([1, 2, 3], [1, 2, 3]) is None
    assert effective_weights({"a": [1.0, 2.0]}, {"a": 1}) is None


def test_marks_that_are_all_alike_divide_nothing_by_zero() -> None:
    found = spread([50.0] * 10)
    assert found is not None and (found.sd, found.skewness) == (0, None)
    assert correlation([50.0] * 10, list(range(10))) is None
    assert effective_weights({"a": [50.0] * 10, "b": [60.0] * 10}, {"a": 1, "b": 1}) is None
    assert compare(found, Earlier("2026", "module", 100, 60, 10)) is None


def test_a_mark_is_near_a_boundary_to_its_last_digit() -> None:
    marks = [Decimal(mark) for mark in ("48.9999999999", "49", "49.5", "50", "51", "51.0000000001")]
    assert near(marks, Decimal(50)) == 4


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_no_count_below_six_can_be_worked_out_from_the_sum(counts: list[int]) -> None:
    shown = suppressed(counts)
    assert all(value is None or value == count for value, count in zip(shown, counts, strict=True))
    assert not any(value is not None and 0 < value < LEAST for value in shown)
    hidden = [count for count, value in zip(counts, shown, strict=True) if value is None]
    if hidden and any(shown):
        assert len(hidden) > 1 and sum(hidden) >= LEAST, "unless all others are 0, when the sum itself says it"


def test_two_small_counts_are_not_given_away_by_their_sum() -> None:
    assert suppressed([1, 0, 0, 1, 22]) == [None, 0, 0, None, None]
    assert suppressed([3, 0, 7, 4, 22]) == [None, 0, 7, None, 22]
    assert suppressed([5, 9, 22]) == [None, None, 22]
    assert suppressed([0, 9, 22]) == [0, 9, 22]


def test_team_mates_count_once() -> None:
    x, y = [60.0, 60, 70, 70, 80, 80, 50, 50, 65, 65, 75, 75], [50.0, 54, 61, 65, 70, 80, 45, 49, 60, 62, 71, 65]
    teams = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f"]
    alone, clustered = correlation(x, y), correlation(x, y, teams)
    assert alone is not None and clustered is not None
    assert (alone.units, clustered.units) == (12, 6)
    means = [[statistics.mean(side[index : index + 2]) for index in range(0, 12, 2)] for side in (x, y)]
    assert clustered.pearson.value == pytest.approx(statistics.correlation(*means))
    assert fisher(0.5, 6).low < fisher(0.5, 12).low, "fewer units, a wider interval"


@given(marks, marks)
def test_weights_that_act_sum_to_one(labs: list[float], project: list[float]) -> None:
    size = min(len(labs), len(project))
    found = effective_weights({"labs": labs[:size], "project": project[:size]}, {"labs": 40, "project": 60})
    assert found is None or sum(found.values()) == pytest.approx(1)


def test_this_year_against_an_earlier_one() -> None:
    values: Sequence[float] = [*([55.0] * 10), *([65.0] * 10), *([75.0] * 10)]
    now = spread(values)
    assert now is not None
    found = compare(now, Earlier("2026", "module", 100, 60.0, 10.0))
    assert found is not None
    assert found.change == pytest.approx(5)
    standard_error = (now.sd**2 / 30 + 100 / 100) ** 0.5
    assert found.t == pytest.approx(5 / standard_error)
    assert 0 < found.p < 0.05 and found.d == pytest.approx(0.53, abs=0.06)
