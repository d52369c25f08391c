"""A small course with a class list, for the tests of the verbs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from pypdf import PdfWriter

from assessor.course import Course, load_course
from assessor.database import Database, open_database
from assessor.database.tables import Student

NOW = datetime(2027, 2, 10, 12, tzinfo=UTC)
COURSE = """
[course]
code = "COMP1"
title = "Small"
time_zone = "Europe/London"
term_start = 2027-02-01

[components]
labs = 50
project = 30
quizzes = 20
"""
ENTRY = """
[[assignment]]
name = "{name}"
component = "{component}"
kind = "{kind}"
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"
{more}
"""
LAB = """
title = "Powers"
notebooks = ["powers.ipynb"]
hidden_marks = 2

[[manual]]
name = "argument"
marks = 3

[[attachment]]
pattern = "*.pdf"
max_bytes = "1 MiB"
max_pages = 1
"""
TESTS = '''
import pytest


@pytest.mark.marks(2)
def test_square(student):
    """`square` should square."""
    assert student.square(3) == 9
'''


def pdf(pages: int) -> bytes:
    """A PDF of so many A4 pages."""
    writer, file = PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(595, 842)
    writer.write(file)
    return file.getvalue()


def answer_cell() -> nbformat.NotebookNode:
    data = {"schema_version": 3, "grade_id": "square", "grade": False, "solution": True, "locked": False, "task": False}
    source = "def square(x):\n    ### BEGIN SOLUTION\n    return x * x * 1 + 0\n    ### END SOLUTION"
    return new_code_cell(source, metadata={"nbgrader": data}, id="square")


@pytest.fixture
def small(tmp_path: Path) -> Course:
    """A course of one lab, one quiz and a project."""
    return lay_small(tmp_path / "course")


def lay_small(root: Path) -> Course:
    """Writes it."""
    lab, grader = root / "assignments/powers", root / "graders/powers"
    for folder in (lab, grader, root / "quizzes"):
        folder.mkdir(parents=True)
    entries = [
        ENTRY.format(name="powers", component="labs", kind="notebook", more=""),
        ENTRY.format(name="project", component="project", kind="project", more="marks = 100"),
        ENTRY.format(name="quiz1", component="quizzes", kind="quiz", more="marks = 30"),
    ]
    (root / "course.toml").write_text(COURSE + "".join(entries))
    nbformat.write(new_notebook(cells=[answer_cell()]), lab / "powers.ipynb")
    (lab / "assignment.toml").write_text(LAB)
    (grader / "reference.py").write_text("def square(x):\n    return x**2\n")
    (grader / "test_powers.py").write_text(TESTS)
    return load_course(root)


@pytest.fixture
def database(small: Course) -> Iterator[Database]:
    """Its database with ada, bob and eve."""
    opened = open_database(small.root, create=True)
    with opened.transaction() as session:
        for place, name in enumerate(("ada", "bob", "eve")):
            session.add(Student(id=name, name=name.title(), email="", marking_id=f"M{place}"))
    yield opened
    opened.close()


@pytest.fixture
def handed(tmp_path: Path) -> Callable[..., Path]:
    """Writes a student's notebook and gives its path."""

    def write(name: str = "powers.ipynb", source: str = "def square(x): return x * x") -> Path:
        path = tmp_path / "desk" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(new_notebook(cells=[new_code_cell(source, id="square")])))
        return path

    return write
