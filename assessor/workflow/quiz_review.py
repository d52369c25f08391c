"""What a student reads of a quiz once it has closed: each question, what was answered, what it earned, and the feedback."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from assessor.course import Course
from assessor.database import Database
from assessor.database.enrolment import find_student
from assessor.database.queries import extended_until
from assessor.database.quizzes import Attempt, attempts_of
from assessor.database.types import PLACES, tidy
from assessor.errors import AssessorError
from assessor.quizzes.marking import Given, Marker
from assessor.quizzes.questions import CHOICES, Kind, Question
from assessor.quizzes.settings import FOLDER
from assessor.quizzes.variants import variant
from assessor.reports.feedback import QuizLine, QuizView
from assessor.workflow.quiz_take import paper_of, quiz_of


def review(course: Course, database: Database, name: str, student: str, *, now: datetime) -> tuple[QuizView, ...]:
    """A student's attempts with their feedback.

    Raises:
        UnknownName: no such quiz or student.
        AssessorError: the quiz is open still for the student, or was not taken.
    """
    assignment, quiz = quiz_of(course, name)
    with database.reading() as session:
        own = find_student(session, student).id
        attempts = attempts_of(session, name, own)
        closes = max(assignment.due, extended_until(session, own, name) or assignment.due)
    if now < closes:
        when = f"{closes.astimezone(course.time_zone):%a %d %b %Y %H:%M %Z}"
        raise AssessorError(f"{name}: open for {student} until {when}; feedback is for afterwards")
    if not attempts:
        raise AssessorError(f"{name}: {student} has not taken it")
    return _reviewed(Marker(quiz), attempts)


def reviews(course: Course, database: Database, name: str, *, now: datetime) -> dict[str, tuple[QuizView, ...]]:
    """The attempts of everybody for whom the quiz has closed, by student; nothing where it was not taken here.

    Raises:
        UnknownName: no such quiz.
        CourseInvalid: its files are wrong.
        AssessorError: a question is not what students saw.
    """
    if not (course.root / FOLDER / f"{name}.toml").is_file():
        return {}
    assignment, quiz = quiz_of(course, name)
    of_student: dict[str, list[Attempt]] = {}
    with database.reading() as session:
        for attempt in attempts_of(session, name):
            of_student.setdefault(attempt.student, []).append(attempt)
        closed = {own for own in of_student if now >= max(assignment.due, extended_until(session, own, name) or assignment.due)}
    marker = Marker(quiz)
    return {own: _reviewed(marker, attempts) for own, attempts in of_student.items() if own in closed}


def _reviewed(marker: Marker, attempts: Sequence[Attempt]) -> tuple[QuizView, ...]:
    quiz, found = marker.quiz, []
    for attempt in attempts:
        score = marker.mark(paper_of(attempt), attempt.answers)
        questions = []
        for place, (slot, judged) in enumerate(zip(paper_of(attempt), score.judged, strict=True)):
            if slot.question in quiz.corrections:
                question, given = variant(quiz.questions[slot.question], slot.drawn), None
            else:
                question, given = marker.key(slot).question, attempt.answers.get(place)
            said = [judged.note, *(question.answers[chosen].feedback for chosen in judged.chosen), question.feedback]
            points = tidy((judged.fraction * question.marks).quantize(PLACES))
            answer = in_words(question, given)
            questions.append(
                QuizLine(place + 1, question.text, answer, points, question.marks, tuple(text for text in said if text))
            )
        total = tidy(score.points.quantize(PLACES))
        found.append(QuizView(attempt.number, total, score.out_of, tuple(questions)))
    return tuple(found)


def in_words(question: Question, given: Given) -> str:
    """An answer as a person reads it; '' where there is none."""
    if given is None or given in ("", []):
        return ""
    places = given if isinstance(given, list) else [given]
    if question.kind in CHOICES:
        return "; ".join(question.answers[int(place)].text for place in places if place is not None)
    if question.kind is Kind.ORDERING:
        return "; ".join(question.pieces[int(place)] for place in places if place is not None)
    if question.kind is Kind.MATCHING:
        matched = zip(question.stems, places, strict=True)
        return "; ".join(f"{stem} => {'-' if place is None else question.matches[int(place)]}" for stem, place in matched)
    return str(given)
