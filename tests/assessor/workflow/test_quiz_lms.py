# ruff: noqa: E501 - tables as other systems export them
"""Results as Moodle, Blackboard and Canvas export them, and question banks through the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from assessor.cli import assessor
from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import Mark, Student
from assessor.errors import AssessorError, CourseInvalid, ImportRefused
from assessor.quizzes.bank import read_bank
from assessor.workflow.quiz_banks import export_bank, import_bank
from assessor.workflow.quiz_import import FromLms, import_lms
from tests.assessor.workflow.conftest import NOW

MOODLE = """Surname,First name,ID number,Email address,State,Started on,Completed,Time taken,Grade/10.00,Q. 1 /5.00,Q. 2 /5.00
Lovelace,Ada,ada,a@x.org,Finished,8 March 2027 3:04 PM,8 March 2027 3:40 PM,36 mins,7.50,5.00,2.50
Lovelace,Ada,ada,a@x.org,Finished,9 March 2027 3:04 PM,9 March 2027 3:40 PM,36 mins,9.00,5.00,4.00
Brown,Bob,,BOB@x.org,Finished,8 March 2027 3:04 PM,8 March 2027 3:40 PM,36 mins,-,-,-
Staff,Test,,staff@x.org,Finished,8 March 2027 3:04 PM,8 March 2027 3:40 PM,36 mins,10.00,5.00,5.00
Evans,Eve,eve,e@x.org,In progress,8 March 2027 3:04 PM,-,-,-,-,-
Overall average,,,,,,,,8.83,5.00,3.83
"""
CANVAS = """name,id,sis_id,root_account,section,section_id,section_sis_id,submitted,attempt,"111: What, really?",1.0,"112: And, why?",3.0,n correct,n incorrect,score
Ada,901,ada,x,S,1,,2027-03-08 15:40:00 UTC,1,yes,1.0,"left=>right,a\\,b",2.0,1,1,3.0
Bob,902,bob,x,S,1,,2027-03-08 15:41:00 UTC,1,no,0.0,,0.0,0,2,0.0
Guest,999,,x,S,1,,2027-03-08 15:41:00 UTC,1,no,0.0,,0.0,0,2,0.0
"""
BLACKBOARD = "\t".join(
    ["Last Name", "First Name", "Username", "Student ID", "Availability", "Quiz 1 [Total Pts: 20 Score] |_12_1", "Other [Total Pts: 5 Text] |_13_1"]
) + "\n" + "\n".join(
    ["Lovelace\tAda\tada\t1\tYes\t15.5\tgood", "Brown\tBob\tbob\t2\tYes\tNeeds Grading\t", "Staff\tTest\ttest\t3\tYes\t20\t", "Evans\tEve\teve\t4\tYes\t\t"]
) + "\n"  # fmt: skip


@pytest.fixture
def course(small: Course, database: Database) -> Course:
    """Its quiz is out of 30; every student has an address."""
    with database.transaction() as session:
        for student in session.scalars(select(Student)):
            student.email = f"{student.id}@x.org"
    return small


def bring(course: Course, database: Database, text: str | bytes, system: str, **more: str) -> FromLms:
    file = course.root / f"{system}.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_lms(course, database, "quiz1", file, system, author="lecturer", now=NOW, **more)  # type: ignore[arg-type]


def marks(database: Database) -> dict[str, Decimal]:
    with database.reading() as session:
        return {mark.student_id: mark.points for mark in session.scalars(select(Mark).order_by(Mark.id))}


def test_moodle_several_attempts_strays_averages_and_what_is_not_finished(course: Course, database: Database) -> None:
    found = bring(course, database, MOODLE, "moodle")
    assert marks(database) == {"ada": Decimal(27)}, "the last attempt counts in this course"
    assert [(one.row, one.who, one.why) for one in found.strays] == [
        (4, "bob", "no grade yet (-)"), (5, "Test Staff", "nobody of the class list"), (6, "eve", "the attempt is In progress: no mark"),
    ]  # fmt: skip
    assert found.without == ("bob", "eve")
    assert bring(course, database, MOODLE, "moodle").marks.unchanged == 1


@pytest.mark.parametrize(("counts", "expected"), [("first", "22.5"), ("best", "27"), ("last", "27")])
def test_the_quizs_own_policy_says_which_attempt_counts(course: Course, database: Database, counts: str, expected: str) -> None:
    (course.root / "quizzes/sums.md").write_text("## one\nkind: truefalse\n\nSo?\n\n- (x) True\n- ( ) False\n")
    text = f'title = "Sums"\n[policy]\ncounts = "{counts}"\n[blueprint]\nsums = {{ medium = 1 }}\n'
    (course.root / "quizzes/quiz1.toml").write_text(text)
    bring(course, database, MOODLE, "moodle")
    assert marks(database)["ada"] == Decimal(expected)


def test_a_decimal_comma_counts_where_the_header_has_one(course: Course, database: Database) -> None:
    text = "Surname;First name;Email address;State;Grade/10,00\nLovelace;Ada;ada@x.org;Finished;7,50\n"
    bring(course, database, text, "moodle")
    assert marks(database) == {"ada": Decimal("22.5")}
    with pytest.raises(ImportRefused) as refused:
        bring(course, database, text.replace("10,00", "10.00"), "moodle")
    assert (refused.value.row, refused.value.column) == (2, "Grade/10.00")


def test_canvas_points_stand_in_its_header(course: Course, database: Database) -> None:
    found = bring(course, database, CANVAS, "canvas")
    assert marks(database) == {"ada": Decimal("22.5"), "bob": Decimal(0)}
    assert [one.who for one in found.strays] == ["Guest"] and found.without == ("eve",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_blackboard_is_often_utf_16_and_needs_grading(course: Course, database: Database, encoding: str) -> None:
    found = bring(course, database, BLACKBOARD.encode(encoding), "blackboard", column="Quiz 1")
    assert marks(database) == {"ada": Decimal("23.25")}
    assert [(one.who, one.why) for one in found.strays] == [
        ("bob", "no score yet (Needs Grading)"), ("Test Staff", "nobody of the class list"), ("eve", "no score"),
    ]  # fmt: skip


def test_percentages_are_told_by_the_header(course: Course, database: Database) -> None:
    text = "Username,Quiz 1 [Total Pts: 20 Percentage] |_1\nada,50%\n"
    bring(course, database, text, "blackboard")
    assert marks(database) == {"ada": Decimal(15)}


@pytest.mark.parametrize(
    ("system", "text", "row", "column"),
    [
        ("moodle", "Surname,Email address,Grade/10.00\nA,ada@x.org,11\n", 2, "Grade/10.00"),
        ("moodle", "Surname,Email address,Grade/10.00\nA,ada@x.org,NaN\n", 2, "Grade/10.00"),
        ("moodle", "Surname,Email address\nA,ada@x.org\n", 1, "Grade/..."),
        ("moodle", "Surname,Grade/10.00\nA,5\n", 1, "Email address"),
        ("moodle", "Email address,Started on,Grade/10.00\nada@x.org,gestern,5\nada@x.org,heute,6\n", 3, "started on"),
        ("canvas", CANVAS.replace("name,id", "n,i"), 1, "name"),
        ("canvas", CANVAS.replace(",1,1,3.0\n", ",1,1,5.0\n"), 2, "score"),
        ("blackboard", BLACKBOARD, 1, "[Total Pts: ...]"),
        ("blackboard", "Username,Q [Total Pts: 20 Score] |_1\nada,50%\n", 2, "Q [Total Pts: 20 Score] |_1"),
        ("blackboard", "Username,Q [Total Pts: 20 Score] |_1\nada,5\nada,6\n", 3, "Username"),
        ("blackboard", "Username,Q [Total Pts: 20 Letter] |_1\nada,A\n", 1, "Q [Total Pts: 20 Letter] |_1"),
    ],
    ids=[
        "more than there is", "nan", "no grade", "nobody", "no order", "anonymous", "over the points", "two columns", "percent of points",
        "twice", "letters",
    ],
)  # fmt: skip
def test_what_could_be_two_things_is_refused_and_nothing_is_imported(
    course: Course, database: Database, system: str, text: str, row: int, column: str
) -> None:
    with pytest.raises(ImportRefused) as refused:
        bring(course, database, text, system)
    assert (refused.value.row, refused.value.column) == (row, column)
    assert marks(database) == {}


def run(course: Course, *words: object) -> Result:
    return CliRunner().invoke(assessor, ["-C", str(course.root), "quiz", *map(str, words)], env={"COLUMNS": "200"})


def test_the_command_line_imports_and_lists_strays(course: Course, database: Database) -> None:
    file = course.root / "export.csv"
    file.write_text(MOODLE)
    shown = run(course, "import", "quiz1", file, "--from", "moodle")
    assert shown.exit_code == 0, shown.output
    assert "Test Staff" in shown.output and "no mark from it: 2 of the class list (bob, eve)" in shown.output
    assert json.loads(run(course, "import", "quiz1", file, "--from", "moodle", "--json").output)["marks"]["unchanged"] == 1


GIFT = "$CATEGORY: Deep learning\n\n::Loss:: Which? {=right ~wrong}\n\n::Tell:: All. {}\n"


def test_a_bank_comes_in_and_goes_out(course: Course) -> None:
    file = course.root / "bank.gift"
    file.write_text(GIFT)
    shown = run(course, "import-bank", file)
    assert shown.exit_code == 0, shown.output
    assert "an essay" in shown.output and "1 questions" in shown.output
    [question] = read_bank(course.root / "quizzes/deep-learning.md")
    assert (question.id, question.answers[0].text) == ("loss", "right")
    for form, ending in (("gift", ".gift"), ("moodle", ".xml"), ("qti", ".zip")):
        done = json.loads(run(course, "export-bank", "deep-learning", "--to", form, "--json").output)
        [path] = done["paths"]
        assert path.endswith(f"deep-learning-{form}{ending}") and Path(path).stat().st_size > 50
        back = import_bank(course, Path(path), topic=f"back-{form}")
        assert back.questions == 1 and any("another question of the course has it" in note.done for note in back.notes)


def test_a_bank_that_is_there_is_never_touched(course: Course) -> None:
    file, there = course.root / "bank.gift", course.root / "quizzes/deep-learning.md"
    file.write_text(GIFT)
    there.write_text("## mine\nkind: truefalse\n\nSo?\n\n- (x) True\n- ( ) False\n")
    before = there.read_bytes()
    with pytest.raises(AssessorError, match="is there already"):
        import_bank(course, file)
    assert there.read_bytes() == before and import_bank(course, file, topic="other").questions == 1


def test_what_is_no_bank_is_refused_in_one_line(course: Course) -> None:
    file = course.root / "bank.dat"
    file.write_text("anything")
    with pytest.raises(AssessorError, match="say --from"):
        import_bank(course, file)
    with pytest.raises(CourseInvalid):
        import_bank(course, file, form="moodle")
    with pytest.raises(AssessorError, match="unknown question bank"):
        export_bank(course, ["nothing"], "gift")
    assert run(course, "import-bank", course.root / "absent").exit_code == 1
