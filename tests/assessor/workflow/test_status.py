"""Status counts students, whatever happened to their jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import event, update

from assessor.course import Course
from assessor.database import Database
from assessor.database.queue import enqueue
from assessor.database.tables import FINISHED, LEASED, QUEUED, RECORDED, REVIEW, STARTED, Job, Mark, Student, Submission
from assessor.workflow.mark import add_mark
from assessor.workflow.status import StatusRow, status
from tests.assessor.workflow.conftest import NOW

Hand = Callable[..., int]


@pytest.fixture
def hand(database: Database) -> Hand:
    """Hands in for a student; with a state, its job is in it."""

    def add(student: str, attempt: int = 1, state: str | None = None) -> int:
        with database.transaction() as session:
            row = Submission(
                student_id=student, assignment="powers", attempt=attempt, path=f"p/{student}/{attempt}", submitted_at=NOW,
                collected_at=NOW, sha256="0" * 64, origin="inbox", note="",
            )  # fmt: skip
            session.add(row)
            session.flush()
            number = row.id
        if state is not None:
            enqueue(database, [number], "0" * 64, NOW)
            with database.transaction() as session:
                session.execute(update(Job).where(Job.submission_id == number).values(state=state, error="why"))
        return number

    return add


def give(database: Database, submission: int, student: str) -> None:
    with database.transaction() as session:
        session.add(
            Mark(
                student_id=student, assignment="powers", item="automatic", submission_id=submission, points=Decimal(1),
                out_of=Decimal(2), author="coordinator", at=NOW, reason="hidden tests",
            )
        )  # fmt: skip


def row_of(course: Course, database: Database, name: str = "powers") -> StatusRow:
    return next(row for row in status(course, database).rows if row.assignment == name)


def test_a_course_in_which_nothing_happened_yet_has_a_line_for_each_assignment(small: Course, database: Database) -> None:
    report = status(small, database)
    assert (report.course, report.students, report.reviews) == ("COMP1 Small", 3, ())
    assert [row.assignment for row in report.rows] == ["powers", "project", "quiz1"]
    powers = report.rows[0]
    assert (powers.submitted, powers.queued, powers.running, powers.marked, powers.review, powers.unmarked) == (0,) * 6
    assert powers.due == "Mon 15 Feb 2027 16:00"
    assert [row.unmarked for row in report.rows] == [0, 3, 3]


@pytest.mark.parametrize(
    ("state", "counted"),
    [(None, "queued"), (QUEUED, "queued"), (LEASED, "running"), (STARTED, "running"), (FINISHED, "running"), (REVIEW, "review")],
)
def test_each_state_of_a_job_is_counted_in_its_column(
    small: Course, database: Database, hand: Hand, state: str | None, counted: str
) -> None:
    hand("ada", state=state)
    row = row_of(small, database)
    columns = {name: getattr(row, name) for name in ("queued", "running", "review", "marked")}
    assert columns == {**dict.fromkeys(columns, 0), counted: 1}
    assert (row.submitted, row.unmarked) == (1, 1)


def test_what_is_recorded_counts_as_marked_and_waits_for_the_person(small: Course, database: Database, hand: Hand) -> None:
    give(database, hand("ada", state=RECORDED), "ada")
    row = row_of(small, database)
    assert (row.marked, row.queued, row.running, row.review, row.unmarked) == (1, 0, 0, 0, 1)
    add_mark(small, database, "ada", "powers", "argument", "3", author="kim", reason="r", now=NOW)
    assert row_of(small, database).unmarked == 0


def test_a_newer_attempt_takes_the_olders_place_in_the_counts(small: Course, database: Database, hand: Hand) -> None:
    give(database, hand("ada", 1, RECORDED), "ada")
    hand("ada", 2, QUEUED)
    row = row_of(small, database)
    assert (row.submitted, row.queued, row.marked) == (1, 1, 0)


def test_where_the_best_attempt_counts_the_older_mark_stands_until_a_better_one(
    small: Course, database: Database, hand: Hand
) -> None:
    best = replace(small, marking=small.marking.model_copy(update={"counting_attempt": "best"}))
    give(database, hand("ada", 1, RECORDED), "ada")
    hand("ada", 2, QUEUED)
    row = row_of(best, database)
    assert row.submitted == 1 and row.queued + row.marked >= 1


def test_reviews_are_listed_with_their_reason_in_order(small: Course, database: Database, hand: Hand) -> None:
    hand("bob", state=REVIEW)
    hand("ada", state=REVIEW)
    assert [one.cells for one in status(small, database).reviews] == [("bob", "powers", 1, "why"), ("ada", "powers", 1, "why")]


def test_the_number_of_queries_does_not_grow_with_the_cohort(small: Course, database: Database, hand: Hand) -> None:
    queries: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: queries.append(arguments[2]))

    def count() -> int:
        queries.clear()
        status(small, database)
        return len(queries)

    few = count()
    with database.transaction() as session:
        session.add_all(Student(id=f"s{n}", name="S", email="", marking_id=f"X{n}") for n in range(60))
    for number in range(60):
        hand(f"s{number}", state=QUEUED)
    assert count() == few
    assert row_of(small, database).queued == 60
    hand("eve", state=REVIEW)
    with_a_review = count()
    hand("bob", state=REVIEW)
    hand("ada", state=REVIEW)
    assert count() <= with_a_review + 2


def test_a_teams_hand_in_waits_for_no_worker(small: Course, database: Database) -> None:
    with database.transaction() as session:
        session.add(
            Submission(
                student_id="ada", assignment="project", attempt=1, path="p", submitted_at=NOW, collected_at=NOW,
                sha256="0" * 64, origin="inbox", note="",
            )
        )  # fmt: skip
    row = row_of(small, database, "project")
    assert (row.submitted, row.queued, row.running) == (1, 0, 0)
