"""Calibrating an assignment's trained metrics: right answers, many seeds, one file."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from assessor.course import Course
from assessor.errors import AssessorError, GraderFault
from assessor.grading.calibration import Metric, runs_needed, write_calibration
from assessor.grading.local import grade_source
from assessor.grading.power import load_variants, lost

FIRST_SEED = 1_000_003
"""None of those that `power` tries right answers with."""


@dataclass(frozen=True)
class Calibrated:
    """What was written."""

    file: Path
    metrics: dict[str, Metric]


def calibrate(
    course: Course, name: str, *, runs: int | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Calibrated:
    """Runs every right answer of an assignment with fresh seeds, in turn, and writes calibration.json.

    Args:
        runs: how many in all; what the error rate asks for when None.

    Raises:
        UnknownName: there is no such assignment.
        AssessorError: too few runs, or none of its tests asks for a calibrated metric.
        GraderFault: ours; a right answer fails a test, so its metric would say nothing.
    """
    assignment = course.assignment(name)
    wanted = runs_needed()
    if runs is not None and runs < wanted:
        raise AssessorError(f"{name}: {runs} runs, at least {wanted} are needed for the error rate that is promised")
    answers: dict[str, dict[str, str]] = {"the solution": {}, **load_variants(assignment.grader)}
    collected: dict[str, tuple[list[float], bool]] = {}
    counts: dict[str, dict[str, int]] = {}
    total, notebook = runs or wanted, assignment.source / assignment.notebooks[0]
    for number in range(total):
        answer = list(answers)[number % len(answers)]
        found: dict[str, tuple[list[float], bool]] = {}
        seed = FIRST_SEED + number
        results = grade_source(notebook, assignment.grader, answers[answer], seed=seed, shown=False, collect=found)
        if lost(results):
            raise GraderFault(f"{name}: {answer} is right, but fails {', '.join(lost(results))}; mend that before calibrating")
        if not found:
            raise AssessorError(f"{name}: no hidden test uses the fixture `calibrated`, so there is nothing to calibrate")
        for metric, (values, higher) in found.items():
            collected.setdefault(metric, ([], higher))[0].extend(values)
            tally = counts.setdefault(metric, {})
            tally[answer] = tally.get(answer, 0) + len(values)
        progress(number + 1, total)
    metrics = {one: Metric(tuple(values), higher, counts[one]) for one, (values, higher) in collected.items()}
    environment = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    return Calibrated(write_calibration(assignment.grader, metrics, environment), metrics)
