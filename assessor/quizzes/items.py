"""Item analysis: how hard each question was, how well it told students apart, which options did their work.

A matrix of marks goes in, students by questions; NaN where a question was not on a student's paper, so that with random
draws every number belongs to the question and not to a place of the paper. Undefined is None, never a division by zero.

Sources: Moodle's quiz statistics for discrimination, efficiency, weights, CIC, skewness and kurtosis (the item is removed
from the total, variances by n - 1); Cronbach (1951), Kuder and Richardson (1937), Spearman and Brown (1910) for reliability;
Canvas's point-biserial for options; the standard error of r as (1 - r^2) / sqrt(n - 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assessor.marking.statistics import Z, pearson

ENOUGH = 30
"""Of fewer students an item's indices are shown, and nothing is concluded from them."""
HARD, EASY, WEAK, RARE = 0.20, 0.95, 0.10, 0.05
TOP = 0.27
"""Kelley's part of the best and of the worst, for the upper-lower index."""
Matrix = NDArray[np.float64]
Choices = Mapping[str, Sequence[tuple[int, ...] | None]]
"""Of each choice question, for each student the places that were chosen; None where it was not answered or not shown."""


@dataclass(frozen=True)
class Option:
    """One option of a question: who chose it, and how well they did.

    Attributes:
        share: of those who answered.
        point_biserial: with the total, as Canvas has it; `rest` with the total without this question.
    """

    place: int
    text: str
    right: bool
    chosen: int
    share: float
    point_biserial: float | None
    rest: float | None


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        shown: students whose paper it was on; blank: of those, who gave no answer.
        facility: mean mark, of its marks; sd: of marks as a part of its marks.
        discrimination: Moodle's index in percent, which is 100 times the correlation with the rest of the paper.
        low, high: of it, 95 %.
        efficiency: in percent of the most that marks so distributed allow.
        weight, effective_weight: its part of the paper's marks, and of what decides the totals, in percent.
        upper_lower: mean of the best 27 % less mean of the worst, of its marks.
        point_biserial: with the total, the question itself included, for whoever compares with other systems.
        guess: what guessing earns, of its marks; None where nothing can be guessed.
        flags: what a person should look at, in words.
    """

    name: str
    shown: int
    blank: int
    facility: float
    sd: float | None
    discrimination: float | None
    low: float | None
    high: float | None
    efficiency: float | None
    weight: float
    effective_weight: float | None
    upper_lower: float | None
    point_biserial: float | None
    guess: float | None
    options: tuple[Option, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Reliability:
    """Of the whole paper. In percent of its marks: mean, sd, sem. None where it is not defined.

    Attributes:
        alpha: Cronbach's, of one form; with random draws from the mean correlation of questions.
        cic: Moodle's name for 100 alpha; error_ratio: 100 sqrt(1 - alpha).
        kr20, kr21: of questions that are right or wrong; kr21 takes them as equally hard.
        doubled: what alpha would be of a paper twice as long (Spearman-Brown).
        sem: standard error of measurement, sd sqrt(1 - alpha).
        difficulty_spread: standard deviation between papers of the mean facility of their questions, in percent; 0 for one form.
    """

    students: int
    questions: int
    mean: float
    median: float
    sd: float | None
    skewness: float | None
    kurtosis: float | None
    alpha: float | None
    kr20: float | None
    kr21: float | None
    doubled: float | None
    sem: float | None
    mean_correlation: float | None
    difficulty_spread: float

    @property
    def cic(self) -> float | None:
        """Coefficient of internal consistency, in percent."""
        return None if self.alpha is None else 100 * self.alpha

    @property
    def error_ratio(self) -> float | None:
        """How much of the spread is chance, in percent."""
        return None if self.alpha is None else 100 * math.sqrt(max(0.0, 1 - self.alpha))


@dataclass(frozen=True)
class Analysis:
    """A quiz's questions and the whole of it. `totals` are in percent, one a student."""

    items: tuple[Item, ...]
    whole: Reliability
    totals: Matrix


@dataclass(frozen=True)
class About:
    """What is known of a question beside its marks.

    Attributes:
        options: (text, right) of each, for choices.
        note: of the key, such as 'corrected: full marks to all'.
    """

    marks: float = 1.0
    guess: float | None = None
    options: tuple[tuple[str, bool], ...] = ()
    note: str = ""


def analyse(names: Sequence[str], marks: Matrix, about: Mapping[str, About], choices: Choices | None = None) -> Analysis:
    """Analyses a quiz.

    Args:
        names: of the questions, one a column.
        marks: (students, questions), what each earned; NaN where it was not on the paper. A blank earned 0.
        about: marks and options of each question.
        choices: what was chosen, for the options.
    """
    shown = ~np.isnan(marks)
    most = np.asarray([about[name].marks for name in names], dtype=float)
    earned = np.where(shown, marks, 0.0)
    totals = earned.sum(axis=1)
    out_of = (shown * most).sum(axis=1)
    percents: Matrix = np.divide(100 * totals, out_of, out=np.zeros_like(totals), where=out_of > 0)
    weights = _weights(earned, shown, totals, most)
    whole = _whole(marks, shown, most, percents)
    chosen = choices or {}
    items = [
        _item(name, marks[:, column], shown[:, column], totals, out_of, about[name], weights[column], chosen.get(name))
        for column, name in enumerate(names)
        if shown[:, column].any()
    ]  # fmt: skip
    return Analysis(tuple(items), whole, percents)


def _item(
    name: str, all_marks: Matrix, on_paper: NDArray[np.bool_], all_totals: Matrix, out_of: Matrix, about: About,
    effective: float | None, chosen: Sequence[tuple[int, ...] | None] | None,
) -> Item:  # fmt: skip
    x, totals = all_marks[on_paper], all_totals[on_paper]
    rest, n = totals - x, int(on_paper.sum())
    most = about.marks
    r = pearson(x, rest)
    half = None if r is None or n < 3 else Z * (1 - r * r) / math.sqrt(n - 1)
    given = None if chosen is None else [one for one, there in zip(chosen, on_paper, strict=True) if there]
    options = _options(about, given, totals, x) if given is not None else ()
    facility = float(x.mean() / most) if most else 0.0
    mean_out_of = float(out_of[on_paper].mean())
    item = Item(
        name, n, sum(one is None for one in given) if given is not None else 0, facility,
        float(x.std(ddof=1) / most) if n > 1 and most else None, None if r is None else 100 * r,
        None if r is None or half is None else 100 * max(-1.0, r - half),
        None if r is None or half is None else 100 * min(1.0, r + half),
        _efficiency(x, rest), 100 * most / mean_out_of if mean_out_of else 0.0, effective, _upper_lower(x, totals, most),
        pearson(x, totals), about.guess, options, (),
    )  # fmt: skip
    return replace(item, flags=_flags(item, r, about))


def _flags(item: Item, r: float | None, about: About) -> tuple[str, ...]:
    found = [about.note] if about.note else []
    if item.shown < ENOUGH:
        return (*found, f"only {item.shown} students: no conclusion")
    if item.facility < HARD:
        found.append("very hard" + (": no better than a guess" if item.guess and item.facility <= item.guess else ""))
    if item.facility > EASY:
        found.append("very easy")
    if r is not None and r < 0:
        found.append("the better students did worse: look at the key")
    elif r is not None and r < WEAK:
        found.append("hardly tells students apart")
    for option in item.options:
        name = f"option {option.place + 1}"
        if not option.right and option.share < RARE:
            found.append(f"{name}: hardly anybody chose it")
        if not option.right and option.rest is not None and option.rest > 0 and option.share >= RARE:
            found.append(f"{name}: wrong, and chosen by the better students")
    return tuple(found)


def _options(about: About, given: Sequence[tuple[int, ...] | None], totals: Matrix, x: Matrix) -> tuple[Option, ...]:
    answered = np.asarray([one is not None for one in given], dtype=bool)
    places = [one for one in given if one is not None]
    own, rest = totals[answered], (totals - x)[answered]
    found = []
    for place, (text, right) in enumerate(about.options):
        took = np.fromiter((place in one for one in places), dtype=float, count=len(places))
        share = float(took.mean()) if len(places) else 0.0
        found.append(Option(place, text, right, int(took.sum()), share, pearson(took, own), pearson(took, rest)))
    return tuple(found)


def _efficiency(x: Matrix, rest: Matrix) -> float | None:
    """The covariance as a part of the largest that the same marks and the same rests allow."""
    if len(x) < 3:
        return None
    best = float(np.cov(np.sort(x), np.sort(rest))[0, 1])
    return 100 * float(np.cov(x, rest)[0, 1]) / best if abs(best) > 1e-12 else None


def _upper_lower(x: Matrix, totals: Matrix, most: float) -> float | None:
    size = round(TOP * len(x))
    if size < 1 or not most:
        return None
    order = np.argsort(totals, kind="stable")
    return float((x[order[-size:]].mean() - x[order[:size]].mean()) / most)


def _weights(earned: Matrix, shown: NDArray[np.bool_], totals: Matrix, most: Matrix) -> list[float | None]:
    """Effective weights of one form; of drawn papers they belong to no question."""
    if len(totals) < 3 or not shown.all():
        return [None] * len(most)
    deviations = totals - totals.mean()
    covariances = (earned - earned.mean(axis=0)).T @ deviations / (len(totals) - 1)
    roots = [math.sqrt(value) if value >= 0 else None for value in covariances]
    whole = sum(root for root in roots if root is not None)
    return [None if root is None or whole <= 0 else 100 * root / whole for root in roots]


def _whole(marks: Matrix, shown: NDArray[np.bool_], most: Matrix, percents: Matrix) -> Reliability:
    n = len(percents)
    lengths = shown.sum(axis=1)
    length = round(float(lengths.mean())) if n else 0
    one_form = bool(n) and bool(shown.all())
    sd = float(percents.std(ddof=1)) if n > 1 else None
    mean_r = _mean_correlation(marks, shown)
    alpha: float | None = None
    if one_form and n > 2 and length > 1:
        total = marks.sum(axis=1)
        variance = float(total.var(ddof=1))
        if variance > 1e-12:
            alpha = length / (length - 1) * (1 - float(marks.var(axis=0, ddof=1).sum()) / variance)
    elif mean_r is not None and length > 1 and 1 + (length - 1) * mean_r > 0:
        alpha = length * mean_r / (1 + (length - 1) * mean_r)
    binary = one_form and bool(np.isin(marks / np.where(most, most, 1), (0, 1)).all())
    skewness, kurtosis = _k_statistics(percents)
    facilities = np.asarray([
        float(np.nanmean(marks[:, column])) / most[column] if shown[:, column].any() and most[column] else 0.0
        for column in range(len(most))
    ])  # fmt: skip
    return Reliability(
        n, length, float(percents.mean()) if n else 0.0, float(np.median(percents)) if n else 0.0, sd, skewness, kurtosis, alpha,
        _kr20(marks, most) if binary else None, _kr21(marks, most) if binary else None,
        None if alpha is None or alpha < 0 else 2 * alpha / (1 + alpha),
        None if alpha is None or sd is None else sd * math.sqrt(max(0.0, 1 - alpha)), mean_r,
        0.0 if one_form or n < 2 else float((100 * (shown * facilities).sum(axis=1) / np.maximum(lengths, 1)).std(ddof=1)),
    )  # fmt: skip


def _mean_correlation(marks: Matrix, shown: NDArray[np.bool_]) -> float | None:
    """The mean over pairs of questions of their correlation, among students whose paper had both."""
    centred = np.where(shown, marks, 0.0)
    seen = shown.astype(float)
    both = seen.T @ seen
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = centred.T @ seen  # of column i, over those who had j too
        products, squares = centred.T @ centred, (centred**2).T @ seen
        covariance = products - sums * sums.T / both
        variance = squares - sums**2 / both
        r = covariance / np.sqrt(variance * variance.T)
    upper = np.triu_indices(len(both), 1)
    usable = (both[upper] >= 3) & np.isfinite(r[upper]) & (variance[upper] > 1e-9) & (variance.T[upper] > 1e-9)
    return float(r[upper][usable].mean()) if usable.any() else None


def _kr20(marks: Matrix, most: Matrix) -> float | None:
    x = marks / most
    p, variance = x.shape[1], float(x.sum(axis=1).var())
    rate = x.mean(axis=0)
    return p / (p - 1) * (1 - float((rate * (1 - rate)).sum()) / variance) if p > 1 and variance > 1e-12 else None


def _kr21(marks: Matrix, most: Matrix) -> float | None:
    total = (marks / most).sum(axis=1)
    p, mean, variance = marks.shape[1], float(total.mean()), float(total.var())
    return p / (p - 1) * (1 - mean * (p - mean) / (p * variance)) if p > 1 and variance > 1e-12 else None


def _k_statistics(values: Matrix) -> tuple[float | None, float | None]:
    """Skewness k3 / k2^1.5 and kurtosis k4 / k2^2."""
    n = len(values)
    if n < 4:
        return None, None
    d = values - values.mean()
    m2, m3, m4 = (float((d**power).mean()) for power in (2, 3, 4))
    k2 = n * m2 / (n - 1)
    if k2 < 1e-12:
        return None, None
    k3 = n * n * m3 / ((n - 1) * (n - 2))
    k4 = n * n * ((n + 1) * m4 - 3 * (n - 1) * m2 * m2) / ((n - 1) * (n - 2) * (n - 3))
    return float(k3 / k2**1.5), float(k4 / k2**2)
