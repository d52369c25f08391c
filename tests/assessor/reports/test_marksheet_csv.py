from __future__ import annotations

import csv
import tracemalloc
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.reports.marksheet_csv import FORMULA_STARTS, guarded, header, write_csv


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(sheet, rows, tmp_path):
    write_csv(sheet, rows, tmp_path / "m.csv")
    return tmp_path / "m.csv"


def test_numbers_are_exact_and_an_empty_cell_is_no_value(sheet, rows, written):
    for found, row in zip(read(written), rows, strict=True):
        for key, value in (("total", row.total), ("mark", row.rounded), ("labs (40 %)", row.components[0])):
            assert (Decimal(found[key]) if found[key] else None) == value
        cell = row.cells[0][0]
        assert (Decimal(found["lab1 points"]) if found["lab1 points"] else None) == cell.points
        assert (found["lab1 status"], found["outcome"]) == (cell.status, row.outcome)


def test_a_spreadsheet_sees_utf_8_and_line_ends_of_rfc_4180(written):
    data = written.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 41


def test_columns_are_named_once_each(sheet):
    names = header(sheet)
    assert len(set(names)) == len(names)
    assert names[:5] == ["student", "name", "marking_id", "lab1 points", "lab1 out of"]
    assert names[-8:] == [
        "labs (40 %)", "project (40 %)", "quizzes (20 %)", "total", "mark", "outcome", "code", "notes"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["=1+1", "+44", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "|calc", "%x"]
)
def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text):
    assert guarded(text).startswith("'")


@given(st.text())
def test_no_text_becomes_a_formula_or_a_second_line(text):
    shown = guarded(text)
    assert shown[:1] not in FORMULA_STARTS
    assert not set(shown) & set("\r\n\t\0")
    shown.encode("utf-8")


@pytest.mark.parametrize("text", ["O'Neill, Ann", "李小龍", "محمد", 'say "x"', "Müller"])
def test_an_ordinary_name_is_left_as_it_is(text, sheet, rows, tmp_path):
    write_csv(sheet, [replace(rows[0], name=text)], tmp_path / "m.csv")
    assert read(tmp_path / "m.csv")[0]["name"] == text


def test_an_anonymous_file_holds_no_name_and_no_student_id(sheet, rows, tmp_path):
    write_csv(replace(sheet, anonymous=True), rows, tmp_path / "m.csv")
    text = (tmp_path / "m.csv").read_text("utf-8-sig")
    assert text.startswith("marking_id,lab1 points")
    assert not any(row.student in text for row in rows)
    assert "O'Neill" not in text


def test_rows_are_written_as_they_come(sheet, make, tmp_path):
    peaks = []
    row = make.rows(sheet, 1)[0]
    for students in (200, 4000):
        tracemalloc.start()
        write_csv(sheet, (replace(row, student=f"s{n}") for n in range(students)), tmp_path / "m.csv")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_a_fault_half_way_leaves_the_old_file_as_it_was(sheet, rows, tmp_path):
    (tmp_path / "m.csv").write_bytes(b"old")

    def broken():
        yield rows[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_csv(sheet, broken(), tmp_path / "m.csv")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m.csv", b"old")]
