"""The mark sheet as an XLSX workbook whose formulas are live: the board can change a cell and see the total follow.

Layout. "Module": one row a student, with each component's mark, the weighted total, the mark, the outcome and its code. A
sheet a component: for each item points, out of, percent, days late, factor, mark, attempt, status. "Provenance": where it
all comes from. "Changes", after a frozen sheet: what is no longer as it was. Rows find each other by the number in column
A, so that any sheet may be sorted or filtered by itself.

Beside every formula stands the value that `assessor.marking` gave, for viewers that do not calculate.

Text is written as strings only: nothing that a student typed can become a formula, a link or a number. Rows are
written through to disk as they come (`constant_memory`), to all sheets at once: memory does not grow with the cohort.
That mode wants every sheet's rows from top to bottom, which is why heads, rows and the closing set-up are three steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from assessor.files import replacing
from assessor.reports import xlsx_layout as layout
from assessor.reports.sheet import FAIL, MISSING, NOT_SUBMITTED, PENDING, REVIEW, STATES, Cell, Row, Sheet, notes
from assessor.reports.text import one_line
from assessor.reports.xlsx_layout import FIRST_ROW, GROUP_ROW, HEAD_ROW, PARTS, TITLE_ROW, WEIGHT_ROW, Place

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_xlsx(sheet: Sheet, rows: Iterable[Row], students: int, path: Path) -> None:
    """Writes the workbook, wholly or not at all.

    Args:
        students: how many rows there are; formulas name the range before the last row is known.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write.
        ValueError: ours; `students` is not the number of rows.
    """
    with replacing(path) as temporary:
        book = _Book(sheet, students, temporary)
        try:
            book.write_heads()
            written = 0
            for row in rows:
                book.write_row(written, row)
                written += 1
            book.write_provenance()
            book.write_changes()
            book.set_up()
        finally:
            _close(book.book)
        if written != students:
            raise ValueError(f"{written} rows came, {students} were announced")


def _close(book: Any) -> None:
    """Closes a workbook; its own error for a full disk becomes the system's."""
    try:
        book.close()
    except xlsxwriter.exceptions.FileCreateError as fault:
        cause = fault.args[0] if fault.args else None
        raise cause if isinstance(cause, OSError) else OSError(str(fault)) from fault


class _Page(Worksheet):  # type: ignore[misc]  # XlsxWriter carries no types here
    """A worksheet for our own formulas, which use no function younger than the file format.

    XlsxWriter looks for some thirty younger names in every formula: half the time of writing a large cohort.
    """

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        return formula.removeprefix("=")


class _Book:
    """One workbook on its way to disk."""

    def __init__(self, sheet: Sheet, students: int, path: Path) -> None:
        self.sheet = sheet
        self.last_row = FIRST_ROW + max(students, 1)  # of formulas, counted from 1
        self.book = xlsxwriter.Workbook(str(path), OPTIONS | {"tmpdir": str(path.parent)})
        self.book.set_properties(
            {"title": f"{sheet.code} mark sheet", "comments": f"{sheet.state.capitalize()}."}
        )
        self.formats = {name: self.book.add_format(given) for name, given in layout.FORMATS.items()}
        self.module = self.book.add_worksheet("Module", worksheet_class=_Page)
        self.places = layout.places_of(sheet)
        self.pages = [self.book.add_worksheet(place.sheet_name, worksheet_class=_Page) for place in self.places]
        self.identity_end = 1 + len(sheet.identity)
        self.total = self.identity_end + len(self.places)  # then mark, outcome, notes
        self.pass_cell = xl_rowcol_to_cell(WEIGHT_ROW, self.total + 2, row_abs=True, col_abs=True)

    # One cell

    def text(self, page: Any, row: int, column: int, text: object, style: str = "text") -> None:
        shown = one_line(text)
        if shown:
            page.write_string(row, column, shown, self.formats[style])

    def number(self, page: Any, row: int, column: int, value: Decimal | int | None, style: str) -> None:
        if value is not None:
            page.write_number(row, column, float(value), self.formats[style])

    def formula(
        self, page: Any, row: int, column: int, formula: str, value: Decimal | str | None, style: str, *, live: bool = True
    ) -> None:
        """A formula that comes to `value`; the value alone where no formula of these cells does."""
        if not live:
            if isinstance(value, str):
                self.text(page, row, column, value, style)
            else:
                self.number(page, row, column, value, style)
            return
        shown = "" if value is None else value if isinstance(value, str) else float(value)
        page.write_formula(row, column, formula, self.formats[style], shown)

    # Heads

    def write_heads(self) -> None:
        sheet = self.sheet
        kind = f"anonymous, {sheet.state}" if sheet.anonymous else sheet.state
        self.text(self.module, TITLE_ROW, 0, f"{sheet.code} {sheet.title}: mark sheet ({kind})", "title")
        self.text(self.module, WEIGHT_ROW, 0, "Weight, %", "lead")
        for index, component in enumerate(sheet.components):
            self.number(self.module, WEIGHT_ROW, self.identity_end + index, component.weight, "weight")
        self.text(self.module, WEIGHT_ROW, self.total + 1, "pass mark", "soft")
        self.number(self.module, WEIGHT_ROW, self.total + 2, sheet.pass_mark, "weight")
        self.text(self.module, GROUP_ROW, 0, f"Made {sheet.made}", "lead")
        self._identity_heads(self.module)
        heads = [*(component.name for component in sheet.components), "Total", "Mark"]
        for column, head in enumerate(heads, self.identity_end):
            self.text(self.module, HEAD_ROW, column, head, "head_number")
        self.text(self.module, HEAD_ROW, self.total + 2, "Outcome", "head")
        self.text(self.module, HEAD_ROW, self.total + 3, "Code", "head")
        self.text(self.module, HEAD_ROW, self.total + 4, "Notes", "head")
        for index in range(len(self.pages)):
            self._component_heads(index)

    def _component_heads(self, index: int) -> None:
        page, place, component = self.pages[index], self.places[index], self.sheet.components[index]
        weight = f"{component.weight:f} % of the module"
        self.text(page, TITLE_ROW, 0, f"{self.sheet.code}: {component.name} ({weight})", "title")
        self.text(page, WEIGHT_ROW, 0, "Weight within the component", "lead")
        for number, item in enumerate(component.items):
            self.number(page, WEIGHT_ROW, place.index(number, layout.MARK), item.weight, "weight")
        for number, item in enumerate(component.items):
            self.text(page, GROUP_ROW, place.index(number, 0), item.title, "group_first")
            for part in range(1, len(PARTS)):
                page.write_blank(GROUP_ROW, place.index(number, part), None, self.formats["group"])
        self._identity_heads(page)
        for number in range(len(component.items)):
            for part, head in enumerate(PARTS):
                style = {layout.POINTS: "head_first", layout.STATUS: "head"}.get(part, "head_number")
                self.text(page, HEAD_ROW, place.index(number, part), head, style)
        self.text(page, HEAD_ROW, place.mark_column, f"{component.name} mark", "head_number")

    def _identity_heads(self, page: Any) -> None:
        self.text(page, HEAD_ROW, 0, "No.", "head_number")
        for column, name in enumerate(self.sheet.identity, 1):
            self.text(page, HEAD_ROW, column, layout.IDENTITY_HEADS[name], "head")

    # Rows

    def write_row(self, position: int, row: Row) -> None:
        """Writes one student on every sheet. `position` counts from 0."""
        line = FIRST_ROW + position
        for page in (self.module, *self.pages):
            self.number(page, line, 0, position + 1, "integer")
            for column, text in enumerate(self.sheet.whose(row), 1):
                self.text(page, line, column, text)
        for place, page, cells, mark in zip(self.places, self.pages, row.cells, row.components, strict=True):
            for index, cell in enumerate(cells):
                self._write_cell(page, place, line, index, cell)
            self.formula(page, line, place.mark_column, place.component_formula(line + 1), mark, "component", live=row.plain)
        self._write_module_row(line, row)

    def _write_cell(self, page: Any, place: Place, line: int, index: int, cell: Cell) -> None:
        first = place.index(index, 0)
        if cell.points is None:
            page.write_blank(line, first + layout.POINTS, None, self.formats["first"])
        self.number(page, line, first + layout.POINTS, cell.points, "first")
        self.number(page, line, first + layout.OUT_OF, cell.out_of, "points")
        self.formula(
            page, line, first + layout.PERCENT, place.percent_formula(index, line + 1), cell.percent, "percent"
        )
        self.number(page, line, first + layout.DAYS, cell.days_late, "integer")
        self.number(page, line, first + layout.FACTOR, cell.factor, "factor")
        mark = place.mark_formula(index, line + 1)
        self.formula(page, line, first + layout.MARK, mark, cell.penalised, "percent", live=cell.by_factor)
        self.number(page, line, first + layout.ATTEMPT, cell.attempt, "integer")
        self.text(page, line, first + layout.STATUS, cell.status)

    def _write_module_row(self, line: int, row: Row) -> None:
        page, sheet = self.module, self.sheet
        for index, (place, mark) in enumerate(zip(self.places, row.components, strict=True)):
            formula = layout.lookup_formula(place, line + 1, self.last_row)
            self.formula(page, line, self.identity_end + index, formula, mark, "percent")
        columns = [xl_col_to_name(self.identity_end + index) for index in range(len(self.places))]
        self.formula(page, line, self.total, layout.weighted_mean(columns, line + 1), row.total, "total", live=row.plain)
        total, mark = (xl_rowcol_to_cell(line, self.total + offset) for offset in (0, 1))
        rounding = layout.rounding_formula(total, sheet.rounding, sheet.decimals)
        self.formula(page, line, self.total + 1, rounding, row.rounded, f"rounded_{sheet.decimals}", live=row.plain)
        outcome = layout.outcome_formula(mark, self.pass_cell)
        self.formula(page, line, self.total + 2, outcome, row.outcome, "text", live=row.plain)
        self.text(page, line, self.total + 3, row.code)
        self.text(page, line, self.total + 4, notes(sheet.components, row))

    # After the rows

    def write_provenance(self) -> None:
        page = self.book.add_worksheet("Provenance")
        page.set_column(0, 0, 30, self.formats["label"])
        page.set_column(1, 1, 110, self.formats["wrapped"])
        self.text(page, 0, 0, "Where this sheet comes from", "title")
        lines = [
            *self.sheet.provenance,
            *((f"Status {state}", meaning) for state, (meaning, _) in STATES.items()),
            *((f"Code {code}", meaning) for code, meaning in self.sheet.codes),
        ]
        for row, (label, text) in enumerate(lines, 2):
            self.text(page, row, 0, label, "label")
            self.text(page, row, 1, text, "wrapped")
        self._print_set_up(page, "Provenance")

    def write_changes(self) -> None:
        """What is no longer as it was when the sheet was frozen."""
        if not self.sheet.changes:
            return
        page = self.book.add_worksheet("Changes")
        heads = ("Student", "What", "Then", "Now", "Who, when, why")
        for column, (head, width) in enumerate(zip(heads, (18, 26, 14, 14, 90), strict=True)):
            page.set_column(column, column, width)
            self.text(page, 2, column, head, "head")
        self.text(page, 0, 0, "Changes since the sheet was frozen", "title")
        for line, change in enumerate(self.sheet.changes, 3):
            for column, text in enumerate((change.student, change.what, change.then, change.now, change.because)):
                self.text(page, line, column, text)
        page.freeze_panes(3, 0)
        self._print_set_up(page, "Changes")

    def set_up(self) -> None:
        """Freezes heads, sets filters, widths, printing, checks on entries and the formats that follow values."""
        last_column = self.total + 4
        self._frame(self.module, "Module", last_column)
        self.module.set_column(self.identity_end, self.total - 1, 11)
        self.module.set_column(self.total, self.total, 11)
        self.module.set_column(self.total + 1, self.total + 3, 10)
        self.module.set_column(last_column, last_column, 44)
        self._highlight(self.module, self.total + 1, self.total + 2, formula_column=self.total + 2)
        for place, page in zip(self.places, self.pages, strict=True):
            self._frame(page, place.sheet_name, place.mark_column)
            page.set_column(place.mark_column, place.mark_column, 11)
            page.fit_to_pages(max(1, (place.items + 1) // 2), 0)  # two items a page's width can still be read
            for index in range(place.items):
                self._item_set_up(page, place, index)

    def _frame(self, page: Any, name: str, last_column: int) -> None:
        page.freeze_panes(FIRST_ROW, self.identity_end)
        page.autofilter(HEAD_ROW, 0, self.last_row - 1, last_column)
        page.set_column(0, 0, 6)
        for column, identity in enumerate(self.sheet.identity, 1):
            page.set_column(column, column, layout.IDENTITY_WIDTHS[identity])
        self._print_set_up(page, name)
        page.repeat_rows(WEIGHT_ROW, HEAD_ROW)
        page.repeat_columns(0, self.identity_end - 1)

    def _print_set_up(self, page: Any, name: str) -> None:
        page.set_landscape()
        page.set_paper(9)  # A4
        page.set_margins(left=0.5, right=0.5, top=0.7, bottom=0.7)
        page.fit_to_pages(1, 0)
        course, shown = (text.replace("&", "&&") for text in (one_line(self.sheet.code), one_line(name)))
        page.set_header(f"&L{course} mark sheet, {self.sheet.state}&R{shown}")
        page.set_footer(f"&LMade {self.sheet.made.replace('&', '&&')}&RPage &P of &N")

    def _item_set_up(self, page: Any, place: Place, index: int) -> None:
        for part, width in enumerate(layout.PART_WIDTHS):
            page.set_column(place.index(index, part), place.index(index, part), width)
        first, last = FIRST_ROW, self.last_row - 1
        checks: dict[int, tuple[dict[str, Any], str]] = {
            layout.DAYS: ({"validate": "integer", "criteria": ">=", "value": 0}, "Whole working days, 0 or more."),
            layout.FACTOR: ({"validate": "decimal", "criteria": "between", "minimum": 0, "maximum": 1}, "From 0 to 1."),
            layout.STATUS: ({"validate": "list", "source": list(STATES)}, f"One of: {', '.join(STATES)}."),
            layout.POINTS: (
                {
                    "validate": "decimal",
                    "criteria": "between",
                    "minimum": 0,
                    "maximum": f"={xl_rowcol_to_cell(first, place.index(index, layout.OUT_OF))}",
                },
                "From 0 to what there was to get.",
            ),
        }
        for part, (rule, message) in checks.items():
            column = place.index(index, part)
            words = {"error_title": "Not possible", "error_message": message}
            page.data_validation(first, column, last, column, rule | words)
        self._highlight(page, place.index(index, layout.MARK), place.index(index, layout.STATUS))

    def _highlight(self, page: Any, first_column: int, last_column: int, formula_column: int | None = None) -> None:
        """Tints a range by the word in its last column, or in `formula_column`."""
        word = xl_rowcol_to_cell(FIRST_ROW, formula_column or last_column, col_abs=True)
        styles = {FAIL: "fail", PENDING: "wait", REVIEW: "wait", MISSING: "wait", NOT_SUBMITTED: "nothing"}
        for state, style in styles.items():
            rule = {"type": "formula", "criteria": f'={word}="{state}"', "format": self.formats[style]}
            page.conditional_format(FIRST_ROW, first_column, self.last_row - 1, last_column, rule)
