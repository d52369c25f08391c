"""Marking 10,000 attempts of a quiz of 30 questions, from the answers in the database to scores and marks in it.

The last line is JSON: {"mark_s", "items_s", "judge_s"}; judge_s is the marking alone, of what was read already. The attempts are
of the reference course's first quiz: each has a paper and parameters of its own, and every kind of question.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import insert

from assessor.course import Course, load_course
from assessor.database import Database, open_database
from assessor.database.gradebook import collector_resting
from assessor.database.quizzes import QuizAttempt, QuizEnd, QuizResponse, attempts_of
from assessor.database.tables import Student
from assessor.grading.seeds import derive_seed
from assessor.quizzes.items import analyse
from assessor.quizzes.marking import Given, Marker
from assessor.quizzes.papers import draw_paper
from assessor.quizzes.questions import CHOICES, Kind, Question
from assessor.workflow.init import init_course
from assessor.workflow.quiz_items import read
from assessor.workflow.quiz_mark import mark_quiz
from assessor.workflow.quiz_take import paper_of, quiz_of

ATTEMPTS = 10_000
QUIZ = "quiz1"
SLIPS = {Kind.NUMERICAL: "{}.5", Kind.SHAPE: "({}, 3)", Kind.SYMBOLIC: "x + {}"}


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        course = load_course(init_course(Path(scratch) / "course"))
        database = open_database(course.root, create=True)
        fill(course, database)
        result = {"mark_s": marking(course, database), "items_s": items(course, database), "judge_s": judging(course, database)}
        database.close()
    for name, value in result.items():
        print(f"{name:10} {value:8.2f}")
    print(json.dumps(result))


def fill(course: Course, database: Database) -> None:
    """Students with an attempt each, who know about two answers in three and leave a few out."""
    quiz = quiz_of(course, QUIZ)[1]
    marker, random, at = Marker(quiz), Random(6258), course.assignment(QUIZ).released
    names = [f"s{number:05}" for number in range(ATTEMPTS)]
    attempts, responses = [], []
    for number, name in enumerate(names, 1):
        paper = draw_paper(quiz, derive_seed(b"benchmark", name, QUIZ, 1))
        attempts.append(
            {"id": number, "student_id": name, "quiz": QUIZ, "number": 1, "started_at": at, "deadline": at + timedelta(hours=1),
             "paper": [slot.as_json() for slot in paper]}
        )  # fmt: skip
        for place, slot in enumerate(paper):
            given = answered(marker.key(slot).question, random)
            if given is not None:
                responses.append({"attempt_id": number, "place": place, "answer": given, "at": at})
    with database.transaction() as session:
        session.execute(insert(Student), [{"id": name, "name": name, "email": "", "marking_id": name} for name in names])
        session.execute(insert(QuizAttempt), attempts)
        session.execute(insert(QuizEnd), [{"attempt_id": row["id"], "at": at} for row in attempts])
        session.execute(insert(QuizResponse), responses)
    print(f"{ATTEMPTS} attempts, {len(responses)} answers")


def answered(question: Question, random: Random) -> Given:
    """A right answer, a wrong one, or none."""
    luck = random.random()
    if luck < 0.05:
        return None
    knows = luck < 0.7
    if question.kind is Kind.MATCHING:
        return [random.randrange(len(question.matches)) for _ in question.stems]
    if question.kind is Kind.ORDERING:
        return random.sample(range(len(question.pieces)), len(question.pieces))
    if question.kind is Kind.MULTIPLE:
        return [place for place, answer in enumerate(question.answers) if (answer.fraction > 0) == knows]
    places = [place for place, answer in enumerate(question.answers) if (answer.fraction == 1) == knows]
    if question.kind in CHOICES:
        return random.choice(places)
    return question.answers[0].text if knows else SLIPS.get(question.kind, "word {}").format(random.randrange(100))


def marking(course: Course, database: Database) -> float:
    started = time.perf_counter()
    done = mark_quiz(course, database, QUIZ, author="benchmark", now=datetime.now(UTC))
    seconds = time.perf_counter() - started
    if (done.new, done.marks.new) != (ATTEMPTS, ATTEMPTS):
        raise SystemExit(f"marked {done.new} attempts, {done.marks.new} marks; expected {ATTEMPTS}")
    return round(seconds, 2)


def judging(course: Course, database: Database) -> float:
    with database.reading() as session:
        attempts = attempts_of(session, QUIZ)
    started = time.perf_counter()
    with collector_resting():
        marker = Marker(quiz_of(course, QUIZ)[1])
        for attempt in attempts:
            marker.mark(paper_of(attempt), attempt.answers)
    return round(time.perf_counter() - started, 2)


def items(course: Course, database: Database) -> float:
    """Item analysis of the same attempts, from the database to every index; the page's figures are not in it."""
    quiz = quiz_of(course, QUIZ)[1]
    started = time.perf_counter()
    with collector_resting():
        names, marks, choices, about = read(database, quiz)
        gathered = time.perf_counter() - started
        analysis = analyse(names, marks, about, choices)
    seconds = time.perf_counter() - started
    print(f"read {gathered:.2f} s, analysed {seconds - gathered:.2f} s, {len(analysis.items)} questions")
    if analysis.whole.students != ATTEMPTS or any(item.discrimination is None for item in analysis.items):
        raise SystemExit("an attempt or an index is missing")
    return round(seconds, 2)


if __name__ == "__main__":
    main()
