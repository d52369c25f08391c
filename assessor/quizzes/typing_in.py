"""What a student writes beside a paper, turned into the answer that is kept: '2', '1 3', 'true', '2 - 1', '(32, 10)'."""

from __future__ import annotations

import re

from assessor.errors import AssessorError
from assessor.quizzes.marking import Given
from assessor.quizzes.papers import Slot
from assessor.quizzes.questions import CHOICES, TYPED, Kind, Question
from assessor.quizzes.reading import MAX_LETTERS

BLANK = "-"


def typed_in(question: Question, slot: Slot, text: str, number: int) -> Given:
    """The answer that is kept. Options are named by their number from 1 on the student's own paper; '' takes an answer back.

    Raises:
        AssessorError: the student's; what was found and what is expected.
    """
    text = text.strip("\n")
    if not text.strip():
        return None

    def refuse(expected: str) -> AssessorError:
        return AssessorError(f"question {number}: found {text[:60]!r}; expected {expected}")

    if question.kind in TYPED:
        if len(text) > MAX_LETTERS:
            raise refuse(f"at most {MAX_LETTERS} characters")
        return text
    words = re.split(r"[\s,;]+", text.strip())
    if question.kind is Kind.TRUE_FALSE:
        texts = [answer.text.strip().lower() for answer in question.answers]
        words = [str(slot.order.index(texts.index(word.lower())) + 1) if word.lower() in texts else word for word in words]
    options = len(slot.order)
    blank_allowed = question.kind is Kind.MATCHING
    known = {str(place) for place in range(1, options + 1)} | ({BLANK} if blank_allowed else set())
    if not known.issuperset(words):
        raise refuse(f"numbers from 1 to {options}" + (" or '-'" if blank_allowed else ""))
    places = [None if word == BLANK else slot.order[int(word) - 1] for word in words]
    wanted = {Kind.MATCHING: len(question.stems), Kind.ORDERING: options}.get(question.kind, 1)
    if question.kind is not Kind.MULTIPLE and len(places) != wanted:
        raise refuse(f"{wanted} number{'s' * (wanted != 1)}")
    if question.kind is not Kind.MATCHING and len(set(places)) != len(places):
        raise refuse("each number once")
    if question.kind in CHOICES and question.kind is not Kind.MULTIPLE:
        return places[0]
    return places
