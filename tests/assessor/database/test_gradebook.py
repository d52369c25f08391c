"""A student's module from rows to total: what the mark sheet shows."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from assessor.course import Course, load_course
from assessor.database import Database
from assessor.database.acts import Verb
from assessor.database.gradebook import StudentRow, counting_attempt, gradebook
from assessor.database.tables import RECORDED, REVIEW
from assessor.errors import DatabaseUnavailable
from assessor.marking.marks import AssignmentMark, Code, Sitting, Status

from .conftest import NOW, Fill  # type: ignore[import-not-found]

COURSE = """\
[course]
code = "TINY1"
title = "A tiny course"
time_zone = "Europe/London"
term_start = 2021-02-01
breaks = [{ after_week = 8, weeks = 4 }]

[marking]
counting_attempt = "last"

[components]
labs = 40
project = 40
quizzes = 20

[[assignment]]
name = "lab"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 10 Monday 16:00"

[[assignment]]
name = "project"
component = "project"
kind = "project"
marks = 100
released = "week 1 Monday 09:00"
due = "week 10 Monday 16:00"

[[assignment]]
name = "quiz"
component = "quizzes"
kind = "quiz"
marks = 30
released = "week 6 Tuesday 09:00"
due = "week 6 Wednesday 09:00"
"""
LAB = 'title = "A lab"\nnotebooks = ["lab.ipynb"]\nhidden_marks = 4\n[[manual]]\nname = "plot"\nmarks = 1\n'
DUE = NOW + timedelta(hours=3)


def write_course(root: Path, policy: str = "last") -> Course:
    folder = root / "assignments" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assignment.toml").write_text(LAB)
    (folder / "lab.ipynb").write_text("{}")
    (root / "course.toml").write_text(COURSE.replace('"last"', f'"{policy}"'))
    return load_course(root)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A lab, a project and a quiz, 40/40/20."""
    return write_course(tmp_path)


def only(course: Course, database: Database, **given: object) -> StudentRow:
    (row,) = gradebook(course, database, **given)  # type: ignore[arg-type]
    return row


def lab_of(row: StudentRow) -> AssignmentMark:
    return next(mark for mark in row.mark.assignments if mark.name == "lab")


@pytest.fixture
def ada(fill: Fill) -> int:
    """Ada, with everything marked and in time: lab 4 of 5, project 64, quiz 21 of 30. Gives her lab's submission."""
    fill.student("ada")
    submission: int = fill.submission("ada")
    fill.mark("ada", "automatic", "3", submission=submission)
    fill.mark("ada", "plot", "1", "1", submission=submission)
    fill.submission("ada", "project")
    fill.mark("ada", "total", "64", "100", assignment="project")
    fill.mark("ada", "total", "21", "30", assignment="quiz")
    return submission


def test_a_whole_module(course: Course, database: Database, ada: int) -> None:
    row = only(course, database)
    assert (row.id, row.name, row.marking_id) == ("ada", "Ada", "Mada")
    assert [(c.name, c.percent) for c in row.mark.components] == [("labs", 80), ("project", 64), ("quizzes", 70)]
    assert (row.mark.total, row.mark.rounded) == (Decimal("71.6"), 72)
    lab = lab_of(row)
    assert (lab.status, lab.points, lab.out_of, lab.attempt, lab.submitted_at) == (Status.MARKED, 4, 5, 1, NOW)
    assert [(item.item, item.points, item.author) for item in lab.items] == [
        ("automatic", 3, "marker"),
        ("plot", 1, "marker"),
    ]


def test_lateness_is_counted_from_the_deadline(course: Course, database: Database, fill: Fill, ada: int) -> None:
    fill.submission("ada", "project", attempt=2, at=DUE, days=1, seconds=1)
    row = only(course, database)
    project = row.mark.components[1].assignments[0]
    assert (project.days_late, project.penalised_percent) == (2, Decimal("51.2"))
    assert row.mark.total == Decimal("66.48")


def test_an_extension_moves_the_deadline(course: Course, database: Database, fill: Fill, ada: int) -> None:
    late = fill.submission("ada", attempt=2, at=DUE, days=3)
    fill.mark("ada", "automatic", "4", submission=late)
    fill.mark("ada", "plot", "1", "1", submission=late)
    assert lab_of(only(course, database)).days_late == 3
    fill.extension("ada", DUE + timedelta(days=3))
    lab = lab_of(only(course, database))
    assert (lab.days_late, lab.penalised_percent, lab.extended_until) == (0, 100, DUE + timedelta(days=3))


def test_a_new_attempt_leaves_no_total_until_it_is_marked(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    again = fill.submission("ada", attempt=2, hours=1)
    row = only(course, database)
    assert (lab_of(row).status, row.mark.total) == (Status.MISSING, None)
    fill.mark("ada", "automatic", "1", submission=again)
    fill.mark("ada", "plot", "0", "1", submission=again)
    assert lab_of(only(course, database)).percent == 20


def test_zero_not_submitted_and_missing_are_three_things(course: Course, database: Database, fill: Fill) -> None:
    for student in ("none", "zero", "away"):
        fill.student(student)
    submission = fill.submission("zero")
    for item, out_of in (("automatic", "4"), ("plot", "1")):
        fill.mark("zero", item, "0", out_of, submission=submission)
    for student in ("none", "zero"):
        fill.mark(student, "total", "50", "100", assignment="project")
    fill.mark("zero", "total", "0", "30", assignment="quiz")
    fill.mark("none", "total", "0", "30", assignment="quiz", not_submitted=True)
    rows = {row.id: row.mark for row in gradebook(course, database)}
    assert [mark.status for mark in rows["zero"].assignments] == [Status.MARKED] * 3
    assert [mark.status for mark in rows["none"].assignments] == [
        Status.NOT_SUBMITTED, Status.MARKED, Status.NOT_SUBMITTED,
    ]  # fmt: skip
    assert [mark.status for mark in rows["away"].assignments] == [
        Status.NOT_SUBMITTED, Status.MISSING, Status.MISSING,
    ]  # fmt: skip
    assert (rows["zero"].rounded, rows["none"].rounded, rows["away"].rounded) == (20, 20, None)


def test_before_the_deadline_nothing_handed_in_is_missing(course: Course, database: Database, fill: Fill) -> None:
    fill.student("ada")
    assert lab_of(only(course, database, now=DUE)).status is Status.MISSING
    assert lab_of(only(course, database, now=DUE + timedelta(seconds=1))).status is Status.NOT_SUBMITTED
    fill.extension("ada", DUE + timedelta(days=7))
    assert lab_of(only(course, database, now=DUE + timedelta(days=7))).status is Status.MISSING


def test_a_fault_of_ours_is_review_and_leaves_no_total(course: Course, database: Database, fill: Fill) -> None:
    fill.student("ada")
    submission = fill.submission("ada")
    fill.job(submission, REVIEW)
    assert lab_of(only(course, database)).status is Status.REVIEW
    fill.job(submission, RECORDED, "mended")
    fill.mark("ada", "automatic", "4", submission=submission)
    assert lab_of(only(course, database)).status is Status.MISSING  # the plot is still to be marked
    assert only(course, database).mark.total is None


def test_the_best_attempt_is_the_best_after_lateness(tmp_path: Path, database: Database, fill: Fill) -> None:
    course = write_course(tmp_path, "best")
    fill.student("ada")
    early, late = fill.submission("ada"), fill.submission("ada", attempt=2, at=DUE, days=1, seconds=1)
    for submission, points in ((early, "3"), (late, "3.5")):
        fill.mark("ada", "automatic", points, submission=submission)
        fill.mark("ada", "plot", "1", "1", submission=submission)
    lab = lab_of(only(course, database))
    assert (lab.attempt, lab.penalised_percent) == (1, 80)  # the later one: 90 x 0.8
    with database.reading() as session:
        counting = counting_attempt(course, session, "ada", "lab")
    assert counting is not None
    assert counting.id == early
    fill.extension("ada", DUE + timedelta(days=2))
    assert lab_of(only(course, database)).attempt == 2


def test_marks_of_work_that_the_course_does_not_have_are_left_out(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.submission("ada", "lab of last year")
    fill.mark("ada", "automatic", "4", assignment="lab of last year")
    fill.mark("ada", "item of last year", "4", submission=ada)
    assert only(course, database).mark.total == Decimal("71.6")


def test_an_empty_class_has_an_empty_gradebook(course: Course, database: Database) -> None:
    assert gradebook(course, database) == []


def test_students_are_in_the_order_of_their_ids(course: Course, database: Database, fill: Fill) -> None:
    for name in ("b2", "a10", "Z1"):
        fill.student(name)
    ids = [row.id for row in gradebook(course, database)]
    assert ids == sorted(ids)


# What people decided


def project_of(row: StudentRow) -> AssignmentMark:
    return row.mark.components[1].assignments[0]


UNTIL = (NOW + timedelta(days=60)).isoformat()


def again(**after: int) -> dict[str, object]:
    return {"until": UNTIL, "after_attempt": after.get("attempt", 0), "after_mark": after.get("mark", 0)}


def test_a_waived_assignment_or_component_is_left_out(course: Course, database: Database, fill: Fill, ada: int) -> None:
    fill.act(Verb.WAIVE, "ada", "quiz")
    row = only(course, database)
    assert (row.mark.total, row.mark.reweighted, row.mark.outcome) == (72, True, Code.PASS)
    fill.act(Verb.WAIVE, "ada", "labs")
    assert only(course, database).mark.total == 64


def test_an_act_that_was_ended_no_longer_holds(course: Course, database: Database, fill: Fill, ada: int) -> None:
    waiver = fill.act(Verb.WAIVE, "ada", "quiz")
    fill.act(Verb.END, "ada", "quiz", ends=waiver)
    assert only(course, database).mark.total == Decimal("71.6")


def test_a_hold_withholds_the_mark_and_a_claim_does_not(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    claim = fill.act(Verb.CLAIM, "ada", "quiz")
    assert (only(course, database).mark.total, only(course, database).mark.outcome) == (
        Decimal("71.6"), Code.CONSIDERATIONS,
    )  # fmt: skip
    fill.act(Verb.END, "ada", "quiz", ends=claim)
    assert only(course, database).mark.outcome is Code.PASS
    fill.act(Verb.HOLD, "ada", "lab")
    assert (only(course, database).mark.total, only(course, database).mark.outcome) == (None, Code.INTEGRITY)


def test_a_hold_of_the_whole_module_is_its_outcome(course: Course, database: Database, fill: Fill, ada: int) -> None:
    fill.act(Verb.HOLD, "ada")
    assert only(course, database).mark.outcome is Code.INTEGRITY


def test_a_penalty_and_a_scaling_are_steps_in_their_order(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.PENALISE, "ada", "project", rule="deduct", value="10", words="over the page limit")
    fill.act(Verb.SCALE, None, "project", formula="m + 6")
    project = project_of(only(course, database))
    assert [(step.text, step.value) for step in project.working] == [
        ("64 of 100", 64), ("scaled by the board, m + 6", 70), ("over the page limit: - 10", 60),
    ]  # fmt: skip
    assert (project.percent, project.agreed_percent, project.penalised_percent) == (64, 70, 60)


def test_a_share_makes_a_members_mark(course: Course, database: Database, fill: Fill, ada: int) -> None:
    fill.act(Verb.SHARE, "ada", "project", team="T1", factor="1.2", words="4 x 30 %")
    assert project_of(only(course, database)).penalised_percent == Decimal("76.8")
    fill.act(Verb.SHARE, "ada", "project", team="T1", factor="0.6", words="module leader's decision")
    assert project_of(only(course, database)).penalised_percent == Decimal("38.4")  # the newest share counts


@pytest.mark.parametrize(("policy", "days"), [("individual", 2), ("team", 0), ("none", 2)])
def test_whose_extension_moves_a_teams_deadline(
    tmp_path: Path, database: Database, fill: Fill, policy: str, days: int
) -> None:
    course = write_course(tmp_path)
    file = tmp_path / "course.toml"
    file.write_text(file.read_text().replace("[marking]\n", f'[marking]\nteam_extension = "{policy}"\n'))
    course = load_course(tmp_path)
    for student in ("ada", "bob"):
        fill.student(student)
        fill.submission(student, "project", at=DUE, days=2)
        fill.mark(student, "total", "64", "100", assignment="project")
        fill.act(Verb.SHARE, student, "project", team="T1", factor="1", words="even")
    fill.extension("bob", DUE + timedelta(days=7), "project")
    marks = {row.id: project_of(row).days_late for row in gradebook(course, database)}
    assert marks["ada"] == days
    assert marks["bob"] == (2 if policy == "none" else 0)


def test_a_referral_awaits_its_marks_is_then_capped_and_keeps_the_first_mark(
    course: Course, database: Database, fill: Fill
) -> None:
    fill.student("ada")
    fill.mark("ada", "total", "20", "100", assignment="project")
    fill.mark("ada", "total", "9", "30", assignment="quiz")
    attempt = fill.submission("ada")
    for item, out_of in (("automatic", "4"), ("plot", "1")):
        last = fill.mark("ada", item, "1", out_of, submission=attempt)
    assert only(course, database).mark.outcome is Code.FAIL
    fill.act(Verb.REFER, "ada", "project", **again(mark=last))
    row = only(course, database, now=NOW)
    assert (row.mark.final, row.mark.outcome) == (30, Code.REFERRAL)
    assert project_of(row).acts.awaits_referral
    fill.mark("ada", "total", "95", "100", assignment="project")
    row = only(course, database, now=NOW)
    assert (row.mark.rounded, row.mark.final, row.mark.outcome) == (60, 50, Code.PASS)
    project = project_of(row)
    assert (project.acts.sitting, project.penalised_percent) == (Sitting.REFERRAL, 95)
    assert project.first is not None
    assert project.first.penalised_percent == 20


def test_where_nothing_is_handed_in_at_a_referral_the_first_mark_stands(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.REFER, "ada", "lab", **again(attempt=1, mark=99))
    assert lab_of(only(course, database, now=NOW)).acts.awaits_referral
    after = lab_of(only(course, database, now=NOW + timedelta(days=61)))
    assert (after.acts.awaits_referral, after.penalised_percent, after.acts.sitting) == (False, 80, Sitting.FIRST)
    assert after.working[-1].text == "nothing was handed in at the referral: this mark stands"


def test_a_referrals_hand_in_is_late_by_its_own_deadline(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.REFER, "ada", "lab", **again(attempt=1, mark=99))
    new = fill.submission("ada", attempt=2, days=50)
    assert lab_of(only(course, database)).status is Status.MISSING
    fill.mark("ada", "automatic", "4", submission=new)
    fill.mark("ada", "plot", "1", "1", submission=new)
    lab = lab_of(only(course, database))
    assert (lab.days_late, lab.percent, lab.attempt) == (0, 100, 2)
    with database.reading() as session:
        counting = counting_attempt(course, session, "ada", "lab")
    assert counting is not None
    assert counting.id == new


def test_under_the_best_attempt_a_referral_does_not_compete_with_the_first_try(
    tmp_path: Path, database: Database, fill: Fill, ada: int
) -> None:
    course = write_course(tmp_path, "best")
    fill.act(Verb.REFER, "ada", "lab", **again(attempt=1, mark=99))
    new = fill.submission("ada", attempt=2, days=50)
    fill.mark("ada", "automatic", "1", submission=new)
    fill.mark("ada", "plot", "0", "1", submission=new)
    assert lab_of(only(course, database)).percent == 20


def test_a_deferred_first_attempt_is_awaited_and_not_capped(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.DEFER, "ada", "quiz", **again(mark=99))
    row = only(course, database, now=NOW)
    assert (row.mark.total, row.mark.outcome) == (None, Code.DEFERRED)
    fill.act(Verb.END, "ada", "quiz", ends=1)
    assert only(course, database, now=NOW).mark.outcome is Code.PASS


def test_what_misconduct_cost_the_first_try_does_not_follow_into_the_referral(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.PENALISE, "ada", "project", rule="factor", value="0", words="collusion")
    fill.act(Verb.REFER, "ada", "project", **again(attempt=1, mark=4))
    assert project_of(only(course, database, now=NOW)).penalised_percent == 0
    fill.mark("ada", "total", "98", "100", assignment="project")
    assert project_of(only(course, database, now=NOW)).penalised_percent == 98


def test_a_team_splits_its_first_mark_and_not_a_members_referral(
    course: Course, database: Database, fill: Fill, ada: int
) -> None:
    fill.act(Verb.REFER, "ada", "project", **again(attempt=1, mark=4))
    fill.act(Verb.SHARE, "ada", "project", team="T1", factor="0.5", words="signed late")
    assert project_of(only(course, database, now=NOW)).penalised_percent == 32
    fill.mark("ada", "total", "60", "100", assignment="project")
    project = project_of(only(course, database, now=NOW))
    assert project.penalised_percent == 60
    assert project.first is not None
    assert project.first.penalised_percent == 32


def test_acts_are_never_changed_and_none_is_ended_twice(database: Database, fill: Fill) -> None:
    fill.student("ada")
    waiver = fill.act(Verb.WAIVE, "ada", "quiz")
    for statement in ("UPDATE act SET reason = 'x'", "DELETE FROM act"):
        with pytest.raises(DatabaseUnavailable, match="append-only"), database.transaction() as session:
            session.execute(text(statement))
    fill.act(Verb.END, "ada", "quiz", ends=waiver)
    with pytest.raises(IntegrityError):
        fill.act(Verb.END, "ada", "quiz", ends=waiver)
