"""Attempts, answers and scores on every engine: kept exactly, the newest read, none ever changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from assessor.database import Database
from assessor.database.quizzes import QuizAttempt, QuizEnd, QuizResponse, QuizScore, attempts_of
from assessor.errors import DatabaseUnavailable

from .conftest import NOW, Fill  # type: ignore[import-not-found]

PAPER = [{"question": "one", "drawn": {"n": "8"}, "order": [1, 0], "face": "abc"}]
ANSWERS = [2, [0, 1], [1, None], "(3, 4) Größe", None]


@pytest.fixture
def taken(database: Database, fill: Fill) -> Database:
    """Two students; the first has answered and was marked twice."""
    for name in ("ada", "bob"):
        fill.student(name)
    with database.transaction() as session:
        for number, name in enumerate(("ada", "bob"), 1):
            deadline = NOW + timedelta(hours=1)
            session.add(
                QuizAttempt(
                    id=number, student_id=name, quiz="quiz1", number=1, started_at=NOW, deadline=deadline, paper=PAPER
                )
            )
        session.flush()
        for answer in ("earlier", *ANSWERS):
            place = 0 if answer == "earlier" else ANSWERS.index(answer)
            session.add(QuizResponse(attempt_id=1, place=place, answer=answer, at=NOW))
            session.flush()
        session.add(QuizEnd(attempt_id=1, at=NOW))
        for points in ("1", "1.3333"):
            score = {"points": Decimal(points), "out_of": Decimal(2), "fractions": ["1", "0.333333333333"]}
            session.add(QuizScore(attempt_id=1, **score, reason="key", author="x", at=NOW))
            session.flush()
    return database


def test_the_newest_answers_and_the_newest_score_are_read(taken: Database) -> None:
    with taken.reading() as session:
        ada, bob = attempts_of(session, "quiz1")
        assert attempts_of(session, "quiz1", "bob") == [bob] and attempts_of(session, "quiz2") == []
    assert ada.answers == dict(enumerate(ANSWERS)) and ada.paper == PAPER and ada.ended_at == NOW
    assert (ada.points, ada.fractions) == (Decimal("1.3333"), ["1", "0.333333333333"])
    assert (bob.answers, bob.points, bob.ended_at, bob.deadline) == ({}, None, None, NOW + timedelta(hours=1))


@pytest.mark.parametrize("table", ["quiz_attempt", "quiz_response", "quiz_end", "quiz_score"])
def test_nothing_of_a_quiz_is_changed_or_taken_away(taken: Database, table: str) -> None:
    key = "attempt_id" if table == "quiz_end" else "id"
    for statement in (f"UPDATE {table} SET {key} = {key} + 7", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseUnavailable, match="append-only"), taken.transaction() as session:
            session.execute(text(statement))
