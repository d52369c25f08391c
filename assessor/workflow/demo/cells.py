"""What students do to a notebook: small edits, each giving a new notebook."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[^\n]*\n?", re.MULTILINE)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.MULTILINE | re.DOTALL)

Edit = Callable[[NotebookNode], NotebookNode]


def solved(source: NotebookNode) -> NotebookNode:
    """The notebook as a student with all right answers would hand it in: no marker of ours, no hidden test."""

    def clean(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            cell.source = HIDDEN.sub("", MARKER.sub("", cell.source))

    return _edited(source, clean)


def answer(grade_id: str, code: str) -> Edit:
    """Writes `code` into one answer cell."""

    def write(notebook: NotebookNode) -> None:
        found = [cell for cell in notebook.cells if _grade_id(cell) == grade_id]
        if len(found) != 1:
            raise LookupError(f"{len(found)} cells with grade_id {grade_id!r}")
        found[0].source = code

    return lambda notebook: _edited(notebook, write)


def insert_first(code: str) -> Edit:
    """Adds a code cell before all others."""
    return lambda notebook: _edited(notebook, lambda new: new.cells.insert(0, nbformat.v4.new_code_cell(code)))


def insert_last(code: str) -> Edit:
    """Adds a code cell after all others."""
    return lambda notebook: _edited(notebook, lambda new: new.cells.append(nbformat.v4.new_code_cell(code)))


def lose_ids(notebook: NotebookNode) -> NotebookNode:
    """Strips every nbgrader id, as some editors do."""

    def strip(new: NotebookNode) -> None:
        for cell in new.cells:
            cell.metadata.pop("nbgrader", None)
            cell.pop("id", None)
        new.nbformat_minor = 4

    return _edited(notebook, strip)


def weaken_tests(notebook: NotebookNode) -> NotebookNode:
    """Turns every assertion of the visible checks into a comment, and deletes the last check."""

    def edit(new: NotebookNode) -> None:
        checks = [cell for cell in new.cells if cell.cell_type == "code" and _is_check(cell)]
        for cell in checks:
            cell.source = re.sub(r"^(\s*)assert\b.*$", r"\1pass", cell.source, flags=re.MULTILINE)
        if checks:
            new.cells.remove(checks[-1])

    return _edited(notebook, edit)


def _is_check(cell: NotebookNode) -> bool:
    data = cell.metadata.get("nbgrader", {})
    return bool(data.get("locked")) and "assert" in cell.source


def _grade_id(cell: NotebookNode) -> str | None:
    found: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return found


def _edited(notebook: NotebookNode, edit: Callable[[NotebookNode], None]) -> NotebookNode:
    new = copy.deepcopy(notebook)
    edit(new)
    return new
