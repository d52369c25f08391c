"""Grading again after a test was corrected: shown first, then recorded as shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import nbformat
import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.gradebook import gradebook
from assessor.database.tables import Event, Mark
from assessor.workflow.autograde import autograde
from assessor.workflow.mark import add_mark
from assessor.workflow.regrade import regrade
from assessor.workflow.review import waiting

NOW = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.fixture
def graded(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
) -> Course:
    hand_in(ada=notebook(), bob=notebook({"double": "return 0"}))
    autograde(tiny_course, database, workers=0)
    return tiny_course


def correct(course: Course, old: str, new: str) -> None:
    tests = course.assignment("tiny").grader / "test_tiny.py"
    assert old in tests.read_text()
    tests.write_text(tests.read_text().replace(old, new))


def points(course: Course, database: Database) -> dict[str, Decimal | None]:
    return {
        row.id: next(item.points for item in row.mark.assignments[0].items if item.item == "automatic")
        for row in gradebook(course, database)
    }


def test_nothing_is_graded_again_while_the_tests_are_the_same(graded: Course, database: Database) -> None:
    (run,) = regrade(graded, database, ["tiny"], workers=0)
    assert run.changes == []


def test_every_mark_that_would_change_is_shown_and_nothing_is_written(graded: Course, database: Database) -> None:
    correct(graded, "reference.double(21)", "0")
    (run,) = regrade(graded, database, ["tiny"], workers=0)
    shown = {change.student: (change.then, change.now, change.tests) for change in run.changes}
    assert shown == {
        "ada": (Decimal(3), Decimal(2), ("test_double: passed -> failed",)),
        "bob": (Decimal(2), Decimal(3), ("test_double: failed -> passed",)),
    }
    assert points(graded, database) == {"ada": 3, "bob": 2}


def test_what_was_shown_is_recorded_and_the_earlier_marks_stay(graded: Course, database: Database) -> None:
    correct(graded, "reference.double(21)", "0")
    (run,) = regrade(graded, database, ["tiny"], workers=0)
    assert run.record("the test was wrong", author="kim", now=NOW) == 2
    assert points(graded, database) == {"ada": 2, "bob": 3}
    with database.reading() as session:
        assert [mark.points for mark in session.scalars(select(Mark).where(Mark.student_id == "ada").order_by(Mark.id))] == [3, 2]
        (event,) = session.scalars(select(Event).where(Event.verb == "regrade"))
        assert event.detail == {"assignment": "tiny", "reason": "the test was wrong", "changed": ["ada", "bob"]}
    (again,) = regrade(graded, database, ["tiny"], workers=0)
    assert again.changes == [], "they are by the present version now"


def test_what_would_go_to_review_is_said_and_keeps_its_mark(graded: Course, database: Database) -> None:
    correct(graded, "assert student.double(21) == reference.double(21)", "raise KeyError('ours')")
    (run,) = regrade(graded, database, ["tiny"], workers=0)
    assert {change.now for change in run.changes} == {None}
    assert "a person must look at test_double" in run.changes[0].why
    assert run.record("oops", author="kim", now=NOW) == 0
    assert points(graded, database) == {"ada": 3, "bob": 2}
    assert len(waiting(graded, database)) == 2


def test_what_a_person_decided_stands(graded: Course, database: Database) -> None:
    add_mark(graded, database, "ada", "tiny", "automatic", "2.5", author="kim", reason="appeal", now=NOW)
    correct(graded, "reference.double(21)", "0")
    (run,) = regrade(graded, database, ["tiny"], workers=0)
    assert [change.student for change in run.changes] == ["bob"]
