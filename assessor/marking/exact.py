"""Exact arithmetic of marks, and how a number reads in a line of working."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import lru_cache

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
EXACT = Context(prec=50)
"""Thirds do not end: fifty digits are kept through every step, and one rounding is made at the end."""
_NOISE = Decimal("1e-40")
"""Far above what fifty digits lose, far below what two different marks can differ by."""
_SHOWN = Decimal("0.0001")
ROUNDINGS = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "truncate": ROUND_DOWN}


def round_once(value: Decimal, rounding: str = "half_up", places: int = 0) -> Decimal:
    """To so many places; exactly half is half also where a division left digits after the fortieth."""
    with localcontext(EXACT):
        return value.quantize(_NOISE, ROUND_HALF_UP).quantize(ONE.scaleb(-places), ROUNDINGS[rounding])


@lru_cache(maxsize=65_536)
def plain(value: Decimal) -> str:
    """A number for a line of working: at most four places, no trailing zeros. A cohort's marks are few numbers."""
    with localcontext(EXACT):
        text = f"{value.quantize(_SHOWN, ROUND_HALF_UP).normalize():f}"
    return text if text != "-0" else "0"
