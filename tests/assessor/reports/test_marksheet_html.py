from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from assessor.reports.marksheet_html import write_html
from assessor.reports.sheet import MISSING, NOT_SUBMITTED, REVIEW


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.rows = "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.fixture
def shown(tmp_path):
    def show(sheet, rows) -> Page:
        write_html(sheet, rows, tmp_path / "m.html")
        return Page((tmp_path / "m.html").read_text("utf-8"))

    return show


def test_each_student_has_a_row_with_marks_total_and_outcome(sheet, rows, shown):
    found = {line[0]: line for line in shown(sheet, rows).rows[1 : len(rows) + 1]}
    words = {"P": "pass", "F": "fail", "pending": "pending"}
    for row in rows:
        line = found[row.student]
        assert line[1:3] == [row.name, row.marking_id]
        assert line[7] == (f"{row.rounded}" if row.rounded is not None else "–")
        assert line[8] == words[row.outcome]


def test_states_are_words_and_not_only_colours(sheet, make, shown):
    cells = [make.cell(None, Decimal(8), state) for state in (NOT_SUBMITTED, REVIEW, MISSING)]
    rows = [make.row(sheet, n, "Ann", ((cell, cell), (cell,), (cell, cell))) for n, cell in enumerate(cells, 1)]
    page = shown(sheet, rows)
    cells = {cell for line in page.rows for cell in line}
    assert {NOT_SUBMITTED, REVIEW, MISSING} <= cells
    assert "nothing handed in" in page.text


def test_a_late_mark_says_what_lateness_cost(sheet, make, shown):
    late = make.cell(Decimal(4), Decimal(8), "marked", 3)
    row = make.row(sheet, 1, "Ann", ((late, late), (late,), (late, late)))
    assert "3 days late: 50.00 × 0.7" in shown(sheet, [row]).text


def test_names_add_no_element(sheet, rows, shown):
    plain = shown(sheet, [replace(row, name="x") for row in rows])
    hostile = shown(sheet, [replace(row, name="</bdi><script>alert(1)</script><img src=x onerror=y>") for row in rows])
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]


def test_the_page_holds_all_it_needs_and_fetches_nothing(sheet, rows, shown):
    for tag, attrs in shown(sheet, rows).tags:
        assert tag not in ("script", "link", "iframe", "img", "base", "form")
        assert "src" not in attrs
        assert "style" not in attrs


def test_an_anonymous_page_holds_no_name_and_no_student_id(sheet, rows, shown):
    page = shown(replace(sheet, anonymous=True), rows)
    assert rows[0].marking_id in page.text
    assert not any(row.student in page.text for row in rows)
    assert "O'Neill" not in page.text


def test_a_course_without_students_has_a_page(sheet, shown):
    assert "students" in shown(sheet, []).text
