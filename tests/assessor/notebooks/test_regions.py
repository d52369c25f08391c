from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions

from assessor.notebooks.regions import SOLUTION, regions, released_cell

LINES = [
    "x = 1", "    y = 2", "", "  ### BEGIN SOLUTION", "### END SOLUTION", "# BEGIN HIDDEN TESTS", "# END HIDDEN TESTS",
    "### BEGIN MARK SCHEME", "### END MARK SCHEME", "\tBEGIN SOLUTION", "END SOLUTION # done", "text\u2028more",
]  # fmt: skip


def by_nbgrader(cell):
    notebook, resources = new_notebook(cells=[cell]), {}
    for kind in (ClearSolutions, ClearHiddenTests, ClearMarkScheme):
        log = logging.getLogger("quiet")
        log.setLevel(logging.CRITICAL + 1)
        notebook, resources = kind(enforce_metadata=False, log=log).preprocess(notebook, resources)
    return notebook.cells[0].source


@given(st.lists(st.sampled_from(LINES), max_size=9), st.booleans(), st.booleans())
def test_what_is_released_of_a_cell_is_what_nbgrader_releases(lines, is_code, solution):
    flags = {"nbgrader": {"grade_id": "a", "solution": solution, "grade": False, "locked": False}}
    make = new_code_cell if is_code else new_markdown_cell
    ours = released_cell(make("\n".join(lines), metadata=flags))
    try:
        theirs = by_nbgrader(make("\n".join(lines), metadata=flags))
    except RuntimeError:  # unbalanced or nested: refused before anything is released
        return
    assert ours == theirs


def test_regions_are_found_one_by_one():
    source = "a\n### BEGIN SOLUTION\nb\n### END SOLUTION\nc\n### BEGIN SOLUTION\nd\ne\n### END SOLUTION"
    assert regions(source, SOLUTION) == [["b"], ["d", "e"]]


@pytest.mark.parametrize("metadata", [{}, {"nbgrader": {}}, {"nbgrader": {"grade_id": "a", "solution": False}}])
def test_a_cell_that_is_no_answer_is_released_as_it_is(metadata):
    assert released_cell(new_code_cell("x = 1", metadata=metadata)) == "x = 1"
