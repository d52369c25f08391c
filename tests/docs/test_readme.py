"""The README is true: what it tells a newcomer to type is typed here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from assessor.cli import assessor
from assessor.grading.local import grade_source

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ASSESSOR = Path(sys.executable).with_name("assessor")


def blocks(language: str) -> list[str]:
    return [dedent(text) for text in re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def warmup(tmp_path: Path) -> Path:
    """A course with the README's assignment in it."""
    course = tmp_path / "course"
    subprocess.run([ASSESSOR, "init", str(course)], check=True, capture_output=True)
    answer, reference, tests = blocks("python")
    settings, place = blocks("toml")
    metadata = {"nbgrader": {"grade": False, "grade_id": "relu", "locked": False, "schema_version": 3, "solution": True,
                             "task": False}}  # fmt: skip
    folder, grader = course / "assignments/warmup", course / "graders/warmup"
    folder.mkdir()
    grader.mkdir()
    imports = new_code_cell("import torch")
    nbformat.write(new_notebook(cells=[imports, new_code_cell(answer, metadata=metadata)]), folder / "warmup.ipynb")
    (folder / "assignment.toml").write_text(settings)
    (grader / "reference.py").write_text(reference)
    (grader / "test_warmup.py").write_text(tests)
    with (course / "course.toml").open("a") as file:
        file.write(f"\n{place}")
    return course


def test_the_assignment_of_five_minutes_is_valid_and_released(warmup: Path) -> None:
    for verb in ("validate", "release"):
        done = subprocess.run([ASSESSOR, "-C", warmup, verb, "warmup"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    released = (warmup / "release/warmup/warmup.ipynb").read_text()
    assert (warmup / "release/warmup.zip").is_file()
    assert "clamp" not in released and "NotImplementedError" in released


def test_its_solution_earns_everything_and_a_wrong_answer_nothing(warmup: Path) -> None:
    notebook, grader = warmup / "assignments/warmup/warmup.ipynb", warmup / "graders/warmup"
    assert [result.points for result in grade_source(notebook, grader)] == [2]
    wrong = "def relu(x):\n    return x.abs()"
    assert [result.points for result in grade_source(notebook, grader, {"relu": wrong})] == [0]


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"assessor ((?:quiz |project )?[a-z]+)\b", "\n".join(re.findall(r"`[^`\n]+`", README))))
    assert {"submit", "autograde", "marksheet"} <= named
    for name in named:
        assert name.split()[0] in assessor.commands, name


def test_every_folder_and_picture_it_names_is_there() -> None:
    plan = README.split("## Floor plan")[1].split("A floor imports")[0]
    parent = ROOT
    for line in plan.splitlines():
        for name in re.findall(r"(?<![\w/])([\w]+)/(?=\s|$)", line):
            inside = line.startswith("      ")
            parent = ROOT / "assessor" if inside else ROOT
            assert (parent / name).is_dir(), name
    for picture in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / picture).is_file()


def test_every_target_of_make_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^    |`)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
