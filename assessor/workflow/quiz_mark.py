"""Marking a quiz: every attempt that is over, by the key as it is now.

Marking again after a correction of the key lists what would change before anything is written; the earlier scores stay.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext

from sqlalchemy.orm import Session

from assessor.course import TOTAL, Assignment, Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.queries import extended_until, student_ids
from assessor.database.quizzes import Attempt, QuizScore, attempts_of
from assessor.database.types import PLACES
from assessor.marking.exact import EXACT
from assessor.quizzes.marking import Judged, Marker, Score, counting
from assessor.quizzes.settings import Quiz
from assessor.workflow.mark import Imported, append_totals
from assessor.workflow.quiz_take import is_over, paper_of, quiz_of


@dataclass(frozen=True)
class Change:
    """One attempt whose score is, or would be, another than before; `questions` whose fractions differ."""

    student: str
    attempt: int
    then: Decimal
    now: Decimal
    out_of: Decimal
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Marked:
    """What marking did.

    Attributes:
        attempts: that are over; going: that are not, and wait.
        new: marked for the first time; changed: marked before, and otherwise now.
        written: False where something would change and no reason was given: then nothing was written at all.
        marks: what became of the marks of the module.
    """

    attempts: int
    going: int
    new: int
    changed: tuple[Change, ...]
    written: bool
    marks: Imported


def mark_quiz(course: Course, database: Database, name: str, *, author: str, now: datetime, reason: str = "") -> Marked:
    """Marks every attempt that is over, by the key as it is now, and gives each student the mark of the one that counts.

    Where an attempt was marked before and would score otherwise, nothing is written unless there is a reason.

    Raises:
        UnknownName: no such quiz.
        CourseInvalid: its files are wrong.
        AssessorError: a question is not what students saw.
    """
    assignment, quiz = quiz_of(course, name)
    with database.transaction() as session:
        attempts = attempts_of(session, name)
        over = [attempt for attempt in attempts if is_over(attempt, quiz, now)]
        marker = Marker(quiz)
        scored = [(attempt, marker.mark(paper_of(attempt), attempt.answers)) for attempt in over]
        scored = [(attempt, replace(score, points=score.points.quantize(PLACES))) for attempt, score in scored]
        changed = tuple(_change(attempt, score) for attempt, score in scored if _differs(attempt, score))
        new = sum(attempt.points is None for attempt in over)
        done = Marked(len(over), len(attempts) - len(over), new, changed, True, Imported(0, 0))
        if changed and not reason.strip():
            return replace(done, written=False)
        why = f"quiz {name}, key {key_name(quiz)}" + (f": {reason.strip()}" if reason.strip() else "")
        for attempt, score in scored:
            if attempt.points is None or _differs(attempt, score):
                session.add(
                    QuizScore(
                        attempt_id=attempt.id, points=score.points, out_of=score.out_of, fractions=_fractions(score.judged),
                        reason=why, author=author, at=now,
                    )
                )  # fmt: skip
        if changed:
            add_event(session, author, "quiz key corrected", now, {"quiz": name, "reason": reason, "attempts": len(changed)})
        marks = _marks(session, assignment, quiz, scored, {a.student for a in attempts}, now)
        given = append_totals(session, name, TOTAL, marks, assignment.marks, author=author, reason=why, now=now)
    return replace(done, marks=given)


def _differs(attempt: Attempt, score: Score) -> bool:
    return attempt.points is not None and (attempt.points, attempt.fractions) != (score.points, _fractions(score.judged))


def _fractions(judged: tuple[Judged, ...]) -> list[str]:
    """To twelve places: what a division left behind them is no difference."""
    return [_short(each.fraction) for each in judged]


def _short(fraction: Decimal) -> str:
    return str(fraction) if len(fraction.as_tuple().digits) < 12 else f"{fraction:.12f}"


def _change(attempt: Attempt, score: Score) -> Change:
    pairs = zip(attempt.paper, attempt.fractions or [], _fractions(score.judged), strict=True)
    differ = tuple(stored["question"] for stored, then, now in pairs if then != now)
    return Change(attempt.student, attempt.number, attempt.points or Decimal(0), score.points, score.out_of, differ)


def key_name(quiz: Quiz) -> str:
    """A short name of the whole key: questions, answers, policy and corrections."""
    said = [quiz.policy.model_dump(mode="json"), sorted(quiz.corrections.items())]
    whole = repr((said, [quiz.questions[name] for name in sorted(quiz.questions)]))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def _marks(
    session: Session, assignment: Assignment, quiz: Quiz, scored: list[tuple[Attempt, Score]], begun: set[str], now: datetime
) -> dict[str, Decimal | None]:  # fmt: skip
    """The mark of each student; None for who did not start before the quiz closed for them."""
    marks: dict[str, Decimal | None] = {}
    for student in student_ids(session) if now >= assignment.due else ():
        until = extended_until(session, student, assignment.name) or assignment.due
        if student not in begun and now >= until:
            marks[student] = None
    of_student: dict[str, dict[int, Decimal]] = {}
    with localcontext(EXACT):
        for attempt, score in scored:
            mark = (score.points / score.out_of * assignment.marks).quantize(PLACES)
            of_student.setdefault(attempt.student, {})[attempt.number] = mark
    for student, by_number in of_student.items():
        number = counting(by_number, quiz.policy.counts)
        if number is not None:
            marks[student] = by_number[number]
    return marks
