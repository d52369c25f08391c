"""Running a grading again: the same mark, or what is different."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import nbformat
import pytest
from sqlalchemy import text

from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import GradingRecord
from assessor.errors import AssessorError, UnknownName
from assessor.workflow.autograde import autograde
from assessor.workflow.replay import replay


@pytest.fixture
def graded(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
) -> Course:
    drawn = {"square": "import torch; return x * x + 0 * torch.rand(1).item()"}
    hand_in(ada=notebook(drawn), bob=notebook({"double": "return 0"}))
    autograde(tiny_course, database, workers=0)
    return tiny_course


def test_a_mark_is_the_same_when_it_is_given_again(graded: Course, database: Database) -> None:
    for student, points in (("ada", 3), ("bob", 2)):
        again = replay(graded, database, student, "tiny")
        assert again.equal and again.differences == ()
        assert again.then == again.now == points


def test_a_corrected_test_shows_which_verdict_it_changes_and_why(graded: Course, database: Database) -> None:
    tests = graded.assignment("tiny").grader / "test_tiny.py"
    tests.write_text(tests.read_text().replace("reference.double(21)", "0"))
    again = replay(graded, database, "bob", "tiny")
    assert not again.equal
    assert (again.then, again.now) == (Decimal(2), Decimal(3))
    found = {difference.what: difference for difference in again.differences}
    assert (found["test_double"].then, found["test_double"].now) == ("failed, 0 of 1", "passed, 1 of 1")
    assert not found["grader_sha256"].matters
    assert set(found) == {"test_double", "grader_sha256"}


def test_another_environment_is_named_but_is_no_difference_of_the_mark(graded: Course, database: Database) -> None:
    with database.transaction() as session:
        triggers = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'grading'"))
        for (name,) in triggers.all():  # which keep everybody else from changing what is written
            session.execute(text(f'DROP TRIGGER "{name}"'))
        for record in session.query(GradingRecord):
            packages = {**record.manifest["packages"], "torch": "1.0"}
            record.manifest = {**record.manifest, "device": "Some Card", "packages": packages}
    again = replay(graded, database, "ada", "tiny")
    assert again.equal
    assert {difference.what for difference in again.differences} == {"device", "torch"}


def test_what_was_not_given_by_tests_cannot_be_replayed(graded: Course, database: Database) -> None:
    with pytest.raises(AssessorError, match="nothing to run again"):
        replay(graded, database, "zoe", "tiny")
    with pytest.raises(UnknownName, match="did you mean tiny"):
        replay(graded, database, "ada", "tinny")
