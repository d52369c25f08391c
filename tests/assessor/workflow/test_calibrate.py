"""Calibrating and proving an assignment, from its right answers and its mutants to the files that tests and people read."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook

from assessor.course import Course, load_course
from assessor.errors import AssessorError, GraderFault
from assessor.grading.calibration import read_calibration
from assessor.workflow.calibrate import calibrate
from assessor.workflow.power import prove
from tests.assessor.workflow.conftest import answer_cell

TESTS = '''
import pytest


@pytest.mark.marks(1)
def test_square(student):
    """`square` should square."""
    assert student.square(3) == 9


@pytest.mark.marks(1)
@pytest.mark.depends("test_square")
def test_trained(student, calibrated):
    """Trained, the model should reach what right ones reach."""
    calibrated("accuracy", lambda seed: student.train(seed))
'''
TRAIN = """def train(seed):
    ### BEGIN SOLUTION
    import random
    return 0.9 + 0.05 * random.Random(seed).random()
    ### END SOLUTION"""
MUTANTS = """
from assessor.grading.mutation import Mutant

MUTANTS = (
    Mutant("cubes", "a power too many", "square", "def square(x): return x**3", ("test_square",)),
    Mutant("untrained", "does not learn, and says so", "train", "def train(seed): return 'none'", ("test_trained",)),
)
"""


@pytest.fixture
def trained(small: Course) -> Course:
    """A course whose lab trains something, with another right way and two wrong ones."""
    lab = small.assignment("powers")
    second = answer_cell()
    second.source, second.id = TRAIN, "train"
    second.metadata["nbgrader"]["grade_id"] = "train"
    nbformat.write(new_notebook(cells=[answer_cell(), second]), lab.source / "powers.ipynb")
    (lab.grader / "test_powers.py").write_text(TESTS)
    (lab.grader / "mutants.py").write_text(MUTANTS)
    (lab.grader / "correct").mkdir()
    (lab.grader / "correct/lower.py").write_text("def train(seed):\n    return 0.88 + seed % 100 / 10_000\n")
    return load_course(small.root)


def test_right_answers_make_the_bound_and_then_earn_everything(trained: Course) -> None:
    told: list[tuple[int, int]] = []
    done = calibrate(trained, "powers", progress=lambda now, total: told.append((now, total)))
    metric = read_calibration(trained.assignment("powers").grader)["accuracy"]
    assert done.metrics["accuracy"] == metric
    assert (len(metric.values), dict(metric.answers)) == (64, {"the solution": 32, "lower": 32})
    assert 0.88 <= metric.bound < 0.89
    assert told[-1] == (64, 64)
    (proof,) = prove(trained, ["powers"], seeds=3)
    assert proof.power.proven, proof.power
    assert [kill.failed for kill in proof.power.kills] == [("test_square",), ("test_trained",)]
    assert proof.power.summary() | {"seconds": 0} == {
        "tests": 2, "mutants": 2, "killed": 2, "correct": 2, "false_fails": 0, "seconds": 0,
    }  # fmt: skip


class Cells(HTMLParser):
    """The texts of a page's table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag in ("td", "th")
        if self._inside:
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data.strip()


def test_the_page_shows_which_test_finds_which_wrong_answer(trained: Course) -> None:
    calibrate(trained, "powers")
    (proof,) = prove(trained, ["powers"], seeds=1)
    cells = Cells()
    cells.feed(proof.page.read_text())
    assert cells.texts[:5] == ["Wrong answer", "What is wrong", "square", "trained", "Earns"]
    assert cells.texts[5:10] == ["cubes", "a power too many", "●", "", "1"]


def test_what_is_left_to_mend_is_said(trained: Course) -> None:
    calibrate(trained, "powers")
    path = trained.assignment("powers").grader / "mutants.py"
    path.write_text(path.read_text().replace("x**3", "x * x").replace("return 'none'", "return 0.95"))
    (proof,) = prove(trained, ["powers"], seeds=1)
    assert [kill.mutant for kill in proof.power.alive] == ["cubes", "untrained"]
    assert proof.power.idle == ("test_square", "test_trained")
    assert not proof.power.proven and "To mend" in proof.page.read_text()


def test_too_few_runs_or_nothing_to_calibrate_is_said(trained: Course, small: Course) -> None:
    with pytest.raises(AssessorError, match="at least 64 are needed"):
        calibrate(trained, "powers", runs=10)
    tests = trained.assignment("powers").grader / "test_powers.py"
    tests.write_text(TESTS.split("@pytest.mark.marks(1)\n@pytest.mark.depends")[0])
    with pytest.raises(AssessorError, match="nothing to calibrate"):
        calibrate(trained, "powers")


def test_a_right_answer_that_fails_stops_the_calibration(trained: Course, tmp_path: Path) -> None:
    (trained.assignment("powers").grader / "correct/lower.py").write_text("def square(x):\n    return x + x + x + 1\n")
    with pytest.raises(GraderFault, match="lower is right, but fails test_square"):
        calibrate(trained, "powers")
    assert not (trained.assignment("powers").grader / "calibration.json").exists()
