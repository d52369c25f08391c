"""Acts as people record them: one line for what cannot be, an author and a reason for what can."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act
from assessor.database.tables import Event
from assessor.errors import AssessorError
from assessor.workflow.decide import By, claim, compensate, defer, end, hold, listed, penalise, read_cost, refer, waive
from assessor.workflow.explain import explain, mark_history
from assessor.workflow.extend import add_extension
from assessor.workflow.mark import add_mark
from assessor.workflow.quiz_import import import_quiz
from assessor.workflow.scale import proposals, scale
from tests.assessor.workflow.conftest import NOW

LEE = By("lee", "board of 3 June", NOW)
LATER = NOW + timedelta(days=120)


def give(course: Course, database: Database, student: str, name: str, points: str, now: datetime = NOW) -> None:
    item = {"powers": "argument"}.get(name, "total")
    add_mark(course, database, student, name, item, points, author="kim", reason="read", now=now)


@pytest.fixture
def marked(small: Course, database: Database) -> Database:
    """Ada: lab not handed in, project 40, quiz 12 of 30: module 20, failed."""
    give(small, database, "ada", "project", "40")
    give(small, database, "ada", "quiz1", "12")
    return database


def module(course: Course, database: Database, student: str = "ada") -> tuple[str, str]:
    found = explain(course, database, student, now=LATER).module
    return str(found.mark), found.code


def test_every_act_has_its_author_time_and_reason_and_the_audit_has_no_reason(small: Course, marked: Database) -> None:
    done = waive(small, marked, "ada", "powers", LEE)
    assert (done.number, done.student, done.what, done.author) == (1, "M0", "waive powers", "lee")
    with marked.reading() as session:
        act = session.scalars(select(Act)).one()
        event = session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert (act.student_id, act.reason, act.at) == ("ada", "board of 3 June", NOW)
    assert event is not None
    assert (event.verb, event.detail) == ("waive", {"act": 1, "student": "ada", "subject": "powers"})
    assert module(small, marked) == ("40", "F")


def test_a_waiver_can_be_taken_back_once(small: Course, marked: Database) -> None:
    waive(small, marked, "ada", "labs", LEE)
    assert end(marked, 1, LEE).what == "end act 1 (waive labs)"
    assert module(small, marked) == ("20", "F")
    with pytest.raises(AssessorError, match="act 1 was ended by lee"):
        end(marked, 1, LEE)
    assert listed(small, marked) == ()
    assert [(one.what, one.ended) for one in listed(small, marked, "ada", ended=True)] == [
        ("waive labs", True), ("end act 1 (waive labs)", False),
    ]  # fmt: skip


def test_the_same_is_not_decided_twice(small: Course, marked: Database) -> None:
    hold(small, marked, "ada", "project", LEE)
    with pytest.raises(AssessorError, match="act 1 of lee says so already"):
        hold(small, marked, "M0", "project", LEE)
    hold(small, marked, "ada", "", LEE)  # of the module: another thing


def test_a_referral_from_fail_to_capped_pass(small: Course, marked: Database) -> None:
    refer(small, marked, "ada", "project", "+200 days", LEE)
    refer(small, marked, "ada", "powers", "+200 days", LEE)
    assert module(small, marked) == ("20", "R")
    give(small, marked, "ada", "project", "100", LATER)
    give(small, marked, "ada", "powers", "3", LATER)
    add_mark(small, marked, "ada", "powers", "automatic", "2", author="kim", reason="read", now=LATER)
    assert module(small, marked) == ("50", "P")  # 88 without the cap
    found = explain(small, marked, "ada", ["project"], now=LATER).assignments[0]
    assert found.before[-1] == "40 of 100 = 40"
    assert found.lines[0] == "referral"


def test_a_deferral_is_not_capped(small: Course, marked: Database) -> None:
    defer(small, marked, "ada", "project", "+200 days", LEE)
    assert module(small, marked)[1] == "DF"
    give(small, marked, "ada", "project", "100", LATER)
    assert module(small, marked) == ("38", "F")


def test_claims_holds_and_compensation_are_outcomes(small: Course, marked: Database) -> None:
    first = claim(small, marked, "ada", "", LEE)
    assert module(small, marked)[1] == "SC"
    second = hold(small, marked, "ada", "project", LEE)
    assert module(small, marked) == ("None", "AI")
    end(marked, first.number, LEE)
    end(marked, second.number, LEE)
    compensate(marked, "ada", LEE)
    assert module(small, marked) == ("20", "C")


def test_a_penalty_is_a_line_of_the_working(small: Course, marked: Database) -> None:
    penalise(small, marked, "ada", "project", "- 10", "over the page limit", LEE)
    lines = explain(small, marked, "ada", ["project"], now=LATER).assignments[0].lines
    assert lines == ("40 of 100 = 40", "over the page limit: - 10 = 30")


def test_a_reason_stands_in_no_working(small: Course, marked: Database) -> None:
    penalise(small, marked, "ada", "project", "zero", "collusion", By("lee", "named by a friend", NOW))
    assert "friend" not in str(explain(small, marked, "ada", now=LATER))


def test_a_question_by_marking_id_is_answered_without_id_or_name(small: Course, marked: Database) -> None:
    found = explain(small, marked, "M0", now=LATER)
    assert found.student == "M0"
    assert "ada" not in str(found).lower()


@pytest.mark.parametrize(
    ("cost", "read"),
    [("zero", ("factor", 0)), ("x 0.9", ("factor", Decimal("0.9"))), ("-5", ("deduct", 5)), ("cap 40", ("cap", 40))],
)
def test_what_a_penalty_costs(cost: str, read: tuple[str, Decimal]) -> None:
    assert read_cost(cost) == read


@pytest.mark.parametrize("cost", ["", "half", "x 1.1", "- 101", "x -1", "- NaN", "cap 101", "x 0,9", "+ 5", "x inf"])
def test_a_cost_that_is_none_is_refused(cost: str) -> None:
    with pytest.raises(AssessorError, match=r"found .*; expected"):
        read_cost(cost)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda c, d: waive(c, d, "zed", "labs", LEE), "unknown student 'zed'"),
        (lambda c, d: waive(c, d, "ada", "exams", LEE), "unknown assignment or component 'exams'"),
        (lambda c, d: waive(c, d, "ada", "labs", By("lee", "  ", NOW)), "needs a reason"),
        (lambda c, d: refer(c, d, "ada", "power", "+9 days", LEE), "did you mean powers"),
        (lambda c, d: refer(c, d, "ada", "powers", "-9 days", LEE), "not a time"),
        (lambda c, d: refer(c, d, "ada", "powers", "9999-12-31T23:59:59Z", LEE), "a slip"),
        (lambda c, d: waive(c, d, "ada", "labs", By("lee", "ill\udcff", NOW)), "no UTF-8 text"),
        (lambda c, d: waive(c, d, "\udcff", "labs", LEE), "no UTF-8 text"),
        (lambda c, d: refer(c, d, "ada", "powers", "2027-02-01T09:00:00Z", LEE), "not after the deadline"),
        (lambda c, d: penalise(c, d, "ada", "project", "zero", " ", LEE), "words that say what for"),
        (lambda c, d: penalise(c, d, "ada", "project", "zero", "a\nb", LEE), "on one line"),
        (lambda c, d: end(d, 7, LEE), "no act 7"),
        (lambda c, d: scale(c, d, "project", "normal(60, 12)", LEE), "refused"),
        (lambda c, d: scale(c, d, "project", "m + 3", By("lee", "", NOW)), "needs a reason"),
        (lambda c, d: proposals(c, d, "powers", ["m + 3"]), "no marks to scale"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    small: Course, database: Database, what: object, words: str
) -> None:
    with pytest.raises(AssessorError, match=words) as fault:
        what(small, database)  # type: ignore[operator]
    assert "\n" not in str(fault.value)
    assert listed(small, database, ended=True) == ()


def test_proposals_stand_side_by_side_and_change_nothing_until_one_is_applied(
    small: Course, marked: Database
) -> None:
    give(small, marked, "bob", "project", "62")
    give(small, marked, "eve", "project", "0")
    found = proposals(small, marked, "project", ["m + 3", "45:50 58:60"])
    assert found.students == ("M2", "M0", "M1")
    assert [each.raw for each in found.proposals] == [(0, 40, 62)] * 2
    assert found.proposals[0].scaled == (0, 43, 65)
    assert module(small, marked) == ("20", "F")
    scale(small, marked, "project", "m + 3", LEE)
    assert module(small, marked) == ("21", "F")
    scale(small, marked, "project", "m + 8", By("lee", "second thoughts", NOW))
    assert module(small, marked) == ("22", "F")
    assert [one.what for one in listed(small, marked)] == ["scale project: m + 8"]
    assert proposals(small, marked, "project", ["m + 1"]).in_force == "m + 8"
    assert proposals(small, marked, "project", ["m + 1"]).proposals[0].raw == (0, 40, 62)


def test_an_import_of_the_first_try_leaves_those_alone_who_try_again(
    small: Course, marked: Database, tmp_path: Path
) -> None:
    refer(small, marked, "ada", "quiz1", "+200 days", LEE)
    table = tmp_path / "quiz.csv"
    table.write_text("student,score\nada,12\nbob,20\n")
    done = import_quiz(small, marked, "quiz1", table, author="kim", now=LATER)
    assert (done.new, done.unchanged, done.left) == (1, 0, ("ada",))
    assert module(small, marked)[1] == "R"
    give(small, marked, "ada", "quiz1", "12", LATER)  # by hand it is the referral's, though it be the same number
    assert module(small, marked) == ("20", "F")


def test_extensions_stand_among_the_acts_and_one_that_was_replaced_is_ended(small: Course, marked: Database) -> None:
    waive(small, marked, "ada", "labs", LEE)
    for until, replaces in (("+3 days", False), ("+5 days", True)):
        add_extension(small, marked, "ada", "powers", until, author="kim", reason="ill", now=LATER, replace=replaces)
    assert [(one.number, one.what) for one in listed(small, marked, "ada")] == [
        (1, "waive labs"), (None, "extend powers until 2027-02-20 16:00 GMT"),
    ]  # fmt: skip
    assert [one.ended for one in listed(small, marked, ended=True)] == [False, True, False]


def test_the_history_of_a_mark_names_every_author_and_what_is_in_force(small: Course, marked: Database) -> None:
    give(small, marked, "ada", "project", "44", LATER)
    found = mark_history(small, marked, "M0", ["project"])
    assert [(one.points, one.in_force, one.author, one.at) for one in found] == [
        (40, False, "kim", NOW), (44, True, "kim", LATER),
    ]  # fmt: skip
    assert len(mark_history(small, marked, "ada")) == 3
    with pytest.raises(AssessorError, match="unknown student"):
        mark_history(small, marked, "zed")


def test_a_try_that_is_still_awaited_is_not_followed_by_another(small: Course, marked: Database) -> None:
    refer(small, marked, "ada", "project", "+200 days", LEE)
    with pytest.raises(AssessorError, match=r"act 1 \(refer project until .*\) still awaits its attempt"):
        defer(small, marked, "ada", "project", "+300 days", LEE)
    give(small, marked, "ada", "project", "90", LATER)
    assert module(small, marked) == ("35", "F")
    refer(small, marked, "ada", "quiz1", "+300 days", LEE)
    refer(small, marked, "ada", "project", "+300 days", LEE)  # failed again, and the board lets them try a third time
    assert module(small, marked) == ("35", "R")
    waive(small, marked, "ada", "labs", LEE)
    assert module(small, marked) == ("50", "P")  # 70 by the second try, which is a referral's and stays capped


def test_a_component_is_deferred_by_an_act_for_each_of_its_assignments_or_by_none(
    small: Course, marked: Database
) -> None:
    done = defer(small, marked, "ada", "quizzes", "+200 days", LEE)
    assert [one.what.split()[:2] for one in done] == [["defer", "quiz1"]]
    assert module(small, marked)[1] == "DF"
    with pytest.raises(AssessorError, match="unknown assignment 'exams'"):
        defer(small, marked, "ada", "exams", "+200 days", LEE)
