"""Checks of quizzes before they are given: every question, many variants of each, and the blueprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assessor.course import Course
from assessor.errors import CourseInvalid
from assessor.quizzes.checking import check_quiz, variants_of
from assessor.quizzes.questions import DIFFICULTIES
from assessor.quizzes.settings import FOLDER
from assessor.workflow.quiz_take import quiz_of
from assessor.workflow.validate import Finding


@dataclass(frozen=True)
class Cells:
    """One topic of a quiz: how many questions there are by difficulty, and how many are drawn."""

    quiz: str
    topic: str
    there: tuple[int, ...]
    drawn: str


@dataclass(frozen=True)
class Checked:
    """What a check of quizzes found."""

    questions: int
    variants: int
    cells: tuple[Cells, ...]
    findings: tuple[Finding, ...]


def check(course: Course, names: Sequence[str] = ()) -> Checked:
    """Checks quizzes; without names, all that have a file in quizzes/.

    Raises:
        UnknownName: no such quiz.
    """
    there = [one.name for one in course.assignments if one.kind == "quiz"]
    chosen = names or [name for name in there if (course.root / FOLDER / f"{name}.toml").is_file()]
    findings: list[Finding] = []
    cells: list[Cells] = []
    questions = variants = 0
    for name in chosen:
        try:
            _, quiz = quiz_of(course, name)
        except CourseInvalid as fault:
            findings.append(Finding("error", str(fault.file), fault.key, f"found {fault.found!r}; allowed: {fault.allowed}"))
            continue
        questions += len(quiz.questions)
        variants += sum(sum(1 for _ in variants_of(question)) for question in quiz.questions.values())
        for trouble in check_quiz(quiz):
            question = trouble.question
            file = f"{FOLDER}/{question.topic}.md"
            findings.append(Finding(trouble.level, file, f"line {question.line}, {question.id}", trouble.text))
        for topic, draw in quiz.blueprint.items():
            counts = tuple(len(quiz.cell(topic, difficulty)) for difficulty in DIFFICULTIES)
            drawn = " + ".join(str(getattr(draw, difficulty)) for difficulty in DIFFICULTIES)
            cells.append(Cells(name, topic, counts, drawn))
    return Checked(questions, variants, tuple(cells), tuple(findings))
