"""How a cohort's marks spread over bands, told so that no few students can be picked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from assessor.marking.exact import HUNDRED, ZERO, plain

FIVE = Decimal(5)
LEAST = 6
"""No number of students below this is told, a 0 neither."""


@dataclass(frozen=True)
class Band:
    """Marks from `low` on, and below `high` (the highest band: up to it), in percent, and how many students have one."""

    low: Decimal
    high: Decimal
    count: int

    def holds(self, mark: Decimal) -> bool:
        """Whether a mark lies in it."""
        return self.low <= mark < self.high or mark == self.high == HUNDRED

    @property
    def words(self) -> str:
        """Its name: 'below 40', '40 to below 50', '70 and above'."""
        if not self.low:
            return "all marks" if self.high == HUNDRED else f"below {plain(self.high)}"
        return f"{plain(self.low)} and above" if self.high == HUNDRED else f"{plain(self.low)} to below {plain(self.high)}"


def bands_of(marks: Sequence[Decimal], boundaries: Sequence[Decimal], least: int = LEAST) -> tuple[Band, ...]:
    """Counts marks by bands; bands with few students are joined to the next one until none has fewer than `least`.

    Joining leaves no cell blank, so that none can be worked out from the sum of the others. A cohort that is smaller than
    `least` has no bands at all.
    """
    if len(marks) < least:
        return ()
    return _joined(marks, [ZERO, *(edge for edge in boundaries if ZERO < edge < HUNDRED), HUNDRED], least)


def histogram(marks: Sequence[Decimal], width: Decimal = FIVE, least: int = LEAST) -> tuple[Band, ...]:
    """Counts marks by bins from the one that holds the lowest to the one that holds the highest, joined as `bands_of` does."""
    if len(marks) < least:
        return ()
    low, high = (min(mark // width * width, HUNDRED - width) for mark in (min(marks), max(marks)))
    return _joined(marks, [low + width * step for step in range(int((high - low) / width) + 2)], least)


def _joined(marks: Sequence[Decimal], edges: Sequence[Decimal], least: int) -> tuple[Band, ...]:
    joined: list[Band] = []
    for low, high in pairwise(edges):
        found = Band(low, high, sum(Band(low, high, 0).holds(mark) for mark in marks))
        if joined and joined[-1].count < least:
            last = joined.pop()
            found = Band(last.low, high, last.count + found.count)
        joined.append(found)
    if len(joined) > 1 and joined[-1].count < least:
        last, before = joined.pop(), joined.pop()
        joined.append(Band(before.low, last.high, before.count + last.count))
    return tuple(joined)
