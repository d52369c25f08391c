"""A quiz: its blueprint and policy, from quizzes/NAME.toml."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from assessor.errors import CourseInvalid
from assessor.quizzes.bank import read_bank
from assessor.quizzes.questions import DIFFICULTIES, Question
from assessor.validation import Number, Strict, parse, read_toml

FOLDER = "quizzes"
Count = Annotated[int, Field(ge=0, le=200), Number]


class Draw(Strict):
    """How many questions of a topic, by difficulty."""

    easy: Count = 0
    medium: Count = 0
    hard: Count = 0


class Policy(Strict):
    """How attempts go and how they are marked.

    Attributes:
        minutes: for one attempt, once started. It ends when the quiz closes, if that is sooner.
        grace_seconds: for what is on its way when the time is up.
        attempts: how many a student has; counts: which of them.
        partial: multiple, matching and ordering earn parts of their marks; otherwise all or nothing.
        negative: a wrong choice of k costs 1/(k-1) of the question's marks, so that guessing earns nothing on average.
        floor: what cannot go below 0: the whole quiz, or each question.
        shuffle: questions and options in an order of each student's own.
    """

    minutes: Annotated[int, Field(ge=1, le=1440), Number] = 60
    grace_seconds: Annotated[int, Field(ge=0, le=3600), Number] = 60
    attempts: Annotated[int, Field(ge=1, le=100), Number] = 1
    counts: Literal["first", "best", "last"] = "first"
    partial: bool = True
    negative: bool = False
    floor: Literal["quiz", "question"] = "quiz"
    shuffle: bool = True


class QuizFile(Strict):
    """The whole of quizzes/NAME.toml.

    Attributes:
        blueprint: by topic: the name of a bank in the same folder.
        corrections: by question: 'full' gives everybody its marks, 'drop' leaves it out of every paper that has it.
    """

    title: Annotated[str, Field(min_length=1)]
    policy: Policy = Policy()
    blueprint: dict[str, Draw] = Field(min_length=1)
    corrections: dict[str, Literal["full", "drop"]] = {}


@dataclass(frozen=True)
class Quiz:
    """A quiz and its questions by id."""

    name: str
    title: str
    policy: Policy
    blueprint: dict[str, Draw]
    corrections: dict[str, Literal["full", "drop"]]
    questions: dict[str, Question]

    def cell(self, topic: str, difficulty: str) -> list[Question]:
        """The questions from which a cell of the blueprint is drawn, by id."""
        of_cell = (one for one in self.questions.values() if (one.topic, one.difficulty) == (topic, difficulty))
        return sorted(of_cell, key=lambda one: one.id)


def read_quiz(root: Path, name: str) -> Quiz:
    """Reads a quiz and its banks, and checks that its blueprint can be filled.

    Raises:
        CourseInvalid: file, key or line, what was found, what is expected.
    """
    file = root / FOLDER / f"{name}.toml"
    parsed = parse(QuizFile, file, read_toml(file))
    questions: dict[str, Question] = {}
    for topic in parsed.blueprint:
        bank = file.parent / f"{topic}.md"
        if not bank.is_file():
            there = ", ".join(sorted(path.stem for path in file.parent.glob("*.md"))) or "none yet"
            raise CourseInvalid(file, f"blueprint.{topic}", topic, f"a bank of {FOLDER}/: {there}")
        for question in read_bank(bank):
            if question.id in questions:
                taken = questions[question.id].file
                expected = f"a name that no question of {taken.name if taken else ''} has"
                raise CourseInvalid(bank, f"line {question.line}", question.id, expected)
            questions[question.id] = question
    quiz = Quiz(
        name=name, title=parsed.title, policy=parsed.policy, blueprint=parsed.blueprint, corrections=parsed.corrections,
        questions=questions,
    )  # fmt: skip
    _check(file, quiz)
    return quiz


def _check(file: Path, quiz: Quiz) -> None:
    for topic, draw in quiz.blueprint.items():
        marks: dict[str, set[Decimal]] = {}
        for difficulty in DIFFICULTIES:
            wanted, cell = getattr(draw, difficulty), quiz.cell(topic, difficulty)
            if wanted > len(cell):
                found = f"{wanted}, of {len(cell)} in {topic}.md"
                raise CourseInvalid(file, f"blueprint.{topic}.{difficulty}", found, f"at most {len(cell)}, or more questions")
            marks[difficulty] = {one.marks for one in cell} if wanted else set()
            if len(marks[difficulty]) > 1 and wanted < len(cell):
                found = ", ".join(str(value) for value in sorted(marks[difficulty]))
                expected = "questions of the same marks in one cell, or papers would be out of different totals"
                raise CourseInvalid(file, f"blueprint.{topic}.{difficulty}", f"marks {found}", expected)
    if not any(getattr(draw, difficulty) for draw in quiz.blueprint.values() for difficulty in DIFFICULTIES):
        raise CourseInvalid(file, "blueprint", "no questions", "at least one")
    for name in quiz.corrections:
        if name not in quiz.questions:
            raise CourseInvalid(file, f"corrections.{name}", name, "a question of the quiz's banks")
