"""The command line as a person meets it: help, usage errors, one line for each fault, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assessor.cli import assessor
from tests.assessor.cli.test_wrong_tables import walked

ASSESSOR = Path(sys.executable).with_name("assessor")
ROOT = Path(__file__).parents[3]


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ASSESSOR, *words], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("course") / "mine"
    done = run("init", target)
    assert done.returncode == 0, done.stderr
    return target


def test_help_names_every_verb() -> None:
    text = run("--help").stdout
    verbs = (
        "init adopt validate release roster status submit receipt collect autograde quiz project mark extend marksheet "
        "feedback doctor demo"
    ).split()
    assert [verb for verb in verbs if f"\n  {verb} " not in text] == []


def test_help_and_usage_errors_import_nothing_heavy() -> None:
    """What makes them quick; the time itself is measured in benchmarks/cli_start.py."""
    program = (
        "import sys; sys.argv = ['assessor', *sys.argv[1:]]\n"
        "from assessor.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'nbgrader', 'nbconvert', 'nbformat', 'sqlalchemy', 'pydantic', 'numpy', 'rich', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    for words in (["--help"], ["autograde", "--help"], ["autograde", "--nonsense"], ["nonsense"]):
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1] == "[]", words


def test_a_misspelt_command_names_the_near_one() -> None:
    done = run("autogrde")
    assert done.returncode == 2 and "Did you mean 'autograde'?" in done.stderr


def test_no_course_is_one_clear_line(tmp_path: Path) -> None:
    done = run("status", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "course.toml" in done.stderr


def test_a_wrong_key_is_one_clear_line(course: Path, tmp_path: Path) -> None:
    for path in course.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(course)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    settings = tmp_path / "course.toml"
    settings.write_text(settings.read_text().replace("labs = 40", "labs = 41"))
    done = run("-C", tmp_path, "validate")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "course.toml" in done.stderr and "components" in done.stderr and "100" in done.stderr


def test_a_new_course_is_valid_and_can_be_released(course: Path) -> None:
    assert run("-C", course, "validate").stdout.strip() == "all good"
    done = run("-C", course, "release", "lab1_pytorch")
    assert done.returncode == 0, done.stderr
    assert (course / "release/lab1_pytorch.zip").is_file()


def test_a_day_of_a_course(course: Path, tmp_path: Path) -> None:
    """Roster, hand-in, receipt, collect, marks, sheet, feedback and status, each by its command."""
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,email\nada,Ada Osei,ada@example.org\nben,=1+1,ben@example.org\n")
    assert "2 new" in run("-C", course, "roster", roster).stdout
    notebook = tmp_path / "lab1_pytorch (1).ipynb"
    notebook.write_bytes((ROOT / "assignments/lab1_pytorch/lab1_pytorch.ipynb").read_bytes())
    handed_in = run("-C", course, "submit", "lab1_pytorch", notebook, "--student", "ada", cwd=tmp_path)
    assert handed_in.returncode == 0 and "attempt 1" in handed_in.stdout, handed_in.stderr
    receipt = tmp_path / "receipt-lab1_pytorch-1.json"
    assert run("-C", course, "receipt", "verify", receipt).stdout.startswith("valid: ada")
    receipt.write_text(receipt.read_text().replace('"ada"', '"ben"'))
    forged = run("-C", course, "receipt", "verify", receipt)
    assert forged.returncode == 1 and "not a valid receipt" in forged.stderr
    collected = json.loads(run("-C", course, "collect", "lab1_pytorch", "--json").stdout)
    assert [(row["student"], row["status"]) for row in collected["rows"]] == [("ada", "new")]
    given = ("mark", "ada", "lab1_pytorch", "0.5", "--item", "argument", "--reason", "no spread")
    assert "0.5 of 1" in run("-C", course, *given).stdout
    quiz = tmp_path / "quiz.csv"
    quiz.write_text("student,score\nada,31\nben,12\n")
    refused = run("-C", course, "quiz", "import", "quiz1", quiz)
    assert refused.returncode == 1 and "row 2" in refused.stderr and "'score'" in refused.stderr
    quiz.write_text("student,score\nada,21.5\nben,12\n")
    assert "2 new" in run("-C", course, "quiz", "import", "quiz1", quiz).stdout
    assert "extended" in run("-C", course, "extend", "ada", "lab1_pytorch", "+3 days", "--reason", "illness").stdout
    sheets = run("-C", course, "marksheet").stdout.splitlines()[:-1]
    assert sorted(Path(sheet).suffix for sheet in sheets) == [".csv", ".html", ".xlsx"]
    assert run("-C", course, "feedback").returncode == 0
    state = json.loads(run("-C", course, "status", "--json").stdout)
    lab1 = next(row for row in state["rows"] if row["assignment"] == "lab1_pytorch")
    assert (lab1["students"], lab1["submitted"], lab1["queued"], lab1["marked"]) == (2, 1, 1, 0)


def test_doctor_says_what_this_machine_can_do(course: Path) -> None:
    done = run("-C", course, "doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert findings["course"]["ok"] and findings["sandbox: bubblewrap"]["ok"]
    assert done.returncode == (0 if all(finding["ok"] for finding in findings.values()) else 1)
    assert all(finding["remedy"] for finding in findings.values() if not finding["ok"])


def test_the_demo_never_replaces_what_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = run("demo", "--dir", tmp_path)
    assert done.returncode == 1 and "no demo made" in done.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_every_command_speaks_to_machines_too():
    """All but those that lay out a folder, print a form or prove a receipt."""
    silent = {"init", "adopt", "project form", "receipt verify"}
    without = {" ".join(words) for words, command in walked(assessor) if "as_json" not in {each.name for each in command.params}}
    assert without == silent
