"""Every table of evidence refuses change; only an erasure that the database itself notes opens a door, for one student."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import inspect, select, text

from assessor.database import Database, migrating
from assessor.database.acts import Verb
from assessor.database.audit import add_event
from assessor.database.quizzes import QuizAttempt, QuizEnd, QuizResponse, QuizScore
from assessor.database.tables import Erasing, Event, GradingRecord, TestRecord
from assessor.errors import DatabaseUnavailable

from .conftest import NOW, Fill  # type: ignore[import-not-found]

COLUMN = {
    "mark": "author", "event": "author", "act": "author", "extension": "reason", "grading": "note",
    "test_result": "message", "quiz_attempt": "quiz", "quiz_response": "place", "quiz_end": "at", "quiz_score": "reason",
}  # fmt: skip
CHILDREN_FIRST = (
    "quiz_score", "quiz_response", "quiz_end", "quiz_attempt", "mark", "test_result", "grading", "job", "submission",
    "extension", "act",
)  # fmt: skip


def one_of_each(database: Database, fill: Fill, student: str) -> None:
    """A student with one row in each table."""
    fill.student(student)
    submission = fill.submission(student)
    fill.mark(student, "automatic", "1", submission=submission)
    fill.extension(student, NOW)
    fill.act(Verb.WAIVE, student, "lab")
    job = fill.job(submission, "recorded")
    with database.transaction() as session:
        points, out_of = Decimal(1), Decimal(4)
        test = TestRecord(
            position=0, name="t", title="t", verdict="passed", points=points, out_of=out_of, message="", detail="",
            hint="", seconds=0.5, place="worker", public=False,
        )  # fmt: skip
        session.add(
            GradingRecord(
                job_id=job, submission_id=submission, at=NOW, outcome="ok", points=points, out_of=out_of, note="",
                changes=[], usage={}, manifest={}, tests=[test],
            )
        )  # fmt: skip
        attempt = QuizAttempt(student_id=student, quiz="q", number=1, started_at=NOW, deadline=NOW, paper=[])
        session.add(attempt)
        session.flush()
        session.add(QuizResponse(attempt_id=attempt.id, place=0, answer="a", at=NOW))
        session.add(QuizEnd(attempt_id=attempt.id, at=NOW))
        session.add(
            QuizScore(
                attempt_id=attempt.id, points=points, out_of=out_of, fractions=["1"], reason="r", author="a", at=NOW
            )
        )
        add_event(session, "marker", "mark", NOW, {"student": student})


def count(database: Database, table: str) -> int:
    with database.reading() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def refused(database: Database, statement: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="append-only"), database.transaction() as session:
        session.execute(text(statement))


def clear(database: Database, student: str) -> None:
    """Tries to delete everything there is, as a student's erasure would their own."""
    with database.transaction() as session:
        session.add(Erasing(student_id=student, at=NOW, author="registrar", reason="asked for"))
        session.flush()
        whose = {
            "test_result": "grading_id IN (SELECT g.id FROM grading g JOIN submission s ON s.id = g.submission_id "
            f"WHERE s.student_id = '{student}')",
            **dict.fromkeys(("grading", "job"), f"submission_id IN (SELECT id FROM submission WHERE student_id = '{student}')"),
            **dict.fromkeys(
                ("quiz_score", "quiz_response", "quiz_end"),
                f"attempt_id IN (SELECT id FROM quiz_attempt WHERE student_id = '{student}')",
            ),
        }
        for table in CHILDREN_FIRST:
            session.execute(text(f"DELETE FROM {table} WHERE " + whose.get(table, f"student_id = '{student}'")))
        session.execute(text(f"DELETE FROM student WHERE id = '{student}'"))


def test_no_row_of_evidence_can_be_changed_or_taken_away(database: Database, fill: Fill) -> None:
    one_of_each(database, fill, "ada")
    before = {table: count(database, table) for table in COLUMN}
    for table, column in COLUMN.items():
        refused(database, f"UPDATE {table} SET {column} = {column}")
        refused(database, f"DELETE FROM {table}")
        if database.engine.dialect.name == "sqlite":
            refused(database, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        else:
            refused(database, f"TRUNCATE {table} CASCADE")
    assert all(before.values())
    assert {table: count(database, table) for table in COLUMN} == before


def test_an_erasure_takes_one_students_record_and_the_database_notes_it(database: Database, fill: Fill) -> None:
    one_of_each(database, fill, "ada")
    one_of_each(database, fill, "bob")
    clear(database, "ada")
    for table in CHILDREN_FIRST:
        assert count(database, table) == 1, table
    assert count(database, "erasing") == 0, "the door closed with the student's row"
    with database.reading() as session:
        noted = session.scalars(select(Event).where(Event.verb == "erase")).one()
    assert (noted.author, noted.at, noted.detail) == ("registrar", NOW, {"student": "Mada", "reason": "asked for"})


def test_the_door_is_for_the_named_student_alone(database: Database, fill: Fill) -> None:
    one_of_each(database, fill, "ada")
    one_of_each(database, fill, "bob")
    with database.transaction() as session:
        session.add(Erasing(student_id="ada", at=NOW, author="registrar", reason="asked for"))
    for table in ("mark", "grading", "test_result", "extension", "act", "quiz_score", "event"):
        refused(database, f"DELETE FROM {table}")
    refused(database, "UPDATE mark SET author = 'x' WHERE student_id = 'ada'")
    refused(database, "UPDATE erasing SET student_id = 'bob'")
    with database.reading() as session:
        bobs = [event for event in session.scalars(select(Event)) if event.detail.get("student") == "bob"]
    for event in bobs:
        refused(database, f"UPDATE event SET detail = '{{}}' WHERE id = {event.id}")


def test_an_event_that_names_the_student_may_lose_the_name_but_not_its_time_or_verb(
    database: Database, fill: Fill
) -> None:
    fill.student("ada")
    with database.transaction() as session:
        add_event(session, "marker", "import", NOW, {"students": ["ada", "bob"]})
        session.add(Erasing(student_id="ada", at=NOW, author="registrar", reason="asked for"))
    refused(database, "UPDATE event SET verb = 'x' WHERE verb = 'import'")
    refused(database, "UPDATE event SET author = 'x' WHERE verb = 'import'")
    refused(database, "UPDATE event SET at = '2000-01-01 00:00:00' WHERE verb = 'import'")
    with database.transaction() as session:
        session.scalars(select(Event).where(Event.verb == "import")).one().detail = {"students": ["M1", "bob"]}
    refused(database, "UPDATE event SET detail = '{}' WHERE verb = 'import'")


def test_each_revision_goes_down_and_up_with_data_and_refuses_change_again(database: Database, fill: Fill) -> None:
    one_of_each(database, fill, "ada")
    migrating.migrate(database.engine, "0003")
    assert "erasing" not in inspect(database.engine).get_table_names()
    refused(database, "DELETE FROM mark")
    with database.transaction() as session:
        session.execute(text("UPDATE extension SET reason = 'was not protected then'"))
    migrating.migrate(database.engine, migrating.HEAD)
    assert count(database, "test_result") == 1
    for table in COLUMN:
        refused(database, f"DELETE FROM {table}")
