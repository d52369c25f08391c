"""Is a quiz fit to be given? Every question is tried, with many of its variants, by the code that will mark it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from assessor.errors import CourseInvalid
from assessor.quizzes.marking import Key, answer_value
from assessor.quizzes.questions import CHOICES, TYPED, Kind, Question, Tolerance
from assessor.quizzes.settings import Policy, Quiz
from assessor.quizzes.variants import HOLE, draw_values, variant

VARIANTS = 300
"""All variants are tried where there are no more, else so many seeds."""
NEAR_ONE = Decimal("0.0001")
_QUOTED = re.compile(r"'[^']*'")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


@dataclass(frozen=True)
class Trouble:
    """What is wrong ('error') or unwise ('warning') with a question."""

    level: str
    question: Question
    text: str


def check_quiz(quiz: Quiz) -> tuple[Trouble, ...]:
    """What is wrong with a quiz's questions; each thing is told once, with the first variant that shows it."""
    return tuple(trouble for question in quiz.questions.values() for trouble in check_question(question))


def check_question(question: Question) -> Iterator[Trouble]:
    """What is wrong with one question."""
    yield from _parameters(question)
    told: set[str] = set()
    for drawn in variants_of(question):
        try:
            one = variant(question, drawn)
        except CourseInvalid as fault:
            yield Trouble("error", question, f"{fault.found}; expected {fault.allowed}")
            return
        for level, text in _faults(one):
            kind = _QUOTED.sub("", text)
            if kind not in told:
                told.add(kind)
                with_ = f" (with {', '.join(f'{name} = {value}' for name, value in drawn.items())})" if drawn else ""
                yield Trouble(level, question, text + with_)


def variants_of(question: Question) -> Iterator[Mapping[str, str]]:
    """The drawn values of every variant, or of many seeds where there are too many."""
    drawn = [let for let in question.lets if let.values]
    count = 1
    for let in drawn:
        count *= len(let.values)
    if count > VARIANTS:
        yield from (draw_values(question, seed) for seed in range(VARIANTS))
        return
    for values in itertools.product(*(let.values for let in drawn)):
        yield dict(zip((let.name for let in drawn), values, strict=True))


def _parameters(question: Question) -> Iterator[Trouble]:
    pieces = [question.text, question.feedback, *(f"{one.text}\n{one.feedback}" for one in question.answers)]
    pieces += [text for pair in question.pairs for text in (pair.stem, pair.answer)] + list(question.steps)
    holes = " ".join(hole[1] for hole in HOLE.finditer("\n".join(pieces)))
    used = holes + " " + " ".join(let.formula for let in question.lets)
    if holes and not question.lets:
        yield Trouble("error", question, "{{...}} in the text, but no let in the header")
    for let in question.lets:
        if not re.search(rf"\b{re.escape(let.name)}\b", used):
            yield Trouble("warning", question, f"let {let.name} is used nowhere")


def _faults(question: Question) -> Iterator[tuple[str, str]]:
    texts = [question.text, question.feedback, *(answer.text for answer in question.answers)]
    if any(_CODE.sub("", text).replace("\\$", "").count("$") % 2 for text in texts):
        yield "error", "a $ without its other half"
    if question.kind in CHOICES:
        yield from _choice(question)
    elif question.kind in TYPED:
        yield from _typed(question)
    else:
        things = question.stems if question.kind is Kind.MATCHING else question.steps
        if len(things) < 2:
            yield "error", f"{len(things)} to {'match' if question.kind is Kind.MATCHING else 'order'}; expected 2 or more"
        if len(set(things)) != len(things):
            yield "error", "the same twice: no answer could be right"
        if question.kind is Kind.MATCHING and len(question.matches) < 2:
            yield "error", "one answer for all; expected different ones"


def _choice(question: Question) -> Iterator[tuple[str, str]]:
    answers = question.answers
    texts = [answer.text for answer in answers]
    if len(answers) < 2:
        yield "error", "one option; expected 2 or more"
    if len(set(texts)) != len(texts):
        yield "error", f"two options are the same: {next(text for text in texts if texts.count(text) > 1)!r}"
    if question.kind is Kind.MULTIPLE:
        earned = sum((answer.fraction for answer in answers if answer.fraction > 0), Decimal(0))
        if abs(earned - 1) > NEAR_ONE:
            yield "error", f"what is right sums to {float(earned * 100):.4g}%; expected 100%"
        if sum(answer.fraction for answer in answers) > 1 - NEAR_ONE and any(answer.fraction <= 0 for answer in answers):
            yield "warning", "whoever chooses everything gets full marks; give wrong options a negative percentage"
        return
    if question.kind is Kind.TRUE_FALSE and sorted(text.strip().lower() for text in texts) != ["false", "true"]:
        yield "error", "expected the two options True and False"
    full = sum(answer.fraction == 1 for answer in answers)
    if full == 0 or (full > 1 and question.kind is Kind.TRUE_FALSE):
        yield "error", f"{full} options are right; expected one (x)"
    elif full > 1:
        yield "warning", f"{full} options earn full marks"


def _typed(question: Question) -> Iterator[tuple[str, str]]:
    if all(answer.fraction != 1 for answer in question.answers):
        yield "error", "no answer earns full marks; expected one (x)"
    key = Key(question, Policy())
    for place, answer in enumerate(question.answers):
        if answer.fraction == 0 and not answer.feedback:
            yield "warning", f"the wrong answer {answer.text!r} has no feedback: it says nothing to whoever gives it"
        if answer.fraction < 0:
            yield "error", f"{answer.text!r} costs marks; what is typed earns 0 or more"
        value = answer_value(question, answer)
        if value is None or value == "":
            yield "error", f"the answer {answer.text!r} is not read as {question.kind}"
        else:
            judged = key.judge(answer.text)
            if judged.chosen != (place,):
                met = question.answers[judged.chosen[0]].text if judged.chosen else "nothing"
                yield "error", f"the answer {answer.text!r} is never met: it is taken for {met!r}"
            if isinstance(value, Decimal) and question.tolerance == Tolerance() and len(value.normalize().as_tuple().digits) > 6:
                yield "warning", f"{answer.text!r} without a tolerance: nobody writes all its digits"
    if question.kind is Kind.OUTPUT and "```" not in question.text:
        yield "warning", "no code in the text"
