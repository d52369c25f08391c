"""Releasing: the student version of real and broken sources, and every way that a secret could get out."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.validator import Validator

from assessor.course import Course, load_course
from assessor.errors import AssessorError, CourseInvalid, ReleaseLeaks, UnknownName
from assessor.notebooks.release import read_source, student_version, write_notebook
from assessor.workflow.release import release
from tests.assessor.notebooks.conftest import graded

ROOT = Path(__file__).parents[3]
LABS = [one for one in load_course(ROOT).assignments if one.kind == "notebook"]
SECRET = """def square(x):
    ### BEGIN SOLUTION
    a_telling_line = x * x
    return a_telling_line + 0 * x
    ### END SOLUTION"""
SCHEME = "Draw.\n### BEGIN MARK SCHEME\nOne mark for labelled axes, one for its legend.\n### END MARK SCHEME"
REFERENCE = '"""Right."""\n\n\ndef square(x):\n    value_of_reference = x.pow(2)\n    return value_of_reference.clone()\n'
HIDDEN = '''import pytest


@pytest.mark.marks(1)
def test_square(student):
    """`square` squares."""
    assert student.square(-31) == 961
'''
COURSE = """
[course]
code = "C"
title = "T"
time_zone = "UTC"
term_start = 2027-02-01
[components]
labs = 100
[[assignment]]
name = "powers"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 2 Monday 09:00"
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course of one assignment with a solution, a test cell with a hidden part, a mark scheme and a hidden test."""
    lab, grader = tmp_path / "assignments/powers", tmp_path / "graders/powers"
    lab.mkdir(parents=True)
    grader.mkdir(parents=True)
    (tmp_path / "course.toml").write_text(COURSE)
    (lab / "assignment.toml").write_text('title = "P"\nnotebooks = ["powers.ipynb"]\nhidden_marks = 1\n')
    (grader / "reference.py").write_text(REFERENCE)
    (grader / "test_powers.py").write_text(HIDDEN)
    write(lab / "powers.ipynb")
    return load_course(tmp_path)


def write(path: Path, *more: nbformat.NotebookNode) -> None:
    cells = [
        new_markdown_cell("# Powers"),
        graded(SECRET, "square", solution=True),
        graded("assert square(2) == 4\n### BEGIN HIDDEN TESTS\nassert square(-77) == 5929\n### END HIDDEN TESTS", "t",
               grade=True, locked=True, points=1),
        graded(SCHEME, "draw", "markdown", task=True, points=1),
        *more,
    ]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), path)


def tree(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_a_lab_is_released_the_same_every_time_and_folder_and_zip_agree(lab, tmp_path: Path) -> None:
    course = load_course(ROOT)
    first, second = (release(course, lab.name, into=tmp_path / name) for name in ("one", "two"))
    assert tree(first.folder) == tree(second.folder)
    assert first.archive.read_bytes() == second.archive.read_bytes()
    with zipfile.ZipFile(first.archive) as archive:
        packed = {name.removeprefix(f"{lab.name}/"): archive.read(name) for name in archive.namelist()}
    inside = {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()}
    assert inside == tree(first.folder)
    assert "assignment.toml" not in inside


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_nbgrader_itself_accepts_a_released_lab(lab, tmp_path: Path) -> None:
    released = release(load_course(ROOT), lab.name, into=tmp_path)
    for name in released.notebooks:
        notebook = nbformat.read(released.folder / name, as_version=4)
        nbformat.validate(notebook)
        assert Validator()._get_type_changed_cells(notebook) == []
        answers = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        assert answers and all("SOLUTION" not in cell.source for cell in answers)


def test_the_student_version_holds_the_stub_and_nothing_secret(course: Course) -> None:
    released = release(course, "powers")
    text = (released.folder / "powers.ipynb").read_text()
    assert "raise NotImplementedError" in text
    for secret in ("a_telling_line", "5929", "labelled axes", "961", "value_of_reference"):
        assert secret not in text
    (test,) = [cell for cell in json.loads(text)["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == "t"]
    assert test["metadata"]["deletable"] is False and "checksum" in test["metadata"]["nbgrader"]


def leak(kind: str, lab: Path) -> None:
    lines = "    a_telling_line = x * x\n    return a_telling_line + 0 * x\n"
    notebook = lab / "powers.ipynb"
    if kind == "solution in a data file":
        (lab / "hint.txt").write_text("Try\n" + lines)
    elif kind == "solution in another encoding":
        (lab / "hint.txt").write_text("Try\n" + lines, encoding="utf-16")
    elif kind == "solution quoted in markdown":
        write(notebook, new_markdown_cell("Last year:\n\n> " + lines.replace("\n", "\n> ")))
    elif kind == "solution copied into a given cell":
        write(notebook, new_code_cell("def mine(x):\n" + lines))
    elif kind == "solution in a comment":
        write(notebook, new_code_cell("# " + lines.replace("\n", "\n# ")))
    elif kind == "solution in metadata":
        cell = new_code_cell("1")
        cell.metadata["tags"] = ["a_telling_line = x * x"]
        write(notebook, cell)
    elif kind == "the reference":
        (lab / "helpers.py").write_text(REFERENCE)
    elif kind == "a function of the reference":
        write(notebook, new_code_cell(REFERENCE.split("\n\n\n")[1]))
    elif kind == "a line of a hidden test":
        (lab / "data.csv").write_text("assert student.square(-31) == 961\n")
    elif kind == "a hidden part of a test cell":
        (lab / "notes.md").write_text("Also try\n\n    assert square(-77) == 5929\n")
    elif kind == "a mark scheme":
        write(notebook, new_markdown_cell("One mark for labelled axes, one for its legend."))
    elif kind == "a notebook in a zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("old/solution.py", "def square(x):\n" + lines)
        (lab / "extra.zip").write_bytes(packed.getvalue())
    elif kind == "a marker":
        write(notebook, new_markdown_cell("### BEGIN SOLUTION\nsee above\n### END SOLUTION"))


@pytest.mark.parametrize(
    "kind",
    ["solution in a data file", "solution in another encoding", "solution quoted in markdown",
     "solution copied into a given cell", "solution in a comment", "solution in metadata", "the reference",
     "a function of the reference", "a line of a hidden test", "a hidden part of a test cell", "a mark scheme",
     "a notebook in a zip", "a marker"],
)  # fmt: skip
def test_every_planted_leak_is_found_and_nothing_is_written(course: Course, kind: str) -> None:
    leak(kind, course.assignment("powers").source)
    with pytest.raises((ReleaseLeaks, CourseInvalid)) as fault:
        release(course, "powers")
    assert "\n" not in str(fault.value)
    assert not (course.root / "release").exists()


def test_outputs_of_the_instructors_run_are_taken_out(course: Course) -> None:
    cell = new_code_cell("print(1)", outputs=[new_output("stream", text="a_telling_line = x * x")], execution_count=3)
    write(course.assignment("powers").source / "powers.ipynb", cell)
    released = release(course, "powers")
    assert "a_telling_line" not in (released.folder / "powers.ipynb").read_text()


def test_what_is_given_may_stand_elsewhere_too(course: Course) -> None:
    write(course.assignment("powers").source / "powers.ipynb", new_markdown_cell("`assert square(2) == 4`"))
    assert release(course, "powers").files == ("powers.ipynb",)


def test_editors_traces_stay_and_links_out_of_the_folder_are_refused(course: Course, tmp_path: Path) -> None:
    lab = course.assignment("powers").source
    for name in (".secret", "powers.ipynb~", "__pycache__/x.pyc", ".ipynb_checkpoints/powers.ipynb", "data/points.csv"):
        (lab / name).parent.mkdir(exist_ok=True)
        (lab / name).write_text("1,2\n")
    assert release(course, "powers").files == ("data/points.csv", "powers.ipynb")
    (lab / "all.py").symlink_to(course.assignment("powers").grader / "reference.py")
    with pytest.raises(CourseInvalid, match="link"):
        release(course, "powers")


def test_a_refused_or_failed_release_keeps_the_last_good_one(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    good = release(course, "powers")
    before = tree(course.root / "release")
    leak("the reference", course.assignment("powers").source)
    with pytest.raises(ReleaseLeaks):
        release(course, "powers")
    (course.assignment("powers").source / "helpers.py").write_text("x = 1\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("assessor.files.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            release(course, "powers")
    assert tree(course.root / "release") == before
    assert good.archive.is_file()
    assert len(release(course, "powers").files) == 2


@pytest.mark.parametrize("name", ["nothing", "powrs"])
def test_an_unknown_assignment_is_said(course: Course, name: str) -> None:
    with pytest.raises(UnknownName):
        release(course, name)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([graded("### BEGIN SOLUTION\nx", "a", solution=True)], "cells"),
        ([graded("1", "a", solution=True), graded("2", "a", solution=True)], "twice"),
        ([graded("### AUTOTEST square(2)", "a", grade=True, locked=True, points=1)], "AUTOTEST"),
    ],
)
def test_a_source_that_nbgrader_would_refuse_is_refused_with_its_place(cells: list, words: str) -> None:
    with pytest.raises(CourseInvalid, match=words):
        student_version(new_notebook(cells=cells), "powers.ipynb")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe\x00"])
def test_what_is_no_notebook_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.ipynb").write_bytes(data)
    with pytest.raises(CourseInvalid, match="notebook"):
        read_source(tmp_path / "a.ipynb")


def test_old_metadata_is_brought_up_to_date_without_touching_the_file(tmp_path: Path, source_of: Callable[[int], bytes]) -> None:
    for version in (1, 2):
        path = tmp_path / f"v{version}.ipynb"
        path.write_bytes(source_of(version))
        before = path.read_bytes()
        notebook = read_source(path)
        assert notebook.cells[0].metadata.nbgrader.schema_version == 3
        assert path.read_bytes() == before
        assert write_notebook(student_version(notebook, "a.ipynb")).count("NotImplementedError") == 1


@pytest.fixture
def source_of() -> Callable[[int], bytes]:
    """A notebook as nbgrader of older years wrote it, by the version of its metadata."""

    def make(version: int) -> bytes:
        data = {"schema_version": version, "grade_id": "a", "grade": False, "solution": True, "locked": False}
        cell = {"cell_type": "code", "source": SECRET, "metadata": {"nbgrader": data}, "outputs": [], "execution_count": None}
        return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}).encode()

    return make


def test_only_notebooks_are_released(tmp_path: Path) -> None:
    with pytest.raises(AssessorError, match="only notebook assignments"):
        release(load_course(ROOT), "quiz1", into=tmp_path)
