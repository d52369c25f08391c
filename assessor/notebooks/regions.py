"""nbgrader's marked regions of a source cell: solutions, hidden tests, marking schemes."""

from __future__ import annotations

import re

from nbformat import NotebookNode

SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN_TESTS = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
MARK_SCHEME = ("### BEGIN MARK SCHEME", "### END MARK SCHEME")
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"


def region_lines(source: str, markers: tuple[str, str]) -> list[str]:
    """The lines between a pair of markers, markers left out."""
    inside, found = False, []
    for line in source.splitlines():
        if markers[0] in line:
            inside = True
        elif markers[1] in line:
            inside = False
        elif inside:
            found.append(line)
    return found


def released_cell(cell: NotebookNode) -> str:
    """What of a source cell students are given; an answer cell without a marked region is a stub as a whole."""
    answer = bool(cell.metadata.get("nbgrader", {}).get("solution"))
    if answer and SOLUTION[0] not in cell.source:
        return CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    return _without_regions(cell.source, CODE_STUB if cell.cell_type == "code" else TEXT_STUB)


def _without_regions(source: str, stub_text: str) -> str:
    """Stubs for solutions, nothing of hidden tests and mark schemes.

    The same text as nbgrader's ClearSolutions, ClearHiddenTests and ClearMarkScheme leave.
    """
    lines: list[str] = []
    skipping: str | None = None
    for line in source.split("\n"):
        if skipping is not None:
            if skipping in line:
                skipping = None
        elif SOLUTION[0] in line:
            skipping = SOLUTION[1]
            indent = re.match(r"\s*", line)
            lines += [(indent.group() if indent else "") + stub for stub in stub_text.split("\n")]
        elif HIDDEN_TESTS[0] in line or MARK_SCHEME[0] in line:
            skipping = (HIDDEN_TESTS if HIDDEN_TESTS[0] in line else MARK_SCHEME)[1]
        else:
            lines.append(line)
    return "\n".join(lines)
