"""Every lab's hidden tests: right answers earn everything, an untouched release nothing, known wrong answers are found."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest
import torch

from assessor.course import Assignment, load_course
from assessor.grading.grade import grade
from assessor.grading.local import grade_source, run_cells
from assessor.grading.power import Power, load_mutants, lost, measure
from assessor.grading.results import Bundle
from assessor.workflow.release import released_files

ROOT = Path(__file__).parents[2]
LABS = [one for one in load_course(ROOT).assignments if one.kind == "notebook"]
SEEDS = 1  # `make power` takes 15, and lets every mutant meet every test


@pytest.fixture(scope="module", params=LABS, ids=lambda lab: lab.name)
def lab(request: pytest.FixtureRequest) -> Assignment:
    return request.param


@pytest.fixture(scope="module")
def power(lab: Assignment) -> Power:
    return measure(lab.name, lab.source / lab.notebooks[0], lab.grader, seeds=SEEDS, whole=False)


def test_eight_labs_know_many_wrong_answers() -> None:
    assert len(LABS) == 8
    assert sum(len(load_mutants(lab.grader)) for lab in LABS) >= 188 + 40, "those of the catalogue, and more of our own"


def test_right_answers_earn_everything(power: Power, lab: Assignment) -> None:
    assert power.false_fails == ()
    assert power.out_of == lab.hidden_marks
    assert power.correct >= 4, "the solution and at least three other right ways"


def test_the_untouched_release_earns_nothing(power: Power) -> None:
    assert power.release_points == 0


def test_every_known_wrong_answer_loses_marks_where_it_should(power: Power) -> None:
    assert {kill.mutant: kill.failed for kill in power.alive} == {}
    assert all(kill.points < power.out_of for kill in power.kills)


def test_every_hidden_test_kills_something(power: Power) -> None:
    assert power.idle == ()


def test_every_cell_of_the_solution_runs(lab: Assignment) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a student's kernel
        namespace = run_cells(nbformat.read(lab.source / lab.notebooks[0], as_version=4), {}, lab.source)
    assert not namespace["__errors__"]


def test_the_release_holds_nothing_of_solution_or_hidden_tests(lab: Assignment) -> None:
    """`released_files` raises where something leaks; here it is looked at from outside too."""
    released = b"\n".join(released_files(lab).values()).decode("utf-8", "replace")
    assert "BEGIN SOLUTION" not in released
    assert "NotImplementedError" in released
    tests = [path.read_text("utf-8") for path in sorted(lab.grader.glob("test_*.py"))]
    secret = [line.strip() for text in tests if "\npytestmark = pytest.mark.public\n" not in text for line in text.splitlines()]
    assert secret and [line for line in secret if line.startswith("def test_") and line in released] == []


def test_students_are_given_the_public_tests(lab: Assignment) -> None:
    """They are worth nothing: no mark hangs on what anybody can read."""
    given = [name for name in released_files(lab) if name.startswith("checks/")]
    assert given == [f"checks/test_public_{lab.name}.py"]
    results = grade_source(lab.source / lab.notebooks[0], lab.grader, seed=7, public_only=True, shown=False)
    assert len(results) >= 4 and {(one.verdict, one.out_of) for one in results} == {("passed", 0)}


def test_the_same_seed_gives_the_same_marks_again(lab: Assignment) -> None:
    notebook = lab.source / lab.notebooks[0]
    first, second = (grade_source(notebook, lab.grader, seed=7, shown=False) for _ in range(2))
    assert [(one.name, one.verdict, one.points) for one in first] == [(one.name, one.verdict, one.points) for one in second]
    assert lost(first) == ()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_the_solution_earns_on_a_gpu_what_it_earns_on_a_cpu(lab: Assignment) -> None:
    handed_in = {name: (lab.source / name).read_bytes() for name in lab.notebooks}
    for gpu in ("none", "required"):
        grading = grade(Bundle(1, lab.name, handed_in, {}, lab.source, lab.grader, lab.limits, seed=41, gpu=gpu))
        assert grading.points == grading.out_of == lab.hidden_marks, lost(grading.tests)
