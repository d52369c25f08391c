"""Running a grading again from its evidence: is the mark the same, and if not, what is different?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from assessor.course import AUTOMATIC, Course
from assessor.database import Database
from assessor.database.tables import GradingRecord, Mark, Submission
from assessor.errors import AssessorError, UnknownName
from assessor.grading.grade import grade
from assessor.grading.results import Grading
from assessor.workflow.bundles import make_bundle
from assessor.workflow.keys import course_secret

CIRCUMSTANCES = ("notebook_sha256", "grader_sha256", "environment_sha256", "python", "device", "machine", "seed", "limits")
"""What of a manifest can explain a difference, beside packages and the sandbox."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was. `matters`: a result; otherwise a circumstance that may explain one."""

    what: str
    then: str
    now: str
    matters: bool


@dataclass(frozen=True)
class Replay:
    """A grading and its repetition."""

    student: str
    assignment: str
    mark: int
    then: Decimal
    now: Decimal
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every test and the outcome came out as they did."""
        return not any(difference.matters for difference in self.differences)


def replay(course: Course, database: Database, student: str, name: str) -> Replay:
    """Grades the submission behind a student's newest automatic mark again, and compares. Changes nothing.

    Raises:
        UnknownName: there is no such assignment.
        AssessorError: there is no mark that was given by hidden tests.
        RunnerError, GraderFault: ours; it could not be run again.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise UnknownName("notebook assignment", name, [one.name for one in course.assignments if one.kind == "notebook"])
    with database.reading() as session:
        query = select(Mark).where(
            Mark.student_id == student, Mark.assignment == name, Mark.item == AUTOMATIC, Mark.grading_id.is_not(None)
        )  # fmt: skip
        mark = session.scalars(query.order_by(Mark.id.desc())).first()
        if mark is None or mark.submission_id is None:
            raise AssessorError(f"{student}, {name}: no mark that hidden tests gave, so there is nothing to run again")
        record = session.get_one(GradingRecord, mark.grading_id)
        submission = session.get_one(Submission, mark.submission_id)
        tests = {test.name: _told(test.verdict, test.points, test.out_of) for test in record.tests}
        number, then, outcome, manifest = mark.id, record.points, record.outcome, record.manifest
        folder = course.root / submission.path
        submission_id = submission.id
    bundle = make_bundle(course, assignment, submission_id, student, folder, course_secret(course.root))
    again = grade(bundle)
    differences = (*_results(tests, outcome, again), *_circumstances(manifest, again.execution.manifest))
    return Replay(student, name, number, then, again.points, differences)


def _results(tests: Mapping[str, str], outcome: str, again: Grading) -> Iterator[Difference]:
    if outcome != again.execution.outcome.value:
        yield Difference("outcome", outcome, again.execution.outcome.value, True)
    now = {test.name: _told(test.verdict.value, test.points, test.out_of) for test in again.tests}
    for name in dict.fromkeys((*tests, *now)):
        if tests.get(name) != now.get(name):
            yield Difference(name, tests.get(name, "not there"), now.get(name, "not there"), True)


def _told(verdict: str, points: Decimal, out_of: Decimal) -> str:
    return f"{verdict}, {points.normalize():f} of {out_of.normalize():f}"


def _circumstances(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in CIRCUMSTANCES:
        if then.get(name) != now.get(name):
            yield Difference(name, _short(then.get(name)), _short(now.get(name)), False)
    before, after = then.get("packages") or {}, now.get("packages") or {}
    for package in sorted({*before, *after}):
        if before.get(package) != after.get(package):
            yield Difference(package, before.get(package, "not there"), after.get(package, "not there"), False)
    boxes = [(one.get("sandbox") or {}) for one in (then, now)]
    for part in ("backend", "version"):
        if boxes[0].get(part) != boxes[1].get(part):
            yield Difference(f"sandbox {part}", _short(boxes[0].get(part)), _short(boxes[1].get(part)), False)


def _short(value: object) -> str:
    text = "not recorded" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
