"""Classic test cells that stay in the kernel: a clean run earns the points, anything else does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from assessor.errors import GraderFault
from assessor.grading.classic import ClassicCells
from assessor.grading.incell import in_kernel_results
from assessor.grading.results import Verdict
from gpu_runner.execution import CellStatus
from gpu_runner.testing import recorded_execution


def source(*cells: tuple[str, Any]) -> ClassicCells:
    made = [
        new_code_cell("assert x", metadata={"nbgrader": {"grade": True, "solution": False, "grade_id": i, "points": p}})
        for i, p in cells
    ]
    answer = new_code_cell("x = 1", metadata={"nbgrader": {"grade": False, "solution": True, "grade_id": "answer"}})
    manual = {"grade": True, "solution": True, "grade_id": "essay", "points": 5}
    essay = [new_markdown_cell("", metadata={"nbgrader": manual}), new_code_cell("", metadata={"nbgrader": manual})]
    notebook: nbformat.NotebookNode = new_notebook(cells=[answer, *essay, new_code_cell("1"), *made])
    return ClassicCells(notebook, 0, 1.0, frozenset(i for i, _ in cells))


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (CellStatus.OK, "", Verdict.PASSED),
        (CellStatus.RAISED, "AssertionError: expected 4711", Verdict.FAILED),
        (CellStatus.RAISED, "NameError: name 'x' is not defined", Verdict.RAISED),
        (CellStatus.TIMED_OUT, "", Verdict.TIMED_OUT),
        (CellStatus.KILLED, "", Verdict.DIED),
        (CellStatus.NOT_RUN, "", Verdict.DIED),
    ],
)
def test_only_a_clean_run_earns_points(status: CellStatus, error: str, verdict: Verdict) -> None:
    execution = recorded_execution({"answer": CellStatus.OK, "t1": status}, errors={"t1": error})
    (result,) = in_kernel_results(execution, source(("t1", 2.5)))
    assert (result.name, result.verdict, result.out_of) == ("t1", verdict, Decimal("2.5"))
    assert result.points == (Decimal("2.5") if verdict is Verdict.PASSED else 0)
    assert result.where == "in-kernel"
    assert "4711" not in result.message and result.detail == error


def test_a_test_cell_that_did_not_run_at_all_goes_to_review() -> None:
    (result,) = in_kernel_results(recorded_execution({"answer": CellStatus.OK}), source(("t1", 1)))
    assert result.verdict is Verdict.REVIEW


@pytest.mark.parametrize("points", [-1, float("nan"), float("inf"), "many", None])
def test_points_that_are_none_are_our_fault(points: Any) -> None:
    with pytest.raises(GraderFault, match="points"):
        in_kernel_results(recorded_execution({"t1": CellStatus.OK}), source(("t1", points)))


def test_a_doubled_test_cell_of_the_source_is_our_fault() -> None:
    with pytest.raises(GraderFault, match="twice"):
        in_kernel_results(recorded_execution({"t1": CellStatus.OK}), source(("t1", 1), ("t1", 1)))
