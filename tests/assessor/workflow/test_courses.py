"""Making and checking courses: init, adopt, validate, doctor, status."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from assessor.course import Course, load_course
from assessor.database import Database
from assessor.database.queue import enqueue, queued, to_review
from assessor.database.tables import Submission
from assessor.errors import AssessorError, UnknownName
from assessor.workflow import doctor as doctoring
from assessor.workflow.adopt import adopt_course
from assessor.workflow.doctor import clock, disk, doctor
from assessor.workflow.init import init_course
from assessor.workflow.mark import add_mark
from assessor.workflow.release import release
from assessor.workflow.status import status
from assessor.workflow.validate import Finding, validate
from tests.assessor.workflow.conftest import NOW, TESTS

ROOT = Path(__file__).parents[3]


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}


# init


def test_a_new_course_is_the_reference_course_and_whole(tmp_path: Path) -> None:
    init_course(tmp_path / "mine")
    course = load_course(tmp_path / "mine")
    assert course.code == "COMP6258"
    assert validate(course) == ()
    assert not list((tmp_path / "mine").rglob("__pycache__"))


def test_the_reference_course_itself_is_valid() -> None:
    assert [finding for finding in validate(load_course(ROOT)) if finding.level == "error"] == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(AssessorError, match="mine"):
        init_course(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space"):
        init_course(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


# adopt

MAKE = """
import sys
from datetime import datetime
from nbgrader.api import Gradebook
with Gradebook(f"sqlite:///{sys.argv[1]}/gradebook.db") as book:
    book.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@example.org")
    book.add_student("b o b", first_name="Bob")
    book.add_assignment("ps1", duedate=datetime(2025, 3, 3, 16))
"""


def cell(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    data = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, metadata={"nbgrader": {**data, **flags}})


@pytest.fixture(scope="module")
def nbgrader_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course directory as nbgrader keeps it, with a gradebook that nbgrader itself made."""
    root = tmp_path_factory.mktemp("old") / "dl101"
    for name in ("ps1", "problem set 2", "notes"):
        (root / "source" / name).mkdir(parents=True)
    answer = "def f(x):\n    ### BEGIN SOLUTION\n    return x + 1 - 0\n    ### END SOLUTION"
    test = "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(-5) == -4\n### END HIDDEN TESTS"
    graded = [cell("f", answer, solution=True), cell("t", test, grade=True, locked=True, points=3)]
    essay = cell("why", "because", grade=True, solution=True, points=2)
    nbformat.write(new_notebook(cells=[*graded, essay]), root / "source/ps1/part a.ipynb")
    nbformat.write(new_notebook(cells=graded), root / "source/problem set 2/two.ipynb")
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), root / "source/notes/plain.ipynb")
    (root / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.course_id = "dl101"\nraise SystemExit\n')
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nbgrader runs `alembic`
    command = [sys.executable, "-W", "ignore", "-c", MAKE, str(root)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})
    return root


@pytest.fixture
def old(nbgrader_course: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nbgrader_course, tmp_path / "dl101"))


def test_an_old_course_is_adopted_and_not_one_byte_of_it_changes(old: Path) -> None:
    before = fingerprint(old)
    adopted = adopt_course(old)
    after = fingerprint(old)
    assert {name: after[name] for name in before} == before
    assert {old / name for name in after.keys() - before.keys()} == set(adopted.written)
    course = load_course(old)
    assert course.code == "dl101"
    assert [one.name for one in course.assignments] == ["problem_set_2", "ps1"]
    ps1 = course.assignment("ps1")
    assert (ps1.hidden_marks, [item.marks for item in ps1.manual]) == (3, [2])
    assert ps1.due == datetime(2025, 3, 3, 16, tzinfo=UTC)


def test_its_students_come_along_and_what_does_not_is_said(old: Path) -> None:
    adopted = adopt_course(old)
    assert adopted.students == (("ada", "Ada Lovelace", "ada@example.org"),)
    assert "ada,Ada Lovelace,ada@example.org" in (old / "roster.csv").read_text()
    assert any("b o b" in line for line in adopted.skipped)
    assert any("notes" in line for line in adopted.skipped)


def test_an_adopted_course_is_valid_and_can_be_released(old: Path, tmp_path: Path) -> None:
    adopt_course(old)
    course = load_course(old)
    assert [finding for finding in validate(course) if finding.level == "error"] == []
    released = release(course, "ps1", into=tmp_path / "out")
    text = (released.folder / released.notebooks[0]).read_text()
    assert "f(-5)" not in text and "NotImplementedError" in text


@pytest.mark.parametrize("damage", ["no source", "no graded cell", "course there", "gradebook is no database"])
def test_what_cannot_be_adopted_stays_as_it_was(old: Path, damage: str) -> None:
    if damage == "no source":
        shutil.rmtree(old / "source")
    elif damage == "no graded cell":
        shutil.rmtree(old / "source/ps1")
        shutil.rmtree(old / "source/problem set 2")
    elif damage == "course there":
        (old / "course.toml").write_text("x")
    else:
        (old / "gradebook.db").write_text("no database at all, but long enough to be one" * 100)
    before = fingerprint(old)
    with pytest.raises(AssessorError) as fault:
        adopt_course(old)
    assert "\n" not in str(fault.value)
    assert fingerprint(old) == before


def test_an_adoption_that_fails_half_way_is_undone(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(old)

    def broken(root: Path) -> None:
        raise AssessorError("not valid after all")

    monkeypatch.setattr("assessor.workflow.adopt.load_course", broken)
    with pytest.raises(AssessorError, match="after all"):
        adopt_course(old)
    assert fingerprint(old) == before and not (old / "assignments").exists()


# validate


def findings(course: Course) -> list[Finding]:
    return list(validate(load_course(course.root)))


def test_a_good_course_has_nothing_to_mend(small: Course) -> None:
    assert findings(small) == []
    with pytest.raises(UnknownName):
        validate(small, ["powrs"])


@pytest.mark.parametrize(
    ("tests", "place", "words"),
    [
        (TESTS.replace("marks(2)", "marks(1)"), "hidden_marks", "hidden tests are worth 1, assignment.toml says 2"),
        (TESTS.replace("marks(2)", "mark(2)"), "test_square", "unknown marker 'mark'"),
        (TESTS.replace("marks(2)", 'marks("two")'), "test_square", "marks() takes one number"),
        (TESTS.replace('    """`square` should square."""\n', ""), "test_square", "no docstring"),
        (TESTS + TESTS, "test_square", "defined 2 times"),
        (TESTS.replace("@pytest", '@pytest.mark.depends("test_cube")\n@pytest'), "test_square", "is no test"),
        (TESTS.replace("def test_square(student)", "def test_square(student"), "line", "not Python"),
        (TESTS.replace("def test", "async def test"), "test_square", "async"),
    ],
)
def test_every_planted_fault_of_a_hidden_test_is_found_with_its_place(
    small: Course, tests: str, place: str, words: str
) -> None:
    (small.assignment("powers").grader / "test_powers.py").write_text(tests)
    found = findings(small)
    assert any(place in one.place and words in one.text and one.level == "error" for one in found), found


def test_a_missing_reference_is_found(small: Course) -> None:
    (small.assignment("powers").grader / "reference.py").unlink()
    assert ("reference.py", "there is no reference model") in [(one.place, one.text) for one in findings(small)]


@pytest.mark.parametrize(
    ("source", "flags", "words"),
    [
        ("def f(): pass", {"solution": True, "grade_id": "square"}, "there twice"),
        ("### BEGIN SOLUTION\n1", {"solution": True, "grade_id": "g"}, "never closed"),
        ("1\n### END SOLUTION", {"solution": True, "grade_id": "g"}, "without its other half"),
        ("### BEGIN SOLUTION\n1\n### END SOLUTION", {"locked": True, "grade_id": "g"}, "not marked as an answer cell"),
        ("1", {"grade": True, "grade_id": "g"}, "nbgrader metadata"),
    ],
)
def test_every_planted_fault_of_a_notebook_is_found_with_its_place(
    small: Course, source: str, flags: dict[str, object], words: str
) -> None:
    path = small.assignment("powers").source / "powers.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(cell("x", source, **flags))
    nbformat.write(notebook, path)
    found = findings(small)
    assert any(words in one.text and one.file == "powers/powers.ipynb" for one in found), found


def test_a_notebook_of_another_language_or_none_is_found(small: Course) -> None:
    path = small.assignment("powers").source / "powers.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(notebook, path)
    assert any("only python" in one.text for one in findings(small))
    path.write_text("{")
    assert any(one.level == "error" and one.file == "powers/powers.ipynb" for one in findings(small))


# doctor


def test_doctor_names_a_remedy_for_all_that_is_not_well(small: Course, database: Database) -> None:
    found = list(doctor(small.root))
    assert {"python", "gpu", "disk", "clock", "course", "database"} <= {one.subject for one in found}
    assert all(one.remedy for one in found if not one.ok)
    assert all("\n" not in one.found for one in found)


def test_doctor_sees_open_secrets_and_a_broken_course(small: Course) -> None:
    (small.root / ".assessor").mkdir(mode=0o755)
    (small.root / ".assessor").chmod(0o755)
    assert [one.subject for one in doctor(small.root) if not one.ok and one.subject == "secrets"] == ["secrets"]
    (small.root / "course.toml").write_text("[course\n")
    assert [one.subject for one in doctor(small.root) if not one.ok and one.subject == "course"] == ["course"]


def test_a_small_disk_and_a_clock_that_was_set_back_are_seen(small: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctoring, "DISK_FREE_BYTES", 2**60)
    assert not disk(small.root).ok
    later = (datetime.now(UTC) + timedelta(hours=2)).timestamp()
    os.utime(small.root / "course.toml", (later, later))
    assert "behind the newest file" in clock(small.root).found


def test_a_database_that_is_none_is_said(small: Course, database: Database) -> None:
    database.close()
    (small.root / "assessor.db").write_text("no database " * 1000)
    for name in ("assessor.db-wal", "assessor.db-shm"):
        (small.root / name).unlink(missing_ok=True)
    assert [one.subject for one in doctor(small.root) if not one.ok and one.subject == "database"] == ["database"]
    with closing(sqlite3.connect(small.root / "assessor.db")) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("SELECT 1 FROM student")


# status


@pytest.fixture
def submitted(database: Database) -> Callable[[str, int], int]:
    def add(student: str, attempt: int) -> int:
        with database.transaction() as session:
            row = Submission(
                student_id=student, assignment="powers", attempt=attempt, path=f"p/{student}/{attempt}", submitted_at=NOW,
                collected_at=NOW, sha256="0" * 64, origin="inbox", note="",
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    return add


def test_status_counts_students_attempts_jobs_and_what_people_must_do(
    small: Course, database: Database, submitted: Callable[[str, int], int]
) -> None:
    submitted("ada", 1)
    second, bob = submitted("ada", 2), submitted("bob", 1)
    enqueue(database, [second, bob], "0" * 64, NOW)
    (job,) = [job for job in queued(database, ["powers"]) if job.submission_id == bob]
    to_review(database, job.id, "the reference is broken")
    add_mark(small, database, "ada", "powers", "argument", "2", author="kim", reason="r", now=NOW)
    report = status(small, database)
    row = next(one for one in report.rows if one.assignment == "powers")
    assert (row.students, row.submitted, row.queued, row.review, row.marked, row.unmarked) == (3, 2, 1, 1, 0, 1)
    assert [one.cells for one in report.reviews] == [("bob", "powers", 1, "the reference is broken")]
    quiz = next(one for one in report.rows if one.assignment == "quiz1")
    assert (quiz.marked, quiz.unmarked) == (0, 3)
