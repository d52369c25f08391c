"""Taking a quiz: an attempt is started, answered and handed in.

A paper is drawn once, when its attempt starts, and kept; answers are appended until the time is up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assessor.course import Assignment, Course
from assessor.csvfile import read_csv
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act, decided
from assessor.database.audit import add_event
from assessor.database.enrolment import find_student
from assessor.database.queries import extended_until
from assessor.database.quizzes import Attempt, QuizAttempt, QuizEnd, QuizResponse, attempts_of
from assessor.errors import AssessorError
from assessor.grading.seeds import derive_seed
from assessor.quizzes.marking import Marker
from assessor.quizzes.papers import Shown, Slot, draw_paper, show, slot_from_json
from assessor.quizzes.settings import Quiz, read_quiz
from assessor.quizzes.typing_in import typed_in
from assessor.workflow.keys import course_secret

MAX_EXTRA = 300


@dataclass(frozen=True)
class Started:
    """An attempt that goes on: until when, and its paper as the student sees it."""

    student: str
    number: int
    deadline: datetime
    again: bool
    questions: tuple[Shown, ...]


def quiz_of(course: Course, name: str) -> tuple[Assignment, Quiz]:
    """A quiz's place in the course, and its questions.

    Raises:
        UnknownName: the course has no such assignment.
        AssessorError: it is no quiz.
        CourseInvalid: its files are wrong.
    """
    assignment = course.assignment(name)
    if assignment.kind != "quiz":
        raise AssessorError(f"{name}: a {assignment.kind}, not a quiz")
    return assignment, read_quiz(course.root, name)


def start(
    course: Course, database: Database, name: str, student: str, *, now: datetime, author: str | None = None
) -> Started:
    """Starts an attempt, or shows the one that goes on already, also where another start was a moment sooner.

    Args:
        author: who typed it, for the audit; the student where it is not given.

    Raises:
        UnknownName: no such quiz or student.
        AssessorError: the quiz is not open, or the student has no attempt left.
    """
    try:
        return _start(course, database, name, student, now, author)
    except IntegrityError:  # both saw none; the database has let one of them in, and now it is seen
        return _start(course, database, name, student, now, author)


def _start(course: Course, database: Database, name: str, student: str, now: datetime, author: str | None) -> Started:
    assignment, quiz = quiz_of(course, name)
    secret = course_secret(course.root)
    with database.transaction() as session:
        own = find_student(session, student).id
        resit = decided(session).resits.get((own, name))
        every = attempts_of(session, name, own)
        earlier = [attempt for attempt in every if resit is None or attempt.started_at > resit.at]
        going = [attempt for attempt in earlier if not is_over(attempt, quiz, now)]
        if going:
            return _started(quiz, going[-1], again=True)
        closes = max(assignment.due, extended_until(session, own, name) or assignment.due)
        if not assignment.released <= now < closes:
            opens, shut = (f"{when.astimezone(course.time_zone):%a %d %b %Y %H:%M %Z}" for when in (assignment.released, closes))
            raise AssessorError(f"{name}: open from {opens} to {shut}; nothing was started")
        if len(earlier) >= quiz.policy.attempts:
            raise AssessorError(f"{name}: {student} has had {len(earlier)} of {quiz.policy.attempts} attempts")
        number = len(every) + 1
        paper = draw_paper(quiz, derive_seed(secret, own, name, number))
        extra = extra_percent(session, own, name)
        deadline = min(now + timedelta(minutes=quiz.policy.minutes) * (100 + extra) / 100, closes)
        row = QuizAttempt(
            student_id=own, quiz=name, number=number, started_at=now, deadline=deadline,
            paper=[slot.as_json() for slot in paper],
        )  # fmt: skip
        session.add(row)
        session.flush()
        add_event(session, author or own, "quiz start", now, {"student": own, "quiz": name, "attempt": number})
        fresh = Attempt(row.id, own, number, now, deadline, None, row.paper, {}, None, None)
    return _started(quiz, fresh, again=False)


def _started(quiz: Quiz, attempt: Attempt, *, again: bool) -> Started:
    slots = paper_of(attempt)
    marker = Marker(quiz)
    for slot in slots:
        if slot.question not in quiz.corrections:
            marker.key(slot)  # refuses to show other questions than those that were drawn
    return Started(attempt.student, attempt.number, attempt.deadline, again, show(quiz, slots))


def paper_of(attempt: Attempt) -> tuple[Slot, ...]:
    """The paper that was drawn for an attempt."""
    return tuple(slot_from_json(stored) for stored in attempt.paper)


def is_over(attempt: Attempt, quiz: Quiz, now: datetime) -> bool:
    """Whether an attempt was handed in, or its time and grace are up."""
    return attempt.ended_at is not None or now > attempt.deadline + timedelta(seconds=quiz.policy.grace_seconds)


def read_answers(file: Path, *, encoding: str | None = None) -> dict[int, str]:
    """Answers by question number, from a CSV with the columns question and answer.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    found: dict[int, str] = {}
    for row in read_csv(file, ["question", "answer"], encoding=encoding):
        number = row.number_in("question", Decimal(1), Decimal(1000))
        if number != int(number) or int(number) in found:
            raise row.refuse("question", row.text("question"), "a whole number, each once")
        found[int(number)] = row.values["answer"]
    return found


def save(
    course: Course, database: Database, name: str, student: str, answers: Mapping[int, str], *, now: datetime,
    author: str | None = None,
) -> int:  # fmt: skip
    """Appends answers to the attempt that goes on, all or none: by question number from 1, in the words of the paper.

    Returns:
        How many were saved.

    Raises:
        UnknownName: no such quiz or student.
        AssessorError: no attempt goes on, or an answer is none of its question.
    """
    _, quiz = quiz_of(course, name)
    with database.transaction() as session:
        attempt = _going(session, quiz, name, student, now)
        marker, slots = Marker(quiz), paper_of(attempt)
        for number, text in answers.items():
            if not 1 <= number <= len(slots):
                raise AssessorError(f"{name}: question {number}; expected a number from 1 to {len(slots)}")
            slot = slots[number - 1]
            if slot.question in quiz.corrections:
                continue  # it earns the same whatever is answered, and may not be what was drawn any more
            given = typed_in(marker.key(slot).question, slot, text, number)
            session.add(QuizResponse(attempt_id=attempt.id, place=number - 1, answer=given, at=now))
        detail = {"student": attempt.student, "quiz": name, "attempt": attempt.number, "questions": sorted(answers)}
        add_event(session, author or attempt.student, "quiz answer", now, detail)
    return len(answers)


def hand_in(
    course: Course, database: Database, name: str, student: str, *, now: datetime, author: str | None = None
) -> int:
    """Ends the attempt that goes on, and says how many of its questions are answered.

    Raises:
        AssessorError: no attempt goes on.
    """
    _, quiz = quiz_of(course, name)
    with database.transaction() as session:
        attempt = _going(session, quiz, name, student, now)
        session.add(QuizEnd(attempt_id=attempt.id, at=now))
        detail = {"student": attempt.student, "quiz": name, "attempt": attempt.number}
        add_event(session, author or attempt.student, "quiz hand-in", now, detail)
    return sum(given not in (None, "", []) for given in attempt.answers.values())


def _going(session: Session, quiz: Quiz, name: str, student: str, now: datetime) -> Attempt:
    earlier = attempts_of(session, name, find_student(session, student).id)
    if not earlier:
        raise AssessorError(f"{name}: {student} has not started it")
    if is_over(earlier[-1], quiz, now):
        why = "was handed in" if earlier[-1].ended_at else f"ended at {earlier[-1].deadline:%Y-%m-%d %H:%M:%S %Z}"
        raise AssessorError(f"{name}: attempt {earlier[-1].number} of {student} {why}; nothing was saved")
    return earlier[-1]


def extra_percent(session: Session, student: str, quiz: str) -> int:
    """How much more time a student has, in percent: what was said of this quiz, else of all."""
    acts = acts_in_force(session, Act.verb == Verb.EXTRA_TIME, Act.student_id == student, Act.subject.in_(("", quiz)))
    said = {act.subject: int(act.detail["percent"]) for act in acts}
    return said.get(quiz, said.get("", 0))


def give_extra_time(
    course: Course, database: Database, student: str, percent: int, name: str = "", *, author: str, reason: str, now: datetime
) -> None:  # fmt: skip
    """Gives one student more time in every quiz, or in one; for attempts that start from now on. The newest counts.

    Raises:
        UnknownName: no such student or quiz.
        AssessorError: no reason, or a percentage out of range.
    """
    if name and course.assignment(name).kind != "quiz":
        raise AssessorError(f"{name}: a {course.assignment(name).kind}, not a quiz")
    if not 0 <= percent <= MAX_EXTRA:
        raise AssessorError(f"{student}: found {percent}; expected from 0 to {MAX_EXTRA} percent")
    if not reason.strip():
        raise AssessorError(f"{student}: extra time needs a reason; it is kept in confidence")
    with database.transaction() as session:
        own = find_student(session, student).id
        add_act(
            session, Verb.EXTRA_TIME, student=own, subject=name, detail={"percent": percent}, reason=reason.strip(),
            author=author, now=now,
        )  # fmt: skip


def preview(course: Course, name: str, student: str, attempt: int = 1) -> tuple[Shown, ...]:
    """The paper that a student would get, for whoever sets the quiz; nothing is kept."""
    _, quiz = quiz_of(course, name)
    return show(quiz, draw_paper(quiz, derive_seed(course_secret(course.root), student, name, attempt)))
