"""Classic nbgrader cells: judged out of the student's reach, and the same as nbgrader judges honest work."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import determine_grade

from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading, TestResult, Verdict
from gpu_runner.execution import MIB, Limits

LIMITS = Limits(cell_cpu_seconds=3, cpu_seconds=60, cell_wall_seconds=20, wall_seconds=120, memory_bytes=1536 * MIB)
GIVEN = """
import numpy as np
import torch
from numpy.testing import assert_allclose
expected = 10
def close(a, b): return abs(a - b) < 1e-6
class Right:
    def double(self, x): return 2 * x
"""
SOLUTION = """
def double(x):
    if x is None:
        raise ValueError("nothing to double")
    return 2 * x
class Point:
    def __init__(self, x): self.x = x
    def __add__(self, other): return Point(self.x + other.x)
    def __eq__(self, other): return self.x == other.x
def fill(values): values[:] = [1] * len(values)
net = torch.nn.Linear(2, 1)
"""
HIDDEN = "\n### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"
CHECKS = {
    "visible": "assert double(2) == 4",
    "hidden": "assert double(1) == 2" + HIDDEN.format("assert double(expected) == 20, 'secret 20'"),
    "library": HIDDEN.format("assert_allclose(double(np.arange(3.0)), [0, 2, 4])\nassert close(double(1.5), 3.0)"),
    "raises": "try:\n    double(None)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('no error')",
    "objects": HIDDEN.format("assert (Point(1) + Point(2)).x == 3\nassert Right().double(2) == double(2)"),
    "credit": "score = 0\nif double(1) == 2: score += 1.5\nif double(4) == 9: score += 1\nscore",
    "class": HIDDEN.format("assert isinstance(Point(1), Point)"),
    "equal": HIDDEN.format("assert Point(1) + Point(2) == Point(3)"),
    "in place": "values = [0, 0]\nfill(values)\nassert values == [1, 1]",
    "gradient": HIDDEN.format("net(torch.ones(1, 2)).sum().backward()\nassert net.weight.grad is not None"),
    "magic": "%time double(1)\nassert double(3) == 6",
}
HERE = ("visible", "hidden", "library", "raises", "objects", "credit")
"""Cells that are judged on the trusted side; the others fall back into the kernel."""


def cell(name: str, text: str, *, test: bool) -> Any:
    marks = {"grade": test, "solution": not test, "locked": test, "grade_id": name, "schema_version": 3}
    return new_code_cell(text, metadata={"nbgrader": {**marks, **({"points": 2} if test else {})}})


def notebook(answer: str, checks: dict[str, str]) -> nbformat.NotebookNode:
    tests = [cell(name, text, test=True) for name, text in checks.items()]
    return new_notebook(cells=[new_code_cell(GIVEN), cell("answer", answer, test=False), *tests])


Submit = Callable[..., Grading]


@pytest.fixture
def submit(tmp_path: Path) -> Submit:
    def run(answer: str, checks: dict[str, str] = CHECKS, solution: str = SOLUTION) -> Grading:
        source, grader = tmp_path / "source", tmp_path / "grader"
        for folder in (source, grader):
            folder.mkdir()
        (source / "assignment.toml").write_text('title = "Classic"\nnotebooks = ["lab.ipynb"]\n')
        nbformat.write(notebook(solution, checks), source / "lab.ipynb")
        submitted = nbformat.writes(notebook(answer, checks)).encode()
        return grade(Bundle(1, "classic", {"lab.ipynb": submitted}, {}, source, grader, LIMITS, seed=7))

    return run


def by_name(grading: Grading) -> dict[str, TestResult]:
    return {test.name: test for test in grading.tests}


ANSWERS = {
    "right": SOLUTION,
    "wrong_where_hidden": SOLUTION.replace("return 2 * x", "return 2 * min(x, 2) if isinstance(x, int) else 2 * x"),
    "wrong": SOLUTION.replace("return 2 * x", "return 3 * x"),
    "no_error": SOLUTION.replace('raise ValueError("nothing to double")', "return None"),
    "another_error": SOLUTION.replace("raise ValueError", "raise KeyError"),
    "nothing": "",
}


@pytest.fixture(scope="module")
def nbgraders() -> dict[str, dict[str, Decimal]]:
    """What nbgrader gives for each answer: everything in a stock kernel, which forgets between two answers."""
    books = {name: notebook(answer, CHECKS) for name, answer in ANSWERS.items()}
    together = new_notebook(cells=[one for book in books.values() for one in [new_code_cell("%reset -f"), *book.cells]])
    NotebookClient(together, allow_errors=True, kernel_name="python3").execute()
    return {
        name: {
            one.metadata.nbgrader.grade_id: Decimal(str(determine_grade(one)[0]))
            for one in book.cells
            if one.metadata.get("nbgrader", {}).get("grade")
        }
        for name, book in books.items()
    }


@pytest.mark.parametrize("name", ANSWERS)
def test_honest_work_scores_as_with_nbgrader(
    submit: Submit, nbgraders: dict[str, dict[str, Decimal]], name: str
) -> None:
    results = by_name(submit(ANSWERS[name]))
    assert {name: test.points for name, test in results.items()} == nbgraders[name]
    assert Verdict.REVIEW not in {test.verdict for test in results.values()}


def test_what_cannot_run_on_this_side_is_labelled(submit: Submit) -> None:
    results = by_name(submit(SOLUTION))
    assert {name for name, test in results.items() if test.where == "trusted"} == set(HERE)
    assert {name for name, test in results.items() if test.where == "in-kernel"} == set(CHECKS) - set(HERE)


def test_hidden_tests_never_enter_the_kernel(submit: Submit) -> None:
    spy = SOLUTION + "\ndef double(x):\n    return 0 if 'sec' + 'ret 20' in str(globals()['In']) else 2 * x\n"
    checks = {"hidden": CHECKS["hidden"]}
    grading = submit(spy, checks)
    assert "secret 20" not in grading.execution.notebook
    assert [test.points for test in grading.tests] == [2]


FORGERIES = {
    "agrees with everything": "class L:\n    def __eq__(s, o): return True\n    __array__ = lambda s, *a: np.arange(3.0) * 2\n"
    "    def __add__(s, o): return s\ndouble = lambda x: L()",
    "patched": "import numpy.testing\nassert_allclose = np.testing.assert_allclose = lambda *a, **k: True\n"
    "close = lambda a, b: True\nnp.isclose = np.allclose = lambda *a: True\ndouble = lambda x: 0",
    "constants": "expected = 0\ndef double(x): return 4 if x == 2 else 2 if x == 1 else 20 if expected else 0",
    "assert taken out": "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
    "get_ipython().ast_transformers.append(T())\ndef double(x): return 0",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forger_earns_nothing(submit: Submit, name: str) -> None:
    checks = {key: CHECKS[key] for key in ("visible", "hidden", "library") if not (name == "constants" and key == "visible")}
    for test in submit(FORGERIES[name], checks).tests:
        assert test.points == 0, test


ODD = {
    "a check that holds there alone": "class L:\n    def __eq__(s, o): return True\ndouble = lambda x: L()",
    "no value": "class L(str):\n    def __sub__(s, o): return 0\ndouble = lambda x: L('4')",
    "an object for an array": "class L:\n    __array__ = lambda s, *a, **k: np.arange(3.0) * 2\ndouble = lambda x: L()",
}


@pytest.mark.parametrize("name", ODD)
def test_where_only_this_side_objects_a_person_looks(submit: Submit, name: str) -> None:
    """Nothing that a student's code does moves a cell into the kernel."""
    check = {"a check that holds there alone": "double(2) == 4", "no value": "abs(double(2) - 4) < 1e-6"}
    checks = {"check": "assert " + check.get(name, "np.allclose(double(np.arange(3.0)), [0, 2, 4])")}
    (result,) = submit(ODD[name], checks).tests
    assert (result.verdict, result.points) == (Verdict.REVIEW, 0)


UNSAFE = {
    "nothing displayed": ("def f(): return None", "f()", Decimal(2)),
    "not a number": ("def f(): return float('nan')", "f()", Decimal(0)),
    "negative": ("def f(): return -1", "f()", Decimal(0)),
    "a tensor of zero": ("def f(): return torch.tensor(0.0)", "f()", Decimal(0)),
    "more than there is": ("def f(): return 1e9", "f()", Decimal(2)),
    "a part": ("def f(): return 0.5", "f()", Decimal("0.5")),
    "a warning": ("import warnings\ndef f():\n    warnings.warn('look')\n    return 'text'", "f()", Decimal(2)),
    "a part in the kernel": ("def f(): return 0.5", "isinstance(f(), float)\nf()", Decimal("0.5")),
    "a tensor in the kernel": ("def f(): return torch.tensor(0.0)", "isinstance(f(), float)\nf()", Decimal(0)),
    "nan in the kernel": ("def f(): return float('nan')", "isinstance(f(), float)\nf()", Decimal(0)),
}


def test_partial_credit_is_a_mark_or_nothing(submit: Submit) -> None:
    answer = "\n".join(text.replace("def f(", f"def f{number}(") for number, (text, _, _) in enumerate(UNSAFE.values()))
    checks = {name: check.replace("f()", f"f{number}()") for number, (name, (_, check, _)) in enumerate(UNSAFE.items())}
    right = "\n".join(f"def f{number}(): return None" for number in range(len(UNSAFE)))
    results = by_name(submit(answer, checks, right))
    assert {name: results[name].points for name in UNSAFE} == {name: points for name, (_, _, points) in UNSAFE.items()}


def test_cells_are_judged_at_their_place_in_the_notebook(submit: Submit) -> None:
    """A name that a later cell gives another meaning was right where it was asked for."""
    checks = {"first": "assert double(2) == 4", "then": "double = None", "hidden": HIDDEN.format("assert double is None")}
    results = by_name(submit(SOLUTION, checks))
    assert [results[name].points for name in checks] == [2, 2, 2]


def test_a_test_that_ends_the_kernel_loses_what_was_not_reached_and_hidden_parts_too(submit: Submit) -> None:
    answer = SOLUTION + "\nimport os\ndef leave(x): return os._exit(3) if x == 5 else 1"
    checks = {"first": CHECKS["visible"], "leaves": "leave(1)" + HIDDEN.format("leave(5)"), "after": CHECKS["visible"]}
    results = by_name(submit(answer, checks))
    assert [results[name].verdict for name in checks] == [Verdict.PASSED, Verdict.DIED, Verdict.DIED]


def test_a_loop_costs_its_own_cell_and_the_notebook_goes_on(submit: Submit) -> None:
    answer = SOLUTION + "\ndef loop(x):\n    while x: pass"
    checks = {"loops": "loop(0)" + HIDDEN.format("loop(1)"), "after": CHECKS["hidden"]}
    results = by_name(submit(answer, checks))
    assert [results[name].verdict for name in checks] == [Verdict.TIMED_OUT, Verdict.PASSED]


def test_the_record_shows_outputs_of_the_visible_part(submit: Submit) -> None:
    grading = submit(SOLUTION, {"hidden": "print('seen')" + HIDDEN.format("print('not for students')\nassert double(1) == 2")})
    text = json.dumps(json.loads(grading.execution.notebook))
    assert "seen" in text and "not for students" not in text
