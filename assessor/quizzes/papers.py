"""Papers: which questions a student gets, in which order, with which numbers. All by one seed, so that an appeal can repeat it.

Nothing is drawn from a generator: a thing's place is the order of its keyed hash. Whoever does not know the seed cannot
know the paper, and a paper does not depend on the version of any library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from assessor.grading.seeds import sub_seed
from assessor.quizzes.questions import CHOICES, DIFFICULTIES, Kind, Question
from assessor.quizzes.settings import Quiz
from assessor.quizzes.variants import draw_values, variant

Thing = TypeVar("Thing")


class Slot(NamedTuple):
    """One question of a paper, as it was drawn. A tuple, because marking reads them by the hundred thousand.

    Attributes:
        drawn: values of its parameters; order: places of its options, matches or pieces as they are shown.
        face: what the student saw, in short (`Question.face` of the variant).
    """

    question: str
    drawn: dict[str, str]
    order: tuple[int, ...]
    face: str

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {"question": self.question, "drawn": self.drawn, "order": list(self.order), "face": self.face}


def slot_from_json(stored: dict[str, Any]) -> Slot:
    """As `Slot.as_json` wrote it."""
    return Slot(stored["question"], stored["drawn"], tuple(stored["order"]), stored["face"])


def draw_paper(quiz: Quiz, seed: int) -> tuple[Slot, ...]:
    """The paper of one seed: each cell of the blueprint filled, then questions and options shuffled where policy says so."""
    chosen: list[Question] = []
    for topic, wanted in quiz.blueprint.items():
        for difficulty in DIFFICULTIES:
            cell = quiz.cell(topic, difficulty)
            chosen += by_seed(cell, seed, "draw", key=lambda one: one.id)[: getattr(wanted, difficulty)]
    if quiz.policy.shuffle:
        chosen = by_seed(chosen, seed, "questions", key=lambda one: one.id)
    return tuple(_slot(question, seed, shuffle=quiz.policy.shuffle) for question in chosen)


def by_seed(things: Iterable[Thing], seed: int, purpose: str, *, key: Callable[[Thing], str]) -> list[Thing]:
    """The things in the order of their keyed hashes."""
    return sorted(things, key=lambda thing: sub_seed(seed, purpose, key(thing)))


def _slot(question: Question, seed: int, *, shuffle: bool) -> Slot:
    drawn = draw_values(question, seed)
    order = list(range(_length(question)))
    if question.kind in (Kind.MATCHING, Kind.ORDERING) or (shuffle and question.kind is not Kind.TRUE_FALSE):
        order = _shuffled(question, order, seed)
    return Slot(question.id, drawn, tuple(order), variant(question, drawn).face)


def _length(question: Question) -> int:
    if question.kind in CHOICES:
        return len(question.answers)
    return len(question.matches) if question.kind is Kind.MATCHING else len(question.pieces)


def _shuffled(question: Question, order: list[int], seed: int) -> list[int]:
    """The free places in the order of their hashes; what is fixed stays where it stands."""
    fixed = {place for place in order if question.kind in CHOICES and question.answers[place].fixed}
    free = [place for place in order if place not in fixed]
    moved = iter(by_seed(free, seed, f"options of {question.id}", key=str))
    return [place if place in fixed else next(moved) for place in order]


@dataclass(frozen=True)
class Shown:
    """A question as a student sees it: no key, no fraction, no feedback.

    Attributes:
        number: its place in the paper, from 1.
        options: what there is to choose, match or order; the student names them by their number from 1.
        stems: of matching.
    """

    number: int
    kind: str
    text: str
    options: tuple[str, ...]
    stems: tuple[str, ...]
    unit: str
    marks: str


def show(quiz: Quiz, paper: Iterable[Slot]) -> tuple[Shown, ...]:
    """A paper as its student sees it."""
    return tuple(_shown(number, slot, variant(quiz.questions[slot.question], slot.drawn)) for number, slot in enumerate(paper, 1))


def _shown(number: int, slot: Slot, question: Question) -> Shown:
    if question.kind in CHOICES:
        texts = tuple(answer.text for answer in question.answers)
    else:
        texts = question.matches if question.kind is Kind.MATCHING else question.pieces
    options = tuple(texts[place] for place in slot.order)
    marks = f"{question.marks.normalize():f}"
    return Shown(number, question.kind.value, question.text, options, question.stems, question.unit, marks)
