"""Text from strangers on its way into a report: what may stay, and how numbers read."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

MAX_CHARACTERS = 4000
"""Longer texts are cut; a spreadsheet's cell ends at 32,767 characters and a page at a reader's patience."""

_NOT_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline: not allowed in XML, and can drive a terminal
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction overrides: a name must not turn the rest of its line around
    "\ud800-\udfff\ufffe\uffff]"  # halves of a surrogate pair and non-characters: cannot be written as UTF-8 or XML
)


def clean(text: object, *, limit: int = MAX_CHARACTERS) -> str:
    """Text that every format can hold, without characters that act rather than read; cut at `limit`."""
    shown = _NOT_TEXT.sub("", str(text).replace("\r\n", "\n"))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def one_line(text: object, *, limit: int = 500) -> str:
    """`clean` text with every run of white space as one space: for cells of a table."""
    return clean(" ".join(str(text).split()), limit=limit)


def plain(value: Decimal | None, places: int = 2) -> str:
    """A number for people: at most `places` decimals, half up, without trailing zeros; nothing for None."""
    if value is None:
        return ""
    shown = f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "0" if shown in ("-0", "") else shown


def fixed(value: Decimal | None, places: int = 2) -> str:
    """A number for a column: always `places` decimals, half up; nothing for None."""
    return "" if value is None else f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):f}"


def local_time(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the course's own time, with the zone's name: '2021-04-19 16:00:01 BST'."""
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
