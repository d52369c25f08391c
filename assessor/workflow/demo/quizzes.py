"""The demo's students take both quizzes: each gets a paper of its own, knows so many answers of it, and is marked."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.queries import history
from assessor.database.quizzes import attempts_of
from assessor.quizzes.marking import Marker
from assessor.quizzes.papers import Slot
from assessor.quizzes.questions import CHOICES, Kind, Question
from assessor.workflow.demo.cohort import COHORT
from assessor.workflow.quiz_mark import mark_quiz
from assessor.workflow.quiz_take import hand_in, paper_of, quiz_of, save, start

SPREADS = {"quiz1": 7, "quiz2": 11}
QUESTIONS = 30
NONSENSE = {Kind.NUMERICAL: "-98765", Kind.SHAPE: "(97, 98, 99)", Kind.SYMBOLIC: "98765"}


def planted(place: int, quiz: str) -> int:
    """How many answers of a quiz the student of this place knows: the mark that must come of it."""
    return QUESTIONS - place * SPREADS[quiz] % 17


def take_and_mark(course: Course, database: Database, *, author: str, now: datetime) -> None:
    """Every student takes every quiz, a few minutes after one another; then both are marked."""
    for name in SPREADS:
        marker = Marker(quiz_of(course, name)[1])
        for place, student in enumerate(COHORT):
            at = course.assignment(name).released + timedelta(minutes=7 * place)
            start(course, database, name, student.id, now=at)
            with database.reading() as session:
                paper = paper_of(attempts_of(session, name, student.id)[-1])
            answers = {
                number: _said(marker.key(slot).question, slot, knows=number <= planted(place, name))
                for number, slot in enumerate(paper, 1)
            }
            save(course, database, name, student.id, answers, now=at + timedelta(minutes=40))
            hand_in(course, database, name, student.id, now=at + timedelta(minutes=41))
        mark_quiz(course, database, name, author=author, now=now)


def quiz_faults(database: Database) -> dict[str, str]:
    """For each student whose mark of a quiz is not the planted one, what it is instead."""
    faults: dict[str, str] = {}
    with database.reading() as session:
        for place, student in enumerate(COHORT):
            for name in SPREADS:
                given = [mark.points for mark in history(session, student.id, name) if mark.item == TOTAL][-1:]
                if given != [Decimal(planted(place, name))]:
                    faults[student.id] = f"{name}: {given}, expected {planted(place, name)}"
    return faults


def _said(question: Question, slot: Slot, *, knows: bool) -> str:
    """What a student who knows the answer, or does not, writes beside the question."""
    if question.kind is Kind.MATCHING:
        wanted = [question.matches.index(pair.answer) for pair in question.pairs if pair.stem]
        places = wanted if knows else [(place + 1) % len(question.matches) for place in wanted]
    elif question.kind is Kind.ORDERING:
        steps = question.steps if knows else question.steps[::-1]
        places = [question.pieces.index(step) for step in steps]
    elif question.kind in CHOICES:
        chosen = [place for place, answer in enumerate(question.answers) if (answer.fraction > 0) == knows]
        if question.kind is not Kind.MULTIPLE:
            best = max if knows else min
            chosen = [best(chosen, key=lambda place: question.answers[place].fraction)]
        places = chosen
    else:
        best_answer = max(question.answers, key=lambda answer: answer.fraction)
        return best_answer.text if knows else NONSENSE.get(question.kind, "I do not know")
    return " ".join(str(slot.order.index(place) + 1) for place in places)
