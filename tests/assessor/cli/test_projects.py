"""A project as people type it, from the teams' table to the members' marks."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from assessor.cli import assessor
from assessor.errors import AssessorError
from assessor.workflow.init import reference_course
from tests.assessor.cli.test_decisions import COURSE, Prompt
from tests.assessor.workflow.conftest import pdf

SOURCE = reference_course() / "assignments" / "project"
TEAM = ("ada", "bob", "eve")


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    root = tmp_path / "course"
    folder = root / "assignments/project"
    folder.mkdir(parents=True)
    (root / "course.toml").write_text(COURSE)
    for name in ("project.toml", "rubric.toml"):
        (folder / name).write_text((SOURCE / name).read_text())
    (tmp_path / "list.csv").write_text("id,name\n" + "".join(f"{name},{name.title()}\n" for name in TEAM))
    made = Prompt(root, monkeypatch)
    made("roster", str(tmp_path / "list.csv"))
    return made


def hand_in(desk: Path) -> list[str]:
    code = SOURCE / "examples/lucky_seed/code"
    with zipfile.ZipFile(desk / "code.zip", "w") as archive:
        for path in code.iterdir():
            archive.write(path, path.name)
    (desk / "paper.pdf").write_bytes(pdf(2))
    (desk / "team.csv").write_text("student\n" + "".join(f"{name}\n" for name in TEAM))
    (desk / "split.csv").write_text("student,share,signed\nada,40,Ada\nbob,40,Bob\neve,20,Eve\n")
    return [str(desk / name) for name in ("paper.pdf", "team.csv", "split.csv", "code.zip")]


def test_a_project_from_its_teams_to_its_marks(prompt: Prompt, tmp_path: Path) -> None:
    (tmp_path / "teams.csv").write_text("team,student\n" + "".join(f"t1,{name}\n" for name in TEAM))
    assert "3 students changed" in prompt("project", "teams", str(tmp_path / "teams.csv"))
    files = hand_in(tmp_path)
    with pytest.raises(AssessorError, match="a file of this kind is missing"):
        prompt("project", "submit", "t1", *files[1:])
    assert "attempt 1 handed in" in prompt("project", "submit", "t1", *files)
    assert "new" in prompt("project", "collect")
    found = json.loads(CliRunner().invoke(
        assessor, ["-C", str(prompt.root), "project", "reproduce", "t1", "--json"], catch_exceptions=False
    ).stdout)  # fmt: skip
    assert [claim["status"] for claim in found["claims"]] == ["not reproduced", "not reproduced", "reproduced"]
    form = tmp_path / "form.csv"
    for marker, points in (("kim", "60"), ("lou", "62")):
        assert "1 of 3 claims reproduced, 2 not" in prompt("project", "form", "t1", str(form), by=marker)
        lines = form.read_text().splitlines()
        filled = [lines[0], *(line.replace(",,", f",{points},", 1) for line in lines[1:])]
        form.write_text("\n".join(filled) + "\n")
        assert f"t1: {points} % recorded" in prompt("project", "score", "t1", str(form), by=marker)
    assert "3 marks given" in prompt("project", "agree")
    assert "signed split 40 / 40 / 20: x 0.6, at most 100" in prompt("explain", "eve", "project")
    assert "3 pages" in prompt("project", "feedback")
    assert "overridden by the module leader" in prompt("project", "split", "t1", "--even", "--override", "--reason", "heard them")
    assert "61 of 100" in prompt("explain", "eve", "project") and "x 1, at most" in prompt("explain", "eve", "project")
