"""Proving the hidden tests of a course: which known wrong answers they find, and that right ones earn everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assessor.course import Course
from assessor.errors import AssessorError
from assessor.files import write_text
from assessor.grading.power import SEEDS, Power, Progress, measure
from assessor.reports.pages import render


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
    return tuple(proofs)
