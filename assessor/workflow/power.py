"""Proving the hidden tests of a course: which known wrong answers they find, and that right ones earn everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assessor.course import Course
from assessor.errors import AssessorError
from assessor.files import write_text
from assessor.grading.power import SEEDS, Power, Progress, measure
from assessor.reports.pages import render

RECORD = "power.json"


@dataclass(frozen=True)
class Proof:
    """One assignment's power, and the page that shows it."""

    power: Power
    page: Path


def prove(
    course: Course, names: Sequence[str] = (), *, seeds: int = SEEDS, progress: Progress = lambda done, total: None
) -> tuple[Proof, ...]:
    """Measures notebook assignments with hidden tests, all of them when no names are given; writes a page for each.

    Raises:
        UnknownName: there is no such assignment.
        AssessorError: one that is named has no hidden tests of its own.
        GraderFault: ours; a test, a mutant or a variant is broken.
    """
    chosen = [course.assignment(name) for name in names] or list(course.assignments)
    proofs = []
    for assignment in chosen:
        if not any(assignment.grader.glob("test_*.py")):
            if names:
                raise AssessorError(f"{assignment.name}: has no hidden tests in {assignment.grader}")
            continue
        notebook = assignment.source / assignment.notebooks[0]
        power = measure(assignment.name, notebook, assignment.grader, seeds=seeds, progress=progress)
        page = course.root / "reports" / f"power-{assignment.name}.html"
        write_text(page, render("power.html", power=power))
        proofs.append(Proof(power, page))
        _note(course, power)
    return tuple(proofs)


def _note(course: Course, power: Power) -> None:
    """Keeps what was proven last of each assignment, for the board's report."""
    path = course.root / "reports" / RECORD
    write_text(path, json.dumps({**proven(course), power.assignment: power.summary()}, indent=1) + "\n")


def proven(course: Course) -> dict[str, dict[str, Any]]:
    """What `prove` found last, assignment -> its summary; nothing where it was never run."""
    try:
        found = json.loads((course.root / "reports" / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
