"""Where everything stands in the mark sheet's workbook, how it looks, and the formulas that join it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xlsxwriter.utility import xl_col_to_name

from assessor.reports.sheet import FAIL, NOT_SUBMITTED, PASS, PENDING, Sheet
from assessor.reports.text import one_line

TITLE_ROW, WEIGHT_ROW, GROUP_ROW, HEAD_ROW, FIRST_ROW = range(5)
PARTS = ("Points", "Out of", "Percent", "Days late", "Factor", "Mark", "Attempt", "Status")
POINTS, OUT_OF, PERCENT, DAYS, FACTOR, MARK, ATTEMPT, STATUS = range(len(PARTS))
PART_WIDTHS = (8, 7.5, 9, 6, 7, 9, 8, 9)
IDENTITY_HEADS = {"student": "Student", "name": "Name", "marking_id": "Marking id"}
IDENTITY_WIDTHS = {"student": 15, "name": 26, "marking_id": 13}

INK, SOFT, BAND, LINE = "#1C2430", "#5A6675", "#F1F4F8", "#B9C2CC"
HEAD = {"bold": True, "bg_color": BAND, "bottom": 1, "bottom_color": LINE, "text_wrap": True, "valign": "bottom"}
FORMATS: dict[str, dict[str, Any]] = {
    "text": {"align": "left", "indent": 1},
    "title": {"bold": True, "font_size": 14, "font_color": INK},
    "lead": {"font_color": SOFT, "italic": True},
    "group": {"bold": True, "bg_color": BAND, "font_color": INK},
    "group_first": {"bold": True, "bg_color": BAND, "font_color": INK, "left": 1, "left_color": LINE},
    "head": HEAD | {"align": "left", "indent": 1},
    "head_number": HEAD | {"align": "right"},
    "head_first": HEAD | {"align": "right", "left": 1, "left_color": LINE},
    "integer": {"num_format": "0"},
    "points": {"num_format": "0.00"},
    "first": {"num_format": "0.00", "left": 1, "left_color": LINE},
    "percent": {"num_format": "0.00"},
    "factor": {"num_format": "0.00"},
    "weight": {"num_format": "0.##", "font_color": SOFT, "align": "right"},
    "soft": {"font_color": SOFT, "align": "right"},
    "component": {"num_format": "0.00", "bold": True},
    "total": {"num_format": "0.0000"},
    "rounded_0": {"num_format": "0", "bold": True},
    "rounded_1": {"num_format": "0.0", "bold": True},
    "rounded_2": {"num_format": "0.00", "bold": True},
    "label": {"bold": True, "valign": "top"},
    "wrapped": {"text_wrap": True, "valign": "top"},
    # Words carry the meaning; colours only help to find them (orange, yellow and grey differ in lightness too).
    "fail": {"bg_color": "#F8D3BC", "font_color": "#7A2B00", "bold": True},
    "wait": {"bg_color": "#FFF2CC", "font_color": "#6B4A00"},
    "nothing": {"bg_color": "#E3E7EC", "font_color": "#3F4954", "italic": True},
}


@dataclass(frozen=True)
class Place:
    """Where a component's sheet keeps things. Columns count from 0, rows of formulas from 1 as a spreadsheet's do."""

    sheet_name: str
    first_item: int
    items: int

    @property
    def mark_column(self) -> int:
        """Column of the component's mark, after the last item."""
        return self.first_item + self.items * len(PARTS)

    @property
    def quoted(self) -> str:
        """The sheet's name as formulas want it."""
        return "'" + self.sheet_name.replace("'", "''") + "'"

    def index(self, item: int, part: int) -> int:
        """Column of one part of one item."""
        return self.first_item + item * len(PARTS) + part

    def percent_formula(self, item: int, row: int) -> str:
        """Points as percent of what there was to get; empty without points."""
        points, out_of = (xl_col_to_name(self.index(item, part)) for part in (POINTS, OUT_OF))
        return f'=IF({points}{row}="","",{points}{row}/{out_of}{row}*100)'

    def mark_formula(self, item: int, row: int) -> str:
        """Percent after lateness; 0 where nothing was handed in; empty while there is no mark."""
        percent, factor, status = (xl_col_to_name(self.index(item, part)) for part in (PERCENT, FACTOR, STATUS))
        return f'=IF({status}{row}="{NOT_SUBMITTED}",0,IF({percent}{row}="","",{percent}{row}*{factor}{row}))'

    def component_formula(self, row: int) -> str:
        """Weighted mean of the items' marks; empty while one is missing."""
        columns = [xl_col_to_name(self.index(item, MARK)) for item in range(self.items)]
        return weighted_mean(columns, row)


def weighted_mean(columns: list[str], row: int) -> str:
    """Mean of the row's cells in `columns`, weighted by the weight row; empty while one of them is."""
    if not columns:
        return '=""'
    weight = WEIGHT_ROW + 1
    count = "+".join(f"COUNT({column}{row})" for column in columns)
    above = "+".join(f"{column}${weight}*{column}{row}" for column in columns)
    below = "+".join(f"{column}${weight}" for column in columns)
    return f'=IF({count}<{len(columns)},"",({above})/({below}))'


def lookup_formula(place: Place, row: int, last_row: int) -> str:
    """A component's mark of the student in `row` of the Module sheet, found by the number in column A."""
    first, column = FIRST_ROW + 1, xl_col_to_name(place.mark_column)
    return (
        f"=INDEX({place.quoted}!${column}${first}:${column}${last_row},"
        f"MATCH($A{row},{place.quoted}!$A${first}:$A${last_row},0))"
    )


def rounding_formula(cell: str, rounding: str, places: int) -> str:
    """Rounds `cell` once, as the policy says; an empty total stays empty.

    A spreadsheet counts in binary. The inner ROUND to 10 places keeps a half that is exact in decimals exact:
    0.4 × 41.75 + 0.4 × 82.25 + 0.2 × 49.5 is 59.5, in binary 59.49999999999999.

    Raises:
        ValueError: ours; a policy that has no formula.
    """
    exact = f"ROUND({cell},10)"
    if rounding == "half_up":
        rounded = f"ROUND({exact},{places})"
    elif rounding == "truncate":
        rounded = f"ROUNDDOWN({exact},{places})"
    elif rounding == "half_even":
        tie = f"MOD(ROUND({exact}*10^{places},9),2)=0.5"
        rounded = f"IF({tie},ROUNDDOWN({exact},{places}),ROUND({exact},{places}))"
    else:
        raise ValueError(f"no formula for rounding {rounding!r}")
    return f'=IF({cell}="","",{rounded})'


def outcome_formula(mark: str, pass_mark: str) -> str:
    """Pass, fail, or pending while there is no mark."""
    return f'=IF({mark}="","{PENDING}",IF({mark}>={pass_mark},"{PASS}","{FAIL}"))'


def sheet_names(names: Iterable[str]) -> list[str]:
    """Names that a workbook accepts, each once: at most 31 characters, no brackets, none of :*?/\\, none reserved."""
    taken, made = {"module", "provenance", "changes", "history"}, []
    for name in names:
        plain = "".join(" " if letter in "[]:*?/\\(){}" else letter for letter in one_line(name))
        base = plain.strip(" '")[:27].strip(" '") or "Component"
        candidate, count = base, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{base} {count}"
        taken.add(candidate.lower())
        made.append(candidate)
    return made


def places_of(sheet: Sheet) -> list[Place]:
    """A place a component: after the number and the columns that say whose row it is."""
    first = 1 + len(sheet.identity)
    names = sheet_names(component.name for component in sheet.components)
    return [Place(name, first, len(part.items)) for name, part in zip(names, sheet.components, strict=True)]
