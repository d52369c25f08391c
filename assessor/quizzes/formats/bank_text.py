"""Questions written as a bank that people can edit. What is written is read back and compared: a bank never lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from assessor.errors import CourseInvalid
from assessor.quizzes.bank import parse_bank
from assessor.quizzes.formats.carried import Note, percent
from assessor.quizzes.questions import CHOICES, TYPED, Answer, Kind, Question, Tolerance

BLANKS = re.compile(r"\n\s*\n")


def bank_text(questions: Sequence[Question], title: str) -> tuple[str, tuple[Question, ...], tuple[Note, ...]]:
    """The bank's text, the questions that are in it, and a note for each that a bank cannot hold as it stands."""
    kept, notes, pieces = [], [], [f"# {' '.join(title.split())}\n"]
    for question in questions:
        tidy = _tidy(question)
        text = "\n".join(_lines(tidy)) + "\n"
        try:
            (back,) = parse_bank(f"{text}", Path(f"{question.topic or 'bank'}.md"))
        except (CourseInvalid, ValueError) as fault:
            notes.append(Note(question.id, "the whole question", f"left out: a bank cannot hold it ({fault})"))
            continue
        if not same(back, tidy):
            notes.append(Note(question.id, "the whole question", "left out: a bank would read it otherwise"))
            continue
        kept.append(tidy)
        pieces.append(text)
    return "\n".join(pieces), tuple(kept), tuple(notes)


def same(one: Question, other: Question) -> bool:
    """Whether two questions are alike but for their topic and for fractions that differ in the fifth place."""
    plain = [
        replace(each, topic="", answers=tuple(replace(a, fraction=Decimal(0)) for a in each.answers)) for each in (one, other)
    ]
    pairs = zip(one.answers, other.answers, strict=False)
    return plain[0] == plain[1] and all(abs(a.fraction - b.fraction) < Decimal("1e-5") for a, b in pairs)


def _tidy(question: Question) -> Question:
    """Without the blank lines and trailing blanks that a bank does not keep."""

    def flat(text: str) -> str:
        """Of an option: no empty line outside of code, no blanks at a line's end."""
        lines = [line.rstrip() for line in text.strip("\n").split("\n")]
        fenced, kept = False, []
        for line in lines:
            fenced ^= bool(re.match(r"\s*(`{3,}|~{3,})", line))
            if line or fenced:
                kept.append(line)
        return "\n".join(kept).strip()

    def block(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip("\n").split("\n")).strip("\n")

    typed = question.kind in TYPED
    return replace(
        question,
        text=block(question.text).strip(),
        feedback=block(question.feedback),
        answers=tuple(
            Answer(
                answer.text.rstrip("\n") if typed else flat(answer.text), answer.fraction, block(answer.feedback), answer.fixed
            )
            for answer in question.answers
        ),
        pairs=tuple(replace(pair, stem=" ".join(pair.stem.split()), answer=flat(pair.answer)) for pair in question.pairs),
        steps=tuple(flat(step) for step in question.steps),
        file=None,
        line=0,
    )


def _lines(question: Question) -> Iterator[str]:
    yield f"## {question.id}"
    yield from _header(question)
    yield ""
    yield question.text
    yield ""
    if question.kind is Kind.MATCHING:
        for pair in question.pairs:
            yield from _under(f"- {pair.stem} => " if pair.stem else "- => ", pair.answer)
    elif question.kind is Kind.ORDERING:
        for number, step in enumerate(question.steps, 1):
            yield from _under(f"{number}. ", step)
    else:
        marks = _marks(question)
        for answer, mark in zip(question.answers, marks, strict=True):
            yield from _under(f"- {mark} ", _shown(question.kind, answer))
            yield from (f"  > {line}".rstrip() for line in answer.feedback.split("\n") if answer.feedback)
    if question.feedback:
        yield ""
        yield from (f"> {line}".rstrip() for line in question.feedback.split("\n"))


def _header(question: Question) -> Iterator[str]:
    yield f"kind: {question.kind}"
    if question.difficulty != "medium":
        yield f"difficulty: {question.difficulty}"
    if question.marks != 1:
        yield f"marks: {question.marks.normalize():f}"
    if question.tolerance != Tolerance():
        wide = question.tolerance
        parts = [f"{wide.absolute:f}"] if wide.absolute else []
        parts += [f"{wide.relative * 100:f}%"] if wide.relative else []
        yield f"tolerance: {' or '.join(parts)}"
    if question.unit:
        yield f"unit: {question.unit}"
    if question.units:
        yield "units: " + ", ".join(f"{name} = {factor:f}" for name, factor in question.units)
    if question.variables:
        names = (f"{name} > 0" if name in question.positive else name for name in question.variables)
        yield f"variables: {', '.join(names)}"
    if question.case:
        yield "case: sensitive"
    for let in question.lets:
        yield f"let {let.name} in {', '.join(let.values)}" if let.values else f"let {let.name} = {let.formula}"


def _under(first: str, text: str) -> Iterator[str]:
    head, *rest = text.split("\n")
    yield (first + head).rstrip()
    yield from (f"  {line}".rstrip() for line in rest)


def _shown(kind: Kind, answer: Answer) -> str:
    if kind in CHOICES:
        return answer.text + (" {fixed}" if answer.fixed else "")
    if "\n" in answer.text or "`" in answer.text:
        return f"\n~~~\n{answer.text}\n~~~"
    plain = answer.text == answer.text.strip() and not answer.text.startswith((">", "~"))
    return answer.text if plain else f"`{answer.text}`"


def _marks(question: Question) -> list[str]:
    left, right = "[]" if question.kind is Kind.MULTIPLE else "()"
    fractions = [answer.fraction for answer in question.answers]
    full, none = f"{left}x{right}", f"{left} {right}"
    if question.kind is Kind.MULTIPLE:
        good, bad = [one for one in fractions if one > 0], [one for one in fractions if one <= 0]
        even = all(_near(one * len(good), 1) for one in good) and all(_near(one * len(bad), -1) for one in bad)
        if good and even:
            return [full if one > 0 else none for one in fractions]
        return [f"{left}{percent(one, 6)}%{right}" if one else none for one in fractions]
    return [full if one == 1 else none if one == 0 else f"{left}{percent(one, 6)}%{right}" for one in fractions]


def _near(value: Decimal, whole: int) -> bool:
    return abs(value - whole) < Decimal("1e-5")
