"""What an answer earns, for every kind and policy, and what a paper's answers earn together."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.errors import AssessorError
from assessor.quizzes.bank import parse_bank
from assessor.quizzes.marking import Given, Judged, Key, Marker, counting
from assessor.quizzes.papers import Slot
from assessor.quizzes.questions import Question
from assessor.quizzes.reading import read_number, read_shape
from assessor.quizzes.settings import Draw, Policy, Quiz
from assessor.quizzes.variants import variant

BANK = """
## single
kind: single

Q

- (x) a
- (50%) b
- ( ) c
- (-25%) d

## multiple
kind: multiple

Q

- [x] a
- [x] b
- [x] c
- [ ] d
- [ ] e

## truth
kind: truefalse

Q

- (x) True
- ( ) False

## number
kind: numerical
tolerance: 0.01 or 1%
unit: MB
units: kB = 0.001, GB = 1000

Q

- (x) 0.25
- (50%) 250
  > That is in kB.

## share
kind: numerical

Q

- (x) 0.4

## word
kind: short

Q

- (x) Adam
- (x) adaptive moments


## output
kind: output

Q

- (x)
  ```
  tensor(1)
  True
  ```

## shape
kind: shape

Q

- (x) (32, 10)

## symbolic
kind: symbolic
variables: x

Q

- (x) 2*x*(x^2 - 1)

## matching
kind: matching

Q

- a => 1
- b => 2
- c => 2
- => 3

## ordering
kind: ordering

Q

1. d
2. c
3. b
4. a
"""
QUESTIONS = {question.id: question for question in parse_bank(BANK, Path("bank.md"))}
PLAIN, NEGATIVE, WHOLE = Policy(), Policy(negative=True), Policy(partial=False)


def earned(name: str, answer: Given, policy: Policy = PLAIN) -> Decimal:
    return Key(QUESTIONS[name], policy).judge(answer).fraction


@pytest.mark.parametrize(
    ("name", "answer", "fraction"),
    [
        ("single", 0, "1"), ("single", 1, "0.5"), ("single", 2, "0"), ("single", 3, "0"), ("single", None, "0"),
        ("truth", 0, "1"), ("truth", 1, "0"),
        ("multiple", [0, 1, 2], "1"), ("multiple", [2, 0, 1], "1"), ("multiple", [0, 1, 2, 3, 4], "0"), ("multiple", [3], "0"),
        ("multiple", [], "0"),
        ("number", "0.25", "1"), ("number", "0.26 MB", "1"), ("number", "0.2601", "0"), ("number", "250 kB", "1"),
        ("number", "0,25MB", "1"), ("number", "250", "0.5"), ("number", "2.5e-1", "1"), ("number", "1/4", "1"),
        ("number", "0.00025 GB", "1"), ("number", "2.5*10^-1", "1"), ("number", "−0.25", "0"), ("number", "0.25 s", "0"),
        ("number", "a quarter", "0"), ("number", "1,000", "0"), ("number", "9" * 3000, "0"), ("number", "1e99", "0"),
        ("number", "", "0"), ("number", "nan", "0"), ("number", "1/0", "0"), ("share", "40%", "1"), ("share", "40 %", "1"),
        ("word", "ADAM ", "1"), ("word", "adaptive  moments", "1"), ("word", "Adams", "0"),
        ("output", "tensor(1)\nTrue", "1"), ("output", "\ntensor(1)  \r\nTrue\n", "1"), ("output", "tensor(1) True", "0"),
        ("shape", "(32,10)", "1"), ("shape", "torch.Size([32, 10])", "1"), ("shape", "32 x 10", "1"), ("shape", "32×10", "1"),
        ("shape", "(10, 32)", "0"), ("shape", "32", "0"), ("shape", "(32, 10, 1)", "0"), ("shape", "two by two?", "0"),
        ("symbolic", "2x^3 - 2x", "1"), ("symbolic", "2x(x-1)(x+1)", "1"), ("symbolic", "2x^3", "0"), ("symbolic", "2y", "0"),
        ("matching", [0, 1, 1], "1"), ("matching", [1, 1, None], "0.3333"), ("matching", [None, None, None], "0"),
        ("ordering", [3, 2, 1, 0], "1"), ("ordering", [0, 3, 2, 1], "0.6667"), ("ordering", [0, 1, 2, 3], "0"),
    ],
)  # fmt: skip
def test_what_an_answer_earns(name: str, answer: Given, fraction: str) -> None:
    assert round(earned(name, answer), 4) == Decimal(fraction)


def test_partial_credit_is_exact_to_the_last_digit() -> None:
    assert 3 * earned("multiple", [0]) == pytest.approx(1) and earned("multiple", [0, 1, 2]) == 1
    assert earned("multiple", [0, 1, 3]) == pytest.approx(Decimal(1) / 6)


def test_negative_marking_makes_guessing_worth_nothing() -> None:
    k = 4
    wrong = earned("single", 2, NEGATIVE)
    assert wrong == pytest.approx(Decimal(-1) / (k - 1)) and earned("truth", 1, NEGATIVE) == -1
    assert 1 + (k - 1) * wrong == pytest.approx(0), "one right and k - 1 wrong guesses"
    assert earned("single", 3, NEGATIVE) == Decimal("-0.25"), "a percentage of its own is what it costs"
    assert earned("single", None, NEGATIVE) == 0 and earned("number", "7", NEGATIVE) == 0
    assert earned("multiple", [3, 4], NEGATIVE) == 0


def test_without_partial_credit_it_is_all_or_nothing() -> None:
    assert earned("multiple", [0, 1], WHOLE) == 0 and earned("multiple", [0, 1, 2], WHOLE) == 1
    assert earned("matching", [0, 1, None], WHOLE) == 0 and earned("ordering", [3, 2, 1, 0], WHOLE) == 1
    assert earned("ordering", [0, 3, 2, 1], WHOLE) == 0


def test_what_cannot_be_read_says_so_and_costs_nothing() -> None:
    for name, text, said in (
        ("number", "0.25 s", "not read as a number in MB"),
        ("shape", "two by two?", "not read as a shape"),
        ("symbolic", "2y", "character 2: found 'y'"),
        ("word", "x" * 3000, "at most 2000"),
    ):
        judged = Key(QUESTIONS[name], NEGATIVE).judge(text)
        assert judged.fraction == 0 and said in judged.note


@pytest.mark.parametrize(
    ("name", "answer"),
    [("single", 9), ("single", -1), ("single", "a"), ("single", True), ("multiple", [0, 0]), ("multiple", 7), ("multiple", "x"),
     ("matching", [0]), ("matching", [0, 1, 9]), ("ordering", [0, 1]), ("ordering", [0, 0, 1, 2]), ("multiple", [[0]])],
)  # fmt: skip
def test_an_answer_that_a_question_cannot_have_is_an_importers_fault(name: str, answer: Given) -> None:
    with pytest.raises(AssessorError, match="is no answer of a"):
        earned(name, answer)


def quiz(policy: Policy = PLAIN, **corrections: str) -> Quiz:
    return Quiz("quiz1", "Quiz", policy, {"bank": Draw(medium=len(QUESTIONS))}, corrections, QUESTIONS)  # type: ignore[arg-type]


def slot(question: Question, **drawn: str) -> Slot:
    return Slot(question.id, drawn, (), variant(question, drawn).face)


PAPER = [slot(QUESTIONS[name]) for name in ("single", "truth", "multiple", "word")]
ANSWERS: dict[int, Given] = {0: 0, 1: 1, 2: [0, 1], 3: None}


def points(quiz: Quiz, answers: dict[int, Given] = ANSWERS) -> tuple[Decimal, Decimal]:
    score = Marker(quiz).mark(PAPER, answers)
    return round(score.points, 4), score.out_of


def test_a_paper_earns_what_its_answers_earn() -> None:
    assert points(quiz()) == (Decimal("1.6667"), 4)
    assert points(quiz(), {}) == (0, 4)


def test_the_floor_is_the_quizs_or_each_questions() -> None:
    assert points(quiz(NEGATIVE)) == (Decimal("0.6667"), 4)
    assert points(quiz(Policy(negative=True, floor="question"))) == (Decimal("1.6667"), 4)
    assert points(quiz(NEGATIVE), {0: 2, 1: 1}) == (0, 4)


def test_a_correction_gives_everybody_the_marks_or_leaves_the_question_out() -> None:
    assert points(quiz(truth="full")) == (Decimal("2.6667"), 4)
    assert points(quiz(truth="drop")) == (round(Decimal(5) / 3 * 4 / 3, 4), 4)
    assert points(quiz(single="drop", truth="drop", multiple="drop", word="drop")) == (0, 4)


def test_a_question_that_students_did_not_see_so_is_not_marked() -> None:
    changed = {**QUESTIONS, "truth": replace(QUESTIONS["truth"], text="Q, or not?")}
    with pytest.raises(AssessorError, match=r"bank.md: line \d+: truth: its text or options are not what students saw"):
        Marker(replace(quiz(), questions=changed)).mark(PAPER, ANSWERS)
    without = {name: one for name, one in QUESTIONS.items() if name != "truth"}
    with pytest.raises(AssessorError, match="truth: attempts have it, but no bank does"):
        Marker(replace(quiz(), questions=without)).mark(PAPER, ANSWERS)


def test_a_changed_key_marks_what_students_saw() -> None:
    truth = QUESTIONS["truth"]
    other = tuple(replace(answer, fraction=1 - answer.fraction) for answer in truth.answers)
    changed = replace(quiz(), questions={**QUESTIONS, "truth": replace(truth, answers=other)})
    assert Marker(changed).mark(PAPER, ANSWERS).judged[1] == Judged(Decimal(1), (1,))


@pytest.mark.parametrize(("counts", "number"), [("first", 1), ("last", 3), ("best", 2)])
def test_which_attempt_counts(counts: str, number: int) -> None:
    assert counting({3: Decimal(1), 1: Decimal(2), 2: Decimal(5)}, counts) == number
    assert counting({2: Decimal(5), 1: Decimal(5)}, "best") == 1


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_can_be_marked(text: str) -> None:
    for name in ("number", "word", "output", "shape", "symbolic"):
        assert 0 <= earned(name, text) <= 1


@given(st.decimals(-1000, 1000, places=3))
@settings(max_examples=60)
def test_a_number_is_read_as_it_was_written(value: Decimal) -> None:
    assert read_number(f"{value:f} MB") == (value, "MB")
    assert read_number(f"{value:e}") == (value, "")


@given(st.lists(st.integers(0, 512), max_size=5))
@settings(max_examples=60)
def test_a_shape_is_read_as_it_was_written(shape: list[int]) -> None:
    wanted = tuple(str(size) for size in shape)
    assert read_shape(str(tuple(shape))) == read_shape(f"torch.Size({shape})") == wanted


@given(st.lists(st.sampled_from(range(5)), unique=True))
@settings(max_examples=40)
def test_no_choice_earns_more_than_all_or_less_than_nothing(places: list[int]) -> None:
    for policy in (PLAIN, NEGATIVE, WHOLE):
        assert 0 <= earned("multiple", places, policy) <= 1
