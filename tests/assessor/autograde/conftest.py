"""A tiny real course: one notebook with two functions, hidden tests for both, and students to hand it in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.course import Course, load_course
from assessor.database import Database, open_database

BEFORE_DUE = datetime(2027, 2, 10, 12, 0, tzinfo=UTC)

COURSE = """
[course]
code = "TINY1"
title = "A tiny course"
time_zone = "Europe/London"
term_start = 2027-02-01

[components]
labs = 100

[[assignment]]
name = "tiny"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"
"""

ASSIGNMENT = """
title = "Tiny"
notebooks = ["tiny.ipynb"]
gpu = "none"
student_hours = 0.1
hidden_marks = 3

[limits]
cell_cpu_seconds = 5
cpu_seconds = 60
cell_wall_seconds = 30
memory_bytes = "1 GiB"
"""

REFERENCE = '''
"""Reference of the tiny course."""


def double(x):
    """Twice x."""
    return 2 * x


def square(x):
    """x times x."""
    return x * x
'''

TESTS = '''
"""Hidden tests of the tiny course."""
import pytest


@pytest.mark.marks(1)
def test_double(student, reference):
    """`double` should return twice its argument."""
    assert student.double(21) == reference.double(21)


@pytest.mark.marks(2)
def test_square(student, reference):
    """`square` should return the square of its argument."""
    assert student.square(12) == reference.square(12)
'''

GOOD = {"double": "return x + x", "square": "return x ** 2"}


def answer(name: str, body: str, *, source: bool) -> nbformat.NotebookNode:
    """One answer cell: with solution markers in the source, bare in a student's copy."""
    lines = [f"def {name}(x):"]
    marked = ["    ### BEGIN SOLUTION", f"    {body}", "    ### END SOLUTION"]
    lines += marked if source else [f"    {line}" for line in body.splitlines()]
    cell = new_code_cell("\n".join(lines), id=f"answer-{name}")
    cell.metadata["nbgrader"] = {
        "grade": False, "solution": True, "locked": False, "task": False, "schema_version": 3, "grade_id": name,
    }  # fmt: skip
    return cell


def tiny_notebook(bodies: dict[str, str] | None = None, *, source: bool = False) -> nbformat.NotebookNode:
    """The tiny notebook with these function bodies."""
    bodies = {**GOOD, **(bodies or {})}
    cells = [new_markdown_cell("# Tiny", id="title")]
    cells += [answer(name, body, source=source) for name, body in bodies.items()]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


@pytest.fixture
def tiny_course(tmp_path: Path) -> Course:
    """The tiny course on disk, loaded."""
    root = tmp_path / "course"
    for folder in ("assignments/tiny", "graders/tiny"):
        (root / folder).mkdir(parents=True)
    (root / "course.toml").write_text(COURSE)
    (root / "assignments/tiny/assignment.toml").write_text(ASSIGNMENT)
    (root / "assignments/tiny/tiny.ipynb").write_text(nbformat.writes(tiny_notebook(source=True)))
    (root / "graders/tiny/reference.py").write_text(REFERENCE)
    (root / "graders/tiny/test_tiny.py").write_text(TESTS)
    return load_course(root)


@pytest.fixture
def database(tiny_course: Course) -> Database:
    """An empty database of the tiny course."""
    return open_database(tiny_course.root, create=True)


@pytest.fixture
def hand_in(tiny_course: Course, database: Database, tmp_path: Path) -> Callable[..., None]:
    """Hands in and collects one notebook a student: `hand_in(ada=tiny_notebook(), ...)`."""
    from assessor.workflow.collect import Inbox, collect
    from assessor.workflow.roster import import_roster
    from assessor.workflow.submit import submit

    def do(*, now: datetime = BEFORE_DUE, **notebooks: nbformat.NotebookNode) -> None:
        roster = tmp_path / "roster.csv"
        roster.write_text("id,name,email\n" + "".join(f"{s},{s.title()},{s}@example.org\n" for s in notebooks))
        import_roster(database, roster, author="office", now=datetime.now(UTC))
        for student, notebook in notebooks.items():
            file = tmp_path / student / "tiny.ipynb"
            file.parent.mkdir(exist_ok=True)
            file.write_text(nbformat.writes(notebook))
            submit(tiny_course, "tiny", student, [file], now=now)
        collect(tiny_course, database, "tiny", Inbox(), now=now)

    return do


@pytest.fixture
def notebook() -> Callable[..., nbformat.NotebookNode]:
    """Makes a student's notebook: `notebook({"square": "return 0"})`."""
    return tiny_notebook
