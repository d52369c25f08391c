"""Whole notebooks as students hand them in: the folder says the verdict, the metadata the mark and why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest

from assessor.course import Assignment, load_course
from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading, Verdict
from gpu_runner.execution import CellStatus, Outcome

HERE = Path(__file__).parent
LABS = {lab.name.split("_")[0]: lab for lab in load_course(HERE.parents[1]).assignments if lab.kind == "notebook"}
VERDICTS = ("accepted", "wrong_answer", "run_time_error", "time_limit_exceeded")
HAND_INS = [path for lab in LABS for verdict in VERDICTS for path in sorted((HERE / lab / verdict).glob("*.ipynb"))]
INTERRUPTED = {"time_limit_exceeded": (Outcome.COMPLETED, Outcome.CPU_EXCEEDED, Outcome.WALL_EXCEEDED)}
"""Whether a cell stops soon enough when it is interrupted, or its kernel has to be ended, and by which clock, is chance."""


def graded(path: Path, lab: Assignment, limits: dict[str, float]) -> Grading:
    """In a sandbox of its own, as every hand-in is."""
    handed_in = {lab.notebooks[0]: path.read_bytes()}
    return grade(Bundle(1, lab.name, handed_in, {}, lab.source, lab.grader, replace(lab.limits, **limits), seed=41))


def holds(verdict: str, grading: Grading) -> bool:
    """Whether what came of it is what its folder says."""
    full, died = grading.points == grading.out_of, grading.execution.outcome is Outcome.DIED
    tests = {test.verdict for test in grading.tests}
    slow = Verdict.TIMED_OUT in tests or any(cell.status is CellStatus.TIMED_OUT for cell in grading.execution.cells)
    raised = bool(tests & {Verdict.RAISED, Verdict.MISSING, Verdict.DIED}) or died
    return {
        "accepted": full and not died and not slow,
        "wrong_answer": not full and not died and not slow,
        "run_time_error": not full and raised and not slow,
        "time_limit_exceeded": slow,
    }[verdict]


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_has_hand_ins_of_every_kind(lab: str) -> None:
    kinds = [path.parent.name for path in HAND_INS if path.parts[-3] == lab]
    assert set(kinds) == set(VERDICTS)
    assert len(kinds) >= 8


@pytest.mark.parametrize(
    "path",
    HAND_INS,
    ids=[path.relative_to(HERE).with_suffix("").as_posix() for path in HAND_INS],
)
def test_it_gets_the_mark_that_it_deserves(path: Path) -> None:
    lab = LABS[path.parts[-3]]
    expected = nbformat.read(path, as_version=4).metadata["expected"]
    grading = graded(path, lab, expected.get("limits", {}))
    lost = [(test.name, test.verdict.value, test.message[:200]) for test in grading.tests if test.verdict is not Verdict.PASSED]
    story = f"{expected['why']} {grading.note} {lost}"
    assert not grading.needs_review, story
    assert grading.out_of == lab.hidden_marks
    assert round(grading.points, 2) == Decimal(expected["marks"]), story
    assert grading.execution.outcome in (expected["outcome"], *INTERRUPTED.get(path.parent.name, ())), story
    assert holds(path.parent.name, grading), story
