"""Decisions, second marks, moderation and explanations as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assessor.cli import assessor
from assessor.errors import AssessorError

COURSE = """
[course]
code = "COMP1"
title = "Small"
time_zone = "Europe/London"
term_start = 2027-02-01

[components]
project = 60
quizzes = 40

[[assignment]]
name = "project"
component = "project"
kind = "project"
marks = 100
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"

[[assignment]]
name = "quiz1"
component = "quizzes"
kind = "quiz"
marks = 30
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"
"""


class Prompt:
    """Types commands about one course, as some marker."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._monkeypatch = root, monkeypatch

    def __call__(self, *words: str, by: str = "alice", answer: str | None = None) -> str:
        self._monkeypatch.setenv("LOGNAME", by)
        self._monkeypatch.setenv("COLUMNS", "150")
        done = CliRunner().invoke(assessor, ["-C", str(self.root), *words], input=answer)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    """A course with three students, whose project marks are 62, 48 and 71."""
    (tmp_path / "course.toml").write_text(COURSE)
    (tmp_path / "roster.csv").write_text("id,name,marking_id\nada,Ada Osei,QUANTA\nben,Ben Roe,PHOTON\ncy,Cy Lim,LEPTON\n")
    typed = Prompt(tmp_path, monkeypatch)
    typed("roster", str(tmp_path / "roster.csv"))
    for student, points in (("QUANTA", "62"), ("PHOTON", "48"), ("LEPTON", "71")):
        typed("mark", student, "project", points, "--item", "total", "--reason", "read")
    return typed


def test_a_scaling_is_shown_asked_for_and_then_a_line_of_the_working(prompt: Prompt) -> None:
    shown = prompt("board", "propose", "project", "m + 3", "45:50 58:60")
    assert "45 becomes 50, 58 becomes 60" in shown and "1 up, 0 down" in shown
    assert "Aborted" in prompt("board", "scale", "project", "m + 3", "--reason", "hard", answer="n\n")
    assert "scaled" not in prompt("explain", "ada")
    assert "act 1: project is scaled, m + 3" in prompt("board", "scale", "project", "m + 3", "--reason", "hard", answer="y\n")
    prompt("board", "penalise", "ada", "project", "- 5", "--for", "length", "--reason", "page five")
    working = prompt("explain", "QUANTA", "project")
    assert "scaled by the board, m + 3 = 65" in working and "length: - 5 = 60" in working
    assert not any(secret in working for secret in ("Osei", "ada", "page five"))


def test_every_act_at_the_prompt_is_listed_with_its_reason(prompt: Prompt) -> None:
    for words in (
        ("waive", "ada", "quizzes"), ("defer", "ben", "quiz1", "+200 days"), ("refer", "ben", "project", "+200 days"),
        ("compensate", "cy"), ("claim", "cy"), ("hold", "cy", "project"),
        ("penalise", "cy", "quiz1", "zero", "--for", "collusion"),
    ):  # fmt: skip
        prompt("board", *words, "--reason", f"minute of {words[0]}")
    prompt("board", "end", "6", "--reason", "cleared")
    acts = prompt.json("board", "acts")
    assert [act["what"].split()[0] for act in acts] == "waive defer refer compensate claim penalise".split()
    assert acts[0]["reason"] == "minute of waive"
    assert "hold project (ended)" in prompt("board", "acts", "--ended")
    assert "QUANTA" in prompt("board", "acts", "ada")
    assert prompt.json("explain", "cy")["module"]["code"] == "SC"


def test_two_markers_agree_at_the_prompt(prompt: Prompt) -> None:
    for by, points in (("alice", "62"), ("bob", "65")):
        assert "the mark is as it was" in prompt("second", "mark", "QUANTA", "project", points, by=by)
    assert "mean of alice 62, bob 65" in prompt("second", "list", "project")
    assert "1 marks given" in prompt("second", "agree", "project", by="leader")
    assert prompt.json("explain", "ada", "project")["assignments"][0]["mark"] == "63.5"


def test_a_sample_is_drawn_looked_at_and_reported(prompt: Prompt) -> None:
    drawn = prompt.json("moderate", "sample", "project", "--seed", "7")
    assert {piece["student"]: piece["why"] for piece in drawn["pieces"]} == {
        "QUANTA": "near 60", "PHOTON": "fail", "LEPTON": "near 70",
    }  # fmt: skip
    for student, points in (("QUANTA", "60"), ("PHOTON", "48")):
        prompt("moderate", "mark", student, "project", points, by="mod")
    assert prompt("moderate", "sample", "project", "--show").count("done") == 2
    report = prompt("moderate", "report", "project")
    assert "agreement of 2" in report and "62.00" in report and "none looked at" in report


def test_the_history_of_marks_is_a_table(prompt: Prompt) -> None:
    prompt("mark", "ada", "project", "NS", "--reason", "left the team")
    shown = prompt("explain", "QUANTA", "--history")
    assert "62 / 100" in shown and "NS" in shown and "left the team" in shown
    assert [mark["in_force"] for mark in prompt.json("explain", "ada", "--history")] == [False, True]
    assert prompt("explain", "ada", "project").startswith("project  NS")


def test_extensions_come_from_a_file(prompt: Prompt) -> None:
    file = prompt.root / "more.csv"
    file.write_text("student,assignment,until,reason\nQUANTA,project,+3 days,ill\n")
    assert "1 new extensions" in prompt("extensions", str(file))
    with pytest.raises(AssessorError, match="disagrees"):
        prompt("extend", "ada", "project", "+4 days", "--reason", "ill")
    assert "replaces" in prompt("extend", "ada", "project", "+4 days", "--reason", "ill", "--replace")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("board", "scale", "project", "normal(60,12)", "--reason", "r", "--yes"), "refused"),
        (("board", "end", "99", "--reason", "r"), "no act 99"),
        (("board", "penalise", "ada", "project", "x 1.5", "--for", "w", "--reason", "r"), "from 0 to 1"),
        (("explain", "zed"), "unknown student 'zed'"),
        (("second", "mark", "QUANTA", "project", "101"), "from 0 to 100"),
        (("moderate", "sample", "quiz1"), "nothing is marked yet"),
        (("moderate", "check", "QUANTA", "project", "test_x", "pass"), "no hidden test"),
    ],
)
def test_what_cannot_be_is_one_line(prompt: Prompt, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(AssessorError, match=said) as fault:
        prompt(*words)
    assert "\n" not in str(fault.value)
