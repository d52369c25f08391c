"""Questions written as a bank's text: what was read from elsewhere becomes a file that people edit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext

from assessor.marking.exact import EXACT, HUNDRED, ONE
from assessor.quizzes.questions import CHOICES, Kind, Question, Tolerance


def write_bank(title: str, questions: Iterable[Question]) -> str:
    """The text of a bank; `parse_bank` reads the same questions from it."""
    return f"# {title}\n" + "".join(f"\n{_written(question)}" for question in questions)


def _written(question: Question) -> str:
    parts = ["\n".join([f"## {question.id}", *_header(question)]), question.text, "\n".join(_answers(question))]
    if question.feedback:
        parts.append("\n".join(f"> {line}".rstrip() for line in question.feedback.split("\n")))
    return "\n\n".join(parts) + "\n"


def _header(question: Question) -> Iterator[str]:
    yield f"kind: {question.kind}"
    yield f"difficulty: {question.difficulty}"
    if question.marks != 1:
        yield f"marks: {plain(question.marks)}"
    if question.tolerance != Tolerance():
        tolerance = question.tolerance
        parts = [plain(tolerance.absolute)] if tolerance.absolute else []
        parts += [f"{plain(tolerance.relative * 100)}%"] if tolerance.relative else []
        yield f"tolerance: {' or '.join(parts)}"
    if question.unit:
        yield f"unit: {question.unit}"
    if question.units:
        yield "units: " + ", ".join(f"{name} = {plain(factor)}" for name, factor in question.units)
    if question.variables:
        yield "variables: " + ", ".join(f"{v} > 0" if v in question.positive else v for v in question.variables)
    if question.case:
        yield "case: sensitive"
    for let in question.lets:
        yield f"let {let.name} in {', '.join(let.values)}" if let.values else f"let {let.name} = {let.formula}"


def plain(value: Decimal) -> str:
    """A number without exponent or trailing zeros."""
    return f"{value.normalize(EXACT):f}"


def _answers(question: Question) -> Iterator[str]:
    if question.kind is Kind.MATCHING:
        yield from (f"- {pair.stem} => {_indented(pair.answer)}".replace("-  =>", "- =>") for pair in question.pairs)
    elif question.kind is Kind.ORDERING:
        yield from (f"{number}. {_indented(step)}" for number, step in enumerate(question.steps, 1))
    else:
        for mark, answer in zip(_marks(question), question.answers, strict=True):
            opening, closing = "[]" if question.kind is Kind.MULTIPLE else "()"
            fixed = " {fixed}" if answer.fixed else ""
            text = answer.text if question.kind in CHOICES else _coded(answer.text)
            yield f"- {opening}{mark}{closing} {_indented(text)}{fixed}".replace(" \n", "\n", 1)
            if answer.feedback:
                yield from (f"  > {line}".rstrip() for line in answer.feedback.split("\n"))


def _coded(text: str) -> str:
    """What is to be typed, in backticks; in a fence where it has lines or backticks of its own."""
    return f"~~~\n{text}\n~~~" if "\n" in text or "`" in text else f"`{text}`"


def _indented(text: str) -> str:
    """Further lines belong to the first; a fence begins on a line of its own."""
    return ("\n" * text.startswith(("```", "~~~")) + text).replace("\n", "\n  ")


def _marks(question: Question) -> list[str]:
    """'x' and ' ' where they mean the same as the percentages."""
    fractions = [answer.fraction for answer in question.answers]
    if question.kind is not Kind.MULTIPLE:
        return ["x" if one == 1 else " " if one == 0 else f"{plain(one * HUNDRED)}%" for one in fractions]
    right = sum(one > 0 for one in fractions)
    with localcontext(EXACT):
        usual = [ONE / right if one > 0 else -ONE / (len(fractions) - right) for one in fractions] if right else []
    if usual == fractions:
        return ["x" if one > 0 else " " for one in fractions]
    return [f"{plain(one * HUNDRED)}%" if one else " " for one in fractions]
