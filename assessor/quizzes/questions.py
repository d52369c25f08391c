"""Questions: what a bank holds, whatever file it came from. `bank` reads them, `formats` brings them from elsewhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    """Choose one option."""
    MULTIPLE = "multiple"
    """Choose any number of options."""
    TRUE_FALSE = "truefalse"
    NUMERICAL = "numerical"
    """A number within a tolerance, in the unit asked for or one that is listed."""
    SHORT = "short"
    """A word or phrase."""
    OUTPUT = "output"
    """What a piece of code prints."""
    SHAPE = "shape"
    """A tensor's shape."""
    SYMBOLIC = "symbolic"
    """A small formula in named variables; any form of it."""
    MATCHING = "matching"
    ORDERING = "ordering"


CHOICES = (Kind.SINGLE, Kind.MULTIPLE, Kind.TRUE_FALSE)
"""Kinds whose `answers` are shown as options; an answer is chosen by its place among them."""
TYPED = (Kind.NUMERICAL, Kind.SHORT, Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC)
"""Kinds whose `answers` are compared with what was typed."""
DIFFICULTIES = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Answer:
    """An option to choose, or an answer that somebody may type.

    Attributes:
        fraction: the part of the marks that it earns: 1 right, 0 wrong, negative where it costs.
        fixed: it keeps its place when options are shuffled ("none of the above").
    """

    text: str
    fraction: Decimal
    feedback: str = ""
    fixed: bool = False


@dataclass(frozen=True)
class Pair:
    """A stem and what belongs to it; a stem of '' is a distractor: an answer that belongs to none."""

    stem: str
    answer: str


@dataclass(frozen=True)
class Let:
    """A parameter: drawn from `values`, or computed by `formula` from those before it."""

    name: str
    values: tuple[str, ...] = ()
    formula: str = ""


@dataclass(frozen=True)
class Tolerance:
    """|x - a| <= max(absolute, relative |a|)."""

    absolute: Decimal = Decimal(0)
    relative: Decimal = Decimal(0)

    def allows(self, given: Decimal, right: Decimal) -> bool:
        """Whether a number is near enough."""
        return abs(given - right) <= max(self.absolute, self.relative * abs(right))


@dataclass(frozen=True)
class Question:
    """One question of a bank. All text is Markdown with LaTeX between dollars.

    Attributes:
        id: unique in a course; topic: its file's name; both as in a file's name.
        answers: options (`CHOICES`) or accepted answers (`TYPED`); empty for matching and ordering.
        pairs: of matching; steps: of ordering, in the right order.
        lets: parameters, which stand as {{name}} in text and answers.
        unit: of numerical; units: others that are accepted, with what one of them is in `unit`.
        variables: of symbolic; positive: those of them that are greater than 0.
        case: whether case matters, in short.
        feedback: what everybody reads afterwards.
        file, line: where it stands; not a part of what it is.
    """

    id: str
    kind: Kind
    text: str
    topic: str = ""
    difficulty: str = "medium"
    marks: Decimal = Decimal(1)
    answers: tuple[Answer, ...] = ()
    pairs: tuple[Pair, ...] = ()
    steps: tuple[str, ...] = ()
    lets: tuple[Let, ...] = ()
    tolerance: Tolerance = Tolerance()
    unit: str = ""
    units: tuple[tuple[str, Decimal], ...] = ()
    variables: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    case: bool = False
    feedback: str = ""
    file: Path | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems of matching, distractors left out."""
        return tuple(pair.stem for pair in self.pairs if pair.stem)

    @cached_property
    def matches(self) -> tuple[str, ...]:
        """The different answers of matching, sorted: a student's answer names one of them for each stem, by its place."""
        return tuple(sorted({pair.answer for pair in self.pairs}))

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The steps of ordering, sorted: a student's answer is a row of their places here."""
        return tuple(sorted(self.steps))

    @cached_property
    def face(self) -> str:
        """A short name of what students see, and what their answers refer to: it is the same after a change of the key."""
        options = [answer.text for answer in self.answers] if self.kind in CHOICES else []
        shown = [self.kind, self.text, options, list(self.stems), self.matches, self.pieces, self.unit]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]
