"""Marking a quiz: every attempt that is over, by the key as it is now.

Marking again after a correction of the key lists what would change before anything is written; the earlier scores stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from assessor.course import TOTAL, Assignment, Course
from assessor.database import Database
from assessor.database.acts import Resit, decided
from assessor.database.audit import add_event
from assessor.database.gradebook import collector_resting
from assessor.database.queries import extended_until, student_ids
from assessor.database.quizzes import Attempt, QuizScore, attempts_of
from assessor.database.tables import Mark
from assessor.database.types import PLACES, tidy
from assessor.errors import AssessorError
from assessor.marking.exact import EXACT
from assessor.quizzes.marking import Judged, Marker, Score, counting
from assessor.quizzes.settings import Quiz
from assessor.workflow.mark import Imported, append_totals
from assessor.workflow.quiz_take import is_over, paper_of, quiz_of

OURS = "quiz {}, key "
"""How the reasons of marks begin that are made here."""


FOUR = Decimal("0.0001")


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
        by_hand: students whose mark a person or an import gave since: it stands.
    """

    attempts: int
    going: int
    new: int
    changed: tuple[Change, ...]
    written: bool
    marks: Imported
    by_hand: tuple[str, ...] = ()


def mark_quiz(course: Course, database: Database, name: str, *, author: str, now: datetime, reason: str = "") -> Marked:
    """Marks every attempt that is over, by the key as it is now, and gives each student the mark of the one that counts.

    Where an attempt was marked before and would score otherwise, nothing is written unless there is a reason.

    Raises:
        UnknownName: no such quiz.
        CourseInvalid: its files are wrong.
        AssessorError: nobody has taken it here, or a question is not what students saw.
    """
    assignment, quiz = quiz_of(course, name)
    with collector_resting(), database.transaction() as session:
        attempts = attempts_of(session, name)
        if not attempts:
            raise AssessorError(f"{name}: nobody has taken it here; `assessor quiz import` brings in results from elsewhere")
        over = [attempt for attempt in attempts if is_over(attempt, quiz, now)]
        marker = Marker(quiz)
        scored = [(attempt, marker.mark(paper_of(attempt), attempt.answers)) for attempt in over]
        changed = tuple(_change(attempt, score) for attempt, score in scored if _differs(attempt, score))
        new = sum(attempt.points is None for attempt in over)
        done = Marked(len(over), len(attempts) - len(over), new, changed, True, Imported(0, 0))
        if changed and not reason.strip():
            return replace(done, written=False)
        why = OURS.format(name) + key_name(quiz) + (f": {reason.strip()}" if reason.strip() else "")
        fresh = [
            {
                "attempt_id": attempt.id, "points": _kept(score), "out_of": score.out_of,
                "fractions": _fractions(score.judged), "reason": why, "author": author, "at": now,
            }
            for attempt, score in scored
            if attempt.points is None or _differs(attempt, score)
        ]  # fmt: skip
        if fresh:
            session.execute(insert(QuizScore), fresh)
        if changed:
            add_event(session, author, "quiz key corrected", now, {"quiz": name, "reason": reason, "attempts": len(changed)})
        resits = {student: resit for (student, of), resit in decided(session).resits.items() if of == name}
        marks = _absent(session, assignment, {attempt.student for attempt in attempts} | set(resits), now)
        marks |= _marks(assignment, quiz, [pair for pair in scored if _is_of_newest_try(pair[0], resits)])
        by_hand = tuple(student for student in _by_hand(session, name, resits) if student in marks)
        marks = {student: mark for student, mark in marks.items() if student not in by_hand}
        given = append_totals(
            session, name, TOTAL, marks, assignment.marks, author=author, reason=why, now=now, later=resits
        )  # fmt: skip
    return replace(done, marks=given, by_hand=by_hand)


def _is_of_newest_try(attempt: Attempt, resits: Mapping[str, Resit]) -> bool:
    return attempt.student not in resits or attempt.started_at > resits[attempt.student].at


def _by_hand(session: Session, name: str, resits: Mapping[str, Resit]) -> list[str]:
    """Whose newest mark was not made here."""
    newest = select(func.max(Mark.id)).where(Mark.assignment == name).group_by(Mark.student_id)
    query = select(Mark.student_id, Mark.id).where(Mark.id.in_(newest), Mark.reason.not_like(OURS.format(name) + "%"))
    return [
        student
        for student, number in session.execute(query.order_by(Mark.student_id))
        if student not in resits or number > resits[student].mark
    ]


def _differs(attempt: Attempt, score: Score) -> bool:
    """Points to four decimals, which is all that earlier versions kept; they follow from the fractions."""
    if attempt.points is None:
        return False
    alike = attempt.points.quantize(FOUR) == score.points.quantize(FOUR)
    return not alike or attempt.fractions != _fractions(score.judged)


def _kept(score: Score) -> Decimal:
    """Its points as they are kept. The mark is made of the exact ones: five thirds of four are 12.5 of 30."""
    return tidy(score.points.quantize(PLACES))


def _fractions(judged: tuple[Judged, ...]) -> list[str]:
    """To twelve places: what a division left behind them is no difference."""
    return [_short(each.fraction) for each in judged]


def _short(fraction: Decimal) -> str:
    return str(fraction) if len(fraction.as_tuple().digits) < 12 else f"{fraction:.12f}"


def _change(attempt: Attempt, score: Score) -> Change:
    pairs = zip(attempt.paper, attempt.fractions or [], _fractions(score.judged), strict=True)
    differ = tuple(stored["question"] for stored, then, now in pairs if then != now)
    return Change(attempt.student, attempt.number, attempt.points or Decimal(0), _kept(score), score.out_of, differ)


def key_name(quiz: Quiz) -> str:
    """A short name of the whole key: questions, answers, policy and corrections."""
    said = [quiz.policy.model_dump(mode="json"), sorted(quiz.corrections.items())]
    whole = repr((said, [quiz.questions[name] for name in sorted(quiz.questions)]))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def _absent(session: Session, assignment: Assignment, begun: set[str], now: datetime) -> dict[str, Decimal | None]:
    """Who did not start before the quiz closed for them."""
    if now < assignment.due:
        return {}
    absent = [student for student in student_ids(session) if student not in begun]
    until = {student: extended_until(session, student, assignment.name) or assignment.due for student in absent}
    return {student: None for student in absent if now >= until[student]}


def _marks(assignment: Assignment, quiz: Quiz, scored: list[tuple[Attempt, Score]]) -> dict[str, Decimal | None]:
    """Each student's mark: that of the attempt that counts, of what the course says the quiz is out of."""
    of_student: dict[str, dict[int, Decimal]] = {}
    with localcontext(EXACT):
        for attempt, score in scored:
            mark = (score.points / score.out_of * assignment.marks).quantize(PLACES)
            of_student.setdefault(attempt.student, {})[attempt.number] = mark
    return {student: marks[counting(marks, quiz.policy.counts)] for student, marks in of_student.items()}
