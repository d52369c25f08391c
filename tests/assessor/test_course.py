"""A course directory is read whole or refused with one line that says file, key, what was found and what is allowed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assessor.course import Course, load_course
from assessor.errors import CourseInvalid, UnknownName
from gpu_runner.execution import Limits

ROOT = Path(__file__).parents[2]
LONDON = ZoneInfo("Europe/London")

COURSE = """\
[course]
code = "TINY1"
title = "A tiny course"
time_zone = "Europe/London"
term_start = 2021-02-01
breaks = [{ after_week = 8, weeks = 4 }]

[marking]
pass_mark = 50

[marking.late]
per_day = 0.10

[components]
labs = 60
exam = 40

[[assignment]]
name = "lab"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 10 Monday 16:00"

[[assignment]]
name = "quiz"
component = "exam"
kind = "quiz"
marks = 30
released = "week 6 Tuesday 09:00"
due = "week 6 Wednesday 09:00"
"""
LAB = """\
title = "A lab"
notebooks = ["lab.ipynb"]
hidden_marks = 4

[limits]
cell_cpu_seconds = 20
memory_bytes = "4 GiB"
processes = 64

[[manual]]
name = "plot"
marks = 1.5
guide = "axes have names"

[[attachment]]
pattern = "*.pdf"
max_bytes = "5 MiB"
"""

Load = Callable[..., Course]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads the tiny course with changes: `load(("old", "new"), ...)`, `lab=[("old", "new")]`."""

    def do(*changes: tuple[str, str], lab: tuple[tuple[str, str], ...] = ()) -> Course:
        course_text, lab_text = COURSE, LAB
        for old, new in changes:
            assert old in course_text
            course_text = course_text.replace(old, new, 1)
        for old, new in lab:
            assert old in lab_text
            lab_text = lab_text.replace(old, new, 1)
        folder = tmp_path / "assignments" / "lab"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "course.toml").write_text(course_text)
        (folder / "assignment.toml").write_text(lab_text)
        (folder / "lab.ipynb").write_text("{}")
        return load_course(tmp_path)

    return do


def refused(load: Load, *changes: tuple[str, str], lab: tuple[tuple[str, str], ...] = ()) -> CourseInvalid:
    with pytest.raises(CourseInvalid) as caught:
        load(*changes, lab=lab)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_right_course_is_joined_from_both_files(load: Load, tmp_path: Path) -> None:
    course = load()
    lab = course.assignment("lab")
    assert (course.code, course.components) == ("TINY1", {"labs": Decimal(60), "exam": Decimal(40)})
    assert lab.items == {"automatic": Decimal(4), "plot": Decimal("1.5")}
    assert lab.marks == Decimal("5.5")
    assert lab.limits == Limits(cell_cpu_seconds=20.0, memory_bytes=4 * 2**30, processes=64)
    assert type(lab.limits.memory_bytes + 0) is int
    assert lab.attachment_for("essay.pdf").max_bytes == 5 * 2**20  # type: ignore[union-attr]
    assert lab.attachment_for("essay.exe") is None
    assert lab.grader == tmp_path / "graders" / "lab"
    assert course.assignment("quiz").items == {"total": Decimal(30)}
    assert [a.name for a in course.of_component("exam")] == ["quiz"]
    assert course.environment.python is None


def test_an_unknown_assignment_names_the_near_one(load: Load) -> None:
    with pytest.raises(UnknownName, match="did you mean quiz"):
        load().assignment("quizz")


@pytest.fixture
def reference_course(tmp_path: Path) -> Course:
    """The root's course.toml, with the smallest folders that it needs: its dates do not hang on the labs' texts."""
    text = (ROOT / "course.toml").read_text()
    (tmp_path / "course.toml").write_text(text)
    for entry in tomllib.loads(text)["assignment"]:
        if entry["kind"] == "notebook":
            folder = tmp_path / "assignments" / entry["name"]
            folder.mkdir(parents=True)
            (folder / "lab.ipynb").write_text("{}")
            (folder / "assignment.toml").write_text('title = "T"\nnotebooks = ["lab.ipynb"]\nhidden_marks = 5\n')
    return load_course(tmp_path)


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("lab1_pytorch", "released", datetime(2021, 2, 11, 9, 0, tzinfo=LONDON)),
        ("lab1_pytorch", "due", datetime(2021, 5, 3, 16, 0, tzinfo=LONDON)),
        ("lab2_autodiff", "due", datetime(2021, 5, 3, 16, 0, tzinfo=LONDON)),
        ("project", "due", datetime(2021, 5, 13, 16, 0, tzinfo=LONDON)),
        ("quiz1", "released", datetime(2021, 3, 9, 9, 0, tzinfo=LONDON)),
        ("quiz2", "released", datetime(2021, 5, 6, 9, 0, tzinfo=LONDON)),
    ],
)
def test_the_reference_course_has_the_dates_of_its_source_year(
    reference_course: Course, name: str, key: str, expected: datetime
) -> None:
    found = getattr(reference_course.assignment(name), key)
    assert found == expected.astimezone(UTC)
    assert found.tzinfo is UTC


def test_labs_are_due_in_summer_time(reference_course: Course) -> None:
    assert reference_course.assignment("lab1_pytorch").due == datetime(2021, 5, 3, 15, 0, tzinfo=UTC)


def test_the_reference_course_weighs_40_40_20(reference_course: Course) -> None:
    assert list(reference_course.components.items()) == [("labs", 40), ("project", 40), ("quizzes", 20)]


def test_next_years_course_is_one_changed_line(load: Load) -> None:
    moved = load(("term_start = 2021-02-01", "term_start = 2022-01-31"))
    assert moved.assignment("lab").due == datetime(2022, 5, 2, 15, 0, tzinfo=UTC)


def test_a_date_may_be_a_time_with_its_offset(load: Load) -> None:
    course = load(('"week 10 Monday 16:00"', "2021-05-03T16:00:00+01:00"))
    assert course.assignment("lab").due == datetime(2021, 5, 3, 15, 0, tzinfo=UTC)


def test_a_relative_interpreter_is_the_courses_own(load: Load, tmp_path: Path) -> None:
    course = load(("[components]", '[environment]\npython = "env/bin/python"\n\n[components]'))
    assert course.environment.python == tmp_path / "env/bin/python"


def test_an_adopted_assignment_finds_its_notebooks_elsewhere(load: Load, tmp_path: Path) -> None:
    source = tmp_path / "source" / "lab"
    source.mkdir(parents=True)
    (source / "elsewhere.ipynb").write_text("{}")
    course = load(
        lab=(('notebooks = ["lab.ipynb"]', 'notebooks = ["elsewhere.ipynb"]\nsource = "../../source/lab"'),)
    )
    assert course.assignment("lab").source == source


def test_an_imported_assignment_may_have_a_folder_of_its_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "assignments" / "quiz").mkdir(parents=True)
    assert load().assignment("quiz").source == tmp_path / "assignments" / "quiz"


FAULTS_OF_THE_COURSE = [
    # change, key, found, allowed
    (("pass_mark", "passmark"), "marking.passmark", "unknown key", "did you mean 'pass_mark'"),
    (("per_day", "weather"), "marking.late.weather", "unknown key", "one of unit, per_day, days, count, floor, cap"),
    (("due = ", "deu = "), "assignment[lab].deu", "unknown key deu", "did you mean 'due'"),
    (("after_week = 8", "after_weak = 8"), "course.breaks[1].after_weak", "unknown key", "did you mean 'after_week'"),
    (("labs = 60", "labs = 50"), "components", "50 + 40 = 90", "sum to 100"),
    (("labs = 60", "labs = -60"), "components.labs", "-60", "greater than 0"),
    (("labs = 60", "labs = nan"), "components.labs", "nan", "finite number"),
    (("labs = 60", 'labs = "60"'), "components.labs", "'60'", "a number"),
    (("labs = 60", "labs = true"), "components.labs", "True", "a number"),
    (("labs = 60", '"big labs" = 60'), "components.big labs", "big labs", "pattern"),
    (('component = "labs"', 'component = "lab"'), "assignment[lab].component", "'lab'", "one of labs, exam"),
    (('component = "labs"', 'component = "exam"'), "components.labs", "no assignment", "at least one"),
    (('name = "quiz"', 'name = "lab"'), "assignment[lab].name", "'lab'", "no other assignment has"),
    (('name = "lab"', 'name = "lap"'), "assignment[lap].name", "'lap'", "a folder of assignments/: lab"),
    (('name = "lab"', 'name = "../x"'), "assignment[../x].name", "../x", "pattern"),
    (('kind = "notebook"', 'kind = "essay"'), "assignment[lab].kind", "'essay'", "'notebook', 'quiz' or 'project'"),
    (('kind = "notebook"', 'kind = "notebook"\nmarks = 5'), "assignment[lab].marks", "'5'", "assignment.toml says it"),
    (("marks = 30\n", ""), "assignment[quiz].marks", "nothing", "out of"),
    (("marks = 30", "marks = -1"), "assignment[quiz].marks", "-1", "greater than 0"),
    (("marks = 30", "marks = 0.00001"), "assignment[quiz].marks", "1e-05", "4 decimal places"),
    (("pass_mark = 50", "pass_mark = 101"), "marking.pass_mark", "101", "less than or equal to 100"),
    (("per_day = 0.10", "per_day = 10"), "marking.late.per_day", "10", "unit = 'points'"),
    (("pass_mark = 50", 'pass_mark = 50\nrounding = "up"'), "marking.rounding", "up", "'half_up', 'half_even' or 'truncate'"),
    (("pass_mark = 50", "pass_mark = 50\nminima = { exams = 40 }"), "marking.minima.exams", "exams", "one of labs, exam"),
    (("pass_mark = 50", "pass_mark = 50\ncounting = { labs = {} }"), "marking.counting.labs", "{}", "best or drop_lowest"),
    (("pass_mark = 50", "pass_mark = 50\nboundaries = [50, 40]"), "marking.boundaries", "[50, 40]", "rise"),
    (("pass_mark = 50", "pass_mark = 50\ncodes = { X = 'y' }"), "marking.codes.X", "X", "'P', 'F'"),
    (("per_day = 0.10", "days = -5"), "marking.late.days", "-5", "greater than or equal to 0"),
    (("per_day = 0.10", "days = 1.5"), "marking.late.days", "1.5", "fractional part"),
    (("per_day = 0.10", "days = true"), "marking.late.days", "True", "a number"),
    (('"Europe/London"', '"Europe/Londinium"'), "course.time_zone", "'Europe/Londinium'", "such as 'Europe/London'"),
    (('"Europe/London"', '"../../etc/passwd"'), "course.time_zone", "passwd", "such as 'Europe/London'"),
    (('"Europe/London"', '"Europe"'), "course.time_zone", "'Europe'", "such as 'Europe/London'"),
    (("2021-02-01", "2021-02-02"), "course.term_start", "2021-02-02", "a Monday"),
    (("2021-02-01", '"February"'), "course.term_start", "'February'", "a date, such as"),
    (("2021-02-01", "2021-02-01T09:00:00Z"), "course.term_start", "09:00", "a date, such as"),
    (("2021-02-01", "9999-12-27"), "assignment[lab].due", "'week 10 Monday 16:00'", "'week 10 Monday 16:00'"),
    (('"week 10 Monday 16:00"', '"week 10 Mo 16:00"'), "assignment[lab].due", "'week 10 Mo 16:00'", "'week 10 Monday"),
    (('"week 10 Monday 16:00"', '"week 0 Monday 16:00"'), "assignment[lab].due", "week 0", "'week 10 Monday"),
    (('"week 10 Monday 16:00"', '"week 10 Monday 24:00"'), "assignment[lab].due", "24:00", "'week 10 Monday"),
    (('"week 10 Monday 16:00"', "2021-05-03T16:00:00"), "assignment[lab].due", "2021-05-03 16:00", "with its zone"),
    (('"week 10 Monday 16:00"', "2021-05-03"), "assignment[lab].due", "2021-05-03", "with its zone"),
    (('"week 10 Monday 16:00"', "10"), "assignment[lab].due", "10", "with its zone"),
    (('"week 10 Monday 16:00"', '"week 1 Monday 09:00"'), "assignment[lab].due", "week 1", "after released"),
    (('title = "A tiny course"\n', ""), "course.title", "nothing", "required"),
    (('title = "A tiny course"', "title = 5"), "course.title", "5", "a valid string"),
    (("weeks = 4", "weeks = 4.5"), "course.breaks[1].weeks", "4.5", "fractional part"),
    (("[components]", "[compo nents]"), "(TOML)", "line", "valid TOML"),
    (("labs = 60", "labs = 60\nlabs = 61"), "(TOML)", "line 16", "valid TOML"),
]


@pytest.mark.parametrize(("change", "key", "found", "allowed"), FAULTS_OF_THE_COURSE, ids=lambda part: str(part)[:40])
def test_a_fault_of_course_toml_is_one_line(
    load: Load, tmp_path: Path, change: tuple[str, str], key: str, found: str, allowed: str
) -> None:
    fault = refused(load, change)
    assert fault.file == tmp_path / "course.toml"
    assert fault.key == key
    assert found in repr(fault.found)
    assert allowed in fault.allowed


FAULTS_OF_THE_ASSIGNMENT = [
    (("hidden_marks = 4", "hidden_mark = 4"), "hidden_mark", "unknown key", "did you mean 'hidden_marks'"),
    (("hidden_marks = 4", "hidden_marks = -4"), "hidden_marks", "-4", "greater than or equal to 0"),
    (("marks = 1.5", "marks = 1.5\nhidden_marks = 3"), "manual[plot].hidden_marks", "unknown key", "top of the file"),
    (("marks = 1.5", "marks = 0"), "manual[plot].marks", "0", "greater than 0"),
    (('name = "plot"', 'name = "automatic"'), "manual[automatic].name", "automatic", "a name of its own"),
    (('[[attachment]]', '[[manual]]\nname = "plot"\nmarks = 1\n[[attachment]]'), "manual[plot].name", "plot", "own"),
    (('"lab.ipynb"', '"lap.ipynb"'), "notebooks", "lap.ipynb", "a notebook in lab/: lab.ipynb"),
    (('"lab.ipynb"', '"../lab.ipynb"'), "notebooks[1]", "../lab.ipynb", "pattern"),
    (('["lab.ipynb"]', '["lab.ipynb", "lab.ipynb"]'), "notebooks", "lab.ipynb", "each notebook once"),
    (('["lab.ipynb"]', "[]"), "notebooks", "[]", "at least 1"),
    (("memory_bytes", "memory_byte"), "limits.memory_byte", "unknown key", "did you mean 'memory_bytes'"),
    (("cell_cpu_seconds", "colour"), "limits.colour", "unknown key", "cell_cpu_seconds, cpu_seconds"),
    (('"4 GiB"', '"4 parsecs"'), "limits.memory_bytes", "4 parsecs", "such as '4 GiB'"),
    (('"4 GiB"', "-1"), "limits.memory_bytes", "-1", "such as '4 GiB'"),
    (('"4 GiB"', "0"), "limits.memory_bytes", "0", "greater than 0"),
    (('"4 GiB"', "inf"), "limits.memory_bytes", "inf", "such as '4 GiB'"),
    (('"4 GiB"', "true"), "limits.memory_bytes", "True", "such as '4 GiB'"),
    (("cell_cpu_seconds = 20", "cell_cpu_seconds = inf"), "limits.cell_cpu_seconds", "inf", "finite"),
    (("cell_cpu_seconds = 20", 'cell_cpu_seconds = "20"'), "limits.cell_cpu_seconds", "'20'", "a number"),
    (("processes = 64", "processes = 1.5"), "limits.processes", "1.5", "fractional part"),
    (("processes = 64", "processes = inf"), "limits.processes", "inf", "finite"),
    (('"5 MiB"', '"a lot"'), "attachment[1].max_bytes", "a lot", "such as '4 GiB'"),
    (('"*.pdf"', '"../*.pdf"'), "attachment[1].pattern", "../*.pdf", "pattern"),
]


@pytest.mark.parametrize(
    ("change", "key", "found", "allowed"), FAULTS_OF_THE_ASSIGNMENT, ids=lambda part: str(part)[:40]
)
def test_a_fault_of_assignment_toml_is_one_line(
    load: Load, tmp_path: Path, change: tuple[str, str], key: str, found: str, allowed: str
) -> None:
    fault = refused(load, lab=(change,))
    assert fault.file == tmp_path / "assignments" / "lab" / "assignment.toml"
    assert fault.key == key
    assert found in repr(fault.found)
    assert allowed in fault.allowed


def test_an_assignment_without_any_mark_is_refused(load: Load) -> None:
    fault = refused(load, lab=(("hidden_marks = 4", "hidden_marks = 0"), (LAB[LAB.index("[[manual]]") :], "")))
    assert fault.key == "hidden_marks"


def test_a_forgotten_folder_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / "assignments" / "lab9").mkdir(parents=True)
    assert "lab9" in str(refused(load))


def test_a_missing_course_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CourseInvalid, match="assessor init"):
        load_course(tmp_path)


def test_a_course_file_that_is_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "course.toml").mkdir()
    with pytest.raises(CourseInvalid, match="a file that can be read"):
        load_course(tmp_path)


def test_a_course_file_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_bytes(b"[course]\ntitle = \"Caf\xe9\"\n")
    with pytest.raises(CourseInvalid, match=r"byte 21.*UTF-8"):
        load_course(tmp_path)


def test_reading_a_course_imports_nothing_heavy() -> None:
    script = (
        "import sys, assessor.course\n"
        "print([m for m in ('torch', 'numpy', 'nbgrader', 'nbformat', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
