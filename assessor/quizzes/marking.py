"""Marking: what an answer earns of its question's marks, and what a paper's answers earn together. Pure functions.

An answer is plain data, as the database keeps it. It refers to options by their place in the bank, whatever order the
student saw them in:

    single, truefalse        a place, such as 2
    multiple                 a list of places
    matching                 for each stem a place among `Question.matches`, or None
    ordering                 places among `Question.pieces`, in the student's order
    all other kinds          text
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cached_property, partial
from itertools import pairwise
from typing import NoReturn

from assessor.errors import AssessorError
from assessor.marking.exact import EXACT, ONE, ZERO
from assessor.quizzes.formula import FormulaError, Tree, parse_formula, same
from assessor.quizzes.papers import Slot
from assessor.quizzes.questions import TYPED, Answer, Kind, Question
from assessor.quizzes.reading import MAX_LETTERS, number_in_unit, read_output, read_shape, read_words
from assessor.quizzes.settings import Policy, Quiz
from assessor.quizzes.variants import variant

Given = int | str | list[int] | list[int | None] | None
"""A student's answer; None where there is none."""


@dataclass(frozen=True)
class Judged:
    """What an answer earns.

    Attributes:
        fraction: of the question's marks, from -1 to 1.
        chosen: places of the answers that it met or chose, for feedback and statistics.
        note: why it could not be read, where it could not.
    """

    fraction: Decimal
    chosen: tuple[int, ...] = ()
    note: str = ""


BLANK = Judged(ZERO)


class Key:
    """One variant of a question, ready to mark many answers: what can be prepared is prepared once."""

    def __init__(self, question: Question, policy: Policy) -> None:
        if question.lets:
            raise ValueError(f"{question.id}: a variant first")
        self.question, self.policy = question, policy
        self._seen: dict[object, Judged] = {}
        self._judge = self._compared if question.kind in TYPED else partial(JUDGES[question.kind], self)

    def judge(self, given: Given) -> Judged:
        """What one answer earns. No answer earns nothing and costs nothing. What many answer alike is judged once."""
        if given is None:
            return BLANK
        kept = (list, *given) if type(given) is list else (type(given), given)
        try:
            judged = self._seen.get(kept)
        except TypeError:  # a list within a list: no answer of anybody's
            _bad(given, self.question)
        if judged is None:
            empty = given == [] or (isinstance(given, str) and not given.strip())
            judged = self._seen[kept] = BLANK if empty else self._judge(given)
        return judged

    def _compared(self, given: Given) -> Judged:
        """The first of the answers that earn most among those that it is equal to."""
        text = str(given)
        if len(text) > MAX_LETTERS:
            return Judged(ZERO, note=f"{len(text)} characters; at most {MAX_LETTERS} are read")
        try:
            met = [place for place in range(len(self._answers)) if self._equal(text, place)]
        except _Unreadable as fault:
            return Judged(ZERO, note=str(fault))
        if not met:
            return Judged(ZERO)
        best = max(met, key=lambda place: self.question.answers[place].fraction)
        return Judged(max(self.question.answers[best].fraction, ZERO), (best,))

    def _equal(self, text: str, place: int) -> bool:
        question, right = self.question, self._answers[place]
        if question.kind is Kind.NUMERICAL:
            number = number_in_unit(question, text)
            if number is None:
                raise _Unreadable(f"not read as a number{f' in {question.unit}' if question.unit else ''}")
            return isinstance(right, Decimal) and question.tolerance.allows(number, right)
        if question.kind is Kind.SHAPE:
            shape = read_shape(text)
            if shape is None:
                raise _Unreadable("not read as a shape such as (2, 3)")
            return shape == right
        if question.kind is Kind.SYMBOLIC:
            try:
                tree = parse_formula(text, question.variables)
            except FormulaError as fault:
                raise _Unreadable(f"not read as a formula: {fault}") from None
            return isinstance(right, Tree) and same(tree, right, question.variables, question.positive)
        if question.kind is Kind.OUTPUT:
            return read_output(text) == right
        return read_words(text, case=question.case) == right

    @cached_property
    def _answers(self) -> list[object]:
        return [answer_value(self.question, answer) for answer in self.question.answers]

    def single(self, given: Given) -> Judged:
        """The chosen option's fraction; under negative marking a wrong one costs what a guess would gain."""
        answers = self.question.answers
        if not isinstance(given, int):
            _bad(given, self.question)
        (place,) = _places(given, len(answers), self.question)
        fraction = answers[place].fraction
        if not self.policy.negative:
            fraction = max(fraction, ZERO)
        elif fraction == 0:
            with localcontext(EXACT):
                fraction = -ONE / (len(answers) - 1)
        return Judged(fraction, (place,))

    def multiple(self, given: Given) -> Judged:
        """The sum of the chosen fractions, never below 0; without partial credit all that is right and no more."""
        answers = self.question.answers
        places = _places(given, len(answers), self.question)
        if not self.policy.partial:
            right = {place for place, answer in enumerate(answers) if answer.fraction > 0}
            return Judged(ONE if set(places) == right else ZERO, places)
        with localcontext(EXACT):
            return Judged(_within(sum((answers[place].fraction for place in places), ZERO)), places)

    def matching(self, given: Given) -> Judged:
        """The share of stems that have their answer."""
        wanted = [pair.answer for pair in self.question.pairs if pair.stem]
        if not isinstance(given, list) or len(given) != len(wanted):
            _bad(given, self.question)
        picked = [place for place in given if place is not None]
        _places(picked, len(self.question.matches), self.question, twice=True)
        met = sum(place is not None and self.question.matches[place] == right for place, right in zip(given, wanted, strict=True))
        return self._part(met, len(wanted))

    def ordering(self, given: Given) -> Judged:
        """The share of neighbours that follow one another as they should."""
        pieces, steps = self.question.pieces, self.question.steps
        places = _places(given, len(pieces), self.question)
        if len(places) != len(steps):
            _bad(given, self.question)
        order = [pieces[place] for place in places]
        follows = dict(pairwise(steps))
        met = sum(follows.get(one) == other for one, other in pairwise(order))
        return self._part(met, len(steps) - 1)

    def _part(self, met: int, of: int) -> Judged:
        if not self.policy.partial:
            return Judged(ONE if met == of else ZERO)
        with localcontext(EXACT):
            return Judged(Decimal(met) / of)


JUDGES = {
    Kind.SINGLE: Key.single, Kind.TRUE_FALSE: Key.single, Kind.MULTIPLE: Key.multiple, Kind.MATCHING: Key.matching,
    Kind.ORDERING: Key.ordering,
}  # fmt: skip


class _Unreadable(Exception):
    """A student's text that is nothing of the kind asked for."""


def answer_value(question: Question, answer: Answer) -> Decimal | Tree | tuple[str, ...] | str | None:
    """An accepted answer as its kind compares it; None where it is none of that kind."""
    if question.kind is Kind.NUMERICAL:
        return number_in_unit(question, answer.text)
    if question.kind is Kind.SHAPE:
        return read_shape(answer.text)
    if question.kind is Kind.SYMBOLIC:
        try:
            return parse_formula(answer.text, question.variables)
        except FormulaError:
            return None
    return read_output(answer.text) if question.kind is Kind.OUTPUT else read_words(answer.text, case=question.case)


def _within(fraction: Decimal) -> Decimal:
    """Between 0 and 1; thirds and sevenths that should sum to 1 do."""
    return ONE if abs(fraction - ONE) < Decimal("1e-6") else min(max(fraction, ZERO), ONE)


def _places(given: object, length: int, question: Question, *, twice: bool = False) -> tuple[int, ...]:
    places = [given] if isinstance(given, int) else given
    if not isinstance(places, list) or not all(type(place) is int and 0 <= place < length for place in places):
        _bad(given, question)
    if not twice and len(set(places)) != len(places):
        _bad(given, question)
    return tuple(places)


def _bad(given: object, question: Question) -> NoReturn:
    raise AssessorError(f"{question.id}: {given!r} is no answer of a {question.kind} question")


@dataclass(frozen=True)
class Score:
    """What one attempt earns: points of `out_of`, and for each question of its paper what was judged."""

    points: Decimal
    out_of: Decimal
    judged: tuple[Judged, ...]


class Marker:
    """Marks papers of one quiz; each variant's key is prepared once, and each typed answer is judged once."""

    def __init__(self, quiz: Quiz) -> None:
        self.quiz = quiz
        self._keys: dict[tuple[str, ...], Key] = {}

    def key(self, slot: Slot) -> Key:
        """The key of one slot.

        Raises:
            AssessorError: the question is gone, or is not what the student saw.
        """
        values = (slot.question, *slot.drawn.values())
        key = self._keys.get(values)
        if key is None:
            question = self.quiz.questions.get(slot.question)
            if question is None:
                expected = "attempts have it, but no bank does any more; put it back"
                raise AssessorError(f"{self.quiz.name}: {slot.question}: {expected}")
            key = self._keys[values] = Key(variant(question, slot.drawn), self.quiz.policy)
        if key.question.face != slot.face:
            where = f"{key.question.file}: line {key.question.line}: " if key.question.file else ""
            raise AssessorError(
                f"{where}{slot.question}: its text or options are not what students saw; put them back and mend the key only, "
                f"or say 'full' or 'drop' for it under [corrections] of {self.quiz.name}.toml"
            )
        return key

    def mark(self, paper: Sequence[Slot], answers: Mapping[int, Given]) -> Score:
        """Marks one attempt: answers by the place of their question in the paper, from 0.

        Raises:
            AssessorError: ours or the importer's; an answer that the question cannot have.
        """
        corrections, each = self.quiz.corrections, self.quiz.policy.floor == "question"
        points = out_of = dropped = ZERO
        judged = []
        with localcontext(EXACT):
            for place, slot in enumerate(paper):
                correction = corrections.get(slot.question)
                if correction is None:
                    question = self.key(slot)
                    marks, found = question.question.marks, question.judge(answers.get(place))
                else:
                    marks = self.quiz.questions[slot.question].marks
                    found = Judged(ONE, note="full marks to all") if correction == "full" else Judged(ZERO, note="dropped")
                if each and found.fraction < 0:
                    found = replace(found, fraction=ZERO)
                judged.append(found)
                out_of += marks
                dropped += marks if correction == "drop" else ZERO
                points += marks * found.fraction
            if dropped and dropped < out_of:
                points = points * out_of / (out_of - dropped)
        return Score(max(points, ZERO), out_of, tuple(judged))


def counting(scores: Mapping[int, Decimal], counts: str) -> int:
    """The number of the attempt that counts: the first, the last, or the best (of equals the first)."""
    if counts == "best":
        return max(sorted(scores), key=lambda number: scores[number])
    return min(scores) if counts == "first" else max(scores)
