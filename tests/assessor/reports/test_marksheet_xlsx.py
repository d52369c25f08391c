from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
import zipfile
from dataclasses import replace
from decimal import Decimal

import openpyxl
import pytest

from assessor.reports.marksheet_xlsx import write_xlsx
from assessor.reports.sheet import MARKED
from assessor.reports.xlsx_layout import rounding_formula, sheet_names

FIRST = 5  # first row of data, counted from 1


@pytest.fixture
def opened(sheet, rows, half_way, tmp_path):
    rows = [*rows, half_way]
    path = tmp_path / "marksheet.xlsx"
    write_xlsx(sheet, rows, len(rows), path)
    return rows, openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)


def formulas(book):
    for page in book:
        for line in page.iter_rows():
            for cell in line:
                if cell.data_type == "f":
                    yield page.title, cell.coordinate, cell.value


def same(left, right) -> bool:
    left, right = (None if side == "" else side for side in (left, right))
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return abs(Decimal(left) - Decimal(right)) < Decimal("1e-11")
    return left == right


def test_every_formula_gives_the_value_that_stands_beside_it(opened, recompute):
    _, book, values = opened
    sums = recompute(book)
    checked = 0
    for page, cell, _ in formulas(book):
        assert same(sums.value(page, cell), values[page][cell].value), (page, cell)
        checked += 1
    assert checked > 41 * 15


def test_the_value_beside_each_module_formula_is_the_decimal_of_marking(opened):
    rows, _, values = opened
    for line, row in enumerate(rows, FIRST):
        found = [cell.value for cell in values["Module"][line]]
        expected = [*row.components, row.total, row.rounded, row.outcome]
        assert all(same(a, b) for a, b in zip(found[4:10], expected, strict=True)), (row, found)


def test_the_value_beside_each_item_formula_is_the_decimal_of_marking(opened):
    rows, _, values = opened
    for line, row in enumerate(rows, FIRST):
        found = [cell.value for cell in values["labs"][line]][4:]
        for index, cell in enumerate(row.cells[0]):
            group = found[index * 8 : index * 8 + 8]
            expected = [cell.points, cell.out_of, cell.percent, cell.days_late, cell.factor, cell.penalised]
            expected += [cell.attempt, cell.status]
            assert all(same(a, b) for a, b in zip(group, expected, strict=True)), (expected, group)
        assert same(found[-1], row.components[0])


def test_a_half_that_binary_numbers_miss_is_rounded_up(opened, recompute):
    rows, book, values = opened
    line = FIRST + len(rows) - 1
    assert rows[-1].total == Decimal("59.5")
    assert values["Module"][f"I{line}"].value == 60
    assert recompute(book).value("Module", f"I{line}") == 60


def test_a_changed_point_moves_the_total_and_the_outcome(opened, recompute):
    rows, book, _ = opened
    line = FIRST + len(rows) - 1
    book["project"][f"E{line}"].value = 0
    sums = recompute(book)
    assert sums.value("Module", f"H{line}") == pytest.approx(0.4 * 41.75 + 0.2 * 49.5)
    assert sums.value("Module", f"J{line}") == "F"


def test_a_changed_weight_and_pass_mark_count(opened, recompute):
    rows, book, _ = opened
    line = FIRST + len(rows) - 1
    book["Module"]["E2"].value, book["Module"]["F2"].value, book["Module"]["J2"].value = 80, 0, 45
    sums = recompute(book)
    assert sums.value("Module", f"H{line}") == pytest.approx(0.8 * 41.75 + 0.2 * 49.5)
    assert sums.value("Module", f"J{line}") == "F"
    book["Module"]["J2"].value = 43
    assert recompute(book).value("Module", f"J{line}") == "P"


def test_a_sorted_component_sheet_still_gives_each_student_their_own_mark(opened, recompute):
    rows, book, values = opened
    page = book["project"]
    lines = [[cell.value for cell in line] for line in page.iter_rows(min_row=FIRST, max_row=FIRST + len(rows) - 1)]
    expected = [values["project"].cell(FIRST + n, len(lines[0])).value for n in range(len(rows))]
    for offset, line in enumerate(reversed(lines)):
        for column, value in enumerate(line[:-1], 1):
            page.cell(FIRST + offset, column).value = value if not str(value).startswith("=") else None
        page.cell(FIRST + offset, len(line)).value = expected[len(rows) - 1 - offset]
    sums = recompute(book)
    assert [sums.value("Module", f"F{FIRST + n}") for n in range(len(rows))] == expected


def test_text_of_students_is_text_and_never_a_formula_link_or_number(opened, tmp_path):
    rows, book, _ = opened
    for line, row in enumerate(rows, FIRST):
        for page in ("Module", "labs", "project", "quizzes"):
            cell = book[page][f"C{line}"]
            assert (cell.data_type, cell.value, cell.hyperlink) == ("s", row.name, None)
    assert [cell.data_type for cell in book["Provenance"]["B"] if str(cell.value).startswith("=")] == ["s"]
    with zipfile.ZipFile(tmp_path / "marksheet.xlsx") as parts:
        assert not any("externalLink" in name or "vba" in name.lower() for name in parts.namelist())
        assert not any(b"hyperlink" in parts.read(name) for name in parts.namelist())


def test_only_our_own_functions_stand_in_formulas(opened):
    _, book, _ = opened
    used = {name for _, _, formula in formulas(book) for name in re.findall(r"([A-Z]+)\(", formula)}
    assert used <= {"IF", "COUNT", "INDEX", "MATCH", "ROUND", "ROUNDDOWN", "MOD"}


def test_ns_zero_and_missing_are_three_things(sheet, tmp_path, make):
    cells = [
        make.cell(None, Decimal(8), "NS"),
        make.cell(Decimal(0), Decimal(8), MARKED),
        make.cell(None, Decimal(8), "missing"),
    ]
    full = make.cell(Decimal(8), Decimal(8), MARKED)
    rows = [make.row(sheet, n, "x", ((cell, full), (full,), (full, full))) for n, cell in enumerate(cells, 1)]
    write_xlsx(sheet, rows, 3, tmp_path / "m.xlsx")
    values = openpyxl.load_workbook(tmp_path / "m.xlsx", data_only=True)
    labs = values["labs"]
    assert [labs[f"E{line}"].value for line in (5, 6, 7)] == [None, 0, None]
    assert [labs[f"J{line}"].value or None for line in (5, 6)] == [None, None]
    assert [labs[f"L{line}"].value for line in (5, 6, 7)] == ["NS", MARKED, "missing"]
    assert [values["Module"][f"J{line}"].value for line in (5, 6, 7)] == ["P", "P", "pending"]
    assert [values["Module"][f"L{line}"].value for line in (5, 6, 7)] == ["NS: lab1", None, "missing: lab1"]


def test_an_anonymous_workbook_holds_no_name_and_no_student_id(sheet, rows, tmp_path, recompute):
    path = tmp_path / "a.xlsx"
    write_xlsx(replace(sheet, anonymous=True), rows, len(rows), path)
    with zipfile.ZipFile(path) as parts:
        everything = b"".join(parts.read(name) for name in parts.namelist()).decode()
    assert rows[0].marking_id in everything
    assert not any(row.student in everything or "O'Neill" in everything or "李小龍" in everything for row in rows)
    book, values = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    sums = recompute(book)
    for page, cell, _ in formulas(book):
        assert same(sums.value(page, cell), values[page][cell].value), (page, cell)


def test_heads_are_frozen_filtered_and_repeated_in_landscape_print(opened):
    _, book, _ = opened
    for page in ("Module", "labs", "project", "quizzes"):
        assert book[page].freeze_panes == "E5"
        assert book[page].auto_filter.ref.startswith("A4:")
        assert book[page].page_setup.orientation == "landscape"
        assert book[page].print_title_rows == "$2:$4"


def test_entries_are_checked_and_states_are_tinted(opened):
    _, book, _ = opened
    checks = book["labs"].data_validations.dataValidation
    assert {check.type for check in checks} == {"whole", "decimal", "list"}
    assert book["Module"].conditional_formatting
    assert book["labs"].conditional_formatting


def test_an_empty_course_still_gives_a_workbook(sheet, tmp_path):
    write_xlsx(sheet, [], 0, tmp_path / "m.xlsx")
    assert openpyxl.load_workbook(tmp_path / "m.xlsx").sheetnames == [
        "Module",
        "labs",
        "project",
        "quizzes",
        "Provenance",
    ]


def test_a_wrong_count_of_students_leaves_no_file(sheet, rows, tmp_path):
    with pytest.raises(ValueError, match="40 rows came, 39 were announced"):
        write_xlsx(sheet, rows, 39, tmp_path / "m.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_half_way_leaves_the_old_file_as_it_was(sheet, rows, tmp_path):
    path = tmp_path / "m.xlsx"
    path.write_bytes(b"old")

    def broken():
        yield from rows[:20]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_xlsx(sheet, broken(), len(rows), path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["m.xlsx"]


def test_sheet_names_are_such_as_a_workbook_takes():
    made = sheet_names(["labs", "LABS", "Module", "a/b:c*d?e[f]g\\h", "x" * 50, "x" * 50, "'", ""])
    assert len({name.lower() for name in made}) == len(made)
    assert all(0 < len(name) <= 31 and not set(name) & set("[]:*?/\\") and name.strip("'") == name for name in made)
    assert made[2] != "Module"


@pytest.mark.parametrize(
    ("rounding", "places", "total", "expected"),
    [
        ("half_up", 0, 64.5, 65),
        ("half_up", 0, 64.49, 64),
        ("half_up", 1, 69.95, 70.0),
        ("half_even", 0, 64.5, 64),
        ("half_even", 0, 65.5, 66),
        ("half_even", 0, 59.49999999999999, 60),
        ("truncate", 1, 69.96, 69.9),
        ("truncate", 0, 69.96, 69),
    ],
)
def test_each_rounding_has_a_formula(rounding, places, total, expected, recompute):
    book = openpyxl.Workbook()
    page = book.active
    page["A1"], page["B1"] = total, rounding_formula("A1", rounding, places)
    assert recompute(book).value(page.title, "B1") == expected


def test_an_unknown_rounding_is_refused():
    with pytest.raises(ValueError, match="upwards"):
        rounding_formula("A1", "upwards", 0)


def test_memory_does_not_grow_with_the_cohort(sheet, tmp_path, make):
    peaks = []
    for students in (100, 800):
        rows = make.rows(sheet, students)
        tracemalloc.start()
        write_xlsx(sheet, iter(rows), students, tmp_path / "m.xlsx")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 200_000


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_recomputes_the_same_values(opened, tmp_path):
    """A real spreadsheet program calculates everything anew: the values are removed before it opens the file."""
    _, book, values = opened
    book.save(tmp_path / "bare.xlsx")  # openpyxl writes formulas without values
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [
        "soffice",
        profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        "out",
        "bare.xlsx",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    again = openpyxl.load_workbook(tmp_path / "out" / "bare.xlsx", data_only=True)
    for page, cell, _ in formulas(book):
        assert same(again[page][cell].value, values[page][cell].value), (page, cell)
