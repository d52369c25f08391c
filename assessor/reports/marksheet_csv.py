"""The mark sheet as CSV: plain columns for other programs, safe to open in a spreadsheet.

Columns, one row a student, in this order:

    student, name        not in an anonymous sheet
    marking_id
    for each item I:     I points, I out of, I percent, I days late, I factor, I mark, I attempt, I status,
                         I extended (yes or empty)
    for each component:  its name and weight, e.g. "labs (40 %)": percent, unrounded
    total                weighted, unrounded;   mark: rounded once;   outcome: P, F or pending
    code                 the outcome in the regulations' words (P, F, R, NS, ...);   notes: what a reader should know

Numbers have a full stop, up to ten decimals and no thousands separator; an empty cell is 'no value', never 0.
Encoding: UTF-8 with a byte order mark, since a spreadsheet takes the file for a Windows code page without one and
spoils names; Python reads it back with encoding='utf-8-sig'. Lines end in CR LF (RFC 4180). A text that a spreadsheet
would take for a formula is preceded by an apostrophe. Rows are written as they come: memory does not grow with the
cohort.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from assessor.files import replacing
from assessor.reports.sheet import Cell, Row, Sheet, notes
from assessor.reports.text import one_line, plain

FORMULA_STARTS = frozenset("=+-@\t\r\n|%＝＋－＠")
"""What a spreadsheet may take for the beginning of a formula; the last four are full-width forms."""


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    Source: OWASP, CSV Injection.
    """
    shown = one_line(text)
    return f"'{shown}" if text[:1] in FORMULA_STARTS or shown[:1] in FORMULA_STARTS else shown


def number(value: Decimal | int | None) -> str:
    """A number in plain digits, to ten places; '' for None."""
    return plain(value, 10) if isinstance(value, Decimal) else "" if value is None else str(value)


def header(sheet: Sheet) -> list[str]:
    """Names of the columns."""
    parts = ("points", "out of", "percent", "days late", "factor", "mark", "attempt", "status", "extended")
    columns = list(sheet.identity)
    columns += [f"{item.name} {part}" for component in sheet.components for item in component.items for part in parts]
    columns += [f"{component.name} ({component.weight:f} %)" for component in sheet.components]
    return [guarded(column) for column in (*columns, "total", "mark", "outcome", "code", "notes")]


def cell_values(cell: Cell) -> tuple[str, ...]:
    """One item's nine values."""
    return (
        number(cell.points),
        number(cell.out_of),
        number(cell.percent),
        number(cell.days_late),
        number(cell.factor),
        number(cell.penalised),
        number(cell.attempt),
        guarded(cell.status),
        "yes" if cell.extended else "",
    )


def row_values(sheet: Sheet, row: Row) -> list[str]:
    """One student's values."""
    values = [guarded(text) for text in sheet.whose(row)]
    for cells in row.cells:
        for cell in cells:
            values += cell_values(cell)
    values += [number(mark) for mark in row.components]
    remarks = guarded(notes(sheet.components, row))
    return [*values, number(row.total), number(row.rounded), guarded(row.outcome), guarded(row.code), remarks]


def lines(sheet: Sheet, rows: Iterable[Row]) -> Iterator[list[str]]:
    """Header and rows, one at a time."""
    yield header(sheet)
    for row in rows:
        yield row_values(sheet, row)


def write_csv(sheet: Sheet, rows: Iterable[Row], path: Path) -> None:
    """Writes the sheet, wholly or not at all.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines(sheet, rows))
