"""One submission from bytes to evidence, in a real sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading, Verdict
from gpu_runner.errors import RunnerError
from gpu_runner.execution import MIB, CellStatus, Limits, Outcome

from .conftest import write_grader

SOLUTION = {
    "first": "def first(x):\n    return 2 * x",
    "middle": "middle = 1",
    "second": "def second(x):\n    return first(x) + 1",
}
TESTS = """
    @pytest.mark.marks(2)
    def test_first(student, rng):
        '''first doubles.'''
        x = torch.randn(4, generator=rng)
        assert_close_to(student.first(x), 2 * x)
    @pytest.mark.marks(1)
    @pytest.mark.timeout(1)
    def test_second(student):
        '''second adds one.'''
        assert_close_to(student.second(3.0), 7.0)
    @pytest.mark.marks(1)
    def test_first_again(student):
        assert_close_to(student.first(5), 10)
"""
LIMITS = Limits(cell_cpu_seconds=3, cpu_seconds=60, cell_wall_seconds=20, wall_seconds=120, memory_bytes=1536 * MIB)


def answer(name: str, text: str) -> Any:
    marks = {"nbgrader": {"grade": False, "solution": True, "locked": False, "grade_id": name, "schema_version": 3}}
    return new_code_cell(text, metadata=marks)


def check(name: str, text: str, points: float) -> Any:
    marks = {"grade": True, "solution": False, "locked": True, "grade_id": name, "points": points, "schema_version": 3}
    return new_code_cell(text, metadata={"nbgrader": marks})


def notebook(answers: dict[str, str], *, checks: bool = False) -> nbformat.NotebookNode:
    cells = [new_markdown_cell("# Lab"), *(answer(name, text) for name, text in {**SOLUTION, **answers}.items())]
    if checks:
        cells.insert(2, check("t1", "assert first(1) == 2", 1))
        cells.append(check("t2", "assert second(1) == 3", 2))
    return new_notebook(cells=cells)


Submit = Callable[..., Grading]


@pytest.fixture
def submit(tmp_path: Path) -> Submit:
    def run(answers: dict[str, str], *, classic: bool = False, raw: bytes | None = None, **options: Any) -> Grading:
        source, grader = tmp_path / "source", tmp_path / "grader"
        source.mkdir()
        (source / "assignment.toml").write_text('title = "Tiny"\nnotebooks = ["lab.ipynb"]\n')
        nbformat.write(notebook({}, checks=classic), source / "lab.ipynb")
        if classic:
            grader.mkdir()
        else:
            write_grader(grader, TESTS)
        submitted = nbformat.writes(notebook(answers, checks=classic)).encode() if raw is None else raw
        settings: dict[str, Any] = {"attachments": {}, "limits": LIMITS, "seed": 7, **options}
        return grade(Bundle(1, "tiny", {"lab.ipynb": submitted}, source=source, grader=grader, **settings))

    return run


def verdicts(grading: Grading) -> list[Verdict]:
    return [test.verdict for test in grading.tests]


def test_a_right_submission_earns_all(submit: Submit) -> None:
    grading = submit({})
    assert (grading.points, grading.out_of, grading.needs_review) == (4, 4, False)
    assert grading.execution.outcome is Outcome.COMPLETED
    assert grading.note == ""
    assert len(json.loads(grading.execution.notebook)["cells"]) == 4


def test_a_wrong_function_costs_its_tests_alone(submit: Submit) -> None:
    grading = submit({"second": "def second(x):\n    return first(x) - 1", "middle": "1 / 0"})
    assert verdicts(grading) == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]
    assert [cell.status for cell in grading.execution.raised] == [CellStatus.RAISED]


def test_what_was_right_before_and_after_a_crash_earns_its_marks(submit: Submit) -> None:
    grading = submit({"middle": "import os\nos._exit(3)"})
    assert grading.execution.outcome is Outcome.DIED
    assert verdicts(grading) == [Verdict.PASSED] * 3
    assert "the tests ran without it" in grading.note


def test_an_endless_loop_costs_no_other_cell(submit: Submit) -> None:
    grading = submit({"middle": "while True: pass"})
    assert verdicts(grading) == [Verdict.PASSED] * 3
    assert CellStatus.TIMED_OUT in [cell.status for cell in grading.execution.cells]


def test_a_function_that_ends_the_kernel_costs_its_own_test(submit: Submit) -> None:
    grading = submit({"second": "import os\ndef second(x): os._exit(4)"})
    assert verdicts(grading) == [Verdict.PASSED, Verdict.DIED, Verdict.PASSED]
    assert grading.points == 3


def test_a_function_that_holds_the_interpreter_costs_its_own_test(submit: Submit) -> None:
    hold = "import re\ndef second(x): return re.match('(a+)+$', 'a' * 60 + 'b')"
    grading = submit({"second": hold})
    assert verdicts(grading) == [Verdict.PASSED, Verdict.TIMED_OUT, Verdict.PASSED]


def test_a_notebook_that_is_none_earns_nothing_and_is_no_fault_of_ours(submit: Submit) -> None:
    grading = submit({}, raw=b"\x89PNG")
    assert (grading.points, grading.out_of, grading.needs_review) == (0, 4, False)
    assert grading.changes


def test_attachments_lie_beside_the_notebook(submit: Submit) -> None:
    factor = "def first(x):\n    return int(open('factor.txt').read()) * x"
    grading = submit({"first": factor}, attachments={"factor.txt": b"2"})
    assert grading.points == 4


def test_classic_cells_earn_their_points(submit: Submit) -> None:
    grading = submit({"second": "def second(x): return 0"}, classic=True)
    assert [(test.name, test.points) for test in grading.tests] == [("t1", 1), ("t2", 0)]
    assert [test.where for test in grading.tests] == ["trusted", "in-kernel"]  # one that failed in the kernel has failed


def test_a_sandbox_that_does_not_exist_is_our_fault(submit: Submit) -> None:
    with pytest.raises(RunnerError):
        submit({}, backend="no-such-backend")


FORGERIES = {
    "objects": "class L:\n    def __eq__(s, o): return True\n    def __call__(s, *a): return L()\nfirst = second = L()",
    "patched": "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\nfirst = second = lambda *a: None",
    "reading": (
        "import os\ndef first(x): return next(2 * x for at, _, names in os.walk('/') if 'test_tiny.py' in names)\n"
        "second = first"
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forger_in_the_sandbox_earns_nothing(submit: Submit, name: str) -> None:
    grading = submit({"first": "", "second": FORGERIES[name]})
    assert grading.points == 0 and grading.out_of == 4
    assert not grading.needs_review
