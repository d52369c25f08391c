"""Adopting a course that nbgrader itself made: its quickstart, its gradebook, its release. Not one byte of it changes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from assessor.course import load_course
from assessor.database import open_database
from assessor.database.tables import Student
from assessor.errors import AssessorError
from assessor.workflow.adopt import adopt_course
from assessor.workflow.release import release
from assessor.workflow.roster import import_roster
from assessor.workflow.validate import validate
from tests.assessor.workflow.course_parts import contents, fingerprint, script

NOW = datetime(2027, 2, 1, tzinfo=UTC)
MAKE = """
import os, sys
from datetime import datetime
os.chdir(sys.argv[1])
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI, QuickStartApp
from traitlets.config import Config

app = QuickStartApp()
app.initialize(["dl101"])
app.start()
os.chdir("dl101")
with Gradebook("sqlite:///gradebook.db") as book:
    book.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@example.org")
    book.add_student("bob", first_name="Bob", last_name="O'Neil")
    book.add_assignment("ps1", duedate=datetime(2027, 3, 5, 16))
config = Config()
config.CourseDirectory.root = os.getcwd()
config.IncludeHeaderFooter.header = "source/header.ipynb"
done = NbGraderAPI(config=config).generate_assignment("ps1", force=True)
assert done["success"], done["log"] + str(done.get("error"))
"""
AUTOGRADE = """
import os, sys
os.chdir(sys.argv[1])
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

config = Config()
config.CourseDirectory.root = os.getcwd()
api = NbGraderAPI(config=config)
done = api.autograde("ps1", "ada")
assert done["success"], done["log"] + str(done.get("error"))
with api.gradebook as book:
    submission = book.find_submission("ps1", "ada")
    print(submission.score, submission.max_score)
"""


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nbgrader's quickstart lays out, two students, a deadline, and nbgrader's own release of it."""
    place = tmp_path_factory.mktemp("nbgrader")
    made = script(MAKE, place)
    assert made.returncode == 0, made.stderr[-3000:]
    return place / "dl101"


@pytest.fixture
def old(quickstart: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quickstart, tmp_path / "dl101"))


def test_the_quickstart_course_is_adopted_and_all_of_it_stays_as_it_was(old: Path) -> None:
    before = fingerprint(old)
    assert {"gradebook.db", "nbgrader_config.py", "source/ps1/problem1.ipynb", "release/ps1/problem1.ipynb"} <= before.keys()
    adopted = adopt_course(old)
    after = fingerprint(old)
    assert {name: after[name] for name in before} == before
    assert {old / name for name in after.keys() - before.keys()} == set(adopted.written)
    assert not [name for name in after if "-wal" in name or "-shm" in name or "-journal" in name]


def test_it_loads_with_its_points_deadline_and_items(old: Path) -> None:
    adopt_course(old)
    course = load_course(old)
    (ps1,) = course.assignments
    assert (course.code, ps1.name, ps1.notebooks) == ("dl101", "ps1", ("problem1.ipynb", "problem2.ipynb"))
    assert ps1.due == datetime(2027, 3, 5, 16, tzinfo=UTC) > ps1.released
    cells = [cell for name in ps1.notebooks for cell in nbformat.read(old / "source/ps1" / name, as_version=4).cells]
    points = sum(cell.metadata.nbgrader.get("points", 0) for cell in cells if "nbgrader" in cell.metadata)
    assert ps1.marks == points > ps1.hidden_marks > 0


def test_its_class_list_can_be_imported(old: Path) -> None:
    adopted = adopt_course(old)
    assert [student for student, *_ in adopted.students] == ["ada", "bob"]
    database = open_database(old, create=True)
    done = import_roster(database, old / "roster.csv", author="kim", now=NOW)
    assert done.added == 2
    with database.reading() as session:
        names = {row.id: (row.name, row.email) for row in session.query(Student)}
    database.close()
    assert names == {"ada": ("Ada Lovelace", "ada@example.org"), "bob": ("Bob O'Neil", "")}


def test_what_is_not_taken_over_is_said(old: Path) -> None:
    assert any("header" in line for line in adopt_course(old).skipped)


def test_it_is_valid_and_its_release_is_that_of_nbgrader_but_for_the_header(old: Path, tmp_path: Path) -> None:
    adopt_course(old)
    course = load_course(old)
    assert [finding.level for finding in validate(course)] == ["warning"]
    released = release(course, "ps1", into=tmp_path / "out")
    assert set(released.files) == {"jupyter.png", "problem1.ipynb", "problem2.ipynb"}
    header = len(nbformat.read(old / "source/header.ipynb", as_version=4).cells)
    for name in released.notebooks:
        ours = nbformat.read(released.folder / name, as_version=4)
        theirs = nbformat.read(old / "release/ps1" / name, as_version=4).cells[header:]
        assert [seen(cell) for cell in ours.cells] == [seen(cell) for cell in theirs]
    assert (released.folder / "jupyter.png").read_bytes() == (old / "source/ps1/jupyter.png").read_bytes()


def seen(cell: nbformat.NotebookNode) -> tuple[object, ...]:
    return cell.cell_type, cell.source, cell.metadata.get("nbgrader")


@pytest.mark.slow
def test_nbgrader_goes_on_with_the_course_and_grades_what_we_released(old: Path, tmp_path: Path) -> None:
    adopt_course(old)
    released = release(load_course(old), "ps1", into=tmp_path / "out")
    shutil.copytree(released.folder, old / "submitted/ada/ps1")
    notebook = old / "submitted/ada/ps1/problem1.ipynb"
    text = notebook.read_text()
    assert text.count("\\n    raise NotImplementedError()") == 2
    answers = iter(["if n < 1: raise ValueError\\n    return [i * i for i in range(1, n + 1)]", "return sum(squares(n))"])
    while "# YOUR CODE HERE\\n    raise NotImplementedError()" in text:
        text = text.replace("# YOUR CODE HERE\\n    raise NotImplementedError()", next(answers), 1)
    notebook.write_text(text)
    done = script(AUTOGRADE, old)
    assert done.returncode == 0, done.stderr[-3000:]
    score, out_of = map(float, done.stdout.split()[-2:])
    assert (score, out_of) == (3, 13)


def test_adopting_twice_is_refused_and_changes_nothing(old: Path) -> None:
    adopt_course(old)
    before = fingerprint(old)
    with pytest.raises(AssessorError, match="already"):
        adopt_course(old)
    assert fingerprint(old) == before


def test_a_gradebook_that_is_being_written_is_read_and_not_disturbed(old: Path) -> None:
    with closing(sqlite3.connect(old / "gradebook.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("INSERT INTO student (id, first_name, last_name) VALUES ('eve', 'Eve', 'Online')")
        writer.execute("BEGIN IMMEDIATE")
        adopted = adopt_course(old)
        writer.execute("ROLLBACK")
    assert [student for student, *_ in adopted.students] == ["ada", "bob", "eve"]


def test_a_class_list_that_is_there_is_kept(old: Path) -> None:
    (old / "roster.csv").write_text("id,name\nmine,Mine\n")
    adopted = adopt_course(old)
    assert (old / "roster.csv").read_text() == "id,name\nmine,Mine\n"
    assert any("roster.csv" in line for line in adopted.skipped)


@pytest.mark.parametrize("name", ['a "quoted" one', "Übung 1", "1st", "a.b", "x" * 90, "back\\slash", "new\nline"])
def test_assignments_of_any_name_are_adopted(tmp_path: Path, name: str) -> None:
    old = tmp_path / "old"
    (old / "source" / name).mkdir(parents=True)
    data = {"schema_version": 3, "grade_id": "t", "grade": True, "solution": False, "locked": True, "task": False, "points": 1}
    cell = new_code_cell("assert True", metadata={"nbgrader": data})
    nbformat.write(new_notebook(cells=[cell]), old / "source" / name / "a b.ipynb")
    adopted = adopt_course(old)
    (one,) = load_course(old).assignments
    assert one.source == (old / "source" / name).resolve() and one.title
    assert adopted.skipped == ()
    assert [finding for finding in validate(load_course(old)) if finding.level == "error"] == []


def test_a_configuration_is_read_and_never_run(old: Path, tmp_path: Path) -> None:
    evidence = tmp_path / "it ran"
    (old / "source").rename(old / "quellen")
    (old / "nbgrader_config.py").write_text(
        f"open({str(evidence)!r}, 'w')\nc = get_config()\nc.CourseDirectory.source_directory = 'quellen'\n"
        "c.CourseDirectory.course_id = 'Tiefes Lernen'\n"
    )
    adopt_course(old)
    assert load_course(old).code == "Tiefes_Lernen" and load_course(old).title == "Tiefes Lernen"
    assert not evidence.exists()


def test_a_disk_error_half_way_leaves_the_course_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = fingerprint(old), Path.open

    def failing(self: Path, mode: str = "r", *arguments: object, **more: object) -> object:
        if mode == "x" and self.name == "roster.csv":
            raise OSError(28, "No space left on device", str(self))
        return real(self, mode, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(OSError, match="No space"):
        adopt_course(old)
    assert fingerprint(old) == before
    assert contents(old).keys() == before.keys() and not (old / "assignments").exists()
