"""Scaling an assignment's marks: which functions are allowed, and what one would do to a cohort.

A function takes percent to percent, keeps the order of marks, leaves 0 at 0 and stays between 0 and 100. It looks at one
mark and nothing else: what a student gets never hangs on how others did, so fitting marks to a distribution is refused.

Sources:
    Exeter: monotone and defined on 0-100, such as +3 or x 0.96, never "+4 to fails only". Durham: rank is kept.
    Liverpool: new values for the boundaries, with linear interpolation between them. Warwick: no normalisation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from assessor.errors import AssessorError
from assessor.marking.acts import Scaled
from assessor.marking.exact import EXACT, HUNDRED, ZERO, plain

NUMBER = r"\d{1,3}(?:\.\d{1,4})?"
LINEAR = re.compile(rf"(?:({NUMBER})\s*\*\s*)?m\s*(?:([+-])\s*({NUMBER}))?")
KNOT = re.compile(rf"({NUMBER}):({NUMBER})")
FORMS = "'m + 3', '0.96 * m', '1.05 * m - 2', or what boundaries become: '45:50 58:60'"
NORMALISING = re.compile(r"normal|curve|gauss|rank|percentile|quantile|mean|median|average|sigma|std|sd\b|z-?score", re.I)


def read_scaling(formula: str) -> Scaled:
    """The function that a formula says.

    Raises:
        AssessorError: it is none of the forms, normalises, or breaks what a scaling must keep.
    """
    text = formula.strip()
    if NORMALISING.search(text):
        raise AssessorError(
            f"scaling {text!r}: refused: it would fit marks to a distribution, so that a student's mark hangs on the "
            f"others'; write a function of the mark alone: {FORMS}"
        )
    linear = LINEAR.fullmatch(text)
    if linear:
        return _linear(text, linear)
    parts = text.replace(",", " ").split()
    knots = [KNOT.fullmatch(part) for part in parts]
    if not knots or not all(knots):
        raise AssessorError(f"scaling {text!r}: not understood; write {FORMS}")
    return _piecewise(text, [(Decimal(knot[1]), Decimal(knot[2])) for knot in knots if knot])


def _linear(text: str, match: re.Match[str]) -> Scaled:
    factor = Decimal(match[1]) if match[1] else Decimal(1)
    shift = Decimal(f"{match[2]}{match[3]}") if match[2] else ZERO
    if factor == 0:
        raise AssessorError(f"scaling {text!r}: found a factor of 0; expected more, so that marks keep their order")

    def scaled(mark: Decimal) -> Decimal:
        return min(HUNDRED, max(ZERO, factor * mark + shift)) if mark else ZERO

    times = "m" if factor == 1 else f"{plain(factor)} x m"
    sign = "" if not shift else f" {match[2]} {plain(abs(shift))}"
    return Scaled(scaled, f"{times}{sign}")


def _piecewise(text: str, given: list[tuple[Decimal, Decimal]]) -> Scaled:
    """Straight lines through (0, 0), the knots and (100, 100)."""
    inner = [knot for knot in given if knot not in ((ZERO, ZERO), (HUNDRED, HUNDRED))]
    knots = [(ZERO, ZERO), *sorted(inner), (HUNDRED, HUNDRED)]
    for (low, low_to), (high, high_to) in pairwise(knots):
        if not (low < high and low_to < high_to):
            found = f"{plain(low)}:{plain(low_to)} and then {plain(high)}:{plain(high_to)}"
            raise AssessorError(
                f"scaling {text!r}: found {found}; expected both sides to rise from 0:0 to 100:100, so that marks keep "
                "their order"
            )
    starts = [low for low, _ in knots[:-1]]

    def scaled(mark: Decimal) -> Decimal:
        place = bisect_right(starts, mark) - 1
        (low, low_to), (high, high_to) = knots[place], knots[place + 1]
        with localcontext(EXACT):
            return low_to + (mark - low) * (high_to - low_to) / (high - low)

    return Scaled(scaled, ", ".join(f"{plain(low)} becomes {plain(to)}" for low, to in knots[1:-1]) + ", linear between")


@dataclass(frozen=True)
class Crossing:
    """How many marks a scaling takes over a boundary."""

    boundary: Decimal
    up: int
    down: int


@dataclass(frozen=True)
class Proposal:
    """What a scaling would do to a cohort's marks of one assignment, beside what they are.

    Attributes:
        raw, scaled: each student's marks, in one order, in percent.
        largest_change: of any student, with its sign.
        ks_distance: the largest gap between the two distributions, 0 to 1.
        merged: pairs of neighbouring marks that were two and become one (at 0 or 100); 0 where rank is kept wholly.
    """

    words: str
    raw: tuple[Decimal, ...]
    scaled: tuple[Decimal, ...]
    mean: Decimal
    scaled_mean: Decimal
    crossings: tuple[Crossing, ...]
    largest_change: Decimal
    ks_distance: Decimal
    merged: int


def propose(scaling: Scaled, raw: Sequence[Decimal], boundaries: Sequence[Decimal]) -> Proposal:
    """Works out what a scaling would do. `raw` are marks in percent; NS and held ones are not among them.

    Raises:
        AssessorError: there are no marks.
        ValueError: ours; the function broke what `read_scaling` promises.
    """
    if not raw:
        raise AssessorError("no marks to scale yet")
    after = tuple(scaling.of(mark) for mark in raw)
    pairs = sorted(zip(raw, after, strict=True))
    for (_, one), (_, other) in pairwise(pairs):
        if not ZERO <= one <= other <= HUNDRED:
            raise ValueError(f"{scaling.words}: does not keep the order of marks, or leaves 0 to 100")
    with localcontext(EXACT):
        count = len(raw)
        changes = [to - mark for mark, to in pairs]
        return Proposal(
            scaling.words, tuple(raw), after, sum(raw, ZERO) / count, sum(after, ZERO) / count,
            tuple(_crossing(boundary, pairs) for boundary in boundaries),
            max(changes, key=abs), _ks_distance(sorted(raw), sorted(after)),
            sum(a != b and x == y for (a, x), (b, y) in pairwise(pairs)),
        )  # fmt: skip


def _crossing(boundary: Decimal, pairs: Sequence[tuple[Decimal, Decimal]]) -> Crossing:
    return Crossing(
        boundary, sum(mark < boundary <= to for mark, to in pairs), sum(to < boundary <= mark for mark, to in pairs)
    )


def _ks_distance(one: Sequence[Decimal], other: Sequence[Decimal]) -> Decimal:
    """The largest difference of the two empirical distribution functions (Kolmogorov-Smirnov)."""
    gaps = (abs(bisect_right(one, mark) - bisect_right(other, mark)) for mark in {*one, *other})
    return Decimal(max(gaps)) / len(one)
