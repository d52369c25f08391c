"""The reference course's own two quizzes: fit to be given, and right where a machine can tell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from assessor.quizzes.checking import check_quiz, variants_of
from assessor.quizzes.marking import Key, Marker
from assessor.quizzes.papers import draw_paper, show
from assessor.quizzes.questions import CHOICES, TYPED, Kind, Question
from assessor.quizzes.settings import Policy, Quiz, read_quiz
from assessor.quizzes.variants import variant

ROOT = Path(__file__).parents[3]
NAMES = ("quiz1", "quiz2")


@pytest.fixture(scope="module")
def quizzes() -> dict[str, Quiz]:
    return {name: read_quiz(ROOT, name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_question_passes_every_check(quizzes: dict[str, Quiz], name: str) -> None:
    assert [(trouble.question.id, trouble.text) for trouble in check_quiz(quizzes[name])] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_has_more_than_it_draws_in_every_topic(quizzes: dict[str, Quiz], name: str) -> None:
    quiz = quizzes[name]
    assert len(draw_paper(quiz, 1)) == 30 and len(quiz.questions) >= 55
    for topic, draw in quiz.blueprint.items():
        for difficulty in ("easy", "medium", "hard"):
            assert len(quiz.cell(topic, difficulty)) > getattr(draw, difficulty)


def test_no_question_is_in_both_and_every_kind_is_used(quizzes: dict[str, Quiz]) -> None:
    one, two = quizzes.values()
    assert not set(one.questions) & set(two.questions)
    everything = [*one.questions.values(), *two.questions.values()]
    assert {question.kind for question in everything} == set(Kind)
    assert all(question.feedback for question in everything), "each tells its student something afterwards"
    assert all(answer.feedback for q in everything for answer in q.answers if q.kind in TYPED and answer.fraction < 1)


@pytest.mark.parametrize("name", NAMES)
def test_over_a_cohort_every_question_is_drawn_and_papers_differ(quizzes: dict[str, Quiz], name: str) -> None:
    papers = [draw_paper(quizzes[name], seed) for seed in range(150)]
    assert {slot.question for paper in papers for slot in paper} == set(quizzes[name].questions)
    assert len({tuple(slot.question for slot in paper) for paper in papers}) == 150
    assert all("{{" not in each.text + "".join(each.options) for paper in papers for each in show(quizzes[name], paper))


def right(question: Question) -> object:
    """The right answer, as it is kept."""
    if question.kind is Kind.MATCHING:
        return [question.matches.index(pair.answer) for pair in question.pairs if pair.stem]
    if question.kind is Kind.ORDERING:
        return [question.pieces.index(step) for step in question.steps]
    if question.kind is Kind.MULTIPLE:
        return [place for place, answer in enumerate(question.answers) if answer.fraction > 0]
    best = max(range(len(question.answers)), key=lambda place: question.answers[place].fraction)
    return best if question.kind in CHOICES else question.answers[best].text


@pytest.mark.parametrize("name", NAMES)
def test_whoever_is_right_everywhere_gets_all_marks_of_any_paper(quizzes: dict[str, Quiz], name: str) -> None:
    marker = Marker(quizzes[name])
    for seed in range(40):
        paper = draw_paper(quizzes[name], seed)
        answers = {place: right(marker.key(slot).question) for place, slot in enumerate(paper)}
        score = marker.mark(paper, answers)  # type: ignore[arg-type]
        assert (score.points, score.out_of) == (30, 30)


def test_code_prints_what_its_question_says(quizzes: dict[str, Quiz]) -> None:
    """All of it in one process, since torch is slow to import."""
    found = [
        variant(question, drawn)
        for quiz in quizzes.values()
        for question in quiz.questions.values()
        if question.kind is Kind.OUTPUT
        for drawn in list(variants_of(question))[:3]
    ]
    codes = [re.findall(r"```python\n(.*?)```", question.text, re.DOTALL) for question in found]
    assert all(len(code) == 1 for code in codes) and len(found) >= 10
    program = "".join(f"exec({code!r}, {{}})\nprint('---')\n" for (code,) in codes)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for question, printed in zip(found, done.stdout.split("---\n"), strict=False):
        assert Key(question, Policy()).judge(printed).fraction == 1, f"{question.id} prints {printed!r}"
