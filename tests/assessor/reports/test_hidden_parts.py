from __future__ import annotations

import json

from assessor.reports.hidden_parts import without_hidden_tests

SECRET = "assert abs(loss - 0.4217) < 1e-6, 'wrong: \"x\"'"
TEST_CELL = f"assert loss is not None\n### BEGIN HIDDEN TESTS\n{SECRET}\n### END HIDDEN TESTS\nassert loss > 0"


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}}


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_the_hidden_part_goes_and_the_visible_part_stays():
    shown = without_hidden_tests(notebook(code(TEST_CELL)))
    assert shown["cells"][0]["source"] == "assert loss is not None\n# hidden tests\nassert loss > 0"


def test_a_source_kept_as_lines_is_cleaned_too():
    shown = without_hidden_tests(notebook(code(TEST_CELL.splitlines(keepends=True))))
    assert "0.4217" not in json.dumps(shown)


def test_a_hidden_part_without_an_end_goes_to_the_end_of_the_cell():
    shown = without_hidden_tests(notebook(code(f"x = 1\n# BEGIN HIDDEN TESTS\n{SECRET}")))
    assert shown["cells"][0]["source"] == "x = 1\n# hidden tests"


def test_a_mark_scheme_in_a_text_cell_goes():
    text = "Explain.\n### BEGIN MARK SCHEME\n2 marks for overfitting\n### END MARK SCHEME\nThank you."
    shown = without_hidden_tests(notebook({"cell_type": "markdown", "source": text, "metadata": {}}))
    assert shown["cells"][0]["source"] == "Explain.\n\nThank you."


def test_a_traceback_of_a_hidden_line_goes():
    traceback = {"output_type": "error", "ename": "AssertionError", "evalue": "", "traceback": [f"----> 3 {SECRET}"]}
    assert without_hidden_tests(notebook(code(TEST_CELL, traceback)))["cells"][0]["outputs"] == []


def test_an_output_that_prints_the_kernels_history_goes_however_it_is_quoted():
    coloured = SECRET.replace("abs", "\x1b[38;5;28mabs\x1b[39m")
    for text in (SECRET, repr(TEST_CELL), repr([TEST_CELL]), json.dumps(TEST_CELL), coloured):
        shown = without_hidden_tests(notebook(code(TEST_CELL), code("print(In)", stream("fine\n"), stream(text))))
        assert shown["cells"][1]["outputs"] == [stream("fine\n")], text


def test_an_ordinary_notebook_is_left_as_it_is():
    ordinary = notebook(code("print(1)", stream("1\n")), {"cell_type": "markdown", "source": "# hi", "metadata": {}})
    assert without_hidden_tests(ordinary) is ordinary


def test_what_was_given_is_not_changed():
    given = notebook(code(TEST_CELL, stream("x")))
    before = json.dumps(given)
    without_hidden_tests(given)
    assert json.dumps(given) == before
