"""Item analysis of a quiz that was really taken: which attempts count, what is flagged, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from assessor.cli import assessor
from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import Student
from assessor.errors import AssessorError
from assessor.workflow.decide import By, defer
from assessor.workflow.quiz_items import ItemReport, quiz_items, read
from assessor.workflow.quiz_mark import mark_quiz
from assessor.workflow.quiz_take import hand_in, quiz_of, save, start
from tests.assessor.workflow.conftest import NOW

BANK = """# Sums

## easy
kind: single

Is <b>two</b> even?

- (x) yes
- ( ) no
- ( ) never

## telling
kind: numerical
let n in 3..40

Twice {{n}}?

- (x) {{2*n}}

## miskeyed
kind: single

Which is odd?

- (x) two
- ( ) three
- ( ) four
"""
TOML = """title = "Sums & <i>more</i>"
[policy]
minutes = 60
attempts = 2
counts = "best"
[blueprint]
sums = { medium = 3 }
"""
CLASS = 36


@pytest.fixture
def course(small: Course) -> Course:
    (small.root / "quizzes/sums.md").write_text(BANK)
    (small.root / "quizzes/quiz1.toml").write_text(TOML)
    return small


def take(course: Course, database: Database, student: str, *, good: bool, minute: int = 0) -> None:
    """The good know all, and so choose what the key of the last question calls wrong."""
    now = course.assignment("quiz1").released + timedelta(minutes=minute)
    started = start(course, database, "quiz1", student, now=now)
    given = {}
    for each in started.questions:
        if each.kind == "numerical":
            value = 2 * int(each.text.removeprefix("Twice ").removesuffix("?"))
            given[each.number] = str(value if good else value + 1)
        else:
            word = "yes" if "yes" in each.options else "three" if good else "two"
            given[each.number] = str(each.options.index(word) + 1)
    save(course, database, "quiz1", student, given, now=now)
    hand_in(course, database, "quiz1", student, now=now + timedelta(minutes=1))


@pytest.fixture
def taken(course: Course, database: Database) -> Callable[[], ItemReport]:
    """A class of which a half knows all; analysed when called."""
    names = [f"s{number:02}" for number in range(CLASS)]
    with database.transaction() as session:
        session.add_all(Student(id=name, name=name, email="", marking_id=f"X{name}") for name in names)
    for place, name in enumerate(names):
        take(course, database, name, good=place % 2 == 0)
    mark_quiz(course, database, "quiz1", author="lecturer", now=NOW)
    return lambda: quiz_items(course, database, "quiz1", now=NOW)


def test_each_question_is_told_by_its_own_name(taken: Callable[[], ItemReport]) -> None:
    items = {item.name: item for item in taken().analysis.items}
    assert items["easy"].facility == 1 and items["easy"].discrimination is None
    assert items["telling"].facility == items["miskeyed"].facility == 0.5
    assert items["miskeyed"].discrimination == pytest.approx(-100)
    assert "the better students did worse: look at the key" in items["miskeyed"].flags
    assert "option 2: wrong, and chosen by the better students" in items["miskeyed"].flags
    assert [option.chosen for option in items["miskeyed"].options] == [CLASS // 2, CLASS // 2, 0]


def test_only_first_attempts_count(course: Course, database: Database, taken: Callable[[], ItemReport]) -> None:
    before = taken().analysis.whole
    for number in range(1, CLASS, 2):
        take(course, database, f"s{number:02}", good=True, minute=30)
    mark_quiz(course, database, "quiz1", author="lecturer", now=NOW)
    assert taken().analysis.whole == before


def test_what_a_deferred_student_did_before_is_no_attempt(
    course: Course, database: Database, taken: Callable[[], ItemReport]
) -> None:
    before = {item.name: item.facility for item in taken().analysis.items}
    released, due = course.assignment("quiz1").released, course.assignment("quiz1").due
    defer(course, database, "s00", "quiz1", due + timedelta(days=7), By("board", "was ill", released + timedelta(hours=1)))
    assert taken().analysis.whole.students == CLASS - 1
    take(course, database, "s00", good=False, minute=90)
    take(course, database, "s00", good=True, minute=120)
    mark_quiz(course, database, "quiz1", author="lecturer", now=NOW)
    found = taken().analysis
    assert found.whole.students == CLASS
    facilities = {item.name: item.facility for item in found.items}
    assert facilities["telling"] == pytest.approx(before["telling"] - 1 / CLASS)


def test_a_corrected_key_changes_the_analysis(course: Course, database: Database, taken: Callable[[], ItemReport]) -> None:
    taken()
    text = BANK.replace("- (x) two\n- ( ) three", "- ( ) two\n- (x) three")
    (course.root / "quizzes/sums.md").write_text(text)
    mark_quiz(course, database, "quiz1", author="lecturer", now=NOW, reason="the key was wrong")
    items = {item.name: item for item in taken().analysis.items}
    assert items["miskeyed"].discrimination == pytest.approx(100)
    assert not any("key" in flag for flag in items["miskeyed"].flags)


def test_a_dropped_question_is_on_nobodys_paper(course: Course, database: Database, taken: Callable[[], ItemReport]) -> None:
    taken()
    (course.root / "quizzes/quiz1.toml").write_text(TOML + '[corrections]\nmiskeyed = "drop"\n')
    mark_quiz(course, database, "quiz1", author="lecturer", now=NOW, reason="nobody could know")
    found = taken().analysis
    assert {item.name for item in found.items} == {"easy", "telling"}
    assert found.whole.questions == 2
    assert sorted(set(found.totals.tolist())) == [50, 100], "of the marks that are left, as the students' own marks are"


def test_a_quiz_that_nobody_has_marked_says_what_to_do(course: Course, database: Database) -> None:
    with pytest.raises(AssessorError, match="assessor quiz mark quiz1"):
        quiz_items(course, database, "quiz1", now=NOW)


def test_a_question_that_was_taken_out_of_its_bank_stays_in_the_analysis(
    course: Course, database: Database, taken: Callable[[], ItemReport]
) -> None:
    taken()
    (course.root / "quizzes/sums.md").write_text(BANK.replace("## easy", "## other"))
    names, marks, _, about = read(database, quiz_of(course, "quiz1")[1])
    assert about["easy"].note == "in no bank any more" and not np.isnan(marks[:, names.index("easy")]).any()


def test_the_page_shows_it_all_and_runs_nothing(taken: Callable[[], ItemReport]) -> None:
    page = taken().page.read_text("utf-8")
    assert "look at the key" in page and page.count("data:image/svg+xml") >= 3
    assert "<b>two</b>" not in page and "<i>more" not in page and "<script" not in page


def test_the_command_line(course: Course, database: Database, taken: Callable[[], ItemReport]) -> None:
    def run(*words: str) -> Result:
        return CliRunner().invoke(assessor, ["-C", str(course.root), "quiz", "items", *words], env={"COLUMNS": "180"})

    shown = run("quiz1")
    assert shown.exit_code == 0 and "look at the key" in shown.output and "standard error of a mark" in shown.output
    found = json.loads(run("quiz1", "--json").output)
    assert {item["name"] for item in found["items"]} == {"easy", "telling", "miskeyed"}
    assert found["whole"]["students"] == CLASS and Path(found["page"]).is_file()
