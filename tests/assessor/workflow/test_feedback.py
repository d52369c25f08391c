from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from assessor.course import Course, load_course
from assessor.database import Database, open_database
from assessor.database.tables import Extension, GradingRecord, Job, Mark, Student, Submission, TestRecord
from assessor.errors import UnknownName
from assessor.workflow.evidence import evidence_folder
from assessor.workflow.feedback import feedback

COURSE = """
[course]
code = "COMP1"
title = "Deep & wide"
time_zone = "Europe/London"
term_start = 2027-02-01

[components]
labs = 60
quizzes = 40

[[assignment]]
name = "lab1"
component = "labs"
kind = "notebook"
released = "week 1 Monday 09:00"
due = "week 3 Monday 16:00"

[[assignment]]
name = "quiz1"
component = "quizzes"
kind = "quiz"
title = "First quiz"
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
STAFF_ONLY = "expected 0.4217 for seed 99"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def course(tmp_path) -> Course:
    root = tmp_path / "course"
    (root / "assignments/lab1").mkdir(parents=True)
    (root / "graders/lab1").mkdir(parents=True)
    (root / "course.toml").write_text(COURSE)
    (root / "assignments/lab1/assignment.toml").write_text(LAB)
    (root / "assignments/lab1/lab1.ipynb").write_text(nbformat.writes(new_notebook()))
    return load_course(root)


@pytest.fixture
def database(course) -> Database:
    database = open_database(course.root, create=True)
    with database.transaction() as session:
        for number, name in enumerate(("Ann O'Neill", HOSTILE, "No Show"), 1):
            session.add(Student(id=f"s{number}", name=name, marking_id=f"M{number}"))
    yield database
    database.close()


def give(database, student, item, points, out_of, *, assignment="lab1", author="autograde", reason=""):
    with database.transaction() as session:
        session.add(
            Mark(
                student_id=student, assignment=assignment, item=item, points=Decimal(points), out_of=Decimal(out_of),
                author=author, at=NOW, reason=reason,
            )
        )


def hand_in(
    course, database, student, notebook, tests, *, at=IN_TIME, attempt=1, state="recorded", changes=(), note=""
):
    with database.transaction() as session:
        submission = Submission(
            student_id=student, assignment="lab1", attempt=attempt, submitted_at=at, collected_at=at, sha256="0" * 64,
            origin="inbox", path="x",
        )
        session.add(submission)
        session.flush()
        job = Job(submission_id=submission.id, grader_sha256="ab" * 32, state=state, queued_at=at)
        session.add(job)
        session.flush()
        records = [
            TestRecord(
                position=place, name=f"test_{place}", title=title, verdict=verdict, points=Decimal(points),
                out_of=Decimal(3), message=message, detail=STAFF_ONLY, hint="look at the axis", seconds=0.1,
                place="trusted", public=False,
            )
            for place, (title, verdict, points, message) in enumerate(tests)
        ]
        session.add(
            GradingRecord(
                job_id=job.id, submission_id=submission.id, at=at, outcome="completed", points=Decimal(3),
                out_of=Decimal(6), note=note, changes=list(changes), usage={}, manifest={"secret": STAFF_ONLY},
                tests=records,
            )
        )
    folder = evidence_folder(course.root, student, "lab1", attempt)
    folder.mkdir(parents=True)
    (folder / "lab1.ipynb").write_text(nbformat.writes(notebook))


def notebook(*outputs, text="# My work"):
    code = new_code_cell("x = softmax(2)", outputs=list(outputs), execution_count=1)
    return new_notebook(cells=[new_markdown_cell(text), code])


TESTS = (
    ("Softmax should sum to one", "passed", 3, ""),
    ("The gradient should be right", "failed", 0, "the third element differs"),
)


@pytest.fixture
def marked(course, database):
    output = new_output("stream", text="it says hello\n")
    changes = ("Test cell 't3' had been edited; the original was used",)
    hand_in(course, database, "s1", notebook(output), TESTS, at=IN_TIME + timedelta(days=1, hours=2), changes=changes)
    give(database, "s1", "automatic", 3, 6)
    give(database, "s1", "plot", "0.5", 1, author="alice", reason="axes without units")
    give(database, "s1", "total", 20, 30, assignment="quiz1", author="bob", reason="import of quiz.csv")
    give(database, "s2", "total", 29, 30, assignment="quiz1", author="bob")


def page(course, student, name="lab1") -> Page:
    return Page((course.root / "feedback" / student / f"{name}.html").read_text("utf-8"))


def test_a_page_tells_marks_working_lateness_tests_changes_comments_and_notebook(course, database, marked):
    feedback(course, database, "lab1", ["s1"], now=NOW)
    text = page(course, "s1").text
    for expected in (
        "First lab", "automatic: 3 of 6", "3.5 of 7 = 50 %", "2 working days late: × 0.8 = 40 %", "mark counts × 0.8",
        "Softmax should sum to one", "passed", "not right yet", "the third element differs", "look at the axis",
        "Test cell 't3' had been edited; the original was used", "axes without units", "My work", "it says hello",
    ):  # fmt: skip
        assert expected in text, expected


def test_what_staff_read_reaches_no_page(course, database, marked):
    for path in feedback(course, database, now=NOW).paths:
        text = re.sub("<style>.*?</style>|sha256-\\S+", "", path.read_text("utf-8"), flags=re.DOTALL)
        for secret in (STAFF_ONLY, "0.4217", "alice", "bob", "quiz.csv", "test_1", "marking_id", "M1"):
            assert re.search(rf"\b{re.escape(secret)}\b", text) is None, (path, secret)


def test_a_page_holds_nothing_of_another_student(course, database, marked):
    hand_in(course, database, "s2", notebook(text="other work"), TESTS)
    feedback(course, database, now=NOW)
    assert "other work" in page(course, "s2").text
    for name in ("lab1", "index"):
        text = page(course, "s1", name).text
        assert "other work" not in text
        assert not re.search(r"(?<!\.)\bs2\b", text)  # '.s2' is a class of highlighted code


def test_hostile_outputs_messages_and_names_stay_inert(course, database):
    outputs = [
        new_output("stream", text=HOSTILE),
        new_output("display_data", data={"text/html": HOSTILE + "<iframe src=//x></iframe>"}),
        new_output("display_data", data={"text/html": "<a href='javascript:x'>y</a>"}),
        new_output("display_data", data={"application/javascript": "alert(1)", "text/plain": "plain"}),
        new_output("display_data", data={"image/svg+xml": "<svg onload=alert(1)><script>alert(2)</script></svg>"}),
        new_output("error", ename="E", evalue=HOSTILE, traceback=[HOSTILE]),
    ]
    tests = ((HOSTILE, "failed", 0, HOSTILE),)
    hand_in(course, database, "s2", notebook(*outputs, text=HOSTILE), tests, changes=(HOSTILE,), note=HOSTILE)
    give(database, "s2", "plot", 1, 1, author="alice", reason=HOSTILE)
    feedback(course, database, None, ["s2"], now=NOW)
    for name in ("lab1", "index"):
        shown = page(course, "s2", name)
        for tag, attrs in shown.tags:
            assert tag not in ("script", "iframe", "object", "embed", "form", "base", "link")
            assert not any(key.startswith("on") for key in attrs), (tag, attrs)
            assert not (attrs.get("href") or "").startswith("javascript")
            assert tag != "img" or (attrs.get("src") or "data:").startswith("data:")
        policy = [attrs["content"] for tag, attrs in shown.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
        assert "script-src 'none'" in policy[0]


def test_hidden_tests_of_a_classic_cell_are_taken_out(course, database):
    cell = "assert f(1)\n### BEGIN HIDDEN TESTS\nassert f(2) == 0.123456\n### END HIDDEN TESTS"
    error = new_output("error", ename="AssertionError", evalue="", traceback=["----> assert f(2) == 0.123456"])
    given = new_notebook(cells=[new_code_cell(cell, outputs=[error]), new_code_cell("print('own')")])
    hand_in(course, database, "s1", given, TESTS)
    feedback(course, database, "lab1", now=NOW)
    assert "0.123456" not in page(course, "s1").text
    assert "assert f(1)" in page(course, "s1").text


def test_text_that_utf_8_cannot_hold_does_not_stop_a_page(course, database):
    hand_in(course, database, "s1", notebook(), TESTS)
    file = evidence_folder(course.root, "s1", "lab1", 1) / "lab1.ipynb"
    data = json.loads(file.read_text())
    data["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "a\ud800b"}]
    file.write_text(json.dumps(data))
    feedback(course, database, "lab1", now=NOW)
    assert "My work" in page(course, "s1").text


def test_only_the_counting_attempt_is_shown(course, database):
    hand_in(course, database, "s1", notebook(text="first try"), TESTS, attempt=1)
    hand_in(course, database, "s1", notebook(text="second try"), TESTS[:1], attempt=2)
    feedback(course, database, "lab1", now=NOW)
    text = page(course, "s1").text
    assert "second try" in text
    assert "first try" not in text
    assert "1 of 1 passed" in text


def test_a_fault_of_ours_is_said_and_gives_no_mark(course, database):
    tests = (("A hidden test that broke", "review", 0, "KeyError: reference"),)
    hand_in(course, database, "s1", notebook(), tests, state="review")
    feedback(course, database, "lab1", now=NOW)
    text = page(course, "s1").text
    assert "went wrong on our side" in text
    assert "with a marker" in text
    assert "KeyError" not in text


def test_an_automatic_mark_that_a_person_changed_says_so(course, database, marked):
    give(database, "s1", "automatic", 5, 6, author="alice", reason="the tolerance was too tight")
    feedback(course, database, "lab1", ["s1"], now=NOW)
    assert "the tolerance was too tight" in page(course, "s1").text


def test_the_module_page_shows_marks_so_far_and_links_to_the_pages_there_are(course, database, marked):
    feedback(course, database, now=NOW)
    shown = page(course, "s1", "index")
    rounded = "rounded once, half up = 51"
    for expected in ("Ann O'Neill", "40 %", "66.67 %", "2 days late", "First quiz", "60 % of labs", rounded):
        assert expected in shown.text, expected
    assert [attrs["href"] for tag, attrs in shown.tags if tag == "a"] == ["lab1.html", "quiz1.html"]
    absent = page(course, "s3", "index")
    assert "not submitted" in absent.text
    assert not [tag for tag, _ in absent.tags if tag == "a"]


def test_an_extension_shows_the_date_and_not_the_reason(course, database, marked):
    more = {"until": IN_TIME + timedelta(days=3), "reason": "private illness", "author": "boss", "at": NOW}
    with database.transaction() as session:
        session.add(Extension(student_id="s1", assignment="lab1", **more))
    feedback(course, database, "lab1", ["s1"], now=NOW)
    text = page(course, "s1").text
    assert "2027-02-18 15:00:00 GMT (extended for you): in time" in text
    assert "illness" not in text


def test_pages_are_written_where_something_was_handed_in_or_marked(course, database, marked):
    written = feedback(course, database, now=NOW).paths
    names = {path.relative_to(course.root / "feedback").as_posix() for path in written}
    indexes = {"s1/index.html", "s2/index.html", "s3/index.html"}
    assert names == {"s1/lab1.html", "s1/quiz1.html", "s2/quiz1.html"} | indexes
    assert feedback(course, database, "quiz1", ["s2", "s2"], now=NOW).paths == (
        course.root / "feedback/s2/quiz1.html",
        course.root / "feedback/s2/index.html",
    )


def test_an_unknown_name_is_refused_before_anything_is_written(course, database, marked):
    with pytest.raises(UnknownName, match="student"):
        feedback(course, database, None, ["s1", "s9"], now=NOW)
    with pytest.raises(UnknownName, match="assignment"):
        feedback(course, database, "lab9", now=NOW)
    assert not (course.root / "feedback").exists()
