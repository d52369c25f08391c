"""Parameterised questions: values drawn by seed, others computed from them, all written into text and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from assessor.errors import CourseInvalid
from assessor.grading.seeds import sub_seed
from assessor.quizzes.formula import FormulaError, Undefined, evaluate_real, parse_formula
from assessor.quizzes.questions import Pair, Question

HOLE = re.compile(r"\{\{(.+?)(?::(\.\d{1,2}[feg]))?\}\}")
"""{{formula}}, or {{formula:.3f}} with so many places."""
Drawn = Mapping[str, str]
"""The drawn parameters by name, as their `let` lists them."""


def draw_values(question: Question, seed: int) -> dict[str, str]:
    """One value for each drawn parameter, by the seed alone."""
    return {
        let.name: let.values[sub_seed(seed, "let", question.id, let.name) % len(let.values)]
        for let in question.lets
        if let.values
    }


def variant(question: Question, drawn: Drawn) -> Question:
    """The question with these values: no parameter is left in it.

    Raises:
        CourseInvalid: the author's; a formula that cannot be read or has no value.
    """
    if not question.lets:
        return question
    words, numbers = _values(question, drawn)

    def fill(text: str) -> str:
        return HOLE.sub(lambda hole: _filled(question, hole, words, numbers), text) if "{{" in text else text

    return replace(
        question, text=fill(question.text), feedback=fill(question.feedback), lets=(),
        answers=tuple(replace(one, text=fill(one.text), feedback=fill(one.feedback)) for one in question.answers),
        pairs=tuple(Pair(fill(pair.stem), fill(pair.answer)) for pair in question.pairs),
        steps=tuple(fill(step) for step in question.steps),
    )  # fmt: skip


def _values(question: Question, drawn: Drawn) -> tuple[dict[str, str], dict[str, float]]:
    """Every parameter as text, and those that are numbers as numbers."""
    words: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for let in question.lets:
        if let.values:
            words[let.name] = drawn[let.name]
            try:
                numbers[let.name] = float(drawn[let.name])
            except ValueError:
                continue
        else:
            numbers[let.name] = _computed(question, f"let {let.name} = {let.formula}", let.formula, numbers)
            words[let.name] = shown(numbers[let.name])
    return words, numbers


def _filled(question: Question, hole: re.Match[str], words: Mapping[str, str], numbers: Mapping[str, float]) -> str:
    name, places = hole[1].strip(), hole[2]
    if name in words and not places:
        return words[name]
    value = _computed(question, hole[0], name, numbers)
    return f"{value:{places}}" if places else shown(value)


def _computed(question: Question, place: str, formula: str, numbers: Mapping[str, float]) -> float:
    where = f"line {question.line}, {question.id}"
    try:
        return evaluate_real(parse_formula(formula, numbers), numbers)
    except FormulaError as fault:
        raise CourseInvalid(question.file or "", where, f"{place}: {fault.found}", fault.expected) from None
    except Undefined as fault:
        values = ", ".join(f"{name} = {shown(value)}" for name, value in numbers.items())
        raise CourseInvalid(question.file or "", where, f"{place} with {values}: {fault}", "a number for all values") from None


def shown(value: float) -> str:
    """A number to twelve digits, so that 0.1 + 0.2 is 0.3; a whole one without its point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.12g}"
