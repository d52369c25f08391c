"""Marks do not depend on load: limits that can cost one count CPU time, so a busy machine fails nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading
from gpu_runner.execution import MIB, Limits

from .conftest import write_grader
from .test_grade import SOLUTION, notebook

LOOPS = 4
LIMITS = Limits(cell_cpu_seconds=2, cpu_seconds=30, memory_bytes=1024 * MIB)
BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"
TESTS = """
    @pytest.mark.marks(2)
    @pytest.mark.timeout(2)
    def test_first(student):
        assert_close_to(student.first(2.0), 4.0)
    @pytest.mark.marks(1)
    @pytest.mark.timeout(1)
    def test_second(student):
        assert_close_to(student.second(3.0), 7.0)
"""
COHORT = {
    "quick": {},
    "slow but within its limit": {"middle": BURN.format(1.3)},
    "over its limit": {"middle": BURN.format(60)},
    "a slow function": {"first": "def first(x):\n    " + BURN.format(1.2).replace("\n", "\n    ") + "\n    return 2 * x"},
    "a function that never ends": {"second": "def second(x):\n    while True: pass"},
}


def graded(tmp_path: Path) -> dict[str, Grading]:
    source, grader = tmp_path / "source", write_grader(tmp_path / "grader", TESTS)
    source.mkdir(exist_ok=True)
    nbformat.write(notebook({}), source / "lab.ipynb")
    found = {}
    for number, (name, answers) in enumerate(COHORT.items()):
        written = nbformat.writes(notebook({**SOLUTION, **answers})).encode()
        found[name] = grade(Bundle(number, "lab", {"lab.ipynb": written}, {}, source, grader, LIMITS, seed=5))
    return found


@contextmanager
def busy() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def told(found: dict[str, Grading]) -> dict[str, object]:
    return {
        name: (g.points, g.execution.outcome, [c.status for c in g.execution.cells], [(t.name, t.verdict) for t in g.tests])
        for name, g in found.items()
    }


def test_a_cohort_gets_the_same_beside_four_busy_loops(tmp_path: Path) -> None:
    alone = told(graded(tmp_path))
    with busy():
        beside = told(graded(tmp_path))
    assert beside == alone
    assert [str(alone[name][0]) for name in COHORT] == ["3", "3", "3", "2", "2"]  # type: ignore[index]
