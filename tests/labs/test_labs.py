"""Every lab's hidden tests: right answers earn everything, an untouched release nothing, known wrong answers are found."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from assessor.course import Assignment, load_course
from assessor.grading.local import grade_source, run_cells
from assessor.grading.mutation import Mutant
from assessor.grading.results import TestResult, Verdict
from assessor.notebooks.release import student_version

ROOT = Path(__file__).parents[2]
LABS = [one for one in load_course(ROOT).assignments if one.kind == "notebook"]
SEEDS = range(15 if os.environ.get("ASSESSOR_POWER") == "full" else 3)


def notebook_of(lab: Assignment) -> Path:
    return lab.source / lab.notebooks[0]


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def points(results: Sequence[TestResult]) -> Decimal:
    return sum((result.points for result in results), Decimal(0))


def lost(results: Sequence[TestResult]) -> set[str]:
    return {result.name.split("[")[0].split("::")[-1] for result in results if result.verdict is not Verdict.PASSED}


def replacements(path: Path) -> dict[str, str]:
    """Each function and class of a variant's file, with the imports it needs above it."""
    text = path.read_text()
    body = ast.parse(text).body
    imports = "\n".join(ast.get_source_segment(text, n) or "" for n in body if isinstance(n, (ast.Import, ast.ImportFrom)))
    found = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return {node.name: f"{imports}\n\n{ast.get_source_segment(text, node)}" for node in found}


VARIANTS = [(lab, path) for lab in LABS for path in sorted((lab.grader / "correct").glob("*.py"))]
MUTANTS = [(lab, mutant) for lab in LABS for mutant in module(lab.grader / "mutants.py").MUTANTS]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_the_solution_earns_everything(lab: Assignment) -> None:
    for seed in SEEDS:
        results = grade_source(notebook_of(lab), lab.grader, seed=seed)
        assert not lost(results), [r for r in results if r.verdict is not Verdict.PASSED]
        assert points(results) == lab.hidden_marks == sum(r.out_of for r in results)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_the_untouched_release_earns_nothing(lab: Assignment, tmp_path: Path) -> None:
    released = student_version(nbformat.read(notebook_of(lab), as_version=4), lab.notebooks[0])
    path = tmp_path / lab.notebooks[0]
    nbformat.write(released, path)
    assert points(grade_source(path, lab.grader)) == 0


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_every_cell_of_the_solution_runs(lab: Assignment) -> None:
    namespace = run_cells(nbformat.read(notebook_of(lab), as_version=4), {}, lab.source)
    assert not namespace["__errors__"]


@pytest.mark.parametrize(("lab", "path"), VARIANTS, ids=lambda value: getattr(value, "name", None) or value.stem)
def test_other_right_ways_earn_everything(lab: Assignment, path: Path) -> None:
    for seed in SEEDS:
        results = grade_source(notebook_of(lab), lab.grader, replacements(path), seed=seed)
        assert not lost(results), [r for r in results if r.verdict is not Verdict.PASSED]


@pytest.mark.parametrize(("lab", "mutant"), MUTANTS, ids=lambda value: value.name)
def test_a_known_wrong_answer_loses_marks(lab: Assignment, mutant: Mutant) -> None:
    results = grade_source(notebook_of(lab), lab.grader, {mutant.replaces: mutant.source})
    failed = lost(results)
    assert failed & set(mutant.killed_by), f"{mutant.bug}: lived; failed {failed or 'nothing'}"
    assert points(results) < lab.hidden_marks
    assert not [r for r in results if r.verdict is Verdict.REVIEW], "a wrong answer is not our fault"


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_every_hidden_test_kills_something(lab: Assignment) -> None:
    named = {name for one, mutant in MUTANTS if one is lab for name in mutant.killed_by}
    tests = {r.name.split("[")[0].split("::")[-1] for r in grade_source(notebook_of(lab), lab.grader)}
    assert named == tests
