"""What classic nbgrader test cells earn: by what was decided out of the student's reach, else by how they ran in the kernel.

A cell that did not run, or raised, earns nothing. One that ran without raising earns what classic.py found; where the
cell cannot be judged there it earns its points or the partial credit that it displays. That the student's code could
have forged: such results are marked 'in-kernel'. Other output, stderr included, counts for nothing.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal, InvalidOperation

import nbformat

from assessor.errors import GraderFault
from assessor.grading.classic import ClassicCells, Outcome, credit_of, credited
from assessor.grading.results import TestResult, Verdict
from assessor.notebooks import regions
from gpu_runner.execution import CellRun, CellStatus, Execution

_ENDINGS = {
    CellStatus.OK: (Verdict.PASSED, ""),
    CellStatus.TIMED_OUT: (Verdict.TIMED_OUT, "this check did not end in time"),
    CellStatus.KILLED: (Verdict.DIED, "the notebook's process ended in this check"),
    CellStatus.NOT_RUN: (Verdict.DIED, "this check was not reached: the notebook's process ended before it"),
}


def in_kernel_results(execution: Execution, classic: ClassicCells) -> tuple[TestResult, ...]:
    """Results of the source's autograded test cells.

    Raises:
        GraderFault: ours; points that are not a number of 0 or more, or a grade id given twice.
    """
    runs = {run.grade_id: run for run in execution.cells if run.grade_id}
    outcomes, credits = classic.outcomes(), _displayed(execution)
    results: dict[str, TestResult] = {}
    for cell in classic.source.cells:
        metadata = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not metadata.get("grade") or metadata.get("solution"):
            continue
        grade_id = str(metadata.get("grade_id", ""))
        if grade_id in results:
            raise GraderFault(f"test cell {grade_id!r} is in the source twice")
        points, run = _points(grade_id, metadata.get("points", 0)), runs.get(grade_id)
        if run is not None and run.status is CellStatus.OK and classic.missed(grade_id):
            run = replace(run, status=CellStatus.NOT_RUN)
        if run is not None and run.status is CellStatus.OK and grade_id in outcomes:
            results[grade_id] = _decided(grade_id, points, run, outcomes[grade_id])
        else:
            results[grade_id] = _result(grade_id, points, run, credits.get(grade_id))
    return tuple(results.values())


def _points(grade_id: str, found: object) -> Decimal:
    try:
        points = Decimal(str(found))
    except InvalidOperation:
        points = Decimal("NaN")
    if not points.is_finite() or points < 0:
        raise GraderFault(f"test cell {grade_id!r}: points: found {found!r}; allowed: a number of 0 or more")
    return points


def _displayed(execution: Execution) -> dict[str, Outcome]:
    """The partial credit that test cells displayed in the kernel, where it is a number."""
    found = {}
    for cell in nbformat.reads(execution.notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":
                shown = re.sub(r"^tensor\((.*)\)$", r"\1", str(output.data.get("text/plain", "")))
                with suppress(ValueError):
                    found[regions.grade_id(cell)] = credit_of(float(shown))
                break
    return found


def _decided(grade_id: str, points: Decimal, run: CellRun, outcome: Outcome) -> TestResult:
    """What was decided out of the student's reach."""
    verdict, message = outcome.judgement.verdict, outcome.judgement.message
    return TestResult(
        name=grade_id,
        title=grade_id.replace("_", " "),
        verdict=verdict,
        points=credited(points, outcome.credit) if verdict is Verdict.PASSED else Decimal(0),
        out_of=points,
        message=message,
        detail=outcome.detail,
        seconds=run.wall_seconds,
    )


def _result(grade_id: str, points: Decimal, run: CellRun | None, credit: Outcome | None) -> TestResult:
    if run is None:
        verdict, message = Verdict.REVIEW, "this check was not found among the cells that ran; a person will look at it"
    elif run.status is CellStatus.RAISED:
        # The text of the error may quote an expected value: the student reads its kind alone.
        kind = run.error.partition(":")[0].strip()
        failed = kind == "AssertionError"
        verdict = Verdict.FAILED if failed else Verdict.RAISED
        message = "a check failed here" if failed else f"{kind or 'an error'} was raised in this check"
    elif run.status is CellStatus.OK and credit is not None:
        verdict, message = credit.judgement.verdict, credit.judgement.message
    else:
        verdict, message = _ENDINGS[run.status]
    earned = credited(points, credit.credit if credit else None)
    return TestResult(
        name=grade_id,
        title=grade_id.replace("_", " "),
        verdict=verdict,
        points=earned if verdict is Verdict.PASSED else Decimal(0),
        out_of=points,
        message=message,
        detail=run.error if run else "",
        seconds=run.wall_seconds if run else 0.0,
        where="in-kernel",
    )
