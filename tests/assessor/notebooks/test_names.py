from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.notebooks.names import MAX_PARSED, added_statements, bound, defined, program


def test_functions_and_classes_at_the_top_are_defined():
    assert defined("def f(): pass\nclass C:\n    def g(self): pass\nasync def h(): pass\nx = 1") == {"f", "C", "h"}


def test_names_that_get_a_value_are_bound():
    assert bound("a = b = 1\nc, (d, e) = 1, (2, 3)\nf: int = 2\ng += 1\nfor h in (): pass\nx.y = 1") >= set("abcfgh")


def test_cells_that_do_not_parse_are_read_by_pattern():
    assert defined("def f(x:\n    return\nclass C(") == {"f", "C"}
    assert bound("answer = 3 +\nother == 2") == {"answer"}


def test_magics_do_not_keep_a_cell_from_being_read():
    assert defined("%matplotlib inline\n!pip install x\nf?\ndef f(): pass") == {"f"}


def test_programs_are_the_same_but_for_comments_docstrings_and_layout():
    assert program("def f(x):\n    '''Doc.'''\n    return 1 # one") == program("def f( x ):\n    return 1")
    assert program("def f(x): return 1") != program("def f(x): return 2")
    assert program("def f(") is None


def test_only_added_statements_are_kept():
    given_cell = "%matplotlib inline\nimport math\n@wraps\ndef f():\n    return 1"
    mine = "%matplotlib inline\nimport math\nimport numpy as np\n@other\ndef f():\n    return 1\nx = [\n 1,\n]"
    assert added_statements(mine, given_cell) == "import numpy as np\n@other\ndef f():\n    return 1\nx = [\n 1,\n]"
    assert added_statements(given_cell, given_cell) == ""


def test_statements_that_share_a_line_are_kept_once():
    assert added_statements("a = 1; b = 2", "c = 3") == "a = 1; b = 2"


def test_lines_are_counted_as_python_counts_them():
    assert added_statements("x = 'a\x0c\x1c\u2028'\ny = 2", "x = 1").endswith("y = 2")
    assert added_statements("x = 1\r\ny = 2", "x = 1") == "y = 2"


@pytest.mark.parametrize(
    "hostile",
    ["(" * 90, "(" * MAX_PARSED, "-" * 9000 + "1", "lambda:" * 2000 + "1", "1" + "+1" * 9000, "x" + ".a" * 9000,
     "[" * 9000 + "]" * 9000, "f" + "()" * 9000, "if 1:\n" + " if 1:\n" * 100, "x\0y", "9" * 19_000, "'" * 5, "\ud800",
     "def f(): pass\n" * 1400, "x" * (MAX_PARSED + 1), "x = " + "not " * 4000 + "1", "if x: pass\n" + "elif x: pass\n" * 1400],
)  # fmt: skip
def test_no_cell_is_too_much(hostile):
    for look in (defined, bound, program):
        look(hostile)
    added_statements(hostile, "x = 1")
    added_statements("x = 1", hostile)


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_can_be_looked_at(text, other):
    assert isinstance(defined(text), frozenset)
    assert isinstance(bound(text), frozenset)
    assert isinstance(added_statements(text, other), str)


def test_students_slips_warn_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bound("x = '\\d'\ny = 1 is 1\nassert (1, 2)") == {"x", "y"}
