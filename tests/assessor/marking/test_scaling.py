"""A scaling keeps order, leaves 0 at 0, looks at one mark alone, and is shown before it is applied."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.errors import AssessorError
from assessor.marking.scaling import Crossing, propose, read_scaling

BOUNDARIES = [Decimal(mark) for mark in (40, 50, 60, 70)]


@pytest.mark.parametrize(
    ("formula", "mark", "scaled", "words"),
    [
        ("m + 3", "52", "55", "m + 3"),
        ("m+3", "0", "0", "m + 3"),
        ("m + 3", "98", "100", "m + 3"),
        ("m - 5", "3", "0", "m - 5"),
        ("0.96 * m", "50", "48", "0.96 x m"),
        ("1.05*m-2", "60", "61", "1.05 x m - 2"),
        ("45:50 58:60", "52", "55.3846", "45 becomes 50, 58 becomes 60, linear between"),
        ("58:60, 45:50", "45", "50", "45 becomes 50, 58 becomes 60, linear between"),
        ("0:0 45:50 100:100", "0", "0", "45 becomes 50, linear between"),
        ("45:50", "100", "100", "45 becomes 50, linear between"),
    ],
)
def test_a_formula_says_a_function(formula: str, mark: str, scaled: str, words: str) -> None:
    scaling = read_scaling(formula)
    assert round(scaling.of(Decimal(mark)), 4) == Decimal(scaled)
    assert scaling.words == words


@pytest.mark.parametrize("formula", ["normal(60, 12)", "mean = 60", "Gauss", "rank", "60 + 12 * z-score", "percentile 90"])
def test_a_normalising_one_is_refused_and_says_why(formula: str) -> None:
    with pytest.raises(AssessorError, match="refused: it would fit marks to a distribution"):
        read_scaling(formula)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("45:50 58:48", "keep their order"),
        ("45:50 45:55", "keep their order"),
        ("45:50 60:50", "keep their order"),
        ("0:5", "keep their order"),
        ("45:101", "keep their order"),
        ("0 * m", "factor of 0"),
        ("-1 * m", "not understood"),
        ("if m < 40 then m + 4", "not understood"),
        ("m ** 2", "not understood"),
        ("nan * m", "not understood"),
        ("", "not understood"),
    ],
)
def test_what_breaks_the_order_or_is_no_function_is_refused(formula: str, reason: str) -> None:
    with pytest.raises(AssessorError, match=reason):
        read_scaling(formula)


PERCENT = st.decimals(0, 100, places=2)
KNOTS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), max_size=4).map(
    lambda pairs: list(zip(sorted({a for a, _ in pairs}), sorted({b for _, b in pairs}), strict=False))
)


@given(KNOTS.filter(bool), PERCENT, PERCENT)
def test_any_knots_that_rise_keep_order_and_both_ends(knots: list[tuple[int, int]], one: Decimal, other: Decimal) -> None:
    scaling = read_scaling(" ".join(f"{a}:{b}" for a, b in knots))
    low, high = sorted((one, other))
    assert (scaling.of(Decimal(0)), scaling.of(Decimal(100))) == (0, 100)
    assert 0 <= scaling.of(low) <= scaling.of(high) <= 100
    if low < high:
        assert scaling.of(low) < scaling.of(high)


def test_a_proposal_shows_what_would_change() -> None:
    raw = [Decimal(mark) for mark in ("0", "38", "47", "52", "66", "99")]
    found = propose(read_scaling("m + 3"), raw, BOUNDARIES)
    assert found.scaled == (0, 41, 50, 55, 69, 100)
    assert found.crossings == (Crossing(Decimal(40), 1, 0), Crossing(Decimal(50), 1, 0), Crossing(Decimal(60), 0, 0),
                               Crossing(Decimal(70), 0, 0))  # fmt: skip
    assert (found.largest_change, found.merged) == (3, 0)
    down = propose(read_scaling("0.9 * m"), raw, BOUNDARIES)
    assert [(each.up, each.down) for each in down.crossings] == [(0, 0), (0, 1), (0, 1), (0, 0)]
    assert down.largest_change == Decimal("-9.9")


def test_marks_that_become_one_at_the_top_are_counted() -> None:
    assert propose(read_scaling("m + 5"), [Decimal(96), Decimal(97), Decimal(50)], BOUNDARIES).merged == 1


@given(st.lists(PERCENT, min_size=2, max_size=12))
def test_the_distance_of_the_two_distributions_is_kolmogorovs_and_smirnovs(raw: list[Decimal]) -> None:
    found = propose(read_scaling("45:50 58:60"), raw, BOUNDARIES)
    places = [*found.raw, *found.scaled]
    gaps = [sum(m <= place for m in found.raw) - sum(m <= place for m in found.scaled) for place in places]
    assert found.ks_distance * len(raw) == pytest.approx(max(map(abs, gaps)))


def test_no_marks_no_proposal() -> None:
    with pytest.raises(AssessorError, match="no marks to scale"):
        propose(read_scaling("m + 3"), [], BOUNDARIES)
