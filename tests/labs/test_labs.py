"""Every lab's hidden tests: right answers earn everything, an untouched release nothing, known wrong answers are found."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

from assessor.course import Assignment, load_course
from assessor.grading.local import run_cells
from assessor.grading.power import Power, measure

ROOT = Path(__file__).parents[2]
LABS = [one for one in load_course(ROOT).assignments if one.kind == "notebook"]
SEEDS = 1  # `make power` takes 15, and lets every mutant meet every test


@pytest.fixture(scope="module", params=LABS, ids=lambda lab: lab.name)
def lab(request: pytest.FixtureRequest) -> Assignment:
    return request.param


@pytest.fixture(scope="module")
def power(lab: Assignment) -> Power:
    return measure(lab.name, lab.source / lab.notebooks[0], lab.grader, seeds=SEEDS, whole=False)


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
