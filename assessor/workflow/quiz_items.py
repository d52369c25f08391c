"""Item analysis of a quiz that was taken here, from the newest scores of first attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force
from assessor.database.quizzes import QuizAttempt, QuizResponse, QuizScore
from assessor.errors import AssessorError
from assessor.files import write_text
from assessor.quizzes.items import ENOUGH, About, Analysis, Item, Matrix, analyse
from assessor.quizzes.questions import CHOICES, Kind, Question
from assessor.quizzes.settings import Quiz
from assessor.reports import quiz_figures as pictures
from assessor.reports.figures import data_url
from assessor.reports.pages import render
from assessor.reports.text import local_time
from assessor.workflow.quiz_take import quiz_of

FIFTHS = 5


@dataclass(frozen=True)
class ItemReport:
    """An analysis, and the page that shows it."""

    quiz: str
    title: str
    analysis: Analysis
    page: Path


def quiz_items(course: Course, database: Database, name: str, *, now: datetime) -> ItemReport:
    """Analyses first attempts by their newest scores, and writes reports/items-QUIZ.html.

    Raises:
        UnknownName: no such quiz.
        AssessorError: no attempt was marked yet.
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    _, quiz = quiz_of(course, name)
    names, marks, choices, about = read(database, quiz)
    analysis = analyse(names, marks, about, choices)
    page = course.root / "reports" / f"items-{name}.html"
    write_text(page, _page(course, quiz, analysis, names, marks, now))
    return ItemReport(name, quiz.title, analysis, page)


def read(
    database: Database, quiz: Quiz
) -> tuple[list[str], Matrix, dict[str, list[tuple[int, ...] | None]], dict[str, About]]:
    """Names of the questions, what each student earned of each, what was chosen, and what is known of each question."""
    with database.reading() as session:
        scored = _scores(session, quiz.name)
        if not scored:
            raise AssessorError(f"{quiz.name}: no attempt is marked; `assessor quiz mark {quiz.name}` marks them first")
        column: dict[str, int] = {}
        worth = {question: float(one.marks) for question, one in quiz.questions.items()}
        for _, paper, _ in scored:
            for slot in paper:
                column.setdefault(slot["question"], len(column))
        row = {attempt: place for place, (attempt, _, _) in enumerate(scored)}
        marks: Matrix = np.full((len(scored), len(column)), np.nan)
        of_place: dict[tuple[int, int], str] = {}
        for place, (attempt, paper, fractions) in enumerate(scored):
            columns = [column[slot["question"]] for slot in paper]
            earned = zip(paper, fractions, strict=True)
            marks[place, columns] = [float(fraction) * worth.get(slot["question"], 1.0) for slot, fraction in earned]
            for number, slot in enumerate(paper):
                question = quiz.questions.get(slot["question"])
                if question is not None and question.kind in CHOICES:
                    of_place[attempt, number] = question.id
        for own, correction in quiz.corrections.items():
            if correction == "drop" and own in column:
                marks[:, column[own]] = np.nan  # as in the marks: the rest counts for it
        choices = _choices(session, quiz, row, of_place)
    names = list(column)
    return names, marks, choices, {question: _about(quiz, question) for question in names}


def _scores(session: Session, quiz: str) -> list[tuple[int, list[Any], list[str]]]:
    """Of each student's first attempt its number, its paper and its newest fractions; of a deferred one's, after the deferral."""
    deferred = {act.student_id: act.at for act in acts_in_force(session, Act.verb == Verb.DEFER, Act.subject == quiz)}
    may_count = (QuizAttempt.quiz == quiz, or_(QuizAttempt.number == 1, QuizAttempt.student_id.in_(deferred)))
    scores = select(QuizScore.attempt_id, QuizScore.fractions).join(QuizAttempt).where(*may_count).order_by(QuizScore.id)
    newest = {attempt: fractions for attempt, fractions in session.execute(scores)}  # noqa: C416 - rows are not tuples
    first: dict[str, tuple[int, list[Any]]] = {}
    query = select(QuizAttempt.id, QuizAttempt.student_id, QuizAttempt.started_at, QuizAttempt.paper).where(*may_count)
    for attempt, student, started_at, paper in session.execute(query.order_by(QuizAttempt.number)):
        if student not in deferred or started_at > deferred[student]:
            first.setdefault(student, (attempt, paper))
    return [(attempt, paper, newest[attempt]) for attempt, paper in sorted(first.values()) if attempt in newest]


def _choices(
    session: Session, quiz: Quiz, row: Mapping[int, int], of_place: Mapping[tuple[int, int], str]
) -> dict[str, list[tuple[int, ...] | None]]:
    """What was chosen last, for every question with options."""
    found: dict[str, list[tuple[int, ...] | None]] = {name: [None] * len(row) for name in set(of_place.values())}
    query = (
        select(QuizResponse.attempt_id, QuizResponse.place, QuizResponse.answer)
        .join(QuizAttempt)
        .where(QuizAttempt.quiz == quiz.name)
        .order_by(QuizResponse.id)
    )
    for attempt, place, answer in session.execute(query):
        name = of_place.get((attempt, place))
        if name is None:
            continue
        chosen = None
        if isinstance(answer, int):
            chosen = (answer,)
        elif isinstance(answer, list) and answer:
            chosen = tuple(answer)
        found[name][row[attempt]] = chosen
    return found


def _about(quiz: Quiz, name: str) -> About:
    question, correction = quiz.questions.get(name), quiz.corrections.get(name)
    if question is None:
        return About(note="in no bank any more")
    notes = {"full": "corrected: full marks to all", "drop": "corrected: dropped", None: ""}
    options = tuple((answer.text, answer.fraction > 0) for answer in question.answers) if question.kind in CHOICES else ()
    return About(float(question.marks), _guess(question), options, notes[correction])


def _guess(question: Question) -> float | None:
    """What choosing blindly earns on average."""
    if question.kind in (Kind.SINGLE, Kind.TRUE_FALSE):
        return sum(max(0.0, float(answer.fraction)) for answer in question.answers) / len(question.answers)
    return 1 / len(question.matches) if question.kind is Kind.MATCHING else None


# The page


def _page(course: Course, quiz: Quiz, analysis: Analysis, names: Sequence[str], marks: Matrix, now: datetime) -> str:
    whole = analysis.whole
    column = {name: place for place, name in enumerate(names)}
    flagged = sorted(analysis.items, key=lambda item: (not item.flags, item.discrimination or 0.0))
    return render(
        "quiz_items.html",
        course=course.code,
        quiz=quiz,
        analysis=analysis,
        items=flagged,
        curves={
            item.name: data_url(_curve(marks, column[item.name], quiz))
            for item in analysis.items
            if item.shown >= ENOUGH and item.flags
        },
        texts={name: question.text for name, question in quiz.questions.items()},
        totals=data_url(pictures.totals(list(analysis.totals), whole.mean, whole.sem)),
        difficulty=data_url(pictures.difficulty(analysis.items)),
        made=local_time(now, course.time_zone),
    )


def _curve(marks: Matrix, column: int, quiz: Quiz) -> bytes:
    """A question's mean in each fifth of its students, by the rest of their papers."""
    own = marks[:, column]
    there = ~np.isnan(own)
    x, rest = own[there], np.nansum(marks[there], axis=1) - own[there]
    most = max(float(np.nanmax(own)), 1e-9)
    parts = np.array_split(np.argsort(rest, kind="stable"), FIFTHS)
    means = [float(x[part].mean()) / most for part in parts]
    errors = [float(x[part].std()) / most / max(1.0, len(part) ** 0.5) for part in parts]
    return pictures.curve(means, errors)


def as_json(report: ItemReport) -> str:
    """For machines; not a number is null."""
    whole = {**vars(report.analysis.whole), "cic": report.analysis.whole.cic, "error_ratio": report.analysis.whole.error_ratio}
    items = [_plain(item) for item in report.analysis.items]
    return json.dumps({"quiz": report.quiz, "page": str(report.page), "whole": whole, "items": items}, ensure_ascii=False)


def _plain(item: Item) -> dict[str, Any]:
    return {**vars(item), "options": [vars(option) for option in item.options]}
