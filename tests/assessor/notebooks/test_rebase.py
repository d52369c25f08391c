from __future__ import annotations

import copy
import json
import random

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.notebooks.rebase import rebase
from assessor.notebooks.regions import TEXT_STUB

ALL = frozenset({"square", "cube", "why"})


def sources(notebook):
    return [cell.source for cell in notebook.cells]


def without_ids(notebook):
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
    return notebook


def index_of(notebook, name):
    return next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == name)


# The honest


def test_an_honest_submission_is_the_source_with_its_answers(source, handed_in, as_bytes, cell_of):
    done = rebase(as_bytes(handed_in), source)
    assert done.changes == ()
    assert done.attempted == ALL
    assert len(done.notebook.cells) == len(source.cells)
    for name in ALL:
        assert cell_of(done.notebook, name).source == cell_of(handed_in, name).source
    assert cell_of(done.notebook, "test_square").source == cell_of(source, "test_square").source
    nbformat.validate(done.notebook)


def test_the_untouched_release_is_nothing_attempted(source, released, as_bytes):
    done = rebase(as_bytes(released), source)
    assert done.attempted == frozenset()
    assert done.changes == tuple(f"answer {name!r}: not attempted" for name in ("square", "cube", "why"))


def test_hidden_tests_are_left_out_where_they_are_not_to_run(source, handed_in, as_bytes):
    assert "-31" in str(rebase(as_bytes(handed_in), source).notebook)
    assert "-31" not in str(rebase(as_bytes(handed_in), source, hidden_tests=False).notebook)


def test_mark_schemes_and_solutions_never_get_into_the_notebook(source, as_bytes, released):
    for data in (as_bytes(released), b"", b"nonsense"):
        text = str(rebase(data, source).notebook)
        assert "axes of the drawing" not in text
        assert "x * x" not in text


def test_the_same_submission_gives_the_same_bytes(source, handed_in, as_bytes):
    handed_in.cells.insert(2, new_code_cell("extra = 1"))
    first, second = (rebase(as_bytes(handed_in), source).notebook for _ in range(2))
    assert as_bytes(first) == as_bytes(second)


def test_the_source_is_not_changed(source, handed_in, as_bytes):
    before = copy.deepcopy(source)
    rebase(as_bytes(handed_in), source).notebook.cells[1].metadata.nbgrader["grade_id"] = "other"
    assert source == before


# What does not go in


def test_nothing_of_the_students_metadata_outputs_or_kernel_is_kept(source, handed_in, as_bytes):
    handed_in.metadata["kernelspec"] = {"name": "evil", "display_name": "E", "language": "bash"}
    for cell in handed_in.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
        cell.metadata["execution"] = {"timeout": 10**9}
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="all tests passed")]
            cell.execution_count = 7
    handed_in.cells.append(new_code_cell("mine = 1", metadata={"tags": ["skip-execution"], "nbgrader": {"points": 99}}))
    done = rebase(as_bytes(handed_in), source).notebook
    assert done.metadata == {}
    for cell in done.cells:
        assert set(cell.metadata) <= {"nbgrader"}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert done.cells[-1].source == "mine = 1"
    assert done.cells[-1].metadata == {}


def test_points_and_flags_come_from_the_source(source, handed_in, as_bytes, cell_of):
    data = cell_of(handed_in, "test_square").metadata.nbgrader
    data.update(points=1000, grade=False, solution=True, locked=False)
    done = rebase(as_bytes(handed_in), source).notebook
    assert cell_of(done, "test_square").metadata.nbgrader == cell_of(source, "test_square").metadata.nbgrader
    assert cell_of(done, "test_square").source == cell_of(source, "test_square").source


def test_an_edited_test_cell_is_restored_and_told(source, handed_in, as_bytes, cell_of):
    cell_of(handed_in, "test_square").source = "assert True"
    done = rebase(as_bytes(handed_in), source)
    assert done.changes == ("test cell 'test_square': had been edited; the original was used",)
    assert "assert True" not in sources(done.notebook)


def test_a_deleted_test_cell_is_restored_and_told(source, handed_in, as_bytes):
    del handed_in.cells[index_of(handed_in, "test_square")]
    done = rebase(as_bytes(handed_in), source)
    assert done.changes == ("test cell 'test_square': had been deleted; the original was used",)
    assert index_of(done.notebook, "test_square") == 3


def test_a_copy_of_a_test_cell_does_not_count_twice(source, handed_in, as_bytes, cell_of):
    handed_in.cells.append(copy.deepcopy(cell_of(handed_in, "test_square")))
    done = rebase(as_bytes(handed_in), source)
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in done.notebook.cells]
    assert names.count("test_square") == 1
    assert done.changes == ("test cell 'test_square': was there 2 times; the original was used, once",)


# What students add


def test_added_cells_follow_the_cell_that_they_followed(source, handed_in, as_bytes):
    handed_in.cells.insert(0, new_code_cell("first = 0"))
    place = index_of(handed_in, "square")
    handed_in.cells[place + 1 : place + 1] = [new_code_cell("print(square(3))"), new_markdown_cell("A note.")]
    done = sources(rebase(as_bytes(handed_in), source).notebook)
    assert done[0] == "first = 0"
    place = done.index("def square(x):\n    return x ** 2")
    assert done[place + 1 : place + 3] == ["print(square(3))", "A note."]


def test_an_import_added_to_a_given_cell_is_kept(source, handed_in, as_bytes, cell_of):
    cell_of(handed_in, "imports").source = "import math\nimport random\nimport statistics"
    done = rebase(as_bytes(handed_in), source)
    place = index_of(done.notebook, "imports")
    assert sources(done.notebook)[place : place + 2] == ["import math\nimport random", "import statistics"]
    assert done.changes == ("given cell 'imports': had been edited; the original was used, then what was added",)


def test_an_answer_written_into_the_question_is_kept(source, handed_in, as_bytes):
    handed_in.cells[6].source = "## Why does this work?\n\nMy answer: it does."
    done = rebase(as_bytes(handed_in), source)
    assert sources(done.notebook)[6:8] == ["## Why does this work?", "My answer: it does."]


def test_a_pasted_picture_stays_with_its_text(source, handed_in, as_bytes, cell_of):
    cell = cell_of(handed_in, "why")
    cell.source += "\n![plot](attachment:plot.png)"
    cell.attachments = {"plot.png": {"image/png": "aGk="}}
    done = rebase(as_bytes(handed_in), source).notebook
    assert cell_of(done, "why").attachments == {"plot.png": {"image/png": "aGk="}}
    nbformat.validate(done)


# Lost, doubled, swapped, moved


def test_answers_are_found_when_every_id_is_lost(source, handed_in, as_bytes, cell_of):
    done = rebase(as_bytes(without_ids(copy.deepcopy(handed_in))), source)
    assert done.attempted == ALL
    for name in ALL:
        assert cell_of(done.notebook, name).source == cell_of(handed_in, name).source
    assert len(done.notebook.cells) == len(source.cells)
    assert len(done.changes) == 3
    assert all("its id was lost; found by" in line for line in done.changes)


def test_answers_are_found_when_ids_are_lost_and_cells_moved(source, handed_in, as_bytes, cell_of):
    wanted = {name: cell_of(handed_in, name).source for name in ("square", "cube")}
    without_ids(handed_in).cells.reverse()
    done = rebase(as_bytes(handed_in), source)
    for name, text in wanted.items():
        assert cell_of(done.notebook, name).source == text


@pytest.mark.parametrize("order", ["stub first", "stub last"])
def test_of_cells_with_one_id_the_last_filled_one_counts(source, released, as_bytes, cell_of, order):
    place = index_of(released, "square")
    copies = [copy.deepcopy(released.cells[place]) for _ in range(2)]
    copies[0].source, copies[1].source = "def square(x):\n    return 1", "def square(x):\n    return x * x"
    stub = released.cells.pop(place)
    released.cells[place:place] = [stub, *copies] if order == "stub first" else [*copies, stub]
    done = rebase(as_bytes(released), source)
    assert cell_of(done.notebook, "square").source == "def square(x):\n    return x * x"
    assert "answer 'square': was there 3 times; the last that was filled in was used" in done.changes


def test_swapped_ids_are_seen_by_what_the_cells_define(source, handed_in, as_bytes, cell_of):
    square, cube = cell_of(handed_in, "square"), cell_of(handed_in, "cube")
    square.metadata.nbgrader["grade_id"], cube.metadata.nbgrader["grade_id"] = "cube", "square"
    done = rebase(as_bytes(handed_in), source)
    assert cell_of(done.notebook, "square").source == "def square(x):\n    return x ** 2"
    assert cell_of(done.notebook, "cube").source == "def cube(x):\n    return x ** 3"


def test_an_answer_with_its_function_renamed_is_still_the_answer(source, handed_in, as_bytes, cell_of):
    cell_of(handed_in, "square").source = "def my_square(y):\n    return y * y"
    done = rebase(as_bytes(handed_in), source)
    assert cell_of(done.notebook, "square").source == "def my_square(y):\n    return y * y"
    assert "square" in done.attempted


def test_an_answer_in_a_new_cell_is_not_defined_away_by_its_stub(source, released, as_bytes):
    released.cells.insert(2, new_code_cell("def square(x):\n    return x * x"))
    done = rebase(as_bytes(released), source)
    namespace: dict[str, object] = {}
    for cell in done.notebook.cells[:5]:
        if cell.cell_type == "code":
            exec(cell.source, namespace)
    assert namespace["square"](3) == 9
    assert "square" in done.attempted
    assert "answer 'square': not in its own cell, but another cell defines square" in done.changes


def test_cells_that_were_merged_keep_both_answers(source, handed_in, as_bytes, cell_of):
    cell_of(handed_in, "square").source += "\n\n" + cell_of(handed_in, "cube").source
    del handed_in.cells[index_of(handed_in, "cube")]
    done = rebase(as_bytes(handed_in), source)
    assert cell_of(done.notebook, "cube").source == ""
    assert {"square", "cube"} <= done.attempted


def test_a_deleted_answer_is_the_stub_again_and_told(source, handed_in, as_bytes, cell_of, released):
    del handed_in.cells[index_of(handed_in, "cube")]
    done = rebase(as_bytes(handed_in), source)
    assert "raise NotImplementedError()" in cell_of(done.notebook, "cube").source
    assert done.changes == ("answer 'cube': deleted",)
    assert "cube" not in done.attempted


def test_a_code_answer_that_became_markdown_is_code_again(source, handed_in, as_bytes, cell_of):
    place = index_of(handed_in, "square")
    cell = handed_in.cells[place]
    handed_in.cells[place] = new_markdown_cell(cell.source, metadata=cell.metadata)
    done = rebase(as_bytes(handed_in), source)
    assert cell_of(done.notebook, "square").cell_type == "code"
    assert "had been made a markdown cell" in done.changes[0]


@pytest.mark.parametrize("text", ["", "  \n", TEXT_STUB, f" {TEXT_STUB}\n\n"])
def test_a_blank_written_answer_is_not_attempted(source, handed_in, as_bytes, cell_of, text):
    cell_of(handed_in, "why").source = text
    assert "why" not in rebase(as_bytes(handed_in), source).attempted


def test_a_stub_with_a_comment_is_not_attempted(source, released, as_bytes, cell_of):
    cell_of(released, "cube").source += "\n# no idea"
    assert "cube" not in rebase(as_bytes(released), source).attempted


# Another year


def test_an_older_release_is_rebased_into_the_current_one(source, handed_in, as_bytes, cell_of):
    newer = copy.deepcopy(source)
    newer.cells.insert(1, new_markdown_cell("New this year."))
    cell_of(newer, "test_square").source = "assert square(5) == 25"
    cell_of(newer, "imports").source = "import math\nimport itertools"
    cell_of(newer, "square").source = cell_of(newer, "square").source.replace("The square.", "x squared, elementwise.")
    done = rebase(as_bytes(handed_in), newer)
    assert done.attempted == ALL
    assert cell_of(done.notebook, "test_square").source == "assert square(5) == 25"
    assert cell_of(done.notebook, "square").source == "def square(x):\n    return x ** 2"
    assert done.changes == ("given cell 2: had been deleted; the original was used",)


def test_an_untouched_stub_of_an_older_release_is_not_attempted(source, released, as_bytes, cell_of):
    newer = copy.deepcopy(source)
    text = "def square(x, *, exactly=True):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION"
    cell_of(newer, "square").source = text
    done = rebase(as_bytes(released), newer)
    assert "square" not in done.attempted
    assert "exactly" in cell_of(done.notebook, "square").source


# Damage


BARE = "nothing of it could be used"


@pytest.mark.parametrize("data", [b"", b"\0" * 99, b"{}", b"[" * 100_000, b'{"cells":' * 50_000, b"\xff" * 1000, b"null"])
def test_what_is_no_notebook_gives_the_bare_release_and_one_line(source, released, data):
    done = rebase(data, source, hidden_tests=False)
    assert sources(done.notebook) == sources(released)
    assert len(done.changes) == 1
    assert BARE in done.changes[0]
    assert done.attempted == frozenset()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["nbgrader", "cells", "source", "grade_id", "square", "code"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["cells", "cell_type", "source", "metadata", "nbgrader", "grade_id", "attachments", "points",
                         "checksum", "grade", "outputs", "worksheets", "input", "x.png", "image/png"]),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=json_values)
def test_no_json_makes_it_fail(filled, source, found):
    done = rebase(json.dumps(found).encode(), source)
    nbformat.validate(done.notebook)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), values=st.lists(json_values, min_size=1, max_size=6))
def test_no_damage_to_a_real_submission_makes_it_fail(filled, source, as_bytes, seed, values):
    rng = random.Random(seed)
    damaged = json.loads(as_bytes(filled))
    for value in values:
        place, key = rng.choice(list(places(damaged)))
        place[key] = value
    done = rebase(json.dumps(damaged).encode(), source)
    nbformat.validate(done.notebook)
    given_cells = [cell.source for cell in done.notebook.cells]
    assert sum("square(-31) == 961" in text for text in given_cells) == 1  # the test cell, whatever happened


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 5000), length=st.integers(1, 400), data=st.binary(max_size=30))
def test_no_damage_to_the_bytes_makes_it_fail(filled, source, as_bytes, start, length, data):
    whole = as_bytes(filled)
    done = rebase(whole[:start] + data + whole[start + length :], source)
    nbformat.validate(done.notebook)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(9)), lose=st.sets(st.integers(0, 8)))
def test_in_any_order_and_with_any_ids_lost_the_functions_are_found(filled, source, as_bytes, cell_of, order, lose):
    moved = copy.deepcopy(filled)
    for place in lose:
        moved.cells[place].metadata.pop("nbgrader", None)
    moved.cells = [moved.cells[place] for place in order]
    done = rebase(as_bytes(moved), source)
    for name in ("square", "cube"):
        assert cell_of(done.notebook, name).source == cell_of(filled, name).source


def places(value):
    """Every place in a JSON value that can be written to."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from places(inner)


def test_many_cells_that_all_claim_to_be_the_answer_are_sorted_out(source, as_bytes, graded):
    text = "def square(x):\n    return {}\ndef cube(x):\n    raise NotImplementedError()"
    cells = [graded(text.format(number), "square") for number in range(1500)]
    done = rebase(as_bytes(new_notebook(cells=cells)), source)
    (answer,) = [cell.source for cell in done.notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "square"]
    assert "return 1499" in answer
