"""Papers: the same seed gives the same, every cell is filled, what is fixed stays, and places are drawn evenly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.quizzes.papers import draw_paper, slot_from_json
from assessor.quizzes.questions import Answer, Kind, Let, Question
from assessor.quizzes.settings import Draw, Policy, Quiz

OPTIONS = tuple(Answer(text, Decimal(text == "a"), fixed=text == "none") for text in ("a", "b", "c", "none", "d"))
QUESTIONS = {
    f"{topic}-{difficulty}-{number}": Question(
        f"{topic}-{difficulty}-{number}", Kind.SINGLE, "Q {{n}}", topic, difficulty, answers=OPTIONS,
        lets=(Let("n", ("1", "2", "3")),),
    )
    for topic in ("x", "y")
    for difficulty in ("easy", "medium", "hard")
    for number in range(4)
}  # fmt: skip
counts = st.integers(0, 4)
draws = st.builds(Draw, easy=counts, medium=counts, hard=counts)


def quiz(x: Draw, y: Draw, *, shuffle: bool = True) -> Quiz:
    return Quiz("q", "Q", Policy(shuffle=shuffle), {"x": x, "y": y}, {}, QUESTIONS)


@given(draws, draws, st.integers(0, 2**63 - 1), st.booleans())
@settings(max_examples=60)
def test_a_paper_fills_its_blueprint_and_comes_out_the_same_again(x: Draw, y: Draw, seed: int, shuffle: bool) -> None:
    one = quiz(x, y, shuffle=shuffle)
    paper = draw_paper(one, seed)
    assert draw_paper(one, seed) == paper == tuple(slot_from_json(slot.as_json()) for slot in paper)
    cells = Counter(slot.question.rsplit("-", 1)[0] for slot in paper)
    wanted = {f"{t}-{d}": getattr(draw, d) for t, draw in (("x", x), ("y", y)) for d in ("easy", "medium", "hard")}
    assert cells == Counter({cell: count for cell, count in wanted.items() if count})
    for slot in paper:
        assert slot.order[3] == 3, "none of these stays where it is"
        assert sorted(slot.order) == [0, 1, 2, 3, 4] and (shuffle or slot.order == (0, 1, 2, 3, 4))


def test_another_question_in_the_bank_changes_no_order_of_the_others() -> None:
    one = quiz(Draw(easy=4), Draw())
    more = {**QUESTIONS, "new": replace(QUESTIONS["y-easy-0"], id="new")}
    assert draw_paper(replace(one, questions=more), 5) == draw_paper(one, 5)


def test_options_numbers_and_questions_are_drawn_evenly() -> None:
    """Over 3000 papers each of n outcomes comes up 3000/n times, within five standard deviations."""
    one, papers = quiz(Draw(easy=1), Draw()), 3000
    slots = [draw_paper(one, seed)[0] for seed in range(papers)]
    for found, outcomes in (
        (Counter(slot.order.index(0) for slot in slots), 4),
        (Counter(slot.drawn["n"] for slot in slots), 3),
        (Counter(slot.question for slot in slots), 4),
    ):
        assert len(found) == outcomes
        spread = (papers / outcomes * (1 - 1 / outcomes)) ** 0.5
        assert all(abs(count - papers / outcomes) < 5 * spread for count in found.values())
