"""Validation counts hidden tests as pytest and the plugin do, and names file and place of every fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from assessor.course import Course, load_course
from assessor.workflow.init import init_course
from assessor.workflow.validate import Finding, validate
from tests.assessor.workflow.conftest import TESTS

HEAD = "import pytest\n\n"
PLAIN = '{indent}def test_{name}({arguments}):\n{indent}    """Says what it tests."""\n{indent}    assert True\n\n'


def test_source(name: str, *decorators: str, method: bool = False) -> str:
    indent = "    " if method else ""
    lines = "".join(f"{indent}@pytest.mark.{decorator}\n" for decorator in decorators)
    return lines + PLAIN.format(indent=indent, name=name, arguments="self, student" if method else "student")


test_source.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def found(small: Course) -> Callable[..., list[Finding]]:
    """What validate finds once hidden tests are these, and the lab is worth `marks`."""

    def check(tests: str | bytes, marks: str = "2", **more: str) -> list[Finding]:
        lab = small.assignment("powers")
        (lab.grader / "test_powers.py").write_bytes(tests if isinstance(tests, bytes) else tests.encode())
        for name, text in more.items():
            (lab.grader / f"{name}.py").write_text(text)
        settings = lab.source / "assignment.toml"
        settings.write_text(settings.read_text().replace("hidden_marks = 2", f"hidden_marks = {marks}"))
        return list(validate(load_course(small.root)))

    return check


@pytest.mark.parametrize(
    ("tests", "marks"),
    [
        (test_source("a", "marks(2)"), "2"),
        (test_source("a", "marks(1.5)") + test_source("b", "marks(0.5)") + test_source("c"), "2"),
        (test_source("a", "marks(2)", 'parametrize("x", [1, 2, 3])').replace("(student)", "(student, x)"), "2"),
        (test_source("a", "marks(2)", "repeats(3)", "timeout(5)", 'hint("h")', "review"), "2"),
        ("pytestmark = [pytest.mark.public, pytest.mark.marks(2)]\n" + test_source("a"), "2"),
        (test_source("a", "marks(1)") + test_source("b", "marks(1)", 'depends("test_a")'), "2"),
        ("pytestmark = pytest.mark.marks(1)\n" + test_source("a") + test_source("b"), "2"),
        ("pytestmark = [pytest.mark.marks(1)]\n" + test_source("a", "marks(4)") + test_source("b"), "5"),
        ("@pytest.mark.marks(3)\nclass TestAll:\n" + test_source("a", method=True)
         + test_source("b", "marks(1)", method=True), "4"),
        ("class TestAll:\n    class TestInner:\n" + test_source("a", "marks(2)", method=True).replace("    ", "        "), "2"),
        ("from pytest import mark\n" + test_source("a", "marks(2)").replace("pytest.mark", "mark"), "2"),
        ("\ufeff" + test_source("a", "marks(2)"), "2"),
        ("def helper():\n    def test_inner(): pass\nclass Net:\n    def test_step(self): pass\n"
         + test_source("a", "marks(2)"), "2"),
    ],
)  # fmt: skip
def test_marks_are_counted_as_pytest_gives_them(found: Callable[..., list[Finding]], tests: str, marks: str) -> None:
    mark = "\ufeff" * tests.startswith("\ufeff")
    assert found(mark + HEAD + tests.removeprefix(mark), marks) == []


def test_a_public_test_among_hidden_ones_reaches_nobody(found: Callable[..., list[Finding]]) -> None:
    [finding] = found(HEAD + test_source("a", "marks(2)", "public"))
    assert (finding.level, finding.place) == ("warning", "test_a") and "students get no copy" in finding.text


def test_a_file_in_another_encoding_is_read_as_python_reads_it(found: Callable[..., list[Finding]]) -> None:
    text = "# -*- coding: latin-1 -*-\n" + HEAD + test_source("a", "marks(2)").replace("Says", "Sagt für")
    assert found(text.encode("latin-1")) == []


@pytest.mark.parametrize(
    ("tests", "place", "words"),
    [
        (test_source("a", "marks(2)", "marks(1)"), "test_a", "marks() twice"),
        (test_source("a", "marks"), "test_a", "marks() takes one number"),
        (test_source("a", "marks(-2)"), "test_a", "marks() takes one number"),
        (test_source("a", "marks(1, 1)"), "test_a", "marks() takes one number"),
        (test_source("a", "marks(N)"), "test_a", "marks() takes one number"),
        (test_source("a", "marks(float('inf'))"), "test_a", "marks() takes one number"),
        (test_source("a", "marks(2)", "flaky"), "test_a", "unknown marker 'flaky'"),
        ("pytestmark = pytest.mark.slow\n" + test_source("a", "marks(2)"), "test_a", "unknown marker 'slow'"),
        ("class TestAll:\n" + test_source("a", "marks(2)", "flaky", method=True), "test_a", "unknown marker"),
        ("class TestA:\n" + test_source("a", "marks(1)", method=True)
         + "class TestB:\n" + test_source("a", "marks(1)", method=True), "test_a", "defined 2 times"),
        ("\0", "", "not Python"),
        ("def test_a(:\n", "line 3", "not Python"),
    ],
)  # fmt: skip
def test_faults_of_hidden_tests_have_file_and_place(
    found: Callable[..., list[Finding]], tests: str, place: str, words: str
) -> None:
    faults = found(HEAD + tests)
    at_place = [one for one in faults if one.file == "graders/powers/test_powers.py" and one.place == place]
    assert any(words in one.text and one.level == "error" for one in at_place), faults


def test_one_name_in_two_files_is_an_error_as_it_is_when_grading(found: Callable[..., list[Finding]]) -> None:
    one = HEAD + test_source("a", "marks(1)")
    faults = found(one, "2", test_more=one)
    assert [(fault.file, fault.place) for fault in faults] == [("graders/powers/test_powers.py", "test_a")]
    assert "test_more.py" in faults[0].text and "defined 2 times" in faults[0].text


def change(course: Course, edit: Callable[[nbformat.NotebookNode], object]) -> list[Finding]:
    path = course.assignment("powers").source / "powers.ipynb"
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)
    return list(validate(load_course(course.root)))


@pytest.mark.parametrize(
    ("key", "value"),
    [("kernelspec", {"name": "ir", "display_name": "R", "language": "R"}), ("language_info", {"name": "julia"})],
)
def test_another_language_is_found_wherever_the_notebook_says_it(small: Course, key: str, value: dict[str, str]) -> None:
    (fault,) = change(small, lambda notebook: notebook.metadata.update({key: value}))
    assert (fault.level, fault.file, fault.place) == ("error", "powers/powers.ipynb", key)


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        (new_code_cell("def mine(x):\n    the_product = x * x * 1 + 0\n    return the_product.clone()"), "release"),
        (new_markdown_cell("So:\n\n    the_product = x * x * 1 + 0\n    return the_product.clone()"), "release"),
        (new_code_cell("### AUTOTEST square(3)"), "cell 2"),
    ],
)
def test_what_release_would_refuse_is_said_beforehand(small: Course, cell: nbformat.NotebookNode, place: str) -> None:
    def plant(notebook: nbformat.NotebookNode) -> None:
        (answer,) = notebook.cells
        whole = "the_product = x * x * 1 + 0\n    return the_product.clone()"
        answer.source = answer.source.replace("return x * x * 1 + 0", whole)
        notebook.cells.append(cell)

    faults = change(small, plant)
    assert [(fault.level, fault.place) for fault in faults if fault.place == place] == [("error", place)] * len(faults)
    assert faults


def test_a_leak_in_any_file_is_found_and_nothing_is_written(small: Course) -> None:
    lab = small.assignment("powers")
    (lab.source / "solutions.py").write_text((lab.grader / "reference.py").read_text())
    before = sorted(small.root.rglob("*"))
    (fault,) = validate(small)
    assert (fault.level, fault.file, fault.place) == ("error", "powers/solutions.py", "release")
    assert sorted(small.root.rglob("*")) == before


def test_each_fault_is_named_once(small: Course) -> None:
    lab = small.assignment("powers")
    (lab.grader / "reference.py").unlink()
    (lab.grader / "test_powers.py").write_text(TESTS.replace("marks(2)", "mark(2)"))
    faults = list(validate(load_course(small.root)))
    assert len(faults) == len(set(faults)) == 3


def test_only_the_named_assignments_are_looked_at(tmp_path: Path) -> None:
    course = load_course(init_course(tmp_path / "course"))
    (course.assignment("lab2_autodiff").grader / "reference.py").unlink()
    assert validate(course, ["lab1_pytorch", "quiz1"]) == ()
    assert [fault.place for fault in validate(course)] == ["reference.py"]


@pytest.mark.parametrize("name", ["points.csv", "notes/read me.md"])
def test_given_files_that_hold_nothing_secret_are_fine(small: Course, name: str) -> None:
    path = small.assignment("powers").source / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x,y\n1,2\n")
    assert validate(small) == ()
