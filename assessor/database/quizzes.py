"""Attempts at quizzes, what was answered and what it scored: appended, never changed. The newest answer and score count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assessor.database.tables import Table


class QuizAttempt(Table):
    """One attempt of one student, with the paper that was drawn for it."""

    __tablename__ = "quiz_attempt"
    __table_args__ = (UniqueConstraint("student_id", "quiz", "number"), Index("ix_quiz_attempt_quiz", "quiz"))
    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("student.id"))
    quiz: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    started_at: Mapped[datetime]
    deadline: Mapped[datetime]
    paper: Mapped[list[Any]] = mapped_column(JSON)


class QuizResponse(Table):
    """One answer, as `assessor.quizzes.marking` describes it; `place` counts the paper's questions from 0."""

    __tablename__ = "quiz_response"
    __table_args__ = (Index("ix_quiz_response_attempt_id", "attempt_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("quiz_attempt.id"))
    place: Mapped[int]
    answer: Mapped[Any] = mapped_column(JSON)
    at: Mapped[datetime]


class QuizEnd(Table):
    """An attempt was handed in before its time was up."""

    __tablename__ = "quiz_end"
    attempt_id: Mapped[int] = mapped_column(ForeignKey("quiz_attempt.id"), primary_key=True, autoincrement=False)
    at: Mapped[datetime]


class QuizScore(Table):
    """What one attempt scored by one version of the key; `fractions` of each question's marks, in the paper's order."""

    __tablename__ = "quiz_score"
    __table_args__ = (Index("ix_quiz_score_attempt_id", "attempt_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("quiz_attempt.id"))
    points: Mapped[Decimal]
    out_of: Mapped[Decimal]
    fractions: Mapped[list[str]]
    reason: Mapped[str]
    author: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True)
class Attempt:
    """An attempt with its newest answers, by place, and its newest score."""

    id: int
    student: str
    number: int
    started_at: datetime
    deadline: datetime
    ended_at: datetime | None
    paper: list[Any]
    answers: dict[int, Any]
    points: Decimal | None
    fractions: list[str] | None


def attempts_of(session: Session, quiz: str, student: str | None = None) -> list[Attempt]:
    """All attempts at a quiz, or one student's, by student and number. A few queries, however many there are."""
    mine = [QuizAttempt.quiz == quiz, *([QuizAttempt.student_id == student] if student is not None else [])]
    answers: dict[int, dict[int, Any]] = {}
    for attempt, place, answer in _responses(session, mine):
        answers.setdefault(attempt, {})[place] = answer
    newest = select(func.max(QuizScore.id)).group_by(QuizScore.attempt_id)
    scores = {
        attempt: (points, fractions)
        for attempt, points, fractions in session.execute(
            select(QuizScore.attempt_id, QuizScore.points, QuizScore.fractions)
            .join(QuizAttempt)
            .where(*mine, QuizScore.id.in_(newest))
        )
    }
    rows = session.execute(
        select(
            QuizAttempt.id, QuizAttempt.student_id, QuizAttempt.number, QuizAttempt.started_at, QuizAttempt.deadline,
            QuizEnd.at, QuizAttempt.paper,
        )
        .outerjoin(QuizEnd)
        .where(*mine)
        .order_by(QuizAttempt.student_id, QuizAttempt.number)
    )  # fmt: skip
    found = []
    for id_, owner, number, started, deadline, ended, paper in rows:
        points, fractions = scores.get(id_, (None, None))
        own = answers.get(id_, {})
        found.append(Attempt(id_, owner, number, started, deadline, ended, paper, own, points, fractions))
    return found


def _responses(session: Session, mine: list[Any]) -> Iterator[tuple[int, int, Any]]:
    """Oldest first, so that the newest of a place is the last."""
    query = (
        select(QuizResponse.attempt_id, QuizResponse.place, QuizResponse.answer)
        .join(QuizAttempt)
        .where(*mine)
        .order_by(QuizResponse.id)
    )
    for row in session.execute(query):
        yield row[0], row[1], row[2]
