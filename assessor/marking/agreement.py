"""Two markers, one mark: whether they agree, and how well they do over a cohort.

Sources:
    Bland and Altman (1986): limits of agreement. Shrout and Fleiss (1979): ICC(2,1). Cohen (1968): weighted kappa.
    Clopper and Pearson (1934): exact bounds of a proportion.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from statistics import fmean, stdev

from assessor.course import MarkingPolicy
from assessor.marking.exact import EXACT, plain

SEVERE = 3.0
"""By so many percentage points a marker may be harder or milder than the others before it is told,"""
ENOUGH = 5
"""and over at least so many pieces of work."""


@dataclass(frozen=True)
class Agreed:
    """What several markers' marks of one piece of work come to.

    Attributes:
        percent: the mark, None while a marker is still needed.
        words: how it came about, or what is needed, with the markers' marks.
        how: how it came about without them, for the student.
    """

    percent: Decimal | None
    words: str
    how: str = ""


def band(percent: Decimal, boundaries: Sequence[Decimal]) -> int:
    """Which band a mark lies in: 0 below the first boundary; a mark on a boundary is in the band above it."""
    return bisect_right(boundaries, percent)


def agree(marks: Sequence[tuple[str, Decimal]], policy: MarkingPolicy) -> Agreed:
    """One mark from up to three markers', in the order in which they marked; in percent.

    Args:
        marks: (marker, mark) pairs.
    """
    shown = ", ".join(f"{marker} {plain(mark)}" for marker, mark in marks)
    if len(marks) < 2:
        return Agreed(None, f"a second marker is needed ({shown})" if marks else "nobody has marked it")
    rules, (first, second) = policy.second, (marks[0][1], marks[1][1])
    apart = abs(first - second) > rules.within
    bands = rules.same_band and band(first, policy.boundaries) != band(second, policy.boundaries)
    if not apart and not bands:
        with localcontext(EXACT):
            mark = first if rules.agreed == "first" else (first + second) / 2
        how = "first" if rules.agreed == "first" else "mean"
        return Agreed(mark, f"{how} of {shown}", f"{how} of two markers who agree")
    why = f"more than {plain(rules.within)} apart" if apart else "in different bands"
    if len(marks) < 3:
        return Agreed(None, f"a third marker is needed: {why} ({shown})")
    third = marks[2][1]
    if rules.third == "third":
        return Agreed(third, f"third marker's, the others {why}: {shown}", "of a third marker")
    nearest = second if abs(second - third) < abs(first - third) else first
    return Agreed(nearest, f"nearest to the third marker, the others {why}: {shown}", "of three markers, the nearer to the third")


@dataclass(frozen=True)
class Agreement:
    """How well two markings of the same pieces of work agree. None where there are too few, or all are alike.

    Attributes:
        mean_difference, low, high: first less second, and between which 95 % of differences lie.
        icc: ICC(2,1), absolute agreement of single marks.
        kappa: of bands, quadratic weights.
    """

    pairs: int
    mean_difference: float | None = None
    low: float | None = None
    high: float | None = None
    icc: float | None = None
    kappa: float | None = None


def agreement(pairs: Sequence[tuple[Decimal, Decimal]], boundaries: Sequence[Decimal]) -> Agreement:
    """The statistics of pairs of marks (first, second), in percent."""
    count = len(pairs)
    if count < 2:
        return Agreement(count)
    first, second = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    differences = [one - other for one, other in zip(first, second, strict=True)]
    mean, spread = fmean(differences), stdev(differences)
    bands = [(band(one, boundaries), band(other, boundaries)) for one, other in pairs]
    return Agreement(
        count, mean, mean - 1.96 * spread, mean + 1.96 * spread, _icc(first, second), _kappa(bands, len(boundaries) + 1)
    )


def _icc(first: Sequence[float], second: Sequence[float]) -> float | None:
    """ICC(2,1): two-way random effects, absolute agreement, single marks."""
    n, k = len(first), 2
    rows = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    columns = [fmean(first), fmean(second)]
    grand = fmean(rows)
    between = k * sum((row - grand) ** 2 for row in rows) / (n - 1)
    markers = n * sum((column - grand) ** 2 for column in columns) / (k - 1)
    whole = sum((mark - grand) ** 2 for mark in (*first, *second))
    left = (whole - between * (n - 1) - markers * (k - 1)) / ((n - 1) * (k - 1))
    below = between + (k - 1) * left + k * (markers - left) / n
    return (between - left) / below if below > 0 else None


def _kappa(bands: Sequence[tuple[int, int]], kinds: int) -> float | None:
    """Cohen's kappa with quadratic weights, of band numbers from 0."""
    count = len(bands)
    first = [sum(one == kind for one, _ in bands) / count for kind in range(kinds)]
    second = [sum(other == kind for _, other in bands) / count for kind in range(kinds)]
    observed = sum((one - other) ** 2 for one, other in bands) / count
    expected = sum((i - j) ** 2 * first[i] * second[j] for i in range(kinds) for j in range(kinds))
    return 1 - observed / expected if expected > 0 else None


@dataclass(frozen=True)
class Severity:
    """How much milder (+) or harder (-) than all together one marker is, in percentage points."""

    marker: str
    pieces: int
    effect: float

    @property
    def is_notable(self) -> bool:
        """Whether the module leader should look."""
        return abs(self.effect) > SEVERE and self.pieces >= ENOUGH


def severities(marks: Sequence[tuple[str, str, Decimal]]) -> tuple[Severity, ...]:
    """Each marker's effect b in mark = mean + piece of work + b, by least squares; effects sum to 0.

    Args:
        marks: (piece of work, marker, mark in percent); only pieces that several marked tell anything.
    """
    markers = sorted({marker for _, marker, _ in marks})
    pieces = sorted({piece for piece, _, _ in marks})
    if len(markers) < 2:
        return ()
    import numpy as np

    columns = {name: place for place, name in enumerate([*(("piece", p) for p in pieces), *(("marker", m) for m in markers)])}
    design = np.zeros((len(marks) + 1, len(columns)))
    for row, (piece, marker, _) in enumerate(marks):
        design[row, columns["piece", piece]] = design[row, columns["marker", marker]] = 1
    design[-1, len(pieces) :] = 1  # the effects sum to 0
    found = np.linalg.lstsq(design, np.array([*(float(mark) for *_, mark in marks), 0.0]), rcond=None)[0]
    return tuple(
        Severity(marker, sum(other == marker for _, other, _ in marks), float(found[columns["marker", marker]]))
        for marker in markers
    )


@dataclass(frozen=True)
class ErrorRate:
    """Errors among so many looked at, with exact 95 % bounds; after none in n the upper one is about 3 / n."""

    errors: int
    looked_at: int
    low: float
    high: float


def error_rate(errors: int, looked_at: int) -> ErrorRate:
    """Clopper-Pearson bounds; one-sided 95 % where there was no error, or nothing else."""
    from scipy.stats import beta

    if looked_at == 0:
        return ErrorRate(0, 0, 0.0, 1.0)
    tail = 0.05 if errors in (0, looked_at) else 0.025
    low = 0.0 if errors == 0 else float(beta.ppf(tail, errors, looked_at - errors + 1))
    high = 1.0 if errors == looked_at else float(beta.ppf(1 - tail, errors + 1, looked_at - errors))
    return ErrorRate(errors, looked_at, low, high)
