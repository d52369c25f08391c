"""Questions written as a bank that people can edit. What is written is read back and compared: a bank never lies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path

from assessor.errors import CourseInvalid
from assessor.marking.exact import EXACT, ONE
from assessor.quizzes.bank import parse_bank
from assessor.quizzes.formats.carried import Note
from assessor.quizzes.questions import TYPED, Answer, Kind, Question
from assessor.quizzes.writing import write_bank

CLOSE = Decimal("1e-5")
"""Other systems write five places."""


def bank_text(questions: Sequence[Question], title: str) -> tuple[str, tuple[Question, ...], tuple[Note, ...]]:
    """The bank's text, the questions that are in it, and a note for each that a bank cannot hold as it stands."""
    kept, notes = [], []
    for question in questions:
        tidy = _tidy(question)
        try:
            (back,) = parse_bank(write_bank("One", [tidy]), Path(f"{question.topic or 'bank'}.md"))
        except (CourseInvalid, ValueError) as fault:
            notes.append(Note(question.id, "the whole question", f"left out: a bank cannot hold it ({fault})"))
            continue
        if not same(back, tidy):
            notes.append(Note(question.id, "the whole question", "left out: a bank would read it otherwise"))
            continue
        kept.append(tidy)
    return write_bank(" ".join(title.split()), kept), tuple(kept), tuple(notes)


def same(one: Question, other: Question) -> bool:
    """Whether two questions are alike but for their topic and for fractions that differ in the fifth place."""
    plain = [
        replace(each, topic="", answers=tuple(replace(a, fraction=Decimal(0)) for a in each.answers)) for each in (one, other)
    ]
    pairs = zip(one.answers, other.answers, strict=False)
    return plain[0] == plain[1] and all(abs(a.fraction - b.fraction) < CLOSE for a, b in pairs)


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
                answer.text.rstrip("\n") if typed else flat(answer.text), fraction, block(answer.feedback), answer.fixed
            )
            for answer, fraction in zip(question.answers, _shares(question), strict=True)
        ),
        pairs=tuple(replace(pair, stem=" ".join(pair.stem.split()), answer=flat(pair.answer)) for pair in question.pairs),
        steps=tuple(flat(step) for step in question.steps),
        file=None,
        line=0,
    )


def _shares(question: Question) -> list[Decimal]:
    """What each answer earns: 33.33333 % where three are right are thirds, which a bank writes without numbers."""
    given = [answer.fraction for answer in question.answers]
    if question.kind is not Kind.MULTIPLE:
        return given
    with localcontext(EXACT):
        right = sum(one > 0 for one in given)
        even = [ONE / right if one > 0 else -ONE / (len(given) - right) for one in given]
    return even if all(abs(one - other) < CLOSE for one, other in zip(given, even, strict=True)) else given
