"""docs/marking.md says what the software does: its commands are run, its rules are read, its keys are all there."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from assessor.cli import assessor
from assessor.course import load_course
from assessor.database import open_database
from assessor.database.tables import Mark, Student, Submission
from assessor.errors import AssessorError
from assessor.policy import Code, FeedbackPolicy, LateRules, MarkingPolicy, Moderation, SecondMarking

DOC = Path(__file__).parents[2] / "docs/marking.md"
TEXT = DOC.read_text()
CONSOLE = re.findall(r"```console\n(.*?)```", TEXT, re.S)
COURSE = """
[course]
code = "COMP6258"
title = "Differentiable Programming and Deep Learning"
time_zone = "Europe/London"
term_start = 2021-02-01
breaks = [{ after_week = 8, weeks = 4 }]

[components]
labs = 40
project = 40
quizzes = 20
"""
ENTRY = """
[[assignment]]
name = "{name}"
component = "{component}"
kind = "{kind}"
{marks}
released = "week 1 Monday 09:00"
due = "week 10 Monday 16:00"
"""
LAB = 'title = "A lab"\nnotebooks = ["lab.ipynb"]\nhidden_marks = 4\n[[manual]]\nname = "argument"\nmarks = 1\n'
MARKS = {
    ("lab1_pytorch", "automatic", 4): "3.2", ("lab1_pytorch", "argument", 1): "0.5", ("lab2_autodiff", "automatic", 4): "2.78",
    ("lab2_autodiff", "argument", 1): "0.75", ("project", "total", 100): "64", ("quiz1", "total", 30): "15",
    ("quiz2", "total", 30): "18",
}  # fmt: skip


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Tala, whose project is two working days late, and two others with a project mark."""
    text = COURSE
    for name in ("lab1_pytorch", "lab2_autodiff"):
        folder = tmp_path / "assignments" / name
        folder.mkdir(parents=True)
        (folder / "assignment.toml").write_text(LAB)
        (folder / "lab.ipynb").write_text("{}")
        text += ENTRY.format(name=name, component="labs", kind="notebook", marks="")
    text += ENTRY.format(name="project", component="project", kind="project", marks="marks = 100")
    for name in ("quiz1", "quiz2"):
        text += ENTRY.format(name=name, component="quizzes", kind="quiz", marks="marks = 30")
    (tmp_path / "course.toml").write_text(text)
    due = load_course(tmp_path).assignment("project").due
    database = open_database(tmp_path, create=True)
    with database.transaction() as session:
        for student, marking_id in (("tala20", "TALA20"), ("ada01", "K7QX2P"), ("elif05", "9ZLW4M")):
            session.add(Student(id=student, name=student, email="", marking_id=marking_id))
        session.flush()
        session.add(
            Submission(
                student_id="tala20", assignment="project", attempt=1, submitted_at=due + timedelta(days=2, minutes=-5),
                collected_at=due, sha256="0" * 64, origin="inbox", path="x",
            )
        )  # fmt: skip
        given = [("tala20", *key, points) for key, points in MARKS.items()]
        given += [("ada01", "project", "total", 100, "58"), ("elif05", "project", "total", 100, "47.5")]
        for student, name, item, out_of, points in given:
            session.add(
                Mark(
                    student_id=student, assignment=name, item=item, points=Decimal(points), out_of=Decimal(out_of),
                    author="kim", at=due, reason="marked",
                )
            )  # fmt: skip
    database.close()
    return tmp_path


Typed = Callable[[str], str]


@pytest.fixture
def typed(course: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs a command line as the page shows it, and gives what the page shows below it."""
    monkeypatch.setenv("COLUMNS", "120")
    markers = iter(("alice", "bob"))

    def run(line: str) -> str:
        words = shlex.split(line)[1:]
        monkeypatch.setenv("LOGNAME", next(markers) if words[:2] == ["second", "mark"] else "kim")
        done = CliRunner().invoke(assessor, ["-C", str(course), *words])
        if isinstance(done.exception, AssessorError):
            return f"assessor: {done.exception}"
        assert done.exception is None, line
        return re.sub(r"\b20\d\d-\d\d-\d\d \d\d:\d\d\b(?=  )", "2021-06-09 14:05", done.output)

    return run


def shown(text: str) -> list[str]:
    """Lines as they are compared: no space at their ends, no empty ones, no day on which something was given."""
    lines = (re.sub(r"on \d\d \w{3} \d{4};", "on 09 Jun 2021;", line.rstrip()) for line in text.splitlines())
    return [line for line in lines if line]


def test_the_commands_of_the_page_print_what_it_shows(typed: Typed) -> None:
    for block in CONSOLE:
        for command in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, expected = command.partition("\n")
            assert shown(typed(line)) == shown(expected), line


def test_the_defaults_that_the_page_shows_are_those_of_the_code() -> None:
    (block,) = re.findall(r"```toml\n(\[marking\].*?)```", TEXT, re.S)
    assert MarkingPolicy.model_validate(tomllib.loads(block)["marking"]) == MarkingPolicy()
    with_options = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", block, flags=re.M))
    named = with_options["marking"]
    assert keys(MarkingPolicy) == set(named)
    for name, model in (("late", LateRules), ("second", SecondMarking), ("moderation", Moderation)):
        assert keys(model) == set(named[name])
    MarkingPolicy.model_validate(named)


def test_the_defaults_of_feedback_are_those_of_the_code() -> None:
    (block,) = re.findall(r"```toml\n(\[feedback\].*?)```", TEXT, re.S)
    told = tomllib.loads(block)["feedback"]
    assert keys(FeedbackPolicy) == set(told) and FeedbackPolicy.model_validate(told) == FeedbackPolicy()


def keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_what_others_do_can_be_written_so() -> None:
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| (`.*`) \|$", TEXT, re.M)
    snippets = [snippet for row in rows for snippet in re.findall(r"`(\w+ = [^`]+)`", row)]
    assert len(snippets) > 10
    for snippet in snippets:
        MarkingPolicy.model_validate(tomllib.loads(snippet))


def test_every_outcome_is_named() -> None:
    assert [code.value for code in Code if not re.search(rf"\b{code.value}\b", TEXT)] == []
