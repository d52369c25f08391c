"""The evidence of a mark is kept for each attempt, whole, whatever a student's notebook holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assessor.grading.results import Grading
from assessor.workflow.evidence import evidence_folder, keep_evidence
from gpu_runner.execution import Execution, Outcome, Usage
from tests.assessor.workflow.course_parts import contents, script, small_disk

FULL = """
import errno, sys
from pathlib import Path
from assessor.grading.results import Grading
from assessor.workflow.evidence import keep_evidence
from gpu_runner.execution import Execution, Outcome, Usage

def grading(text):
    return Grading(1, Execution(outcome=Outcome.COMPLETED, cells=(), usage=Usage(), notebook=text, manifest={}), ())

root = Path(sys.argv[1])
folder = keep_evidence(root, "ada", "powers", 1, "powers.ipynb", grading("old"))
try:
    keep_evidence(root, "ada", "powers", 1, "powers.ipynb", grading("new" * 1_000_000))
except OSError as fault:
    print(errno.errorcode[fault.errno])
print((folder / "powers.ipynb").read_text(), sorted(path.name for path in folder.iterdir()))
"""


def grading(notebook: str = "{}", **manifest: object) -> Grading:
    execution = Execution(outcome=Outcome.COMPLETED, cells=(), usage=Usage(), notebook=notebook, manifest=manifest)
    return Grading(submission_id=1, execution=execution, tests=())


def test_notebook_and_manifest_are_kept_as_they_were(tmp_path: Path) -> None:
    manifest = {"seed": 2**63, "limits": {"memory_bytes": 1}, "versions": ["3.11"], "none": None}
    folder = keep_evidence(tmp_path, "ada", "powers", 1, "powers.ipynb", grading('{"cells": ["é"]}', **manifest))
    assert folder == evidence_folder(tmp_path, "ada", "powers", 1)
    assert (folder / "powers.ipynb").read_text(encoding="utf-8") == '{"cells": ["é"]}'
    assert json.loads((folder / "manifest.json").read_text()) == manifest


def test_each_attempt_of_each_student_has_its_own_place(tmp_path: Path) -> None:
    places = [("ada", "powers", 1), ("ada", "powers", 2), ("bob", "powers", 1), ("ada", "roots", 1)]
    for number, (student, assignment, attempt) in enumerate(places):
        keep_evidence(tmp_path, student, assignment, attempt, "a.ipynb", grading(str(number)))
    kept = [evidence_folder(tmp_path, *place) / "a.ipynb" for place in places]
    assert [path.read_text() for path in kept] == ["0", "1", "2", "3"]


def test_the_same_grading_is_the_same_bytes_and_a_new_one_takes_its_place(tmp_path: Path) -> None:
    first = contents(keep_evidence(tmp_path, "ada", "powers", 1, "a.ipynb", grading("x", b=1, a=2)))
    assert contents(keep_evidence(tmp_path, "ada", "powers", 1, "a.ipynb", grading("x", a=2, b=1))) == first
    folder = keep_evidence(tmp_path, "ada", "powers", 1, "a.ipynb", grading("y"))
    assert (folder / "a.ipynb").read_text() == "y" and set(contents(folder)) == {"a.ipynb", "manifest.json"}


@pytest.mark.parametrize("text", ["\ud800 lone surrogate", "\0", "line\r\nends\n\u2028", "", "x" * 3_000_000])
def test_whatever_a_student_printed_can_be_kept(tmp_path: Path, text: str) -> None:
    folder = keep_evidence(tmp_path, "ada", "powers", 1, "a.ipynb", grading(text))
    assert (folder / "a.ipynb").read_bytes() == text.encode("utf-8", "replace")


def test_a_manifest_of_any_values_is_kept_as_json(tmp_path: Path) -> None:
    folder = keep_evidence(tmp_path, "a", "b", 1, "a.ipynb", grading("", at=datetime(2027, 1, 1, tzinfo=UTC), place=Path("/x")))
    assert json.loads((folder / "manifest.json").read_text()) == {"at": "2027-01-01 00:00:00+00:00", "place": "/x"}


def test_a_full_disk_keeps_the_older_evidence_whole(tmp_path: Path) -> None:
    done = script(FULL, tmp_path / "small/course", prefix=small_disk(tmp_path / "small", 1 << 20))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:2] == ["ENOSPC", "old ['manifest.json', 'powers.ipynb']"]


def test_evidence_is_not_for_everyone(tmp_path: Path) -> None:
    folder = keep_evidence(tmp_path, "ada", "powers", 1, "a.ipynb", grading("x"))
    assert [path.stat().st_mode & 0o007 for path in folder.iterdir()] == [0, 0]
