"""The mark sheet as data: what the XLSX, CSV, HTML and PDF writers all show, already decided and worked out.

Writers only lay out. No arithmetic of marks happens here or in them: every number comes from `assessor.marking`, and
the formulas in the XLSX stand beside the value that marking gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from statistics import mean, median
from typing import NamedTuple

MARKED, NOT_SUBMITTED, REVIEW, MISSING = "marked", "NS", "review", "missing"
WAIVED, DEFERRED, HELD = "waived", "deferred", "held"
"""The states of one item. NS (nothing handed in), a mark of 0 and a mark that is still missing are three things."""

STATES: dict[str, tuple[str, str]] = {
    MARKED: ("marked", "good"),
    NOT_SUBMITTED: ("NS: nothing handed in", "bad"),
    REVIEW: ("review: a person must look before there is a mark", "wait"),
    MISSING: ("missing: not marked or not imported yet", "wait"),
    WAIVED: ("waived: excused by the board, does not count", "note"),
    DEFERRED: ("deferred: the first attempt is still to come", "wait"),
    HELD: ("held: not decided yet", "wait"),
}
"""For each state its meaning in words and the class of its tag."""

PASS, FAIL, PENDING = "P", "F", "pending"
"""Outcomes: the rounded mark reaches the pass mark, does not, or cannot be worked out yet."""


@dataclass(frozen=True)
class Item:
    """One assessed item: a column group. `weight` is its part of its component, on any scale."""

    name: str
    title: str
    weight: Decimal


@dataclass(frozen=True)
class Component:
    """One component of the module. `weight` is in percent of the module."""

    name: str
    weight: Decimal
    items: tuple[Item, ...]


class Cell(NamedTuple):
    """One student's result for one item.

    Attributes:
        points: raw, or None where there is none.
        percent: of `out_of`, before lateness; penalised: after. Both unrounded.
        factor: what lateness leaves of the mark, 0 to 1.
        extended: whether the student had more time; never why.
        remarks: what people decided about it, in a word or two each.
        by_factor: whether `penalised` is `percent` x `factor` and nothing else; only then can a formula say it.
    """

    points: Decimal | None
    out_of: Decimal
    percent: Decimal | None
    days_late: int
    factor: Decimal
    penalised: Decimal | None
    attempt: int | None
    status: str
    extended: bool = False
    by_factor: bool = True
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One student. `cells` holds a tuple a component, in the sheet's order.

    Attributes:
        plain: whether components are the means of all their cells, the total their weighted sum, and the mark that total
            rounded; where the board or a rule made it otherwise, no formula can say it, and values stand alone.
        code: the outcome in the regulations' words, as the course names it.
        remarks: what was decided about the module as a whole.
    """

    student: str
    name: str
    marking_id: str
    cells: tuple[tuple[Cell, ...], ...]
    components: tuple[Decimal | None, ...]
    total: Decimal | None
    rounded: Decimal | None
    outcome: str
    plain: bool = True
    code: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One value that is no longer as it was in the frozen sheet; who, when and why as far as it is on record."""

    student: str
    what: str
    then: str
    now: str
    because: str


@dataclass(frozen=True)
class Sheet:
    """All of a mark sheet but its rows, which come one at a time so that memory need not grow with the cohort.

    Attributes:
        rounding: how the total is rounded, once, at the end: 'half_up', 'half_even' or 'truncate'.
        decimals: places that are left by it.
        provenance: (label, text) lines: where the sheet comes from.
        codes: outcome codes and their meaning.
        state: 'provisional', or 'final' where it was frozen for the board.
        changes: what is different from the frozen sheet, a line each.
    """

    code: str
    title: str
    made: str
    pass_mark: Decimal
    rounding: str
    decimals: int
    components: tuple[Component, ...]
    provenance: tuple[tuple[str, str], ...]
    anonymous: bool = False
    codes: tuple[tuple[str, str], ...] = ()
    state: str = "provisional"
    changes: tuple[Change, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """Names of the columns that say whose row it is."""
        return ("marking_id",) if self.anonymous else ("student", "name", "marking_id")

    def whose(self, row: Row) -> tuple[str, ...]:
        """The values of those columns. An anonymous sheet has no other way to a student's id or name."""
        return tuple(getattr(row, column) for column in self.identity)


@dataclass(frozen=True)
class Summary:
    """Counts and the spread of a cohort's marks. Mean and median are of the rounded marks that there are."""

    students: int
    outcomes: Counter[str]
    states: Counter[str]
    mean: Decimal | None
    median: Decimal | None


def summarise(rows: Iterable[Row]) -> Summary:
    """Counts a cohort."""
    students, outcomes, states = 0, Counter[str](), Counter[str]()
    marks: list[Decimal] = []
    for row in rows:
        students += 1
        outcomes[row.outcome] += 1
        states.update(cell.status for cells in row.cells for cell in cells)
        if row.rounded is not None:
            marks.append(row.rounded)
    return Summary(students, outcomes, states, mean(marks) if marks else None, median(marks) if marks else None)


def notes(components: Iterable[Component], row: Row) -> str:
    """What a reader of a row should know, in words: 'review: lab1; NS: quiz1; extended: lab2'; '' for a plain one."""
    found: dict[str, list[str]] = {}
    for component, cells in zip(components, row.cells, strict=True):
        for item, cell in zip(component.items, cells, strict=True):
            if cell.status != MARKED:
                found.setdefault(cell.status, []).append(item.name)
            if cell.extended:
                found.setdefault("extended", []).append(item.name)
            for remark in cell.remarks:
                found.setdefault(remark, []).append(item.name)
    return "; ".join([*row.remarks, *(f"{state}: {', '.join(names)}" for state, names in sorted(found.items()))])
