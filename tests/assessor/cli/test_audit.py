"""Who did what, and when: every command that changes a course's data is typed once, and the audit has a line of it."""

from __future__ import annotations

import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from sqlalchemy import select

from assessor.cli import assessor
from assessor.database import open_database
from assessor.database.tables import Event
from assessor.workflow.backup import FOLDERS
from tests.assessor.autograde.conftest import ASSIGNMENT, REFERENCE, TESTS, tiny_notebook
from tests.assessor.cli.test_decisions import Prompt
from tests.assessor.cli.test_projects import SOURCE, hand_in
from tests.assessor.cli.test_wrong_tables import walked
from tests.assessor.workflow.test_quiz import BANK, TOML

CHANGES_NOTHING = {
    "check", "doctor", "explain", "quiz items", "quiz preview", "quiz review", "quiz validate", "receipt verify", "replay",
    "review list", "review show", "second list", "moderate report", "board acts", "board propose", "board report", "project form",
    "project marks", "status", "validate", "export",
}  # fmt: skip
"""Commands that read."""
NO_COURSE_YET = {"init", "adopt", "demo"}
"""They make a course."""
FILES_ALONE = {
    "power", "calibrate", "release", "submit", "project submit", "project plan", "quiz import-bank", "quiz export-bank",
}  # fmt: skip
"""They write files of the course, or hand in with a signed receipt; `collect` brings that into the database."""
PEOPLE = ("ada", "bob", "eve", "dan")
BROKEN = TESTS.replace("assert student.square(12) ==", 'raise KeyError("our own mistake")\n    assert student.square(12) ==')
STRICTER = TESTS.replace("reference.double(21)", "reference.double(21) + 1")

R = ("--reason", "minute 4")
STEPS = [
    # what is typed, the audit's verb
    ("roster {desk}/roster.csv", "roster"),
    ("collect tiny", "collect"),
    ("autograde tiny --workers 0", "autograde"),
    ("review accept eve tiny", "review accept"),
    ("review override dan tiny 2", "review override"),
    ("autograde tiny --workers 0 --again minute-4 --yes", "regrade"),
    ("quiz extra-time ada 25", "extra time"),
    ("quiz start quiz2 ada", "quiz start"),
    ("quiz answer quiz2 ada {desk}/answers.csv", "quiz answer"),
    ("quiz hand-in quiz2 ada", "quiz hand-in"),
    ("quiz mark quiz2", "import"),
    ("quiz import quiz1 {desk}/quiz.csv", "import"),
    ("project teams {desk}/teams.csv", "team"),
    ("project split t1 {desk}/split.csv", "split"),
    ("project collect", "collect"),
    ("project reproduce t1 --seeds 1", "reproduction"),
    ("project score t1 {desk}/form.csv", "rubric"),
    ("project agree", "import"),
    ("project feedback", "project feedback"),
    ("project import {desk}/marks.csv", "import"),
    ("mark ada tiny 2", "mark"),
    ("marks {desk}/given.csv", "import"),
    ("extend ada tiny '+3 days'", "extend"),
    ("extensions {desk}/extensions.csv", "extend"),
    ("feedback", "feedback"),
    ("second mark ada quiz1 20", "marking"),
    ("second agree quiz1", "agree"),
    ("moderate sample quiz1", "sample"),
    ("moderate mark ada quiz1 20", "marking"),
    ("moderate check ada tiny test_double pass", "marking"),
    ("board waive ada quiz1", "waive"),
    ("board defer bob quiz1 '+200 days'", "defer"),
    ("board refer bob project '+200 days'", "refer"),
    ("board compensate bob", "compensate"),
    ("board claim eve", "claim"),
    ("board hold eve tiny", "hold"),
    ("board penalise dan tiny 'x 0.9' --for lateness", "penalise"),
    ("board scale project 'm + 3' --yes", "scale"),
    ("board end {act}", "end"),
    ("marksheet --final", "freeze mark sheet"),
    ("backup {desk}/backup.zip", "backup"),
    ("restore {desk}/backup.zip", "restore"),
    ("record export bob {desk}/bob.zip", "record export"),
    ("record erase bob --yes", "erase"),
    ("record retention --apply --yes", "retention"),
]  # fmt: skip
NEEDS_REASON = {
    "review accept", "review override", "quiz extra-time", "mark", "extend", "board waive", "board defer", "board refer",
    "board compensate", "board claim", "board hold", "board penalise", "board scale", "board end", "record erase",
    "record retention", "marksheet", "project split",
}  # fmt: skip


def name_of(step: str) -> str:
    """The command that a step types."""
    words = step.split()
    names = {" ".join(found) for found, _ in walked(assessor)}
    return next(name for name in (" ".join(words[:2]), words[0]) if name in names)


def test_every_command_is_known_here() -> None:
    """A new command says here whether it changes data, and then has its line in the audit tried."""
    known = CHANGES_NOTHING | NO_COURSE_YET | FILES_ALONE | {name_of(step) for step, _ in STEPS}
    assert {" ".join(words) for words, _ in walked(assessor)} == known


def iso(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="seconds")


def entry(name: str, component: str, kind: str, released: str, due: str, more: str = "") -> str:
    head = f'[[assignment]]\nname = "{name}"\ncomponent = "{component}"\nkind = "{kind}"\n'
    return f"{head}released = {released}\ndue = {due}\n{more}\n"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with a lab, a quiz that is over, one that goes on, and a project; and a desk with everybody's tables."""
    root, desk = tmp_path / "course", tmp_path / "desk"
    for folder in (root / "assignments/tiny", root / "graders/tiny", root / "assignments/project", root / "quizzes", desk):
        folder.mkdir(parents=True)
    (root / "course.toml").write_text(
        '[course]\ncode = "COMP1"\ntitle = "Small"\ntime_zone = "Europe/London"\nterm_start = 2017-01-02\n'
        "[retention]\nyears = 1\nends = 2017-01-03\n[components]\nlabs = 40\nproject = 40\nquizzes = 20\n"
        + entry("tiny", "labs", "notebook", iso(days=9), iso(days=1))
        + entry("project", "project", "project", iso(days=9), iso(days=1), "marks = 100")
        + entry("quiz1", "quizzes", "quiz", iso(days=9), iso(days=1), "marks = 30")
        + entry("quiz2", "quizzes", "quiz", iso(days=9), iso(days=-1), "marks = 30")
    )
    (root / "assignments/tiny/assignment.toml").write_text(ASSIGNMENT)
    (root / "assignments/tiny/tiny.ipynb").write_text(nbformat.writes(tiny_notebook(source=True)))
    (root / "graders/tiny/reference.py").write_text(REFERENCE)
    (root / "graders/tiny/test_tiny.py").write_text(BROKEN)
    for file in ("project.toml", "rubric.toml"):
        (root / "assignments/project" / file).write_text((SOURCE / file).read_text().replace("least = 3", "least = 2"))
    (root / "quizzes/sums.md").write_text(BANK)
    (root / "quizzes/quiz2.toml").write_text(TOML.format(policy="", more=""))
    (desk / "tiny.ipynb").write_text(nbformat.writes(tiny_notebook()))
    for file, text in {
        "roster.csv": "id,name\n" + "".join(f"{who},{who.title()} X\n" for who in PEOPLE),
        "quiz.csv": "student,score\n" + "".join(f"{who},21\n" for who in PEOPLE),
        "teams.csv": "team,student\nt1,ada\nt1,bob\nt1,eve\n",
        "marks.csv": "team,student,mark\nt2,dan,64\n",
        "given.csv": "student,assignment,points,reason\nada,tiny,2.5,read\ndan,tiny,NS,nothing came\n",
        "extensions.csv": f"student,assignment,until,reason\nbob,tiny,{iso(days=-5)},ill\n",
    }.items():
        (desk / file).write_text(text)
    return root


def events(root: Path, since: int) -> list[Event]:
    database = open_database(root)
    try:
        with database.reading() as session:
            return list(session.scalars(select(Event).where(Event.id > since).order_by(Event.id)))
    finally:
        database.close()


def before(step: str, prompt: Prompt, desk: Path, last: list[Event]) -> dict[str, str]:
    """What has to lie ready for a step; values for its braces."""
    if step.startswith("collect"):
        for who in ("eve", "dan"):
            prompt("submit", "tiny", str(desk / "tiny.ipynb"), "--student", who, "--receipt", str(desk / f"{who}.json"))
    elif "--again" in step:
        tests = prompt.root / "graders/tiny/test_tiny.py"
        tests.write_text(TESTS)
        prompt("submit", "tiny", str(desk / "tiny.ipynb"), "--student", "ada", "--receipt", str(desk / "ada.json"))
        prompt("collect", "tiny")
        prompt("autograde", "tiny", "--workers", "0")
        tests.write_text(STRICTER)
    elif step.startswith("quiz answer"):
        shown = prompt.json("quiz", "start", "quiz2", "ada")["questions"]
        single = next(each["number"] for each in shown if each["kind"] == "single")
        (desk / "answers.csv").write_text(f"question,answer\n{single},1\n")
    elif step.startswith("project split"):
        (desk / "code").mkdir()
        prompt("project", "submit", "t1", *hand_in(desk))
    elif step.startswith("project score"):
        prompt("project", "form", "t1", str(desk / "form.csv"))
        lines = (desk / "form.csv").read_text().splitlines()
        (desk / "form.csv").write_text("\n".join([lines[0], *(line.replace(",,", ",60,", 1) for line in lines[1:])]) + "\n")
    elif step.startswith("project agree"):
        prompt("project", "score", "t1", str(desk / "form.csv"), by="bob")
    elif step.startswith("second agree"):
        prompt("second", "mark", "ada", "quiz1", "20.5", by="bob")
    elif step.startswith("board end"):
        return {"act": str(last[-1].detail["act"])}
    elif step.startswith("record retention"):
        (desk / "more.csv").write_text("id,name\nzoe,Zoe Y\n")
        prompt("roster", str(desk / "more.csv"))
    elif step.startswith("restore"):
        for path in prompt.root.iterdir():
            if path.name.startswith("assessor.db"):
                path.unlink()
            elif path.name in FOLDERS:
                shutil.rmtree(path)
    return {}


def test_whatever_changes_data_stands_in_the_audit(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One day of one course, each command by somebody of its own; after each the audit has who, when and what."""
    prompt, desk = Prompt(course, monkeypatch), tmp_path / "desk"
    newest, found = 0, []
    for number, (step, verb) in enumerate(STEPS):
        values = before(step, prompt, desk, found)
        if (course / "assessor.db").exists():
            newest = max((event.id for event in events(course, 0)), default=0)
        who, start = f"person{number}", datetime.now(UTC)
        words = [word.replace("{desk}", str(desk)).replace("{act}", values.get("act", "")) for word in shlex.split(step)]
        prompt(*words, *(R if name_of(step) in NEEDS_REASON else ()), by=who)
        found = [event for event in events(course, newest) if event.author == who]
        assert verb in [event.verb for event in found], f"`assessor {step}`: {[event.verb for event in found]}"
        for event in found:
            assert start - timedelta(seconds=1) <= event.at <= datetime.now(UTC) + timedelta(seconds=1), step
            assert event.detail, step
