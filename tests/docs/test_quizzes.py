"""docs/quizzes.md says what the software does: its bank is checked, its settings are the defaults, its commands run."""

from __future__ import annotations

import csv
import json
import re
import shlex
import textwrap
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assessor.cli import assessor
from assessor.course import load_course
from assessor.database import open_database
from assessor.database.tables import Student
from assessor.quizzes.bank import parse_bank
from assessor.quizzes.checking import check_question
from assessor.quizzes.formula import WORDS
from assessor.quizzes.questions import Kind
from assessor.quizzes.settings import Policy, QuizFile
from assessor.workflow.init import init_course

TEXT = (Path(__file__).parents[2] / "docs/quizzes.md").read_text()
(BANK,) = re.findall(r"```markdown\n(.*?)\n```\n", TEXT, re.DOTALL)
TOMLS = [textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]


def test_the_bank_shows_every_kind_and_has_no_fault() -> None:
    questions = parse_bank(BANK + "\n", Path("docs.md"))
    assert {question.kind for question in questions} == set(Kind)
    assert [trouble.text for question in questions for trouble in check_question(question) if trouble.level == "error"] == []


def test_the_settings_are_the_defaults() -> None:
    shown = QuizFile.model_validate(tomllib.loads(TOMLS[1]))
    assert shown.policy == Policy() and set(tomllib.loads(TOMLS[1])["policy"]) == set(Policy.model_fields)
    assert "corrections" in tomllib.loads(TOMLS[2])


def test_every_function_of_formulas_is_named() -> None:
    assert [word for word in WORDS if not re.search(rf"\b{word}\b", TEXT)] == []


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The reference course, with its first quiz open now and one student."""
    root = init_course(tmp_path / "course")
    file, now = root / "course.toml", datetime.now(UTC)
    opened, closed = (when.isoformat(timespec="seconds") for when in (now - timedelta(hours=1), now + timedelta(hours=23)))
    text = file.read_text()
    text = text.replace('"week 6 Tuesday 09:00"', f'"{opened}"').replace('"week 6 Wednesday 09:00"', f'"{closed}"')
    file.write_text(text.replace(f'"{opened}"', opened).replace(f'"{closed}"', closed))
    database = open_database(root, create=True)
    with database.transaction() as session:
        session.add(Student(id="ada01", name="Ada", email="", marking_id="M1"))
    database.close()
    assert load_course(root).assignment("quiz1").due > now
    return root


def run(course: Path, line: str, status: int = 0) -> Any:
    done = CliRunner().invoke(assessor, ["-C", str(course), *shlex.split(line)], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.output) if "--json" in line else done.output


def test_the_commands_work_as_they_stand_there(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    lines = [line.removeprefix("$ assessor ") for block in blocks for line in block.splitlines()]
    assert len(lines) == 5 and all(line.startswith("quiz ") for line in lines)
    preview = run(course, "quiz preview quiz1 ada01 --json")
    with (course / "answers.csv").open("w", newline="") as file:
        answers = csv.writer(file)
        answers.writerow(("question", "answer"))
        answers.writerows((each["number"], "1") for each in preview if each["kind"] in ("single", "truefalse"))
    said = [run(course, line) for line in lines]
    assert "attempt 1, until" in said[0] and "handed in with" in said[1] and "25 % more time" in said[2]
    assert "1 attempts; 1 new, 0 changed\n1 new marks" in said[3]
    assert "1 students" in said[4] and "items-quiz1.html" in said[4]
    assert "1 as before" in run(course, "quiz mark quiz1")


def test_a_corrected_key_is_listed_and_needs_a_reason(course: Path) -> None:
    started = run(course, "quiz start quiz1 ada01 --json")
    wrong = next(each for each in started["questions"] if each["kind"] == "numerical")
    answers = course / "answers.csv"
    answers.write_text(f"question,answer\n{wrong['number']},12345\n")
    run(course, f"quiz answer quiz1 ada01 {answers}")
    run(course, "quiz hand-in quiz1 ada01")
    assert run(course, "quiz mark quiz1 --json")["new"] == 1
    bank = next(path for path in (course / "quizzes").glob("*.md") if _asks(path, wrong["text"]))
    name = next(question.id for question in parse_bank(bank.read_text(), bank) if _like(question.text, wrong["text"]))
    quiz = course / "quizzes/quiz1.toml"
    quiz.write_text(f'{quiz.read_text()}\n[corrections]\n{name} = "full"\n')
    listed = run(course, "quiz mark quiz1 --json", status=1)
    (change,) = listed["changed"]
    assert not listed["written"] and (change["then"], change["now"], change["questions"]) == ("0", "1", [name])
    assert "nothing was written" in run(course, "quiz mark quiz1", status=1)
    assert "1 new marks" in run(course, "quiz mark quiz1 --reason 'its text was unclear'")


def _asks(path: Path, text: str) -> bool:
    return any(_like(question.text, text) for question in parse_bank(path.read_text(), path))


def _like(pattern: str, text: str) -> bool:
    parts = re.split(r"\{\{.*?\}\}", pattern)
    return re.fullmatch(".*?".join(map(re.escape, parts)), text, re.DOTALL) is not None


def test_a_check_of_the_reference_course_finds_nothing(course: Path) -> None:
    done = run(course, "quiz validate --json")
    assert done["findings"] == [] and done["questions"] >= 120 and done["variants"] > 400
    bank = course / "quizzes/tensors.md"
    bank.write_text(bank.read_text().replace("kind: single", "kind: singel", 1))
    assert "did you mean 'single'?" in run(course, "quiz validate --json", status=1)["findings"][0]["text"]
