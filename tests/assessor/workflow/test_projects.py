"""Teams from their table to their members' marks: hand-in, collection, split, lateness."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.gradebook import gradebook
from assessor.database.tables import Submission
from assessor.errors import AssessorError, ImportRefused, SubmissionRefused, UnknownName
from assessor.projects.settings import load_project
from assessor.projects.teams import SplitState
from assessor.workflow.mark import append_totals
from assessor.workflow.project_handin import collect_teams, submit_plan, submit_team
from assessor.workflow.project_teams import import_teams, list_teams, notable, set_split
from tests.assessor.workflow.conftest import NOW, pdf

WHO: dict[str, Any] = {"author": "kim", "now": NOW}
RULES = """
[plan]
due = "week 2 Friday 16:00"
max_words = 6

[team]
least = 1
most = 3

[paper]
max_pages = 2
"""
REPRODUCE = """
commands = ["python run.py"]
minutes = 1

[[claim]]
name = "a"
where = "Table 1"
read = "a"
value = 1.0
tolerance = 0.1
"""


@pytest.fixture
def course(small: Course, database: Database, tmp_path: Path) -> Course:
    """The small course with a project's rules, ada and bob in a team, eve alone."""
    folder = small.root / "assignments" / "project"
    folder.mkdir()
    (folder / "project.toml").write_text(RULES)
    table = tmp_path / "teams.csv"
    table.write_text("team,student\nt1,ada\nt1,bob\nt2,eve\n")
    import_teams(small, database, "project", table, **WHO)
    return small


def packed(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


GOOD: dict[str, bytes] = {
    "paper.pdf": pdf(2),
    "team.csv": b"student\nada\nbob\n",
    "split.csv": b"student,share,signed\nada,60,Ada\nbob,40,Bob\n",
    "code.zip": packed({"reproduce.toml": REPRODUCE, "run.py": "print(1)"}),
}
Desk = Callable[[dict[str, bytes]], list[Path]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Writes a team's files and gives their paths."""

    def write(files: dict[str, bytes]) -> list[Path]:
        folder = tmp_path / "desk"
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return [folder / name for name in files]

    return write


# Teams


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("team,student\nt1,ada\nt2,ada\n", "each student in one team; row 2"),
        ("team,student\nt1,zoe\n", "a student of the class list"),
        ("team,student\n../x,ada\n", "letters, digits"),
        ("team,student\nt,ada\nt,bob\nt,eve\nt,dan\n", "a student of the class list"),
        ("team\nt1\n", "the columns team, student"),
    ],
)
def test_a_table_of_teams_that_is_wrong_changes_nothing(
    course: Course, database: Database, tmp_path: Path, table: str, words: str
) -> None:
    before = list_teams(course, database, "project")
    (tmp_path / "new.csv").write_text(table)
    with pytest.raises(ImportRefused, match=words):
        import_teams(course, database, "project", tmp_path / "new.csv", **WHO)
    assert list_teams(course, database, "project") == before


def test_a_new_table_moves_students_and_says_who_is_left_over(course: Course, database: Database, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("team,student\nt1.a,ada\nt2,eve\n")
    found = import_teams(course, database, "project", tmp_path / "new.csv", **WHO)
    assert [(row.team, row.members) for row in found.teams] == [("t1.a", ("ada",)), ("t2", ("eve",))]
    assert found.without == ("bob",) and found.changed == 2
    assert import_teams(course, database, "project", tmp_path / "new.csv", **WHO).changed == 0


def test_a_team_that_is_too_large_is_refused(course: Course, database: Database, tmp_path: Path) -> None:
    (course.root / "assignments/project/project.toml").write_text("[team]\nmost = 1\n")
    (tmp_path / "new.csv").write_text("team,student\nt,ada\nt,bob\n")
    with pytest.raises(ImportRefused, match="teams of 1 to 1"):
        import_teams(course, database, "project", tmp_path / "new.csv", **WHO)


# Handing in


def test_a_teams_work_is_taken_and_collected_once_for_every_member(course: Course, database: Database, desk: Desk) -> None:
    due = course.assignment("project").due
    done = submit_team(course, database, "project", "t1", desk(GOOD), now=due - timedelta(hours=1))
    assert done.receipt.attempt == 1 and not done.receipt.late and done.note == ""
    final, plans = collect_teams(course, database, "project", now=NOW)
    assert [(row.student, row.status, row.note) for row in final.rows] == [("t1", "new", "")] and plans.rows == ()
    again, _ = collect_teams(course, database, "project", now=NOW)
    assert [row.status for row in again.rows] == ["already"]
    with database.reading() as session:
        rows = list(session.scalars(select(Submission).order_by(Submission.student_id)))
    assert [(row.student_id, row.attempt, row.path) for row in rows] == [(s, 1, "submitted/t1/project/1") for s in ("ada", "bob")]
    assert {path.name for path in (course.root / rows[0].path).iterdir()} == {*GOOD, "submission.json"}


REPLACED: list[tuple[dict[str, bytes | None], str]] = [
    ({"paper.pdf": pdf(3)}, "3 pages, at most 2"),
    ({"paper.pdf": b"hello"}, "not a PDF"),
    ({"paper.pdf": None}, "a file of this kind is missing"),
    ({"notes.txt": b"x"}, "not asked for"),
    ({"team.csv": b"student\nada\n"}, "bob missing"),
    ({"team.csv": b"student\nada\nbob\neve\n"}, "eve not of this team"),
    ({"team.csv": b"who\nada\n"}, "the columns student"),
    ({"split.csv": b"student,share,signed\nada,60,Ada\nbob,30,Bob\n"}, "shares that sum to 100"),
    ({"split.csv": b"student,share,signed\nada,100,Ada\n"}, "every member"),
    ({"split.csv": b"student,share,signed\nada,NaN,Ada\nbob,40,Bob\n"}, "a number from 0 to 100"),
    ({"split.csv": None}, "a file of this kind is missing"),
    ({"code.zip": None}, "neither is there"),
    ({"code.bundle": b"x"}, "both are there"),
    ({"code.zip": b"no zip"}, "not a zip archive"),
    ({"code.zip": packed({"run.py": "x"})}, "reproduce.toml is missing"),
    ({"code.zip": packed({"reproduce.toml": "claim = 1"})}, "reproduce.toml"),
    ({"code.zip": packed({"../evil": "x", "reproduce.toml": REPRODUCE})}, "a path that leaves its folder"),
    ({"code.zip": packed({"/etc/evil": "x"})}, "an absolute path"),
    ({"code.zip": packed({"bomb": bytes(50 * 2**20), "reproduce.toml": REPRODUCE})}, "a zip bomb"),
    ({"code.zip": None, "code.bundle": b"no bundle"}, "not a git bundle"),
]


@pytest.mark.parametrize(("changes", "words"), REPLACED)
def test_a_hand_in_that_is_wrong_is_refused_in_one_line(
    course: Course, database: Database, desk: Desk, changes: dict[str, bytes | None], words: str
) -> None:
    files = {name: data for name, data in {**GOOD, **changes}.items() if data is not None}
    with pytest.raises(SubmissionRefused) as fault:
        submit_team(course, database, "project", "t1", desk(files), now=NOW)
    assert words in str(fault.value) and "\n" not in str(fault.value) and "/tmp" not in str(fault.value)
    assert not (course.root / "inbox").exists()


def test_a_link_in_an_archive_is_refused(course: Course, database: Database, desk: Desk) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("data")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("reproduce.toml", REPRODUCE)
    with pytest.raises(SubmissionRefused, match="a link or device"):
        submit_team(course, database, "project", "t1", desk({**GOOD, "code.zip": made.getvalue()}), now=NOW)


def bundle(folder: Path, link: bool = False) -> bytes:
    settings = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    folder.mkdir()
    (folder / "reproduce.toml").write_text(REPRODUCE)
    if link:
        (folder / "data").symlink_to("/etc/passwd")
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["bundle", "create", "-q", "b", "HEAD"]):
        subprocess.run(["git", *step], cwd=folder, env={**os.environ, **settings}, check=True)
    return (folder / "b").read_bytes()


def test_a_git_bundle_is_taken_and_one_with_a_link_is_not(course: Course, database: Database, desk: Desk, tmp_path: Path) -> None:
    files = {name: data for name, data in GOOD.items() if name != "code.zip"}
    good = {**files, "code.bundle": bundle(tmp_path / "one")}
    assert submit_team(course, database, "project", "t1", desk(good), now=NOW).receipt.attempt == 1
    with pytest.raises(SubmissionRefused, match=r"data: a link or device"):
        submit_team(course, database, "project", "t1", desk({**files, "code.bundle": bundle(tmp_path / "two", True)}), now=NOW)


def test_nobody_hands_in_for_a_team_that_is_none(course: Course, database: Database, desk: Desk) -> None:
    with pytest.raises(UnknownName):
        submit_team(course, database, "project", "../t1", desk(GOOD), now=NOW)
    with pytest.raises(AssessorError, match="not a project"):
        submit_team(course, database, "quiz1", "t1", desk(GOOD), now=NOW)


def test_a_plan_has_so_many_words(course: Course, database: Database, desk: Desk) -> None:
    due = load_project(course, "project").plan_due
    assert due is not None
    plan = desk({"plan.md": b"We try the paper's main claim."})
    assert submit_plan(course, database, "project", "t1", plan[0], now=due + timedelta(seconds=1)).receipt.late
    for text, words in ((b"one two three four five six seven", "7 words, at most 6"), (b" - ", "no word"), (b"\xff", "UTF-8")):
        with pytest.raises(SubmissionRefused, match=words):
            submit_plan(course, database, "project", "t1", desk({"plan.md": text})[0], now=due)
    _, plans = collect_teams(course, database, "project", now=NOW)
    assert [(row.student, row.status, row.late) for row in plans.rows] == [("t1", "new", True)]
    assert (course.root / "submitted/t1/project-plan/1/plan.md").is_file()
    assert [row.status for row in collect_teams(course, database, "project", now=NOW)[1].rows] == ["already"]


# The split, and what it makes of a mark


def give(database: Database, mark: str) -> None:
    with database.transaction() as session:
        totals = {student: Decimal(mark) for student in ("ada", "bob")}
        append_totals(session, "project", TOTAL, totals, Decimal(100), author="x", reason="y", now=NOW)


def project_marks(course: Course, database: Database) -> dict[str, tuple[Decimal | None, tuple[str, ...]]]:
    found = {}
    for row in gradebook(course, database):
        mark = next(each for each in row.mark.assignments if each.name == "project")
        found[row.id] = (mark.penalised_percent, tuple(step.text for step in mark.working))
    return found


def test_lateness_is_the_teams_and_the_share_is_each_members(course: Course, database: Database, desk: Desk) -> None:
    late = course.assignment("project").due + timedelta(minutes=1)
    submit_team(course, database, "project", "t1", desk(GOOD), now=late)
    collect_teams(course, database, "project", now=NOW)
    give(database, "50")
    marks = project_marks(course, database)
    assert (marks["ada"][0], marks["bob"][0]) == (Decimal(54), Decimal(36))  # 50 x 0.9 x 2 x .6 and .4
    assert "signed split 60 / 40" in marks["ada"][1][-1]


def test_a_split_that_is_not_signed_by_all_waits_and_the_module_leader_may_decide(
    course: Course, database: Database, desk: Desk
) -> None:
    unsigned = {**GOOD, "split.csv": b"student,share,signed\nada,90,Ada\nbob,10,\n"}
    done = submit_team(course, database, "project", "t1", desk(unsigned), now=NOW)
    assert "not signed by bob" in done.note
    collect_teams(course, database, "project", now=NOW)
    assert list_teams(course, database, "project").teams[0].split.state is SplitState.PENDING
    give(database, "50")
    assert project_marks(course, database)["bob"][0] == 50  # no share is in force
    with pytest.raises(AssessorError, match="needs a reason"):
        set_split(course, database, "project", "t1", None, state=SplitState.OVERRIDDEN, author="lead", reason=" ", now=NOW)
    set_split(course, database, "project", "t1", None, state=SplitState.OVERRIDDEN, author="lead", reason="heard both", now=NOW)
    submit_team(course, database, "project", "t1", desk(GOOD), now=NOW + timedelta(hours=1))
    collect_teams(course, database, "project", now=NOW)
    assert list_teams(course, database, "project").teams[0].split.state is SplitState.OVERRIDDEN


def test_a_later_split_takes_the_place_of_an_earlier_one(course: Course, database: Database, desk: Desk) -> None:
    give(database, "50")
    table = desk({"s.csv": b"student,share,signed\nada,60,A\nbob,40,B\n"})[0]
    set_split(course, database, "project", "t1", table, reason="", **WHO)
    assert project_marks(course, database)["ada"][0] == 60
    table.write_text("student,share,signed\nada,50,A\nbob,50,B\n")
    set_split(course, database, "project", "t1", table, reason="", **WHO)
    assert project_marks(course, database)["ada"][0] == 50


def test_peer_ratings_split_a_mark_and_say_whom_to_look_at(course: Course, database: Database, desk: Desk) -> None:
    give(database, "50")
    table = desk({"peers.csv": b"rater,student,rating\nada,ada,3\nada,bob,1\n"})[0]
    split = set_split(course, database, "project", "t1", table, method="webpa", reason="", **WHO)
    assert project_marks(course, database)["ada"][0] == Decimal("62.5")  # (1 - .5) + .5 x 1.5
    assert {(student, why) for student, _, why in notable(split)} >= {("bob", "handed in no peer form")}
    with pytest.raises(ImportRefused, match="rated by nobody"):
        set_split(course, database, "project", "t1", table, method="catme", reason="", **WHO)


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ("[team]\nleast = 3\nmost = 2", "team.most"),
        ("[plan]\nmax_words = 5", "plan.due"),
        ('[plan]\ndue = "soon"', "plan.due"),
        ("[split]\nmethod = 'dice'", "split.method"),
        ("[reproduce]\nerror_rate = 0.9", "reproduce.error_rate"),
        ("[reproduce.limits]\nmemory_byte = 3", "reproduce.limits.memory_byte"),
    ],
)
def test_rules_that_are_wrong_are_told_by_their_key(course: Course, rules: str, key: str) -> None:
    (course.root / "assignments/project/project.toml").write_text(rules)
    with pytest.raises(AssessorError, match=key):
        load_project(course, "project")


def test_limits_of_a_run_are_the_projects_own(course: Course) -> None:
    (course.root / "assignments/project/project.toml").write_text("[reproduce.limits]\ncpu_seconds = 7\n")
    limits = load_project(course, "project").limits
    assert limits.cpu_seconds == 7 and limits == replace(limits, wall_seconds=5400.0)
    assert json.loads(json.dumps(limits.__dict__))["threads"] == 2
