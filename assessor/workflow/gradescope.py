"""Results as Gradescope's autograder platform reads them: one results.json a student, in a zip.

What stands in it is what a feedback page shows: a test's first docstring line, verdict, message and hint. Where there is no
mark to give out (in review, held, still to come) there is no file.

Source: Gradescope's autograder specification of results.json.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.gradebook import gradebook
from assessor.database.tables import GradingRecord, Submission, TestRecord
from assessor.errors import AssessorError
from assessor.files import replacing
from assessor.grading.results import TestResult, Verdict
from assessor.marking.marks import AssignmentMark
from assessor.reports.feedback import TestLine, test_line
from assessor.reports.text import clean
from assessor.workflow.lms_export import SHOWN, Exported

VISIBILITY = "after_published"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
Key = tuple[str, int | None]
"""(student, attempt)."""


def export_gradescope(course: Course, database: Database, file: Path, name: str, *, now: datetime) -> Exported:
    """Writes FILE, a zip with STUDENT/results.json for everybody who has a mark of one assignment.

    Raises:
        UnknownName: no such assignment.
        AssessorError: it has no tests.
        OSError: ours; the disk is full or read-only.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise AssessorError(f"{name}: a {assignment.kind}; only what hidden tests mark has results for Gradescope")
    tests = _tests(database, name)
    count = 0
    with replacing(file) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in gradebook(course, database, now):
            mark = next(each for each in student.mark.assignments if each.name == name)
            if mark.status not in SHOWN or mark.attempt is None:
                continue
            found = results(mark, tests.get((student.id, mark.attempt), []))
            entry = zipfile.ZipInfo(f"{student.id}/results.json", ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(found, ensure_ascii=False, indent=1))
            count += 1
    return Exported(str(file), count, 1)


def results(mark: AssignmentMark, tests: list[tuple[TestLine, float]]) -> dict[str, Any]:
    """One student's results.json. `score` is the mark that counts, after lateness and decisions."""
    points = (mark.penalised_percent or Decimal(0)) * mark.out_of / 100
    lines = [
        {
            "name": clean(line.title), "name_format": "text", "number": str(number), "score": float(line.points),
            "max_score": float(line.out_of), "status": "passed" if line.verdict is Verdict.PASSED else "failed",
            "output": clean("\n".join(filter(None, [line.words, line.message, line.hint]))), "output_format": "text",
            "visibility": VISIBILITY,
        }
        for number, (line, _) in enumerate(tests, 1)
    ]  # fmt: skip
    lines += [
        {
            "name": item.item, "name_format": "text", "number": str(len(tests) + place), "score": float(item.points),
            "max_score": float(item.out_of), "output": clean(item.reason), "output_format": "text", "visibility": VISIBILITY,
        }
        for place, item in enumerate((each for each in mark.items if each.item != "automatic" and each.points is not None), 1)
        if item.points is not None
    ]  # fmt: skip
    return {
        "score": round(float(points), 4),
        "execution_time": round(sum(seconds for _, seconds in tests), 2),
        "output": clean(mark.late.line if mark.days_late else ""),
        "output_format": "text",
        "visibility": VISIBILITY,
        "stdout_visibility": "hidden",
        "tests": lines,
    }


def _tests(database: Database, name: str) -> Mapping[Key, list[tuple[TestLine, float]]]:
    """The newest grading's tests of each attempt; what only staff may read is not even fetched."""
    query = (
        select(
            Submission.student_id, Submission.attempt, GradingRecord.id, TestRecord.name, TestRecord.title, TestRecord.verdict,
            TestRecord.points, TestRecord.out_of, TestRecord.message, TestRecord.hint, TestRecord.seconds,
        )
        .join(GradingRecord, GradingRecord.submission_id == Submission.id)
        .join(TestRecord, TestRecord.grading_id == GradingRecord.id)
        .where(Submission.assignment == name)
        .order_by(GradingRecord.id, TestRecord.position)
    )  # fmt: skip
    found: dict[Key, list[tuple[TestLine, float]]] = {}
    newest: dict[Key, int] = {}
    with database.reading() as session:
        for student, attempt, grading, test, title, verdict, points, out_of, message, hint, seconds in session.execute(query):
            key = (student, attempt)
            if newest.get(key) != grading:
                newest[key], found[key] = grading, []
            result = TestResult(test, title, Verdict(verdict), points, out_of, message=message, hint=hint)
            found[key].append((test_line(result), seconds))
    return found
