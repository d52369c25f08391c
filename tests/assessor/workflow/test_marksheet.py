from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import openpyxl
import pypdf
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from assessor.cli import assessor
from assessor.course import Course, load_course
from assessor.database import Database, open_database
from assessor.database.acts import Verb, add_act
from assessor.database.gradebook import gradebook
from assessor.database.tables import Event, Extension, Job, Mark, Student, Submission
from assessor.errors import AssessorError
from assessor.workflow.final_sheet import verify
from assessor.workflow.marksheet import final_marksheet, marksheet

COURSE = """
[course]
code = "COMP1"
title = "Deep & wide"
time_zone = "Europe/London"
term_start = 2027-02-01

[components]
labs = 40
project = 40
quizzes = 20

[[assignment]]
name = "lab1"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"

[[assignment]]
name = "project"
component = "project"
kind = "project"
marks = 100
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"

[[assignment]]
name = "quiz1"
component = "quizzes"
kind = "quiz"
marks = 30
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"
"""
LAB = """
title = "First lab"
notebooks = ["lab1.ipynb"]
hidden_marks = 6

[[manual]]
name = "plot"
marks = 1
"""
NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
IN_TIME = datetime(2027, 2, 15, 15, tzinfo=UTC)


@pytest.fixture
def course(tmp_path) -> Course:
    root = tmp_path / "course"
    (root / "assignments/lab1").mkdir(parents=True)
    (root / "graders/lab1").mkdir(parents=True)
    (root / "course.toml").write_text(COURSE)
    (root / "assignments/lab1/assignment.toml").write_text(LAB)
    empty = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (root / "assignments/lab1/lab1.ipynb").write_text(empty)
    return load_course(root)


@pytest.fixture
def database(course):
    """Five students: in time, two days late, nothing handed in, in review, and one whose name is a formula."""
    database = open_database(course.root, create=True)
    names = {"s1": "Ann O'Neill", "s2": "李小龍", "s3": "No Show", "s4": "In Review", "s5": '=HYPERLINK("http://x")'}
    with database.transaction() as session:
        session.add_all(Student(id=id_, name=name, marking_id=f"M{9 - int(id_[1])}") for id_, name in names.items())
    for student in names:
        give(database, student, "project", "total", 64, 100)
        give(database, student, "quiz1", "total", 20, 30)
    hand_in(database, "s1", IN_TIME)
    hand_in(database, "s2", IN_TIME + timedelta(days=1, hours=2))
    hand_in(database, "s4", IN_TIME, state="review")
    hand_in(database, "s5", IN_TIME)
    for student in ("s1", "s2", "s5"):
        give(database, student, "lab1", "automatic", 5, 6, author="autograde")
        give(database, student, "lab1", "plot", 1, 1)
    with database.transaction() as session:
        more = {"until": IN_TIME, "reason": "private illness", "author": "boss", "at": NOW}
        session.add(Extension(student_id="s5", assignment="lab1", **more))
    yield database
    database.close()


def give(database, student, assignment, item, points, out_of, author="alice"):
    with database.transaction() as session:
        session.add(
            Mark(
                student_id=student, assignment=assignment, item=item, points=Decimal(points), out_of=Decimal(out_of),
                author=author, at=NOW, reason="because",
            )
        )


def hand_in(database, student, at, state="recorded"):
    with database.transaction() as session:
        submission = Submission(
            student_id=student, assignment="lab1", attempt=1, submitted_at=at, collected_at=at, sha256="0" * 64,
            origin="inbox", path="x",
        )  # fmt: skip
        session.add(submission)
        session.flush()
        session.add(Job(submission_id=submission.id, grader_sha256="ab" * 32, state=state, queued_at=at))


def table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_three_files_hold_the_marks_of_the_gradebook(course: Course, database: Database):
    written = marksheet(course, database, now=NOW)
    assert [path.name for path in written.paths] == ["marksheet.xlsx", "marksheet.csv", "marksheet.html"]
    assert (written.students, written.passed, written.failed, written.pending) == (5, 3, 1, 1)
    rows = {row["student"]: row for row in table(written.paths[1])}
    module = openpyxl.load_workbook(written.paths[0], data_only=True)["Module"]
    cells = {line[1].value: line for line in module.iter_rows(min_row=5)}
    page = written.paths[2].read_text("utf-8")
    for student in gradebook(course, database, NOW):
        total = student.mark.total
        assert (rows[student.id]["mark"] or None) == (str(student.mark.rounded) if student.mark.rounded else None)
        assert (cells[student.id][7].value or None) == (pytest.approx(float(total)) if total is not None else None)
        assert student.id in page


def test_late_ns_review_and_extension_are_each_named(course, database):
    rows = {row["student"]: row for row in table(marksheet(course, database, now=NOW).paths[1])}
    assert [rows[s]["lab1 status"] for s in ("s1", "s2", "s3", "s4")] == ["marked", "marked", "NS", "review"]
    assert (rows["s2"]["lab1 days late"], rows["s2"]["lab1 factor"]) == ("2", "0.8")
    assert rows["s2"]["lab1 mark"] == "68.5714285714"
    assert (rows["s3"]["lab1 points"], rows["s3"]["lab1 mark"], rows["s3"]["outcome"]) == ("", "0", "F")
    assert (rows["s4"]["total"], rows["s4"]["outcome"]) == ("", "pending")
    assert rows["s5"]["lab1 extended"] == "yes"
    assert rows["s5"]["name"].startswith("'=")


def test_the_reason_of_an_extension_stands_nowhere(course, database, tmp_path):
    import zipfile

    for path in marksheet(course, database, now=NOW).paths:
        data = path.read_bytes()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as parts:
                data = b"".join(parts.read(name) for name in parts.namelist())
        assert b"illness" not in data


def test_the_provenance_says_where_each_mark_comes_from(course, database):
    page = openpyxl.load_workbook(marksheet(course, database, now=NOW).paths[0])["Provenance"]
    lines = {line[0].value: line[1].value for line in page.iter_rows(min_row=3)}
    assert lines["Course"] == "COMP1 Deep & wide"
    assert "sqlite, revision " in lines["Database"]
    assert (lines["Students"], lines["Attempts collected"]) == ("5", "4")
    assert lines["Marks on record"].startswith("16, ")
    assert "automatic (of 6): 3 by autograde" in lines["Marks of lab1"]
    assert "plot (of 1): 3 by alice" in lines["Marks of lab1"]
    assert "abababababab (3 submissions)" in lines["Marks of lab1"]
    assert "half up" in lines["Rounding"]
    assert lines["Pass mark"] == "50"
    assert "assessor " in lines["Software"]


def test_the_hash_of_the_history_changes_with_every_mark(course, database):
    def digest():
        page = openpyxl.load_workbook(marksheet(course, database, now=NOW).paths[0])["Provenance"]
        return next(line[1].value for line in page.iter_rows() if line[0].value == "Marks on record")[-64:]

    before = digest()
    assert digest() == before
    give(database, "s1", "lab1", "plot", 0, 1)
    assert digest() != before


def test_the_anonymous_sheet_is_in_the_order_of_marking_ids_and_names_nobody(course, database):
    written = marksheet(course, database, anonymous=True, now=NOW)
    assert written.paths[0].name == "marksheet-anonymous.xlsx"
    rows = table(written.paths[1])
    assert [row["marking_id"] for row in rows] == ["M4", "M5", "M6", "M7", "M8"]
    assert "student" not in rows[0]
    for path in written.paths[1:]:
        text = path.read_text("utf-8-sig")
        assert not any(name in text for name in ("O'Neill", "O&#39;Neill", "李小龍", ">s1<", "s3,", "HYPERLINK"))


def test_a_second_sheet_takes_the_place_of_the_first(course, database):
    marksheet(course, database, now=NOW)
    give(database, "s1", "project", "total", 100, 100)
    written = marksheet(course, database, now=NOW)
    assert {path.name for path in (course.root / "reports").iterdir()} == {path.name for path in written.paths}
    assert table(written.paths[1])[0]["project mark"] == "100"


def test_a_sheet_that_cannot_be_put_in_place_leaves_nothing_half_written(course, database):
    folder = course.root / "reports"
    (folder / "marksheet.csv").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        marksheet(course, database, now=NOW)
    assert {path.name for path in folder.iterdir()} == {"marksheet.xlsx", "marksheet.csv"}


def test_before_the_deadline_nothing_handed_in_is_missing_and_not_ns(course, database):
    rows = table(marksheet(course, database, now=IN_TIME - timedelta(days=1)).paths[1])
    assert rows[2]["lab1 status"] == "missing"
    assert rows[2]["outcome"] == "pending"


def test_a_course_without_students_gives_three_files(course):
    database = open_database(course.root, create=True)
    written = marksheet(course, database, now=NOW)
    database.close()
    assert written.students == 0
    assert all(path.is_file() for path in written.paths)


def test_what_the_board_made_of_a_mark_stands_as_a_value_and_no_formula_contradicts_it(course, database):
    with database.transaction() as session:
        more = {"reason": "r", "author": "board", "now": NOW}
        add_act(session, Verb.SCALE, subject="project", detail={"formula": "m + 3"}, **more)
        add_act(session, Verb.WAIVE, student="s1", subject="quizzes", **more)
    book = openpyxl.load_workbook(marksheet(course, database, now=NOW).paths[0])
    rows = {line[1].value: line for line in book["Module"].iter_rows(min_row=5)}
    marks = {student.id: student.mark for student in gradebook(course, database, NOW)}
    assert rows["s1"][7].value == pytest.approx(float(marks["s1"].total))
    assert str(rows["s2"][7].value).startswith("=")
    projects = {line[1].value: line for line in book["project"].iter_rows(min_row=5)}
    assert [cell.value for cell in projects["s2"] if cell.value == 67] == [67]


def test_each_outcome_has_its_code_and_what_was_decided_is_noted_without_a_reason(course, database):
    with database.transaction() as session:
        more = {"reason": "private illness", "author": "board", "now": NOW}
        penalty = {"rule": "deduct", "value": "10", "words": "word limit"}
        add_act(session, Verb.PENALISE, student="s1", subject="project", detail=penalty, **more)
        add_act(session, Verb.CLAIM, student="s2", subject="quiz1", **more)
        add_act(session, Verb.WAIVE, student="s3", subject="quizzes", **more)
        add_act(session, Verb.HOLD, student="s5", subject="project", **more)
    written = marksheet(course, database, now=NOW)
    rows = {row["student"]: row for row in table(written.paths[1])}
    assert {student: row["code"] for student, row in rows.items()} == {"s1": "P", "s2": "SC", "s3": "F", "s4": "NM", "s5": "AI"}
    assert rows["s1"]["notes"] == "penalised: project"
    assert rows["s2"]["notes"] == "considerations pending: quiz1"
    assert rows["s3"]["notes"] == "re-weighted by the board; quizzes: waived; NS: lab1"
    assert written.codes == {"AI": 1, "F": 1, "NM": 1, "P": 1, "SC": 1}
    lines = {
        line[0].value: line[1].value for line in openpyxl.load_workbook(written.paths[0])["Provenance"].iter_rows(min_row=3)
    }
    assert lines["Code AI"] == "held: academic integrity is not decided yet"


def test_a_frozen_sheet_is_read_only_and_its_hashes_are_in_the_audit(course, database):
    written = final_marksheet(course, database, author="boss", now=NOW)
    folder = course.root / "reports/final-1"
    assert {path.suffix for path in written.paths} == {".xlsx", ".csv", ".html", ".pdf"}
    assert all(path.parent == folder and path.stat().st_mode & 0o777 == 0o440 for path in written.paths)
    with database.reading() as session:
        [event] = session.scalars(select(Event).where(Event.verb == "freeze mark sheet"))
        assert (event.author, set(event.detail["files"])) == ("boss", {path.name for path in written.paths})
    for path in written.paths:
        assert "as it was frozen on 2027-06-01 13:00:00 BST by boss (final-1)" in verify(course, database, path)
    assert "provisional" not in written.paths[2].read_text("utf-8")
    page = openpyxl.load_workbook(written.paths[0])["Provenance"]
    facts = {line[0].value: line[1].value for line in page.iter_rows()}
    assert facts["State"] == "final: frozen by boss on 2027-06-01 13:00:00 BST"


def test_a_file_that_was_changed_is_of_no_frozen_sheet(course, database):
    path = final_marksheet(course, database, author="boss", now=NOW).paths[1]
    path.chmod(0o640)
    path.write_text(path.read_text("utf-8").replace("pending", "P"), "utf-8")
    with pytest.raises(AssessorError, match="of no frozen mark sheet"):
        verify(course, database, path)
    written = marksheet(course, database, now=NOW)
    assert "not as it was frozen" in written.note and written.changes == ()
    facts = {line[0].value: line[1].value for line in openpyxl.load_workbook(written.paths[0])["Provenance"].iter_rows()}
    assert "restore it from a backup" in facts["Not compared with the frozen sheet"]


def test_a_frozen_sheet_that_is_gone_keeps_nobody_from_a_sheet(course, database):
    final_marksheet(course, database, author="boss", now=NOW)
    shutil.rmtree(course.root / "reports/final-1")
    assert "cannot be read" in marksheet(course, database, now=NOW).note
    again = final_marksheet(course, database, author="boss", reason="the first was lost", now=NOW + timedelta(days=1))
    assert again.paths[0].parent.name == "final-2" and "cannot be read" in again.note
    assert marksheet(course, database, now=NOW + timedelta(days=2)).note == ""


def test_later_sheets_list_what_is_different_by_whom_when_and_why(course, database):
    final_marksheet(course, database, author="boss", now=NOW)
    assert marksheet(course, database, now=NOW).changes == ()
    later = NOW + timedelta(days=2)
    with database.transaction() as session:
        session.add(
            Mark(
                student_id="s1", assignment="project", item="total", points=Decimal(0), out_of=Decimal(100), author="alice",
                at=later, reason="appeal upheld",
            )
        )  # fmt: skip
        add_act(
            session, Verb.SCALE, subject="quiz1", detail={"formula": "m + 3"}, reason="in confidence", author="board", now=later
        )
    written = marksheet(course, database, now=later)
    found = {(one.student, one.what): one for one in written.changes}
    project = found["s1", "project mark"]
    assert (project.then, project.now, project.because) == ("64", "0", "total: appeal upheld by alice, 2027-06-03 13:00:00 BST")
    assert (found["s1", "code"].then, found["s1", "code"].now) == ("P", "F")
    assert found["s2", "quiz1 mark"].because == "scale by board, 2027-06-03 13:00:00 BST"
    assert not any("confidence" in one.because for one in written.changes)
    page = openpyxl.load_workbook(written.paths[0])["Changes"]
    assert ["s1", "project mark", "64", "0"] in [[cell.value for cell in line[:4]] for line in page.iter_rows(min_row=4)]
    assert "appeal upheld" in written.paths[2].read_text("utf-8")
    anonymous = marksheet(course, database, anonymous=True, now=later)
    assert {one.student for one in anonymous.changes} == {"M8", "M7", "M6", "M5", "M4"}


def test_who_came_or_left_since_is_a_change_too(course, database):
    final_marksheet(course, database, author="boss", now=NOW)
    with database.transaction() as session:
        session.add(Student(id="s9", name="New", marking_id="M99"))
    [change] = marksheet(course, database, now=NOW).changes
    assert (change.student, change.now) == ("s9", "(not in the frozen sheet)")


def test_freezing_again_needs_a_reason_and_keeps_the_first(course, database):
    final_marksheet(course, database, author="boss", now=NOW)
    with pytest.raises(AssessorError, match="say why with --reason"):
        final_marksheet(course, database, author="boss", now=NOW)
    give(database, "s1", "project", "total", 20, 100)
    final_marksheet(course, database, author="boss", reason="after the appeals", now=NOW + timedelta(days=1))
    assert sorted(path.name for path in (course.root / "reports").iterdir()) == ["final-1", "final-2"]
    assert marksheet(course, database, now=NOW + timedelta(days=1)).changes == ()


def test_what_is_printed_repeats_its_heads_and_numbers_its_pages(course, database):
    with database.transaction() as session:
        session.add_all(Student(id=f"t{number}", name=f"Extra {number}", marking_id=f"X{number}") for number in range(60))
    written = marksheet(course, database, printable=True, now=NOW)
    pages = [page.extract_text().replace("\0", "") for page in pypdf.PdfReader(written.paths[3]).pages]
    assert len(pages) > 3
    assert f"page 2 of {len(pages)}" in pages[1] and "Outcome" in pages[1]
    width, height = pypdf.PdfReader(written.paths[3]).pages[0].mediabox[2:]
    assert width > height


def test_the_command_line_freezes_verifies_and_shows_changes(course, database):
    def run(*words):
        done = CliRunner().invoke(assessor, ["-C", str(course.root), "marksheet", *words], env={"COLUMNS": "200"})
        return done.exit_code, done.output + (str(done.exception) if done.exception else "")

    assert run("--final")[0] == 0
    assert "say why with --reason" in run("--final")[1]
    assert run("--final", "--anonymous")[0] == 2
    give(database, "s1", "project", "total", 20, 100)
    with database.transaction() as session:
        late = Mark(
            student_id="s2", assignment="quiz1", item="total", points=Decimal(3), out_of=Decimal(30), author="alice",
            at=datetime(2126, 1, 1, tzinfo=UTC), reason="typed twice",
        )  # fmt: skip
        session.add(late)
    status, said = run()
    assert status == 0 and "typed twice" in said and "changes since the sheet was frozen" in said
    assert "quiz1 mark" in [one["what"] for one in json.loads(run("--json")[1])["changes"]]
    assert "as it was frozen" in run("--verify", str(course.root / "reports/final-1/marksheet.csv"))[1]
