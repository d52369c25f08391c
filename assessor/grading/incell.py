"""Classic nbgrader test cells: they ran in the student's kernel, beside the student's code.

A cell that ran without raising earns its points, any other earns none; output, stderr and partial credit count for
nothing. The student's code could have forged this: such results are marked 'in-kernel', and new tests are not written
so.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from nbformat import NotebookNode

from assessor.errors import GraderFault
from assessor.grading.results import TestResult, Verdict
from gpu_runner.execution import CellRun, CellStatus, Execution

_ENDINGS = {
    CellStatus.OK: (Verdict.PASSED, ""),
    CellStatus.TIMED_OUT: (Verdict.TIMED_OUT, "this check did not end in time"),
    CellStatus.KILLED: (Verdict.DIED, "the notebook's process ended in this check"),
    CellStatus.NOT_RUN: (Verdict.DIED, "this check was not reached: the notebook's process ended before it"),
}


def in_kernel_results(execution: Execution, source: NotebookNode) -> tuple[TestResult, ...]:
    """Results of the source's autograded test cells, as the execution found them.

    Raises:
        GraderFault: ours; points that are not a number of 0 or more, or a grade id given twice.
    """
    runs = {run.grade_id: run for run in execution.cells if run.grade_id}
    results: dict[str, TestResult] = {}
    for cell in source.cells:
        metadata = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not metadata.get("grade") or metadata.get("solution"):
            continue
        grade_id = str(metadata.get("grade_id", ""))
        if grade_id in results:
            raise GraderFault(f"test cell {grade_id!r} is in the source twice")
        results[grade_id] = _result(grade_id, _points(grade_id, metadata.get("points", 0)), runs.get(grade_id))
    return tuple(results.values())


def _points(grade_id: str, found: object) -> Decimal:
    try:
        points = Decimal(str(found))
    except InvalidOperation:
        points = Decimal("NaN")
    if not points.is_finite() or points < 0:
        raise GraderFault(f"test cell {grade_id!r}: points: found {found!r}; allowed: a number of 0 or more")
    return points


def _result(grade_id: str, points: Decimal, run: CellRun | None) -> TestResult:
    if run is None:
        verdict, message = Verdict.REVIEW, "this check was not found among the cells that ran; a person will look at it"
    elif run.status is CellStatus.RAISED:
        # The text of the error may quote an expected value: the student reads its kind alone.
        kind = run.error.partition(":")[0].strip()
        failed = kind == "AssertionError"
        verdict = Verdict.FAILED if failed else Verdict.RAISED
        message = "a check failed here" if failed else f"{kind or 'an error'} was raised in this check"
    else:
        verdict, message = _ENDINGS[run.status]
    return TestResult(
        name=grade_id,
        title=grade_id.replace("_", " "),
        verdict=verdict,
        points=points if verdict is Verdict.PASSED else Decimal(0),
        out_of=points,
        message=message,
        detail=run.error if run else "",
        seconds=run.wall_seconds if run else 0.0,
        where="in-kernel",
    )
