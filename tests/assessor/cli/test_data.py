"""Backup, restoration, a student's record and marks for other systems as a person types them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from assessor.cli import assessor
from assessor.errors import AssessorError, UnknownName
from tests.assessor.cli.test_decisions import COURSE, Prompt, prompt  # noqa: F401 - a fixture


@pytest.fixture
def elsewhere(prompt: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:  # noqa: F811
    """The same course without data."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    (root / "course.toml").write_text(COURSE)
    return Prompt(root, monkeypatch)


def test_a_backup_is_restored_elsewhere(prompt: Prompt, elsewhere: Prompt, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "b.zip"
    said = prompt("backup", str(file))
    assert said.startswith(f"{file}: ") and "SHA-256" in said
    assert file.stat().st_mode & 0o077 == 0, "it holds the course's keys"
    done = elsewhere.json("restore", str(file))
    assert done["sha256"] in said and done["files"] == json.loads(zipfile.ZipFile(file).read("backup.json"))["sha256"].__len__()
    assert elsewhere.json("explain", "ada", "project") == prompt.json("explain", "ada", "project")
    with pytest.raises(AssessorError, match="overwrites nothing"):
        elsewhere("restore", str(file))
    with pytest.raises(AssessorError, match="exists already"):
        prompt("backup", str(file))


def test_old_backups_go_where_it_is_said(prompt: Prompt, tmp_path: Path) -> None:  # noqa: F811
    place = tmp_path / "backups"
    place.mkdir()
    for number in range(3):
        prompt("backup", str(place / f"b{number}.zip"))
    assert f"removed {place / 'b0.zip'}" in prompt("backup", str(place / "b3.zip"), "--keep", "2")
    assert sorted(path.name for path in place.iterdir()) == ["b2.zip", "b3.zip"]
    assert "not in the range" in prompt("backup", str(place / "b4.zip"), "--keep", "0")


def test_a_damaged_backup_lays_nothing_down(prompt: Prompt, elsewhere: Prompt, tmp_path: Path) -> None:  # noqa: F811
    prompt("backup", str(tmp_path / "b.zip"))
    data = bytearray((tmp_path / "b.zip").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(AssessorError, match="damaged"):
        elsewhere("restore", str(tmp_path / "b.zip"))
    assert not (elsewhere.root / "assessor.db").exists()


def test_a_record_goes_out_whole(prompt: Prompt, tmp_path: Path) -> None:  # noqa: F811
    assert "QUANTA" not in prompt("record", "export", "QUANTA", str(tmp_path / "ada.zip"))
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        rows = json.loads(archive.read("record.json"))
    assert [mark["points"] for mark in rows["mark"]] == ["62"]
    assert "Ben" not in json.dumps(rows) and (tmp_path / "ada.zip").stat().st_mode & 0o077 == 0
    assert prompt.json("record", "export", "ada", str(tmp_path / "2.zip"))["rows"]["mark"] == 1
    with pytest.raises(UnknownName, match="did you mean ada"):
        prompt("record", "export", "adaa", str(tmp_path / "3.zip"))


def test_an_erasure_asks_first(prompt: Prompt) -> None:  # noqa: F811
    words = ("record", "erase", "ada", "--reason", "request 17")
    assert "cannot be undone" in prompt(*words, answer="n\n")
    assert prompt.json("explain", "ada", "project")["assignments"][0]["mark"] == "62"
    assert "Missing option '--reason'" in prompt("record", "erase", "ada", "--yes")
    said = prompt(*words, answer="y\n")
    assert "erased QUANTA" in said and "backups still hold them" in said
    with pytest.raises(UnknownName):
        prompt("explain", "ada")
    assert prompt.json("explain", "ben", "project")["assignments"][0]["mark"] == "48"


def test_retention_lists_first_and_erases_only_where_it_is_told_to(prompt: Prompt) -> None:  # noqa: F811
    with pytest.raises(AssessorError, match=r"\[retention\]"):
        prompt("record", "retention")
    text = COURSE.replace("2027-02-01", "2001-01-01")
    (prompt.root / "course.toml").write_text(text + "[retention]\nyears = 1\n")
    (prompt.root / "more.csv").write_text("id,name\nold,Old Student\n")
    prompt("roster", str(prompt.root / "more.csv"))
    assert "1 of 4 records due: 1 year after the module's end, 2001-01-15" in prompt("record", "retention")
    assert [each["student"] for each in prompt.json("record", "retention")["due"]] == ["old"]
    assert "cannot be undone" in prompt("record", "retention", "--apply", "--reason", "7.2", answer="n\n")
    with pytest.raises(AssessorError, match="needs a reason"):
        prompt("record", "retention", "--apply", "--yes")
    said = prompt("record", "retention", "--apply", "--reason", "schedule 7.2", "--yes")
    assert "erased 1; backups from before still hold them" in said
    assert "0 of 3 records due" in prompt("record", "retention")


@pytest.mark.parametrize(
    ("system", "who", "column"),
    [("moodle", "ID number", "project"), ("canvas", "SIS User ID", "project"), ("blackboard", "Username", "project [Total")],
)
def test_marks_go_to_another_system(prompt: Prompt, tmp_path: Path, system: str, who: str, column: str) -> None:  # noqa: F811
    file = tmp_path / "grades.csv"
    assert "3 students, 1 assignments" in prompt("export", system, str(file), "project")
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
    key = next(name for name in rows[0] if name.startswith(column))
    assert {row[who]: row[key] for row in rows if row[who]} == {"ada": "62", "ben": "48", "cy": "71"}


def test_a_system_that_is_none_is_wrong_usage(prompt: Prompt, tmp_path: Path) -> None:  # noqa: F811
    done = CliRunner().invoke(assessor, ["-C", str(prompt.root), "export", "moodel", str(tmp_path / "x.csv")])
    assert done.exit_code == 2 and "moodle" in done.output
    with pytest.raises(UnknownName, match="did you mean project"):
        prompt("export", "moodle", str(tmp_path / "x.csv"), "projekt")
    assert not (tmp_path / "x.csv").exists()
