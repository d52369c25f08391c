"""A bundle holds one submission and nothing else, and a grader's version changes with every byte that could change a mark."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from assessor.course import Course, load_course
from assessor.grading.results import Bundle
from assessor.workflow.bundles import SUBMISSION_RECORD, grader_sha256, make_bundle
from assessor.workflow.init import init_course
from tests.assessor.workflow.course_parts import ROOT


@pytest.fixture
def bundle(small: Course, tmp_path: Path) -> Callable[..., Bundle]:
    def make(student: str = "ada", secret: bytes = b"s" * 32, **files: str) -> Bundle:
        folder = tmp_path / "handed"
        folder.mkdir(exist_ok=True)
        for name, text in {"powers.ipynb": "{}", "essay.pdf": "%PDF", SUBMISSION_RECORD: "{}", **files}.items():
            (folder / name).write_text(text)
        (folder / "inner").mkdir(exist_ok=True)
        return make_bundle(small, small.assignment("powers"), 7, student, folder, secret)

    return make


def test_notebooks_and_attachments_are_told_apart_and_our_own_record_is_left_out(bundle: Callable[..., Bundle]) -> None:
    made = bundle()
    assert (made.notebooks, made.attachments) == ({"powers.ipynb": b"{}"}, {"essay.pdf": b"%PDF"})


def test_a_bundle_names_neither_student_nor_secret(bundle: Callable[..., Bundle]) -> None:
    packed = pickle.dumps(bundle("ada.lovelace", b"the course's secret, 32 bytes..."))
    assert b"ada.lovelace" not in packed and b"secret, 32" not in packed


def test_the_seed_is_the_students_own_and_the_same_every_time(bundle: Callable[..., Bundle]) -> None:
    assert bundle("ada").seed == bundle("ada").seed
    assert len({bundle("ada").seed, bundle("bob").seed, bundle("ada", b"t" * 32).seed}) == 3


def test_files_that_are_gone_are_our_fault(small: Course, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        make_bundle(small, small.assignment("powers"), 7, "ada", tmp_path / "nowhere", b"s" * 32)


def test_a_copy_of_a_course_has_the_same_versions_of_its_graders(tmp_path: Path) -> None:
    copy, course = load_course(init_course(tmp_path / "copy")), load_course(ROOT)
    for assignment in course.assignments:
        if assignment.kind == "notebook":
            assert grader_sha256(copy.assignment(assignment.name)) == grader_sha256(assignment)


def change_test(course: Course) -> None:
    path = course.assignment("powers").grader / "test_powers.py"
    path.write_text(path.read_text().replace("== 9", "==  9"))


def change_name(course: Course) -> None:
    grader = course.assignment("powers").grader
    (grader / "reference.py").rename(grader / "references.py")


def move_file(course: Course) -> None:
    lab = course.assignment("powers")
    (lab.grader / "zz_labels.csv").rename(lab.source / "zz_labels.csv")


def change_limits(course: Course) -> None:
    path = course.assignment("powers").source / "assignment.toml"
    path.write_text(path.read_text() + "\n[limits]\ncpu_seconds = 5\n")


@pytest.mark.parametrize("change", [change_test, change_name, move_file, change_limits])
def test_whatever_could_change_a_mark_changes_the_version(small: Course, change: Callable[[Course], None]) -> None:
    (small.assignment("powers").grader / "zz_labels.csv").write_text("1\n")
    before = grader_sha256(small.assignment("powers"))
    change(small)
    assert grader_sha256(small.assignment("powers")) != before


def test_what_python_leaves_behind_does_not(small: Course) -> None:
    lab = small.assignment("powers")
    before = grader_sha256(lab)
    (lab.grader / "__pycache__").mkdir()
    (lab.grader / "__pycache__/reference.cpython-311.pyc").write_bytes(b"x")
    assert grader_sha256(lab) == before
