"""`assessor check`: what students are given to try their work with, and that nothing secret comes along."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result

from assessor.cli import assessor
from assessor.course import Course
from assessor.errors import AssessorError, CourseInvalid, ReleaseLeaks
from assessor.workflow import check as checking
from assessor.workflow.check import check
from assessor.workflow.release import release

PUBLIC = '''
import pytest

pytestmark = pytest.mark.public


def test_kind(student):
    """`square` should give a whole number for a whole number."""
    assert type(student.square(2)) is int


@pytest.mark.forbids("torch.square")
def test_by_hand(student):
    """`square` should be written by hand."""
    assert student.square(0) is not None
'''


@pytest.fixture
def given(small: Course) -> Path:
    """The folder that a student unpacked; the course is gone from this machine."""
    (small.assignment("powers").grader / "test_public.py").write_text(PUBLIC)
    folder = small.root.parent / "at home" / "powers"
    shutil.copytree(release(small, "powers").folder, folder)
    shutil.rmtree(small.root)
    return folder


def written(folder: Path, answer: str, name: str = "powers.ipynb") -> Path:
    """The student's notebook with this answer."""
    notebook = nbformat.read(folder / "powers.ipynb", as_version=4)
    [cell] = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    cell.source = answer
    nbformat.write(notebook, folder / name)
    return folder / name


def run(*words: object) -> Result:
    return CliRunner().invoke(assessor, list(map(str, words)))


def test_students_get_public_tests_and_no_hidden_ones(given: Path) -> None:
    assert sorted(path.relative_to(given).as_posix() for path in given.rglob("*.py")) == ["checks/test_public.py"]
    assert (given / "checks/test_public.py").read_text() == PUBLIC


def test_a_right_answer_passes_without_the_course(given: Path) -> None:
    done = run("check", written(given, "def square(x):\n    return x * x"))
    assert done.exit_code == 0, done.output
    assert done.output.count("passed") == 2 and "square(3)" not in done.output


def test_a_wrong_one_is_told_why_and_what_its_cells_raised(given: Path) -> None:
    done = run("check", written(given, "print(undefined)\n\n\ndef square(x):\n    return float(x) ** 2"), "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [one["error"] for one in found["raised"]] == ["NameError: name 'undefined' is not defined"]
    assert [(one["test"], one["verdict"]) for one in found["tests"]] == [("test_kind", "missing"), ("test_by_hand", "missing")]


def test_a_rule_about_names_looks_at_the_answer(given: Path) -> None:
    answer = "from torch import square as s, tensor\n\n\ndef square(x):\n    return int(s(tensor(x)))"
    done = check(written(given, answer))
    assert [(one.name, one.verdict) for one in done.tests] == [("test_kind", "passed"), ("test_by_hand", "failed")]


def test_a_notebook_that_ends_its_kernel_is_still_looked_at(given: Path) -> None:
    notebook = nbformat.read(written(given, "def square(x):\n    return x * x"), as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import os\nos._exit(3)"))
    nbformat.write(notebook, given / "powers.ipynb")
    done = check(given / "powers.ipynb")
    assert done.passed and "the tests ran without it" in done.grading.note


def test_without_a_sandbox_nothing_runs_until_it_is_asked_for(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SANDBOX", "runs nowhere")
    notebook = written(given, "open('ran', 'w').close()\n\n\ndef square(x):\n    return x * x")
    refused = run("check", notebook)
    assert refused.exit_code == 1 and "--unconfined" in str(refused.exception)
    done = run("check", notebook, "--unconfined")
    assert done.exit_code == 0, done.output
    assert "without a sandbox" in done.output


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "powers.ipynb").write_text("{"), "not JSON"),
        (lambda folder: (folder / "powers.ipynb").unlink(), "No such file"),
        (lambda folder: shutil.rmtree(folder / "checks"), "no public tests beside it"),
    ],
    ids=["damaged", "not there", "moved away"],
)
def test_what_cannot_be_checked_is_said_in_one_line(given: Path, spoil: object, said: str) -> None:
    spoil(given)  # type: ignore[operator]
    with pytest.raises(AssessorError, match=said):
        check(given / "powers.ipynb")


@pytest.mark.parametrize(
    "needs", ["def test_a(student, reference):\n", "from reference import square\n\n\ndef test_a(student):\n"]
)
def test_a_public_test_that_needs_secret_files_is_not_released(small: Course, needs: str) -> None:
    text = f'import pytest\n\npytestmark = pytest.mark.public\n{needs}    """Says."""\n'
    (small.assignment("powers").grader / "reference.py").write_text("def square(x):\n    return x * x\n")
    (small.assignment("powers").grader / "test_public.py").write_text(text)
    with pytest.raises(CourseInvalid, match="which students do not have"):
        release(small, "powers")


def test_a_public_test_must_not_hold_the_solution(small: Course) -> None:
    text = PUBLIC + "\n\ndef right(x):\n    return x * x * 1 + 0\n"
    (small.assignment("powers").grader / "test_public.py").write_text(text)
    with pytest.raises(ReleaseLeaks, match=r"checks/test_public\.py"):
        release(small, "powers")


def test_a_file_with_one_hidden_test_stays_secret(small: Course) -> None:
    text = PUBLIC.replace("pytestmark = pytest.mark.public", "mark = pytest.mark.public")
    (small.assignment("powers").grader / "test_public.py").write_text(text)
    assert not [name for name in release(small, "powers").files if name.startswith("checks/")]
