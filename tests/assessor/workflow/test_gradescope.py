# ruff: noqa: F401, F811 - fixtures of the feedback tests
"""results.json for Gradescope: its shape, the mark that counts, and nothing that only staff may read."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from assessor.cli import assessor
from assessor.errors import AssessorError
from assessor.workflow.gradescope import export_gradescope
from tests.assessor.workflow.test_feedback import IN_TIME, NOW, STAFF_ONLY, TESTS, course, database, give, hand_in, notebook

LEVELS = {"hidden", "after_due_date", "after_published", "visible"}


def read(file: Path) -> dict[str, dict]:
    with zipfile.ZipFile(file) as archive:
        return {name.split("/")[0]: json.loads(archive.read(name)) for name in archive.namelist()}


def test_each_student_with_a_mark_has_results_of_the_specified_shape(course, database, tmp_path):
    hand_in(course, database, "s1", notebook(), TESTS, at=IN_TIME + timedelta(days=1))
    give(database, "s1", "automatic", 3, 6)
    give(database, "s1", "plot", 1, 1, author="alice", reason="a clear plot")
    hand_in(course, database, "s2", notebook(), TESTS, state="review")
    done = export_gradescope(course, database, tmp_path / "g.zip", "lab1", now=NOW)
    found = read(tmp_path / "g.zip")
    assert (done.students, set(found)) == (1, {"s1"})
    own = found["s1"]
    assert own["score"] < 4 and own["visibility"] in LEVELS, "late, so less than its tests gave"
    assert [(test["score"], test["max_score"], test["status"]) for test in own["tests"][:2]] == [
        (3.0, 3.0, "passed"), (0.0, 3.0, "failed"),
    ]  # fmt: skip
    assert "the third element differs" in own["tests"][1]["output"] and "look at the axis" in own["tests"][1]["output"]
    assert (own["tests"][2]["name"], own["tests"][2]["output"]) == ("plot", "a clear plot")
    assert all(test["visibility"] in LEVELS and test["name_format"] == "text" for test in own["tests"])
    assert STAFF_ONLY not in json.dumps(found)


def test_only_what_hidden_tests_mark_can_go(course, database, tmp_path):
    other = next(one.name for one in course.assignments if one.kind != "notebook")
    with pytest.raises(AssessorError, match="only what hidden tests mark"):
        export_gradescope(course, database, tmp_path / "g.zip", other, now=NOW)
    assert not (tmp_path / "g.zip").exists()


def test_the_command_line_wants_one_assignment(course, database, tmp_path):
    def run(*words):
        return CliRunner().invoke(assessor, ["-C", str(course.root), "export", "gradescope", str(tmp_path / "g.zip"), *words])

    assert run().exit_code == 2 and "name one ASSIGNMENT" in run().output
    assert run("lab1").exit_code == 0 and (tmp_path / "g.zip").is_file()
