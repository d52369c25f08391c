"""Banks: every kind is read, what is read is written, and every slip is told with its line."""

from __future__ import annotations

import string
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.errors import CourseInvalid
from assessor.quizzes.bank import parse_bank, read_bank
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance
from assessor.quizzes.writing import write_bank

FILE = Path("topic.md")
ALL = """# Every kind

A note that no student reads.

## choice
kind: single
difficulty: easy

Which?

```python
## a comment, no heading
- (x) not an option
```

- (x) $x^2$
  > Yes.
- ( ) `x`
- (50%) a sum
  over two lines
- ( ) none of these {fixed}

> Afterwards.
>
> More.

## fences
kind: single

~~~
```
- (x) no option
~~~

- (x) one
  ```
  - ( ) code
  ~~~
  ```
- ( ) two

## many
kind: multiple
marks: 2

Which of them?

- [x] one
- [x] two
- [ ] three

## truth
kind: truefalse

Is it?

- (x) True
- ( ) False

## number
kind: numerical
difficulty: hard
tolerance: 0.5 or 1%
unit: MB
units: kB = 0.001, GB = 1000
let n in 8..24 step 8
let m = max(n, 3) * 2

{{n}} of {{m:.1f}}

- (x) {{m + 1}}

## word
kind: short
case: sensitive

Name it.

- (x) `Adam`

## prints
kind: output

```python
print(1)
```

- (x)
  ```
  1

  2
  ```

## dims
kind: shape

`torch.zeros(2, 3).T`?

- (x) (3, 2)

## formula
kind: symbolic
variables: x > 0, theta

- a list in the text

- (x) 2*theta*x

## pairs
kind: matching

Match.

- a => 1
- b => 2
- => 3

## order
kind: ordering

Sort.

1. first
2. second
3. third
"""


def one(text: str) -> Question:
    return parse_bank(text, FILE)[0]


def test_every_kind_is_read() -> None:
    found = {question.id: question for question in parse_bank(ALL, FILE)}
    assert [question.kind for question in found.values()] == [
        Kind.SINGLE, Kind.SINGLE, Kind.MULTIPLE, Kind.TRUE_FALSE, Kind.NUMERICAL, Kind.SHORT, Kind.OUTPUT, Kind.SHAPE,
        Kind.SYMBOLIC, Kind.MATCHING, Kind.ORDERING,
    ]  # fmt: skip
    assert found["fences"].text == "~~~\n```\n- (x) no option\n~~~"
    assert [answer.text for answer in found["fences"].answers] == ["one\n```\n- ( ) code\n~~~\n```", "two"]
    choice = found["choice"]
    assert choice.topic == "topic" and choice.difficulty == "easy" and "- (x) not an option" in choice.text
    assert choice.answers[0] == Answer("$x^2$", Decimal(1), "Yes.")
    assert choice.answers[2] == Answer("a sum\nover two lines", Decimal("0.5"))
    assert choice.answers[3] == Answer("none of these", Decimal(0), fixed=True)
    assert choice.feedback == "Afterwards.\n\nMore."
    assert [answer.fraction for answer in found["many"].answers] == [Decimal("0.5"), Decimal("0.5"), Decimal(-1)]
    number = found["number"]
    assert number.tolerance == Tolerance(Decimal("0.5"), Decimal("0.01")) and number.unit == "MB"
    assert number.units == (("kB", Decimal("0.001")), ("GB", Decimal(1000)))
    assert [let.values or let.formula for let in number.lets] == [("8", "16", "24"), "max(n, 3) * 2"]
    assert found["word"].case and found["word"].answers[0].text == "Adam"
    assert found["prints"].answers[0].text == "1\n\n2"
    assert found["formula"].variables == ("x", "theta") and found["formula"].positive == ("x",)
    assert found["formula"].text == "- a list in the text"
    assert found["pairs"].pairs == (Pair("a", "1"), Pair("b", "2"), Pair("", "3")) and found["pairs"].stems == ("a", "b")
    assert found["order"].steps == ("first", "second", "third")


def test_what_is_written_is_read_again_as_it_was() -> None:
    questions = parse_bank(ALL, FILE)
    text = write_bank("Every kind", questions)
    assert parse_bank(text, FILE) == questions and write_bank("Every kind", parse_bank(text, FILE)) == text


HEAD = "## a\nkind: single\n\nText\n\n"


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ("# Only a title\n", 1, "no question", "## its-name"),
        ("## A b\nkind: single\n", 1, "A b", "a name of a-z"),
        (HEAD + "- (x) b\n\n## a\nkind: single\n\nT\n\n- (x) b\n", 8, "a", "line 1 has it"),
        ("## a\n\nText\n\n- (x) b\n", 3, "Text", "kind: single"),
        ("## a\ndifficulty: easy\n\nText\n", 1, "no kind", "kind: one of single"),
        ("## a\nkind: singel\n\nText\n", 2, "singel", "did you mean 'single'?"),
        ("## a\nkind: single\ndificulty: easy\n\nText\n", 3, "dificulty", "did you mean 'difficulty'?"),
        ("## a\nkind: single\ndifficulty: easier\n\nText\n", 3, "easier", "easy, medium, hard"),
        ("## a\nkind: single\ntolerance: 1\n\nText\n", 1, "tolerance in a single question", "only in numerical"),
        ("## a\nkind: single\nmarks: 0\n\nText\n", 3, "0", "greater than 0"),
        ("## a\nkind: single\nmarks: 1\nmarks: 2\n\nText\n", 4, "marks", "once"),
        ("## a\nkind: numerical\ntolerance: 1e\n\nText\n", 3, "1e", "0.01, 1%"),
        ("## a\nkind: numerical\nunits: kB\n\nText\n", 3, "kB", "GB = 1000"),
        ("## a\nkind: symbolic\n\nText\n", 1, "no variables", "variables: x"),
        ("## a\nkind: symbolic\nvariables: exp\n\nText\n", 3, "exp", "no function"),
        ("## a\nkind: single\nlet n in 8\n\nText\n", 3, "8", "different values"),
        ("## a\nkind: single\nlet n = 2 +\n\nText\n", 3, "2 +", "a number"),
        ("## a\nkind: single\nlet n = m\n\nText\n", 3, "m", "one of pi"),
        ("## a\nkind: single\nlet 1 in 2\n\nText\n", 3, "let 1 in 2", "let n in 8, 16"),
        ("## a\nkind: single\n\n- (x) b\n", 1, "no text", "what is asked"),
        ("## a\nkind: single\n\nText\n\n", 1, "no answers", "- (x) right"),
        ("## a\nkind: multiple\n\nText\n\n- (x) b\n", 6, "(x)", "[x] in a multiple question"),
        (HEAD + "- [x] b\n", 6, "[x]", "(x) in a single question"),
        (HEAD + "- (x) b\n- (200%) c\n", 7, "200%", "from -100%"),
        (HEAD + "- (x) b\nmore\n", 7, "more", "indented by two spaces"),
        (HEAD + "- (x) b\n- (y) c\n", 7, "- (y) c", "- (50%) half right"),
        (HEAD + "- (x)\n- ( ) c\n", 6, "- (x)", "the answer's text"),
        (HEAD + "- (x) b\n\n> all\nmore\n", 9, "more", "'>' before each line"),
        ("## a\nkind: multiple\n\nText\n\n- [x] b\n- [50%] c\n", 6, "[x]", "a percentage here too"),
        ("## a\nkind: matching\n\nText\n\n- b =>\n", 6, "- b =>", "an answer after"),
        ("## a\nkind: single\n\n```python\ncode\n\n- (x) b\n", 4, "```python", "a closing ```"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_line(text: str, line: int, found: str, expected: str) -> None:
    with pytest.raises(CourseInvalid) as caught:
        parse_bank(text, FILE)
    assert caught.value.key == f"line {line}" and found in str(caught.value.found) and expected in caught.value.allowed


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.md"
    file.write_bytes(b"## a\n\xff")
    with pytest.raises(CourseInvalid, match="UTF-8"):
        read_bank(file)
    with pytest.raises(CourseInvalid, match="No such file"):
        read_bank(tmp_path / "none.md")


words = st.text(string.ascii_letters + " $^_\\", min_size=1, max_size=20).map(lambda text: f"w{text}".strip())
fractions = st.sampled_from([Decimal(1), Decimal(0), Decimal("0.5"), Decimal("-0.3333333"), Decimal("0.125")])
answers = st.lists(st.builds(Answer, words, fractions, words | st.just(""), st.booleans()), min_size=1, max_size=5)
choices = st.builds(
    lambda kind, text, marks, given, feedback: Question(
        "q", kind, text, "topic", marks=marks, answers=tuple(given), feedback=feedback
    ),
    st.sampled_from([Kind.SINGLE, Kind.MULTIPLE]), words, st.sampled_from([Decimal(1), Decimal("2.5")]), answers,
    words | st.just(""),
)  # fmt: skip
pairs = st.lists(st.builds(Pair, words, words) | words.map(lambda answer: Pair("", answer)), min_size=2, max_size=5)
others = st.builds(lambda text, found: Question("q", Kind.MATCHING, text, "topic", pairs=tuple(found)), words, pairs)


@given(choices | others)
@settings(max_examples=120)
def test_any_question_is_written_and_read_again(question: Question) -> None:
    assert one(write_bank("T", [question])) == question


@given(st.text(max_size=200) | st.text("#- ()[]x%=>\n`ab1.{}", max_size=200).map(lambda text: HEAD + text))
@settings(max_examples=200)
def test_any_text_is_a_bank_or_is_refused(text: str) -> None:
    try:
        questions = parse_bank(text, FILE)
    except CourseInvalid:
        return
    assert all(question.text for question in questions)


def test_the_face_of_a_question_is_the_same_after_a_change_of_its_key() -> None:
    found = {question.id: question for question in parse_bank(ALL, FILE)}
    choice, order, pair = found["choice"], found["order"], found["pairs"]
    other_key = [replace(answer, fraction=Decimal(1) - answer.fraction, feedback="") for answer in choice.answers]
    assert replace(choice, answers=tuple(other_key), marks=Decimal(2)).face == choice.face
    assert replace(order, steps=order.steps[::-1]).face == order.face
    swapped = (Pair("a", "2"), Pair("b", "1"), Pair("", "3"))
    assert replace(pair, pairs=swapped).face == pair.face
    assert replace(choice, answers=choice.answers[::-1]).face != choice.face
    assert replace(choice, text="Which then?").face != choice.face
