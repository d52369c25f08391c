"""Item analysis: the golden fixture of Moodle's formulas, plain formulas, and nothing undefined."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assessor.quizzes.items import About, Analysis, Item, analyse

GOLDEN = [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
NAMES = ["a", "b", "c", "d"]


def analysed(marks: Any, **about: Any) -> Analysis:
    matrix = np.asarray(marks, dtype=float)
    names = [f"q{index}" for index in range(matrix.shape[1])]
    return analyse(names, matrix, {name: about.get(name, About()) for name in names})


@pytest.fixture(scope="module")
def golden() -> Analysis:
    options = (("wrong", False), ("right", True))
    choices = {name: [(int(row[column]),) for row in GOLDEN] for column, name in enumerate(NAMES)}
    return analyse(NAMES, np.asarray(GOLDEN, dtype=float), {name: About(options=options) for name in NAMES}, choices)


@pytest.mark.parametrize(
    ("what", "expected", "places"),
    [
        ("facility", [0.8333, 0.6667, 0.5, 0.3333], 4),
        ("discrimination", [23.3550, 12.5000, 18.5695, 43.3013], 4),
        ("efficiency", [33.3333, 14.2857, 20.0000, 50.0000], 4),
        ("effective_weight", [21.4332, 23.9631, 26.2502, 28.3535], 4),
    ],
)
def test_each_index_of_the_golden_fixture(golden: Analysis, what: str, expected: list[float], places: int) -> None:
    assert [round(getattr(item, what), places) for item in golden.items] == expected


def test_the_point_biserials_of_other_systems(golden: Analysis) -> None:
    assert [round(100 * (item.point_biserial or 0), 4) for item in golden.items] == [53.9360, 53.3002, 60.3023, 74.6203]
    assert [round(item.options[1].point_biserial or 0, 4) for item in golden.items] == [0.5394, 0.5330, 0.6030, 0.7462]


def test_the_golden_fixtures_reliability(golden: Analysis) -> None:
    whole = golden.whole
    assert (round(whole.mean / 25, 4), round((whole.sd or 0) / 25, 5)) == (2.3333, 1.21106)
    assert round(whole.cic or 0, 4) == 42.4242
    assert round(whole.error_ratio or 0, 4) == 75.8787
    assert round((whole.sem or 0) / 25, 6) == 0.918937
    assert round(whole.kr20 or 0, 6) == 0.424242
    assert (round(whole.skewness or 0, 6), round(whole.kurtosis or 0, 6)) == (0.075066, -1.549587)


def test_the_worked_interval() -> None:
    """120 students, r = .25: .25 +- .17."""
    draw = np.random.default_rng(3)
    x = (draw.random(120) < 0.5).astype(float)
    y = draw.normal(size=120)
    y -= ((y - y.mean()) @ (x - x.mean())) / ((x - x.mean()) @ (x - x.mean())) * (x - x.mean())  # uncorrelated with x
    y, own = (y - y.mean()) / y.std(), (x - x.mean()) / x.std()
    rest = 0.25 * own + math.sqrt(1 - 0.25**2) * y
    item = analysed(np.column_stack([x, rest])).items[0]
    assert item.discrimination == pytest.approx(25)
    assert ((item.high or 0) - (item.low or 0)) / 2 == pytest.approx(17, abs=0.5)


matrices = st.integers(2, 6).flatmap(
    lambda p: st.integers(6, 30).flatmap(lambda n: arrays(np.float64, (n, p), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
)


@given(matrices)
@settings(max_examples=60)
def test_every_index_against_a_plain_formulation(marks: Any) -> None:
    found = analysed(marks)
    totals = [sum(row) for row in marks.tolist()]
    for column, item in enumerate(found.items):
        x = [row[column] for row in marks.tolist()]
        rest = [total - own for total, own in zip(totals, x, strict=True)]
        assert item.facility == pytest.approx(statistics.mean(x))
        if statistics.pvariance(x) < 1e-12 or statistics.pvariance(rest) < 1e-12:
            assert item.discrimination is None
            continue
        assert item.discrimination == pytest.approx(100 * statistics.correlation(x, rest), abs=1e-6)
        best = statistics.covariance(sorted(x), sorted(rest))
        assert item.efficiency == pytest.approx(100 * statistics.covariance(x, rest) / best, abs=1e-6)
        size = round(0.27 * len(x))
        order = sorted(range(len(x)), key=lambda index: totals[index])
        upper, lower = (statistics.mean(x[index] for index in part) for part in (order[-size:], order[:size]))
        assert item.upper_lower == pytest.approx(upper - lower, abs=1e-9)
    p, spread = marks.shape[1], statistics.variance(totals)
    if spread > 1e-12:
        single = sum(statistics.variance(marks[:, column].tolist()) for column in range(p))
        assert found.whole.alpha == pytest.approx(p / (p - 1) * (1 - single / spread), abs=1e-9)


@given(
    st.integers(0, 12), st.integers(1, 5), st.randoms(use_true_random=False),
    st.sampled_from([0.0, 0.5, 1.0]),
)  # fmt: skip
def test_whatever_is_missing_or_alike_nothing_is_divided_by_zero(n: int, p: int, draw: Any, value: float) -> None:
    marks = np.asarray([[math.nan if draw.random() < 0.4 else value for _ in range(p)] for _ in range(n)]).reshape(n, p)
    with np.errstate(all="raise"):
        found = analysed(marks)
    indices = ("facility", "discrimination", "efficiency", "upper_lower")
    numbers = [getattr(item, name) for item in found.items for name in indices]
    numbers += [found.whole.alpha, found.whole.sem, found.whole.skewness, found.whole.mean_correlation]
    assert all(number is None or math.isfinite(number) for number in numbers)


def test_drawn_questions_keep_their_own_numbers_whatever_paper_they_are_on() -> None:
    draw = np.random.default_rng(5)
    ability = draw.normal(size=4000)
    right = (draw.random((4000, 8)) < 1 / (1 + np.exp(-(ability[:, None] - np.linspace(-1, 1, 8))))).astype(float)
    drawn = right.copy()
    for row in drawn:
        row[draw.permutation(8)[4:]] = math.nan
    whole, part = analysed(right), analysed(drawn)
    assert [item.shown for item in part.items] == pytest.approx([2000] * 8, abs=150)
    for one, other in zip(whole.items, part.items, strict=True):
        assert other.facility == pytest.approx(one.facility, abs=0.05)
    assert part.whole.questions == 4 and all(item.effective_weight is None for item in part.items)
    assert part.whole.mean_correlation == pytest.approx(whole.whole.mean_correlation, abs=0.03)
    expected = 4 * (whole.whole.mean_correlation or 0) / (1 + 3 * (whole.whole.mean_correlation or 0))
    assert part.whole.alpha == pytest.approx(expected, abs=0.06)
    assert part.whole.difficulty_spread > 0 == whole.whole.difficulty_spread


def flags_of(marks: list[float], rest: list[float], about: About | None = None, chosen: Any = None) -> tuple[str, ...]:
    choices = {"q": chosen} if chosen else None
    found = analyse(["q", "rest"], np.column_stack([marks, rest]), {"q": about or About(), "rest": About(100)}, choices)
    item: Item = found.items[0]
    return item.flags


def test_what_a_person_should_look_at() -> None:
    rest = [float(number) for number in range(40)]
    assert flags_of([0.0] * 36 + [1.0] * 4, rest, About(guess=0.25)) == ("very hard: no better than a guess",)
    assert flags_of([0.0] + [1.0] * 39, rest) == ("very easy",)
    assert flags_of([1.0] * 20 + [0.0] * 20, rest) == ("the better students did worse: look at the key",)
    assert flags_of([1.0, 0.0] * 20, [1.0, 1.0, 0.0, 0.0] * 10) == ("hardly tells students apart",)
    assert flags_of([1.0, 0.0] * 5, rest[:10]) == ("only 10 students: no conclusion",)
    assert flags_of([0.0] * 20 + [1.0] * 20, rest, About(note="corrected: full")) == ("corrected: full",)


def test_distractors_that_nobody_takes_or_the_best_do() -> None:
    options = (("right", True), ("trap", False), ("ignored", False), ("honest", False))
    chosen: list[tuple[int, ...] | None] = [(3,)] * 14 + [(0,)] * 16 + [(1,)] * 9 + [None]
    marks = [1.0 if one == (0,) else 0.0 for one in chosen]
    rest = [float(number) for number in range(40)]
    flags = flags_of(marks, rest, About(options=options), chosen)
    assert "option 2: wrong, and chosen by the better students" in flags
    assert "option 3: hardly anybody chose it" in flags
    assert not any(flag.startswith(("option 1", "option 4")) for flag in flags)
