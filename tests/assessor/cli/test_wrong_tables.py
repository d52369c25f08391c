"""Tables that are wrong, given to every command that reads one: file, row, column and reason, and the database as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from assessor.cli import assessor
from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import Table
from assessor.errors import ImportRefused
from assessor.projects.rubric import read_form, read_rubric
from assessor.workflow.quiz_take import read_answers
from tests.assessor.cli.test_projects import SOURCE
from tests.assessor.workflow.conftest import database, small  # noqa: F401 - fixtures


@dataclass(frozen=True)
class Command:
    """A command that reads a table: its words before the file, the header, two rows that are right, and a column for text."""

    words: tuple[str, ...]
    header: str
    rows: tuple[str, str]
    text: str

    def column(self, name: str) -> int:
        return self.header.split(",").index(name)

    def table(self, **changed: str) -> str:
        """The table with other values in its second row."""
        values = self.rows[1].split(",")
        for name, value in changed.items():
            values[self.column(name)] = value
        return "\n".join([self.header, self.rows[0], ",".join(values)]) + "\n"


COMMANDS = {
    "roster": Command(("roster",), "id,name,email", ("zoe,Zoe,z@example.org", "yan,Yan,y@example.org"), "name"),
    "marks": Command(
        ("marks",), "student,assignment,item,points,reason", ("ada,powers,argument,2,read", "bob,powers,argument,3,read"),
        "reason",
    ),
    "extensions": Command(
        ("extensions",), "student,assignment,until,reason", ("ada,powers,+3 days,ill", "bob,powers,+2 days,away"), "reason"
    ),
    "quiz results": Command(("quiz", "import", "quiz1"), "student,score,out_of", ("ada,10,30", "bob,12,30"), "student"),
    "project marks": Command(("project", "import"), "team,student,mark,share", ("a,ada,60,50", "a,bob,60,50"), "team"),
    "teams": Command(("project", "teams"), "team,student", ("t1,ada", "t1,bob"), "team"),
    "split": Command(
        ("project", "split", "t0"), "student,share,signed", ("ada,50,Ada", "bob,50,Bob"), "signed"
    ),
}  # fmt: skip
Ready = Callable[..., ImportRefused]


@pytest.fixture
def course(small: Course, database: Database) -> Course:  # noqa: F811
    """A course with a team of two."""
    folder = small.root / "assignments/project"
    folder.mkdir()
    for name in ("project.toml", "rubric.toml"):
        (folder / name).write_text((SOURCE / name).read_text().replace("least = 3", "least = 2"))
    (small.root / "teams.csv").write_text("team,student\nt0,ada\nt0,bob\n")
    assert typed(small, "project", "teams", small.root / "teams.csv").exit_code == 0
    return small


def typed(course: Course, *words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(assessor, ["-C", str(course.root), *map(str, words)])


def everything(opened: Database) -> list[str]:
    """Every row of every table."""
    with opened.reading() as session:
        return [f"{table.name} {row}" for table in Table.metadata.sorted_tables for row in session.execute(select(table))]


@pytest.fixture
def refused(course: Course, database: Database, tmp_path: Path) -> Ready:  # noqa: F811
    """Gives a table to a command, which must refuse it and leave the database as it was."""

    def give(command: Command, data: str | bytes, *more: str) -> ImportRefused:
        file = tmp_path / "given.csv"
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        before = everything(database)
        fault = typed(course, *command.words, file, *more).exception
        assert isinstance(fault, ImportRefused), fault
        assert everything(database) == before, "something was imported"
        line = str(fault)
        assert line.startswith(f"{file}") and line.endswith("nothing was imported")
        assert len(line) < 600 and "\n" not in line and line.isprintable()
        return fault

    return give


@pytest.mark.parametrize("name", COMMANDS)
def test_a_table_that_is_right_is_taken(course: Course, database: Database, tmp_path: Path, name: str) -> None:  # noqa: F811
    before = everything(database)
    (tmp_path / "given.csv").write_text(COMMANDS[name].table())
    done = typed(course, *COMMANDS[name].words, tmp_path / "given.csv")
    assert done.exit_code == 0, done.exception
    assert everything(database) != before


ENCODED = {
    "cp1252": "cp1252", "utf-8": None, "utf-8-sig": None, "utf-16": None, "utf-16-le": "utf-16-le", "mac-roman": "mac_roman",
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("name", ["roster", "extensions", "split"])
def test_any_encoding_is_read_where_it_is_named(course: Course, tmp_path: Path, name: str, encoding: str) -> None:
    command = COMMANDS[name]
    (tmp_path / "given.csv").write_bytes(command.table(**{command.text: "Zoë"}).encode(encoding))
    named = ENCODED[encoding]
    done = typed(course, *command.words, tmp_path / "given.csv", *(["--encoding", named] if named else []))
    assert done.exit_code == 0, done.exception


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_reads_a_table_takes_an_encoding(refused: Ready, name: str) -> None:
    fault = refused(COMMANDS[name], COMMANDS[name].table(), "--encoding", "klingon")
    assert "klingon" in str(fault) and "cp1252" in str(fault)


@pytest.mark.parametrize("name", COMMANDS)
def test_windows_1252_gives_row_column_and_what_to_do(refused: Ready, name: str) -> None:
    command = COMMANDS[name]
    fault = refused(command, command.table(**{command.text: "Zoë"}).encode("cp1252"))
    assert (fault.row, fault.column) == (3, command.text)
    assert "byte 0xeb" in str(fault) and "--encoding cp1252" in str(fault)


@pytest.mark.parametrize("name", COMMANDS)
def test_shapes_that_are_wrong_give_their_place(refused: Ready, name: str) -> None:
    command = COMMANDS[name]
    right, text = command.table(), command.text
    first, *_ = command.header.split(",")
    for data, row, column, words in (
        ("", None, None, "no rows"),
        (" \n\n", None, None, "no rows"),
        (b"\xef\xbb\xbf", None, None, "no rows"),
        (command.header + "\n", None, None, "no rows"),
        (right.replace(first, f"{first},{first}", 1), 1, first, "each column once"),
        (right.replace(first, f"{first}x", 1), 1, first, "the columns"),
        (right + f"{right.splitlines()[1]},more\n", 4, None, "as in the header"),
        (right + "short\n", 4, None, "as in the header"),
        (right + '"never closed\n', 4, None, "well-formed CSV"),
        (command.table(**{text: "a\0b"}), 3, text, "NUL"),
        (right.encode("utf-16-le"), 1, None, "utf-16-le"),
        (command.table(**{text: "x" * 10**6}), 3, text, "1000000 characters"),
    ):
        fault = refused(command, data)
        assert (fault.row, fault.column) == (row, column), (str(data)[:60], fault)
        assert words in str(fault)


NUMBERS = ["101", "-1", "NaN", "Infinity", "-Infinity", "1e1", "7,5", "=1+1", "", "ten", "１０", "0x1F", "1.0000000000001"]


@pytest.mark.parametrize(
    ("name", "column"),
    [("marks", "points"), ("quiz results", "score"), ("project marks", "mark"), ("project marks", "share"), ("split", "share")],
)
def test_what_is_no_number_in_range_is_refused(refused: Ready, name: str, column: str) -> None:
    for text in NUMBERS:
        fault = refused(COMMANDS[name], COMMANDS[name].table(**{column: f'"{text}"'}))
        assert (fault.row, fault.column) == (3, column), text
        assert ("decimal point, not a comma" in str(fault)) == ("," in text)


TIMES = ["-3 days", "+-3 days", "+3.5 days", "+9999 days", "NaN", "2027-13-01T00:00:00+00:00", "yesterday",
         "2027-03-01T16:00:00", "+0 days"]  # fmt: skip


def test_a_time_that_is_none_or_is_not_later_is_refused(refused: Ready) -> None:
    for text in TIMES:
        fault = refused(COMMANDS["extensions"], COMMANDS["extensions"].table(until=text))
        assert (fault.row, fault.column) == (3, "until"), text


@pytest.mark.parametrize("name", ["marks", "extensions", "quiz results", "project marks", "teams", "split"])
def test_an_unknown_student_is_refused(refused: Ready, name: str) -> None:
    fault = refused(COMMANDS[name], COMMANDS[name].table(student="zed"))
    assert (fault.row, fault.column) == (3, "student") and "zed" in str(fault)


@pytest.mark.parametrize(
    ("name", "changed", "column"),
    [
        ("roster", {"id": "zoe"}, "id"),
        ("marks", {"student": "ada"}, "student"),
        ("marks", {"assignment": "power"}, "assignment"),
        ("marks", {"item": "arguments"}, "item"),
        ("marks", {"reason": " "}, "reason"),
        ("marks", {"assignment": "quiz1", "item": "", "points": "30.0000000001"}, "points"),
        ("extensions", {"student": "ada"}, "until"),
        ("quiz results", {"student": "ada"}, "student"),
        ("project marks", {"student": "ada"}, "student"),
        ("project marks", {"mark": "61"}, "mark"),
        ("project marks", {"share": "51"}, "share"),
        ("teams", {"student": "ada", "team": "t2"}, "student"),
        ("split", {"student": "ada"}, "student"),
        ("split", {"share": "49.9999"}, "share"),
    ],
)
def test_two_rows_that_disagree_are_refused(refused: Ready, name: str, changed: dict[str, str], column: str) -> None:
    fault = refused(COMMANDS[name], COMMANDS[name].table(**changed))
    assert (fault.row, fault.column) == (3, column)


def test_every_command_of_a_table_is_tried_here() -> None:
    """A new one has to join: each says in its help that it takes an encoding."""
    found = {words for words, command in walked(assessor) if any(each.name == "encoding" for each in command.params)}
    tried = {each.words[:2] for each in COMMANDS.values()}
    elsewhere = {("quiz", "answer"), ("project", "score")}  # the next test
    assert found == tried | elsewhere


def test_forms_and_answers_are_read_in_any_encoding(tmp_path: Path) -> None:
    rubric = read_rubric(SOURCE / "rubric.toml")
    leaves = [leaf.name for leaf in rubric.leaves()]
    rows = ["leaf,score,comment", *(f"{leaf},60,naïve" for leaf in leaves)]
    (tmp_path / "form.csv").write_bytes("\n".join(rows).encode("cp1252"))
    assert read_form(tmp_path / "form.csv", rubric, encoding="cp1252")[leaves[0]].comment == "naïve"
    (tmp_path / "answers.csv").write_bytes("question,answer\n1,naïve\n".encode("cp1252"))
    assert read_answers(tmp_path / "answers.csv", encoding="cp1252") == {1: "naïve"}
    for read in (lambda: read_form(tmp_path / "form.csv", rubric), lambda: read_answers(tmp_path / "answers.csv")):
        with pytest.raises(ImportRefused, match=r"row 2, column '(comment|answer)'"):
            read()


def walked(group, before: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walked(command, (*before, name))
        else:
            yield (*before, name), command


def test_a_long_value_is_shown_short() -> None:
    line = str(ImportRefused("a.csv", 2, "x", "y" * 5000, "less"))
    assert len(line) < 250 and "(5000 characters)" in line
    assert re.search(r"row 2, column 'x'", line)
