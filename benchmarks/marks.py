"""A mark sheet of 10,000 students, a status page of 300 with their tests' verdicts, and what writing the CSV adds to memory.

The last line is JSON: {"marksheet_s", "marksheet_two_items_s", "status_s", "csv_rss_growth_mb"}. marksheet_s goes from the
database to the rows of the sheet, without writing a file, for eight labs, a project and two quizzes of one mark each;
marksheet_two_items_s where each lab has a second one, given by hand. csv_rss_growth_mb is the highest resident memory while the
CSV of 10,000 students is written, less that of 1,000; the gradebook itself is read before, and does grow.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path
from random import Random

from sqlalchemy import insert

from assessor.course import Course, load_course
from assessor.database import Database, open_database
from assessor.database.gradebook import StudentRow, collector_resting, gradebook
from assessor.database.tables import RECORDED, GradingRecord, Job, Mark, Student, Submission, TestRecord
from assessor.reports.marksheet_csv import write_csv
from assessor.workflow.init import init_course
from assessor.workflow.marksheet import provenance, read, row_of, rows_of, sheet_of
from assessor.workflow.status import status

COHORT, FEW = 10_000, 1_000
CLASS, TESTS = 300, 12
GRADER = "0" * 64


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        course = load_course(init_course(Path(scratch) / "course"))
        large, small = (open_database(Path(scratch) / name, create=True) for name in ("large.db", "small.db"))
        fill(course, small, CLASS, tests=TESTS)
        growth = csv_growth(course, small, Path(scratch))  # first: a large heap would hide it
        fill(course, large, COHORT, tests=0)
        one = one_item_each(course)
        ones = open_database(Path(scratch) / "ones.db", create=True)
        fill(one, ones, COHORT, tests=0)
        result = {
            "marksheet_s": min(marksheet(one, ones) for _ in range(5)),
            "marksheet_two_items_s": min(marksheet(course, large) for _ in range(5)),
            "status_s": min(status_page(course, small) for _ in range(3)),
            "csv_rss_growth_mb": growth,
        }
        large.close()
        small.close()
        ones.close()
    for name, value in result.items():
        print(f"{name:22} {value:8.3f}")
    print(json.dumps(result))


def one_item_each(course: Course) -> Course:
    """The course without what is marked by hand."""
    labs = tuple(replace(each, manual=(), marks=each.hidden_marks or each.marks) for each in course.assignments)
    return replace(course, assignments=labs)


def fill(course: Course, database: Database, students: int, *, tests: int) -> None:
    """Every student hands in every notebook, some late, and has a mark for every item; with `tests` verdicts for each."""
    random, now = Random(6258), datetime.now(UTC)
    names = [f"s{number:05}" for number in range(students)]
    submissions, jobs, gradings, verdicts, marks = [], [], [], [], []
    for name in names:
        for assignment in course.assignments:
            number = None
            if assignment.kind == "notebook":
                number = len(submissions) + 1
                at = assignment.due + timedelta(hours=random.choice((-30, -2, -1, 3, 40)))
                submissions.append(
                    {"id": number, "student_id": name, "assignment": assignment.name, "attempt": 1, "submitted_at": at,
                     "collected_at": at, "sha256": GRADER, "origin": "inbox", "path": name, "note": ""}
                )  # fmt: skip
                jobs.append(
                    {"id": number, "submission_id": number, "grader_sha256": GRADER, "state": RECORDED, "queued_at": at,
                     "host": "h", "device": "cpu", "tries": 1, "error": ""}
                )  # fmt: skip
                if tests:
                    gradings.append(
                        {"id": number, "job_id": number, "submission_id": number, "at": at, "outcome": "completed",
                         "points": Decimal(3), "out_of": Decimal(4), "note": "", "changes": [], "usage": {}, "manifest": {}}
                    )  # fmt: skip
                verdicts += [
                    {"grading_id": number, "position": place, "name": f"t{place}", "title": "title", "verdict": "passed",
                     "points": Decimal(1), "out_of": Decimal(1), "message": "m" * 200, "detail": "d" * 400, "hint": "",
                     "seconds": 0.1, "place": "worker", "public": False}
                    for place in range(tests)
                ]  # fmt: skip
            for item, out_of in assignment.items.items():
                marks.append(
                    {"student_id": name, "assignment": assignment.name, "item": item, "submission_id": number,
                     "points": (out_of * random.randint(20, 100) / 100).quantize(Decimal("0.01")), "out_of": out_of,
                     "author": "benchmark", "at": now, "reason": "hidden tests", "not_submitted": False}
                )  # fmt: skip
    people = [{"id": name, "name": name.title(), "email": "", "marking_id": f"M{name}"} for name in names]
    tables = (
        (Student, people), (Submission, submissions), (Job, jobs), (GradingRecord, gradings), (TestRecord, verdicts),
        (Mark, marks),
    )  # fmt: skip
    with database.transaction() as session:
        for table, rows in tables:
            if rows:
                session.execute(insert(table), rows)
    print(f"{students} students, {len(marks)} marks, {len(verdicts)} verdicts")


def marksheet(course: Course, database: Database) -> float:
    """Seconds from the database to the rows of the sheet."""
    now = datetime.now(UTC)
    started = time.perf_counter()
    with collector_resting():
        book, history = read(course, database, now)
        gathered = time.perf_counter() - started
        sheet_of(course, anonymous=False, now=now, provenance=provenance(course, database, book, history, now))
        rows = rows_of(course, book, anonymous=False)
        seconds = time.perf_counter() - started
    print(f"gradebook {gathered:.2f} s, provenance and rows {seconds - gathered:.2f} s")
    if len(rows) != COHORT or any(row.rounded is None for row in rows):
        raise SystemExit("a student of the mark sheet has no mark")
    return round(seconds, 3)


def status_page(course: Course, database: Database) -> float:
    """Seconds for the whole status."""
    started = time.perf_counter()
    report = status(course, database)
    seconds = time.perf_counter() - started
    if report.students != CLASS or any(row.marked != CLASS for row in report.rows if row.submitted):
        raise SystemExit("the status page counts wrongly")
    return round(seconds, 3)


def csv_growth(course: Course, database: Database, folder: Path) -> float:
    """MB that writing a large cohort takes beyond a small one; the same few students again and again, who take no more room."""
    now = datetime.now(UTC)
    book = gradebook(course, database, now)
    few, many = (peak_of_writing(course, book, count, folder / "sheet.csv", now) for count in (FEW, COHORT))
    print(f"highest resident memory while the CSV of {FEW} students is written: {few:.1f} MB, of {COHORT}: {many:.1f} MB")
    return round(many - few, 1)


def peak_of_writing(course: Course, book: Sequence[StudentRow], count: int, path: Path, now: datetime) -> float:
    """MB, of a process of its own."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        rows = (row_of(course, student) for student in islice(cycle(book), count))
        write_csv(sheet_of(course, anonymous=False, now=now, provenance=()), rows, path)
        os.write(writer, str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024).encode())
        os._exit(0)
    os.close(writer)
    peak = os.read(reader, 64)
    os.close(reader)
    os.waitpid(child, 0)
    return float(peak)


if __name__ == "__main__":
    main()
