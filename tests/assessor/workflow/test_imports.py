"""Class lists, marks by hand, extensions, quiz and project results: all of a table or nothing, every fault with its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.csvfile import read_csv
from assessor.database import Database, open_database
from assessor.database.tables import Event, Extension, Mark, Student
from assessor.errors import AssessorError, DatabaseUnavailable, ImportRefused, UnknownName
from assessor.workflow.decide import By, defer
from assessor.workflow.extend import add_extension, import_extensions
from assessor.workflow.mark import add_mark
from assessor.workflow.marks_import import import_marks
from assessor.workflow.project_import import import_project
from assessor.workflow.quiz_import import import_quiz
from assessor.workflow.roster import import_roster
from tests.assessor.workflow.conftest import NOW

Table = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(text: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def marks(database: Database) -> list[tuple[str, str, Decimal, bool]]:
    with database.reading() as session:
        return [(m.student_id, m.item, m.points, m.not_submitted) for m in session.scalars(select(Mark).order_by(Mark.id))]


def names(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {student.id: student.name for student in session.scalars(select(Student))}


def verbs(database: Database) -> list[str]:
    with database.reading() as session:
        return [event.verb for event in session.scalars(select(Event).order_by(Event.id))]


# Tables


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"", "", "no rows"),
        (b"id,name\n", "", "no rows"),
        (b"id,nom\nada,Ada\n", "row 1, column 'name'", "the columns id, name"),
        (b"id,name,id\nada,Ada,ada\n", "row 1, column 'id'", "each column once"),
        (b"id,name\nada\n", "row 2", "1 values"),
        (b"id,name\nada,Ada,x\n", "row 2", "3 values"),
        (b'id,name\nada,"Ada\n', "row 2", "well-formed CSV"),
        ("id,name\nada,Zoë\n".encode("cp1252"), "row 2", "cp1252"),
        (b"id,name\nada,A\0da\n", "row 2", "NUL"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_place(table: Table, data: bytes, place: str, words: str) -> None:
    with pytest.raises(ImportRefused) as fault:
        read_csv(table(data), ["id", "name"])
    assert place in str(fault.value) and words in str(fault.value)
    assert "nothing was imported" in str(fault.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(table: Table, encoding: str, delimiter: str) -> None:
    text = f"ID{delimiter}Name\r\nada{delimiter}Zoë 李\r\n\r\nbob{delimiter}\"B; o,b\tx\"\r\n"
    rows = read_csv(table(text.encode(encoding)), ["id", "name"])
    assert [(row.number, row.text("id"), row.text("name")) for row in rows] == [(2, "ada", "Zoë 李"), (4, "bob", "B; o,b\tx")]


@pytest.mark.parametrize(
    "text", ["101", "-1", "NaN", "Infinity", "1e1", "１２", "1_0", "0x1", "", " ", "7,5", "1.", ".5", "1.1234567890123", "=1+1"]
)
def test_only_a_plain_number_in_range_is_a_mark(small: Course, database: Database, table: Table, text: str) -> None:
    with pytest.raises(ImportRefused) as fault:
        import_quiz(small, database, "quiz1", table(f'student,score\nada,10\nbob,"{text}"\n'), author="x", now=NOW)
    assert (fault.value.row, fault.value.column) == (3, "score")
    assert marks(database) == []


# Class list


def test_a_class_list_is_added_and_corrected_and_nobody_is_taken_off(database: Database, table: Table) -> None:
    first = import_roster(database, table("id,name,email\nzoe,Zoë,z@x\nada,Ada Lovelace,\n"), author="office", now=NOW)
    assert (first.added, first.updated, first.unchanged) == (1, 1, 0)
    again = import_roster(database, table("id,name,email\nzoe,Zoë,z@x\n"), author="office", now=NOW)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 1)
    assert names(database) == {"ada": "Ada Lovelace", "bob": "Bob", "eve": "Eve", "zoe": "Zoë"}
    assert verbs(database) == ["roster"]


def test_marking_ids_may_be_given_and_are_otherwise_drawn(database: Database, table: Table) -> None:
    import_roster(database, table("id,name,marking_id\nzoe,Zoë,K7\nyan,Yan,\n"), author="office", now=NOW)
    with database.reading() as session:
        ids = {student.id: student.marking_id for student in session.scalars(select(Student))}
    assert ids["zoe"] == "K7" and len(ids["yan"]) == 6
    with pytest.raises(ImportRefused, match="no other student has"):
        import_roster(database, table("id,name,marking_id\nada,Ada,K7\n"), author="office", now=NOW)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("id,name\nzoe,Zoë\nzoe,Zoe\n", "id"),
        ("id,name\nzoe,Zoë\n../x,X\n", "id"),
        ("id,name\nzoe,Zoë\nyan,\n", "name"),
        ("id,name\nzoe,Zoë\nyan,Y\x1b[31man\n", "name"),
        ("id,name,marking_id\nzoe,Zoë,A\nyan,Yan,A\n", "marking_id"),
    ],
)
def test_one_wrong_row_imports_nobody(database: Database, table: Table, text: str, column: str) -> None:
    with pytest.raises(ImportRefused) as fault:
        import_roster(database, table(text), author="office", now=NOW)
    assert (fault.value.row, fault.value.column) == (3, column)
    assert "zoe" not in names(database) and verbs(database) == []


# Marks by hand


def test_a_mark_by_hand_stands_with_its_reason_and_the_earlier_ones_stay(small: Course, database: Database) -> None:
    for points in ("1", "2.5"):
        add_mark(small, database, "ada", "powers", "argument", points, author="kim", reason=" clear ", now=NOW)
    assert [row[2] for row in marks(database)] == [Decimal(1), Decimal("2.5")]
    with database.reading() as session:
        assert {(mark.author, mark.reason) for mark in session.scalars(select(Mark))} == {("kim", "clear")}
    assert verbs(database) == ["mark", "mark"]


def test_not_submitted_by_hand_is_no_zero(small: Course, database: Database) -> None:
    done = add_mark(small, database, "M0", "project", None, "NS", author="kim", reason="no team", now=NOW)
    assert (done.item, done.points, done.not_submitted) == ("total", 0, True)
    add_mark(small, database, "bob", "project", None, "0", author="kim", reason="empty", now=NOW)
    assert marks(database) == [("ada", "total", Decimal(0), True), ("bob", "total", Decimal(0), False)]


@pytest.mark.parametrize(
    ("student", "name", "item", "points", "reason", "words"),
    [
        ("zed", "powers", "argument", "1", "r", "unknown student"),
        ("ada", "power", "argument", "1", "r", "did you mean powers"),
        ("ada", "powers", "arguments", "1", "r", "did you mean argument"),
        ("ada", "powers", "argument", "3.1", "r", "from 0 to 3"),
        ("ada", "powers", "argument", "NaN", "r", "from 0 to 3"),
        ("ada", "powers", "argument", "1,5", "r", "decimal point"),
        ("ada", "powers", "argument", "1", "  ", "needs a reason"),
    ],
)
def test_a_mark_that_cannot_be_is_refused(
    small: Course, database: Database, student: str, name: str, item: str, points: str, reason: str, words: str
) -> None:
    with pytest.raises(AssessorError, match=words):
        add_mark(small, database, student, name, item, points, author="kim", reason=reason, now=NOW)
    assert marks(database) == []


def test_a_table_of_marks_is_given_once_item_by_item(small: Course, database: Database, table: Table) -> None:
    text = (
        "student,assignment,item,points,reason\nada,powers,argument,2.5,clear\nM1,powers,argument,NS,no text\n"
        "eve,quiz1,,12,by hand\nada,powers,automatic,1,by hand\n"
    )
    done = import_marks(small, database, table(text), author="kim", now=NOW)
    assert (done.new, done.unchanged, done.left) == (4, 0, ())
    assert marks(database) == [
        ("ada", "argument", Decimal("2.5"), False), ("bob", "argument", Decimal(0), True), ("eve", "total", Decimal(12), False),
        ("ada", "automatic", Decimal(1), False),
    ]  # fmt: skip
    again = import_marks(small, database, table(text.replace("2.5", "3")), author="kim", now=NOW)
    assert (again.new, again.unchanged) == (1, 3)
    with database.reading() as session:
        newest = session.scalars(select(Mark).order_by(Mark.id.desc())).first()
        events = [(event.author, event.verb, event.detail["students"]) for event in session.scalars(select(Event))]
    assert newest is not None and (newest.author, newest.reason, newest.points) == ("kim", "clear", 3)
    assert events == [("kim", "import", ["ada", "bob", "eve"]), ("kim", "import", ["ada"])]


def test_a_table_of_marks_leaves_alone_who_tries_again(small: Course, database: Database, table: Table) -> None:
    add_mark(small, database, "ada", "quiz1", None, "3", author="kim", reason="r", now=NOW)
    defer(small, database, "ada", "quiz1", "+200 days", By("lee", "board", NOW))
    text = "student,assignment,points,reason\nada,quiz1,30,r\nbob,quiz1,30,r\n"
    assert import_marks(small, database, table(text), author="kim", now=NOW).left == ("ada",)
    assert [row[0] for row in marks(database)] == ["ada", "bob"]


# Extensions


def test_more_time_is_counted_from_the_deadline(small: Course, database: Database) -> None:
    due = small.assignment("powers").due
    first = add_extension(small, database, "ada", "powers", "+3 days", author="kim", reason="ill", now=NOW)
    assert first.until == due + timedelta(days=3) and first.note == ""
    assert verbs(database) == ["extend"]


def test_an_extension_that_disagrees_with_an_earlier_one_is_refused_unless_it_is_to_replace_it(
    small: Course, database: Database
) -> None:
    add_extension(small, database, "ada", "powers", "+3 days", author="kim", reason="ill", now=NOW)
    later = (small, database, "ada", "powers", "week 4 Friday 12:00")
    with pytest.raises(AssessorError, match=r"disagrees with the extension until Thu 18 Feb .* that kim gave .*--replace"):
        add_extension(*later, author="lee", reason="ill", now=NOW)
    second = add_extension(*later, author="lee", reason="ill", now=NOW, replace=True)
    assert "replaces an earlier extension until Thu 18 Feb 2027 16:00 GMT" in second.note
    with database.reading() as session:
        assert [extension.author for extension in session.scalars(select(Extension))] == ["kim", "lee"]


def test_the_same_extension_again_changes_nothing(small: Course, database: Database) -> None:
    for _ in range(2):
        done = add_extension(small, database, "M0", "powers", "+3 days", author="kim", reason="ill", now=NOW)
    assert "it was so before" in done.note
    assert verbs(database) == ["extend"]


EXTENSIONS = "student,assignment,until,reason\n"


def test_extensions_come_in_from_a_table_once(small: Course, database: Database, table: Table) -> None:
    text = EXTENSIONS + "ada,powers,+3 days,ill\nM1,powers,week 4 Friday 12:00,ill\nada,powers,+3 days,told twice\n"
    for counts in ((2, 1), (0, 3)):
        done = import_extensions(small, database, table(text), author="kim", now=NOW)
        assert (done.new, done.unchanged) == counts


@pytest.mark.parametrize(
    ("rows", "place", "words"),
    [
        ("ada,powers,+3 days,ill\nada,powers,+4 days,ill\n", "row 3, column 'until'", "Thu 18 Feb 2027 16:00 GMT, as in row 2"),
        ("ada,powers,+3 days,ill\neve,powers,+4 days,ill\n", "row 3, column 'until'", "that kim gave on"),
        ("ada,powers,+3 days,ill\nzed,powers,+4 days,ill\n", "row 3, column 'student'", "unknown student"),
        ("ada,powers,+3 days,ill\nbob,power,+4 days,ill\n", "row 3, column 'assignment'", "did you mean powers"),
        ("ada,powers,+3 days,ill\nbob,powers,-4 days,ill\n", "row 3, column 'until'", "not a time"),
        ("ada,powers,+3 days,ill\nbob,powers,+4 days, \n", "row 3, column 'reason'", "a value"),
    ],
)
def test_a_table_of_extensions_that_is_wrong_gives_none(
    small: Course, database: Database, table: Table, rows: str, place: str, words: str
) -> None:
    add_extension(small, database, "eve", "powers", "+9 days", author="kim", reason="ill", now=NOW)
    with pytest.raises(ImportRefused) as fault:
        import_extensions(small, database, table(EXTENSIONS + rows), author="kim", now=NOW)
    assert place in str(fault.value) and words in str(fault.value)
    with database.reading() as session:
        assert [extension.student_id for extension in session.scalars(select(Extension))] == ["eve"]


@pytest.mark.parametrize(
    ("student", "until", "reason", "words"),
    [
        ("zed", "+3 days", "r", "unknown student"),
        ("ada", "+0 days", "r", "not after the deadline"),
        ("ada", "soon", "r", "not a time"),
        ("ada", "2027-03-01T16:00:00", "r", "without its zone"),
        ("ada", "2027-02-01T16:00:00+00:00", "r", "not after the deadline"),
        ("ada", "+3 days", "", "needs a reason"),
    ],
)
def test_an_extension_that_cannot_be_is_refused(
    small: Course, database: Database, student: str, until: str, reason: str, words: str
) -> None:
    with pytest.raises(AssessorError, match=words):
        add_extension(small, database, student, "powers", until, author="kim", reason=reason, now=NOW)


def test_three_days_over_a_change_of_the_clock_end_at_the_same_time_of_day(small: Course, database: Database) -> None:
    late = add_extension(small, database, "ada", "powers", "+50 days", author="kim", reason="ill", now=NOW)
    assert late.until == datetime(2027, 4, 6, 15, tzinfo=UTC), "16:00 British Summer Time"


# Quizzes and project


def test_quiz_results_are_scaled_counted_by_policy_and_brought_in_once(
    small: Course, database: Database, table: Table
) -> None:
    text = "student,score,out_of,attempt\nada,5,10,1\nada,4,10,2\nbob,-,,\neve,30,,\n"
    done = import_quiz(small, database, "quiz1", table(text), author="kim", now=NOW)
    assert (done.new, done.unchanged) == (3, 0)
    assert marks(database) == [("ada", "total", Decimal(12), False), ("bob", "total", Decimal(0), True),
                               ("eve", "total", Decimal(30), False)]  # fmt: skip
    again = import_quiz(small, database, "quiz1", table(text), author="kim", now=NOW)
    assert (again.new, again.unchanged) == (0, 3)
    changed = import_quiz(small, database, "quiz1", table("student,score\nbob,0\n"), author="kim", now=NOW)
    assert (changed.new, marks(database)[-1]) == (1, ("bob", "total", Decimal(0), False))
    assert verbs(database) == ["import", "import"]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("student,score\nada,1\nzed,1\n", "student"),
        ("student,score\nada,1\nada,2\n", "student"),
        ("student,score,attempt\nada,1,1\nada,2,1.5\n", "attempt"),
        ("student,score,out_of\nada,1,10\nbob,11,10\n", "score"),
        ("student,score,out_of\nada,1,10\nbob,0,0\n", "out_of"),
    ],
)
def test_a_wrong_quiz_table_brings_in_nothing(
    small: Course, database: Database, table: Table, text: str, column: str
) -> None:
    with pytest.raises(ImportRefused) as fault:
        import_quiz(small, database, "quiz1", table(text), author="kim", now=NOW)
    assert (fault.value.row, fault.value.column) == (3, column)
    assert marks(database) == [] and verbs(database) == []


def test_a_team_shares_its_mark_by_the_signed_split(small: Course, database: Database, table: Table) -> None:
    text = "team,student,mark,share\na,ada,60,60\na,bob,60,40\nb,eve,90,100\n"
    import_project(small, database, "project", table(text), author="kim", now=NOW)
    assert [row[2] for row in marks(database)] == [Decimal(72), Decimal(48), Decimal(90)]


def test_no_member_gets_more_than_all_and_without_shares_all_get_the_same(
    small: Course, database: Database, table: Table
) -> None:
    import_project(
        small, database, "project", table("team,student,mark,share\na,ada,90,75\na,bob,90,25\n"), author="kim", now=NOW
    )
    import_project(small, database, "project", table("team,student,mark\nb,eve,55\n"), author="kim", now=NOW)
    assert [row[2] for row in marks(database)] == [Decimal(100), Decimal(45), Decimal(55)]


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [
        ("team,student,mark\na,ada,60\na,bob,61\n", 3, "mark"),
        ("team,student,mark\na,ada,60\nb,ada,60\n", 3, "student"),
        ("team,student,mark,share\na,ada,60,50\na,bob,60,49\n", 3, "share"),
        ("team,student,mark,share\na,ada,60,50\na,bob,60,\n", 3, "share"),
        ("team,student,mark\na,ada,60\n,bob,60\n", 3, "team"),
        ("team,student,mark\na,ada,101\n", 2, "mark"),
    ],
)
def test_a_wrong_project_table_brings_in_nothing(
    small: Course, database: Database, table: Table, text: str, row: int, column: str
) -> None:
    with pytest.raises(ImportRefused) as fault:
        import_project(small, database, "project", table(text), author="kim", now=NOW)
    assert (fault.value.row, fault.value.column) == (row, column)
    assert marks(database) == []


def test_results_go_to_their_own_kind_of_assignment(small: Course, database: Database, table: Table) -> None:
    file = table("student,score\nada,1\n")
    with pytest.raises(AssessorError, match="not a quiz"):
        import_quiz(small, database, "project", file, author="kim", now=NOW)
    with pytest.raises(AssessorError, match="not a project"):
        import_project(small, database, "quiz1", file, author="kim", now=NOW)
    with pytest.raises(UnknownName):
        import_quiz(small, database, "quiz9", file, author="kim", now=NOW)


def test_a_locked_database_is_said_and_nothing_is_half_written(
    small: Course, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assessor.database.engine.BUSY_SECONDS", 0)
    impatient = open_database(small.root)
    with closing(sqlite3.connect(small.root / "assessor.db", isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            add_mark(small, impatient, "ada", "powers", "argument", "1", author="kim", reason="r", now=NOW)
        blocker.execute("ROLLBACK")
    impatient.close()
    assert marks(database) == []
