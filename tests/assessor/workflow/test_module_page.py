"""A student's page of the module: what was given out, with its working; what was not, in words; nothing of the others."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest

from assessor.course import Course, FeedbackPolicy, load_course
from assessor.database import Database
from assessor.database.tables import Student
from assessor.errors import CourseInvalid
from assessor.workflow.decide import By, claim, end, hold, penalise, refer, waive
from assessor.workflow.explain import explain
from assessor.workflow.feedback import feedback
from assessor.workflow.mark import add_mark
from tests.assessor.workflow.conftest import NOW

LATER = NOW + timedelta(days=120)
LEE = By("lee", "CONFIDENTIAL illness", NOW)


def give(course: Course, database: Database, student: str, name: str, points: str, item: str | None = None) -> None:
    add_mark(course, database, student, name, item, points, author="kim", reason="SECRET of the marker", now=NOW)


def page(course: Course, student: str = "ada", name: str = "index") -> str:
    """The page's text, without its style."""
    text = (course.root / "feedback" / student / f"{name}.html").read_text("utf-8")
    text = re.sub("<head>.*?</head>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]*>", " ", text)))


@pytest.fixture
def marked(small: Course, database: Database) -> Database:
    """Everything of ada; of bob the project."""
    for name, points, item in (
        ("powers", "1.5", "automatic"), ("powers", "2", "argument"), ("project", "64", None), ("quiz1", "15", None),
    ):  # fmt: skip
        give(small, database, "ada", name, points, item)
    give(small, database, "bob", "project", "37")
    return database


def test_its_lines_are_those_that_explain_prints(small: Course, marked: Database) -> None:
    penalise(small, marked, "ada", "project", "- 5", "over the page limit", LEE)
    feedback(small, marked, now=LATER)
    text, found = page(small), explain(small, marked, "ada", now=LATER)
    for each in (*found.assignments, *found.components, found.module):
        assert each.lines
        for line in each.lines:
            assert line in text
    assert f"{found.module.mark} module mark, from" in text
    assert "each working day late, or part of one, takes 10 % of the mark" in text


def test_what_is_missing_is_said_and_what_there_is_adds_up_so_far(small: Course, marked: Database) -> None:
    feedback(small, marked, now=LATER)
    text = page(small, "bob")
    assert "So far: 50 % of labs 0 + 30 % of project 37 = 11.1 of 80" in text
    assert "Without a mark quiz1: not marked yet" in text
    assert "Powers not submitted = 0 2027-02-15 16:00 not submitted" in text
    assert "The module mark follows when everything is marked." in text and "– module mark" in text
    assert "How the module mark is worked out" not in text


def test_before_the_deadline_nothing_is_missing(small: Course, marked: Database) -> None:
    feedback(small, marked, now=NOW)
    assert "Powers: not due yet" in page(small, "eve") and "So far" not in page(small, "eve")


def test_a_mark_is_given_out_by_writing_its_own_page(small: Course, marked: Database) -> None:
    feedback(small, marked, "quiz1", now=LATER)
    text = page(small)
    assert "15 / 30 50 %" in text and "Powers: feedback follows" in text and "project: feedback follows" in text
    assert "64" not in text and "3.5 of 5" not in text and "labs, weight 50 %" in text
    assert "So far: 20 % of quizzes 50 = 10 of 20" in text
    feedback(small, marked, now=LATER)
    assert "64 / 100 64 %" in page(small) and "feedback follows" not in page(small)


def test_a_held_mark_stands_on_no_page(small: Course, marked: Database) -> None:
    hold(small, marked, "ada", "project", LEE)
    feedback(small, marked, now=LATER)
    for text in (page(small), page(small, name="project")):
        assert "64" not in text and "SECRET" not in text and "CONFIDENTIAL" not in text
        assert "not decided yet" in text
        assert "integrity" not in text.lower()
    assert "The module mark is not decided yet" in page(small)
    end(marked, 1, LEE)
    feedback(small, marked, now=LATER)
    assert "64 / 100 64 %" in page(small)


def test_a_held_module_shows_no_sum(small: Course, marked: Database) -> None:
    hold(small, marked, "ada", "", LEE)
    feedback(small, marked, now=LATER)
    text = page(small)
    assert "The module mark is not decided yet" in text and "So far" not in text and "– module mark" in text


def test_no_reason_of_a_decision_and_no_reason_of_special_considerations_is_shown(small: Course, marked: Database) -> None:
    claim(small, marked, "ada", "project", LEE)
    waive(small, marked, "ada", "quizzes", LEE)
    feedback(small, marked, now=LATER)
    text = page(small)
    assert "CONFIDENTIAL" not in text and "considerations" not in text.lower()
    assert "quizzes: waived by the board" in text and "quiz1" in text and "quiz1: excused" not in text
    assert "SECRET" not in text, "what markers wrote stands on the assignment's page"


def test_of_a_referral_the_capped_mark_counts_and_the_first_is_shown(small: Course, marked: Database) -> None:
    give(small, marked, "ada", "project", "10")
    refer(small, marked, "ada", "project", "+200 days", LEE)
    add_mark(small, marked, "ada", "project", None, "90", author="kim", reason="second try", now=LATER)
    feedback(small, marked, now=LATER)
    text, found = page(small), explain(small, marked, "ada", now=LATER)
    assert found.module.mark == Decimal(50) and "50 module mark" in text and "pass" in text
    assert "before: 10 of 100 = 10" in text and "referral: at most 50 = 50" in text


def test_nothing_of_another_student_is_on_it(small: Course, marked: Database) -> None:
    feedback(small, marked, now=LATER)
    for secret in ("bob", "Bob", "37", "eve", "M0", "M1", "kim"):
        assert re.search(rf"\b{secret}\b", page(small)) is None


@pytest.fixture
def cohort(small: Course, database: Database) -> Database:
    """Fourteen students: seven projects of 45, six of 75 and ada's of 62."""
    with database.transaction() as session:
        for number in range(11):
            session.add(Student(id=f"s{number}", name=f"S {number}", email="", marking_id=f"X{number}"))
    for place, student in enumerate(["bob", "eve", *(f"s{number}" for number in range(11))]):
        give(small, database, student, "project", "45" if place < 7 else "75")
    give(small, database, "ada", "project", "62")
    return database


def test_nothing_is_told_of_the_cohort_unless_the_course_says_so(small: Course, cohort: Database) -> None:
    feedback(small, cohort, now=LATER)
    assert "How everybody did" not in page(small)


def test_the_cohort_is_told_in_bands_of_six_and_more(small: Course, cohort: Database) -> None:
    told = replace(small, feedback=FeedbackPolicy(distribution=True))
    feedback(told, cohort, now=LATER)
    assert "How everybody did below 50 7 50 and above 7" in page(small)
    assert "you" not in page(small).split("How everybody did")[1].split("Due")[0].split("2027")[0]
    placed = replace(small, feedback=FeedbackPolicy(distribution=True, own_place=True))
    feedback(placed, cohort, "project", ["ada", "bob"], now=LATER)
    assert "below 50 7 50 and above 7 you" in page(small)
    assert "below 50 7 you 50 and above 7" in page(small, "bob")


def test_whoever_has_no_mark_reads_no_distribution(small: Course, cohort: Database) -> None:
    hold(small, cohort, "ada", "project", LEE)
    feedback(replace(small, feedback=FeedbackPolicy(distribution=True, own_place=True)), cohort, now=LATER)
    assert "How everybody did" not in page(small)


def test_the_course_chooses_in_its_file(small: Course) -> None:
    assert small.feedback == FeedbackPolicy()
    file = small.root / "course.toml"
    written = file.read_text()
    file.write_text(written + "\n[feedback]\ndistribution = true\n")
    assert load_course(small.root).feedback.distribution
    file.write_text(written + "\n[feedback]\nown_place = true\n")
    with pytest.raises(CourseInvalid, match="own_place only beside"):
        load_course(small.root)
