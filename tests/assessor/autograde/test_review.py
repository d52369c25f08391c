"""The review queue: what a fault of ours keeps from its mark, until a person decides."""

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
from assessor.errors import AssessorError, UnknownName
from assessor.workflow.autograde import autograde
from assessor.workflow.review import settle, waiting

NOW = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.fixture
def reviewed(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
) -> Course:
    """Two submissions graded by tests of which one is broken; one of which a reviewer must judge."""
    tests = tiny_course.assignment("tiny").grader / "test_tiny.py"
    tests.write_text(tests.read_text() + "    raise KeyError('our own mistake')\n")
    hand_in(ada=notebook(), bob=notebook({"double": "return 0"}))
    assert autograde(tiny_course, database, workers=0).in_review
    return tiny_course


def automatic(course: Course, database: Database, student: str) -> Decimal | None:
    row = next(row for row in gradebook(course, database) if row.id == student)
    return next(item.points for item in row.mark.assignments[0].items if item.item == "automatic")


def test_it_lists_what_waits_with_all_that_staff_may_know(reviewed: Course, database: Database) -> None:
    ada, bob = waiting(reviewed, database)
    assert (ada.student, ada.points, ada.out_of, bob.points) == ("ada", Decimal(1), Decimal(3), Decimal(0))
    (question,) = ada.questions
    assert question.test == "test_square" and question.out_of == 2
    assert "our own mistake" in question.detail and "seed" in question.detail
    assert ada.evidence.endswith("ada/tiny/1")
    assert automatic(reviewed, database, "ada") is None, "no mark before somebody decides"
    assert waiting(reviewed, database, ["tiny"]) == (ada, bob)
    with pytest.raises(UnknownName):
        waiting(reviewed, database, ["tyni"])


def test_accepting_lets_the_other_tests_stand(reviewed: Course, database: Database) -> None:
    given = settle(reviewed, database, "ada", "tiny", None, author="kim", reason="not tested this year", now=NOW)
    assert (given.points, given.out_of) == (Decimal(1), Decimal(3))
    assert automatic(reviewed, database, "ada") == 1
    assert [one.student for one in waiting(reviewed, database)] == ["bob"]


def test_overriding_gives_the_mark_with_author_reason_and_evidence(reviewed: Course, database: Database) -> None:
    settle(reviewed, database, "bob", "tiny", "2", author="kim", reason="square is right", now=NOW)
    assert automatic(reviewed, database, "bob") == 2
    with database.reading() as session:
        (mark,) = session.scalars(select(Mark).where(Mark.student_id == "bob"))
        assert (mark.author, mark.reason, mark.grading_id is not None) == ("kim", "review, override: square is right", True)
        (event,) = session.scalars(select(Event).where(Event.verb == "review override"))
        assert event.detail["student"] == "bob" and "hidden tests to look at" in event.detail["was"]


def test_what_was_decided_is_not_graded_again(reviewed: Course, database: Database) -> None:
    settle(reviewed, database, "ada", "tiny", "3", author="kim", reason="right", now=NOW)
    report = autograde(reviewed, database, workers=0)
    assert [row.student for row in report.rows] == ["bob"]
    assert automatic(reviewed, database, "ada") == 3


@pytest.mark.parametrize(
    ("student", "points", "reason", "words"),
    [
        ("zoe", "1", "r", "not in review"),
        ("ada", "4", "r", "from 0 to 3"),
        ("ada", "NaN", "r", "from 0 to 3"),
        ("ada", "1", " ", "needs a reason"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(
    reviewed: Course, database: Database, student: str, points: str, reason: str, words: str
) -> None:
    with pytest.raises(AssessorError, match=words):
        settle(reviewed, database, student, "tiny", points, author="kim", reason=reason, now=NOW)
    assert len(waiting(reviewed, database)) == 2


def test_what_was_never_graded_cannot_be_accepted(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
) -> None:
    (tiny_course.assignment("tiny").grader / "reference.py").write_text("1 / 0\n")
    hand_in(ada=notebook())
    autograde(tiny_course, database, workers=0)
    with pytest.raises(AssessorError, match="nothing was graded"):
        settle(tiny_course, database, "ada", "tiny", None, author="kim", reason="r", now=NOW)
    settle(tiny_course, database, "ada", "tiny", "3", author="kim", reason="read by hand", now=NOW)
    assert automatic(tiny_course, database, "ada") == 3
