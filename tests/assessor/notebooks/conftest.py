"""Notebooks as an instructor writes them and as students hand them in."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.notebooks.release import student_version

F = """def square(x):
    '''The square.'''
    ### BEGIN SOLUTION
    result = x * x + 0 * x
    return result
    ### END SOLUTION"""
G = "def cube(x):\n    ### BEGIN SOLUTION\n    return square(x) * x + 0.0\n    ### END SOLUTION"
TEST = "assert square(2) == 4\n### BEGIN HIDDEN TESTS\nassert square(-31) == 961\n### END HIDDEN TESTS"
Cell = Callable[..., NotebookNode]


def graded(source: str, name: str, kind: str = "code", **flags: object) -> NotebookNode:
    """A cell with nbgrader metadata."""
    data = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, "locked": False, "task": False}
    make = new_code_cell if kind == "code" else new_markdown_cell
    return make(source, metadata={"nbgrader": {**data, **flags}})


def source_notebook() -> NotebookNode:
    """Title, imports, two answers, a test cell, a written answer, a task and a demonstration."""
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Powers\n\nWrite two functions."),
            graded("import math\nimport random", "imports", locked=True),
            graded(F, "square", solution=True),
            graded(TEST, "test_square", grade=True, locked=True, points=2),
            graded(G, "cube", solution=True),
            new_code_cell("for number in range(3):\n    print(number, 'is a number')"),
            new_markdown_cell("## Why does this work?"),
            graded("Because x times x is the square.", "why", "markdown", grade=True, solution=True, points=1),
            graded("Draw it.\n### BEGIN MARK SCHEME\nOne mark for the axes of the drawing.\n### END MARK SCHEME",
                   "draw", "markdown", task=True, points=3),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )  # fmt: skip
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"given-{number}"
    return notebook


@pytest.fixture
def source() -> NotebookNode:
    return source_notebook()


@pytest.fixture
def released(source: NotebookNode) -> NotebookNode:
    """What a student is given of it."""
    return student_version(source, "powers.ipynb")


@pytest.fixture
def handed_in(released: NotebookNode) -> NotebookNode:
    """An honest submission: everything answered, nothing else touched."""
    return answered(released)


def answered(released: NotebookNode) -> NotebookNode:
    """Fills in the answers."""
    answers = {
        "square": "def square(x):\n    return x ** 2",
        "cube": "def cube(x):\n    return x ** 3",
        "why": "Since it is so.",
    }
    for cell in released.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(name, cell.source)
    return released


@pytest.fixture(scope="session", name="graded")
def graded_function() -> Cell:
    """Makes a cell with nbgrader metadata."""
    return graded


@pytest.fixture(scope="session")
def as_bytes() -> Callable[[NotebookNode], bytes]:
    """A notebook as a file, damaged ones too."""
    return lambda notebook: nbformat.v4.writes(notebook).encode()


@pytest.fixture(scope="session")
def cell_of() -> Callable[[NotebookNode, str], NotebookNode]:
    """The cell of a grade id."""

    def find(notebook: NotebookNode, name: str) -> NotebookNode:
        return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)

    return find


@pytest.fixture(scope="session")
def filled() -> NotebookNode:
    """The same for every example of a property test: an honest submission, never to be changed."""
    return answered(student_version(source_notebook(), "powers.ipynb"))
