"""Statistics of a cohort's marks for a board: spread, pass rates, correlations, weights that really act, earlier years.

Most take marks in percent as floats: a statistic is no mark, and nothing here ever becomes one. Of fewer than `LEAST`
students no statistic is made: it would tell a single one's mark.

Sources: Wilson (1927) for proportions; Fisher (1915) for correlations; Welch (1947) for two means; Cohen's d by the pooled
standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assessor.marking.bands import LEAST
from assessor.marking.exact import ONE

Z = 1.959963984540054
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """How marks lie. `skewness` is that of the sample, adjusted for its size; None where it is not defined."""

    students: int
    mean: float
    sd: float
    least: float
    lower: float
    median: float
    upper: float
    most: float
    skewness: float | None

    @property
    def iqr(self) -> float:
        """Between the quartiles."""
        return self.upper - self.lower


def spread(marks: Sequence[float]) -> Spread | None:
    """Mean, standard deviation (of a sample), quartiles (linear between two marks) and skewness; None for a small group."""
    if len(marks) < LEAST:
        return None
    values = np.asarray(marks, dtype=float)
    least, lower, median, upper, most = np.percentile(values, [0, 25, 50, 75, 100])
    sd = float(values.std(ddof=1))
    skewness = float(stats.skew(values, bias=False)) if sd > 1e-9 else None
    quartiles = (float(least), float(lower), float(median), float(upper), float(most))
    return Spread(len(values), float(values.mean()), sd, *quartiles, skewness)


def proportion(count: int, of: int) -> Interval | None:
    """A proportion with Wilson's interval; None of nothing."""
    if of == 0:
        return None
    share, z2 = count / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def near(marks: Sequence[Decimal], boundary: Decimal, within: Decimal = ONE) -> int:
    """How many marks lie within so many points of a boundary, on either side."""
    return sum(abs(mark - boundary) <= within for mark in marks)


def suppressed(counts: Sequence[int], least: int = LEAST) -> list[int | None]:
    """Counts to publish beside their sum: those from 1 to `least` - 1 are None, and as many of the next smallest as it takes.

    What is hidden can be added up from the sum: it has to be two counts at least, and `least` students. A 0 tells of nobody
    and stays.
    """
    shown: list[int | None] = [None if 0 < count < least else count for count in counts]
    for index in sorted(range(len(counts)), key=lambda index: counts[index]):
        hidden = [count for count, told in zip(counts, shown, strict=True) if told is None]
        if not hidden or (len(hidden) > 1 and sum(hidden) >= least):
            break
        shown[index] = None if counts[index] else 0
    return shown


@dataclass(frozen=True)
class Correlation:
    """Pearson's with Fisher's interval, and Spearman's. `units` are students, or teams where these are what is independent."""

    units: int
    pearson: Interval
    spearman: float


def correlation(x: Sequence[float], y: Sequence[float], clusters: Sequence[str] | None = None) -> Correlation | None:
    """How two marks of the same students go together; None of few units, or where one of them does not vary.

    Args:
        clusters: whose work a student shares; means of clusters then stand for students.
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if clusters is not None:
        names = sorted(set(clusters))
        of = {name: [index for index, own in enumerate(clusters) if own == name] for name in names}
        a, b = (np.asarray([side[of[name]].mean() for name in names]) for side in (a, b))
    r = pearson(a, b)
    if len(a) < LEAST or r is None:
        return None
    return Correlation(len(a), fisher(r, len(a)), float(stats.spearmanr(a, b).statistic))


def pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Pearson's r; of a 0/1 variable it is the point-biserial. None of fewer than three, or where one of them does not vary."""
    if len(x) < 3 or x.std() < 1e-9 or y.std() < 1e-9:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def fisher(r: float, n: int) -> Interval:
    """A correlation's interval: tanh(artanh r +- 1.96 / sqrt(n - 3))."""
    if abs(r) >= 1 or n <= 3:
        return Interval(r, r, r)
    middle, half = math.atanh(r), Z / math.sqrt(n - 3)
    return Interval(r, math.tanh(middle - half), math.tanh(middle + half))


def effective_weights(components: Mapping[str, Sequence[float]], weights: Mapping[str, float]) -> dict[str, float] | None:
    """What each component really decides of the order: w cov(component, total) / var(total). They sum to 1.

    A component whose marks lie close together counts for less than its weight says. None for a small group, or where all
    totals are alike.
    """
    names = list(components)
    values = np.asarray([components[name] for name in names], dtype=float)
    if values.size == 0 or values.shape[1] < LEAST:
        return None
    share = np.asarray([weights[name] for name in names], dtype=float)
    share = share / share.sum()
    total = share @ values
    variance = float(total.var(ddof=1))
    if variance < 1e-9:
        return None
    deviations = total - total.mean()
    return {
        name: float(own * ((row - row.mean()) @ deviations) / (len(total) - 1) / variance)
        for name, own, row in zip(names, share, values, strict=True)
    }


@dataclass(frozen=True)
class Earlier:
    """A year's summary of one part: 'module' or a component's name. Marks in percent."""

    year: str
    part: str
    students: int
    mean: float
    sd: float
    passed: int | None = None


@dataclass(frozen=True)
class Comparison:
    """This year against an earlier one: by how many points the mean changed, Welch's t with its p, and Cohen's d."""

    earlier: Earlier
    change: float
    t: float
    p: float
    d: float


def compare(now: Spread, earlier: Earlier) -> Comparison | None:
    """Welch's test of two means from summaries; None where a group is small or does not vary."""
    if earlier.students < LEAST or now.sd < 1e-9 or earlier.sd < 1e-9:
        return None
    test = stats.ttest_ind_from_stats(
        now.mean, now.sd, now.students, earlier.mean, earlier.sd, earlier.students, equal_var=False
    )
    n, m = now.students, earlier.students
    pooled = math.sqrt(((n - 1) * now.sd**2 + (m - 1) * earlier.sd**2) / (n + m - 2))
    change = now.mean - earlier.mean
    return Comparison(earlier, change, float(test.statistic), float(test.pvalue), change / pooled)
