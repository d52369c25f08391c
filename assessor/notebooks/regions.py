"""nbgrader's marked regions of a source cell: solutions, hidden tests, marking schemes."""

from __future__ import annotations

import re

from nbformat import NotebookNode

Markers = tuple[str, str]
SOLUTION = ("BEGIN SOLUTION", "END SOLUTION")
HIDDEN_TESTS = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
MARK_SCHEME = ("BEGIN MARK SCHEME", "END MARK SCHEME")
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"


def flag(cell: NotebookNode, name: str) -> bool:
    """One of nbgrader's flags of a cell: solution, grade, locked, task."""
    data = cell.metadata.get("nbgrader")
    return isinstance(data, dict) and bool(data.get(name))


def grade_id(cell: NotebookNode) -> str:
    """A cell's nbgrader id, '' where it has none."""
    data = cell.metadata.get("nbgrader")
    return str(data.get("grade_id", "")) if isinstance(data, dict) else ""


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes this cell."""
    return flag(cell, "solution")


def is_test(cell: NotebookNode) -> bool:
    """Whether this is a classic autograded test cell."""
    return bool(cell.cell_type == "code" and flag(cell, "grade") and not flag(cell, "solution"))


def regions(source: str, markers: Markers) -> list[list[str]]:
    """The lines of each region between a pair of markers, markers left out. An open region reaches to the end."""
    found: list[list[str]] = []
    inside = False
    for line in source.split("\n"):
        if markers[0] in line:
            inside = True
            found.append([])
        elif markers[1] in line:
            inside = False
        elif inside:
            found[-1].append(line)
    return found


def released_cell(cell: NotebookNode) -> str:
    """What of a source cell students are given: the text that nbgrader's ClearSolutions, ClearHiddenTests and
    ClearMarkScheme leave. An answer cell without a marked solution is a stub as a whole."""
    stub = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    source = str(cell.source)
    if is_answer(cell) and SOLUTION[0] not in source:
        return stub
    return without(without(without(source, SOLUTION, stub), HIDDEN_TESTS), MARK_SCHEME)


def without(source: str, markers: Markers, stub: str | None = None) -> str:
    """A text without the regions of one kind; each replaced by the stub, indented like its first marker."""
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if markers[0] in line:
            inside = True
            if stub is not None:
                indent = line[: len(line) - len(re.sub(r"^\s*", "", line))]
                lines += [indent + part for part in stub.split("\n")]
        elif markers[1] in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)
