"""Feedback pages: one for each student and assignment, and one for each student's module.

A student's page is made of that student's rows alone. Of a hidden test's result the staff's detail is not even read
from the database, and hidden tests that stand in a classic notebook are taken out before it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat.v4
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import defer, selectinload

from assessor.course import AUTOMATIC, Assignment, Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.gradebook import StudentRow, gradebook
from assessor.database.tables import GradingRecord, Submission, TestRecord
from assessor.errors import UnknownName
from assessor.files import write_text
from assessor.grading.results import TestResult, Verdict
from assessor.marking.marks import AssignmentMark, Status, Step
from assessor.notebooks.render import to_fragment
from assessor.reports.feedback import (
    AssignmentPage,
    ManualLine,
    NotebookView,
    QuizView,
    TestLine,
    assignment_page,
    module_page,
    test_line,
)
from assessor.reports.hidden_parts import without_hidden_tests
from assessor.reports.text import local_time, plain
from assessor.workflow.evidence import evidence_folder
from assessor.workflow.module_page import spreads, student_page
from assessor.workflow.quiz_review import reviews
from assessor.workflow.recording import AUTOGRADE
from gpu_runner.execution import Outcome

STATUS_LINES = {
    Status.MARKED: "",
    Status.NOT_SUBMITTED: "nothing was handed in, which counts as 0",
    Status.REVIEW: "something went wrong on our side; a person will look, and there is no mark until then",
    Status.MISSING: "not marked yet",
    Status.WAIVED: "excused: it counts neither for nor against you",
    Status.DEFERRED: "deferred: your first attempt is still to come",
    Status.HELD: "not decided yet; the module's staff will tell you",
}
Key = tuple[str, int]
"""(student, attempt)."""


@dataclass(frozen=True)
class Pages:
    """The pages that were written."""

    paths: tuple[Path, ...]


def feedback(
    course: Course,
    database: Database,
    assignment: str | None = None,
    students: Sequence[str] | None = None,
    *,
    now: datetime,
    author: str = "feedback",
) -> Pages:
    """Writes feedback/STUDENT/ASSIGNMENT.html and feedback/STUDENT/index.html. The audit keeps by whom, when and of what.

    The module's page shows marks only of assignments whose own page was written for the student: writing that is what
    gives the mark out.

    Args:
        assignment: only this one; None for all. A page is written where something was handed in or marked.
        students: only these; None for all.

    Raises:
        UnknownName: no such assignment or student.
        DatabaseUnavailable: the marks cannot be read.
        OSError: ours; the disk is full, read-only or not ours to write. Pages that were written stay.
    """
    chosen = course.assignments if assignment is None else (course.assignment(assignment),)
    everybody = gradebook(course, database, now)
    book = _chosen(everybody, students)
    paths: list[Path] = []
    for each in chosen:
        evidence = _evidence(database, each, None if students is None else [student.id for student in book])
        taken = reviews(course, database, each.name, now=now) if each.kind == "quiz" else {}
        for student in book:
            mark = next(mark for mark in student.mark.assignments if mark.name == each.name)
            if mark.attempt is None and (mark.status is Status.NOT_SUBMITTED or not _any_marked(mark)):
                continue
            grading = evidence.get((student.id, mark.attempt)) if mark.attempt is not None else None
            path = course.root / "feedback" / student.id / f"{each.name}.html"
            attempts = taken.get(student.id, ())
            write_text(path, assignment_page(_assignment_page(course, each, student.id, mark, grading, attempts, now)))
            paths.append(path)
    cohort = spreads(course, everybody)
    for student in book:
        path = course.root / "feedback" / student.id / "index.html"
        write_text(path, module_page(student_page(course, student, path.parent, cohort, now)))
        paths.append(path)
    if book:
        with database.transaction() as session:
            detail = {"assignment": assignment, "students": None if students is None else [student.id for student in book]}
            add_event(session, author, "feedback", now, detail)
    return Pages(tuple(paths))


def _any_marked(mark: AssignmentMark) -> bool:
    return any(item.points is not None for item in mark.items)


def _chosen(book: list[StudentRow], students: Sequence[str] | None) -> list[StudentRow]:
    if students is None:
        return book
    known = {student.id: student for student in book}
    for name in students:
        if name not in known:
            raise UnknownName("student", name, known)
    return [known[name] for name in dict.fromkeys(students)]


def _evidence(database: Database, assignment: Assignment, students: list[str] | None) -> Mapping[Key, GradingRecord]:
    """The newest grading of each attempt, with its tests but without what only staff may read."""
    query = (
        select(Submission.student_id, Submission.attempt, GradingRecord)
        .join(Submission, Submission.id == GradingRecord.submission_id)
        .where(Submission.assignment == assignment.name)
        .order_by(GradingRecord.id)
        .options(
            defer(GradingRecord.manifest, raiseload=True),
            defer(GradingRecord.usage, raiseload=True),
            selectinload(GradingRecord.tests).defer(TestRecord.detail, raiseload=True),
        )
    )
    if students is not None:
        query = query.where(Submission.student_id.in_(students))
    with database.reading() as session:
        return {(student, attempt): grading for student, attempt, grading in session.execute(query)}


# One assignment


def _assignment_page(
    course: Course,
    assignment: Assignment,
    student: str,
    mark: AssignmentMark,
    grading: GradingRecord | None,
    taken: Sequence[QuizView],
    now: datetime,
) -> AssignmentPage:
    held = mark.status is Status.HELD  # nothing that would give the mark away
    if held:
        grading = None
    return AssignmentPage(
        course=f"{course.code} {course.title}",
        assignment=assignment.title,
        student=student,
        attempt=mark.attempt,
        submitted=local_time(mark.submitted_at, course.time_zone),
        lateness=_lateness(course, assignment, mark),
        status=STATUS_LINES[mark.status],
        points=mark.points,
        out_of=mark.out_of,
        percent=mark.penalised_percent,
        working=() if held else _working(mark),
        tests=tuple(_test_line(test) for test in grading.tests) if grading else (),
        manual=() if held else _manual(assignment, mark),
        changes=tuple(grading.changes) if grading else (),
        note=_note(grading) if grading else "",
        notebooks=_notebooks(course, assignment, student, mark.attempt) if grading else (),
        made=local_time(now, course.time_zone),
        quiz=() if held or mark.status is not Status.MARKED else tuple(taken),
    )


def _lateness(course: Course, assignment: Assignment, mark: AssignmentMark) -> str:
    """The deadline that holds for this student, and whether it was kept."""
    due = max(assignment.due, mark.extended_until) if mark.extended_until else assignment.due
    line = local_time(due, course.time_zone) + (" (extended for you)" if mark.extended_until else "")
    if mark.submitted_at is None:
        return line
    if not mark.days_late:
        return f"{line}: in time"
    return f"{line}: {mark.late.line.replace(': x ', ', the mark counts × ')}"


def _working(mark: AssignmentMark) -> tuple[str, ...]:
    """The mark's working: its items, which say their points themselves, then the percentage that each step leaves."""
    return tuple(_step(step, unit=" %", with_value=not step.in_points) for step in mark.working)


def _step(step: Step, *, unit: str = "", with_value: bool = True) -> str:
    text = step.text.replace(" x ", " × ")
    return f"{text} = {plain(step.value, 4)}{unit}" if with_value and step.value is not None else text


def _test_line(test: TestRecord) -> TestLine:
    verdict = Verdict(test.verdict)
    return test_line(
        TestResult(test.name, test.title, verdict, test.points, test.out_of, message=test.message, hint=test.hint)
    )


def _manual(assignment: Assignment, mark: AssignmentMark) -> tuple[ManualLine, ...]:
    """What people marked: the manual items, and an automatic mark that a person changed."""
    if assignment.kind != "notebook":
        return ()
    lines = []
    for item in mark.items:
        if item.item != AUTOMATIC:
            lines.append(ManualLine(item.item, item.points, item.out_of, item.reason))
        elif item.points is not None and item.author != AUTOGRADE:
            lines.append(ManualLine("hidden tests, mark changed by a marker", item.points, item.out_of, item.reason))
    return tuple(lines)


def _note(grading: GradingRecord) -> str:
    ended = "" if grading.outcome == Outcome.COMPLETED.value else f"ended early: {grading.outcome}"
    return "; ".join(part for part in (ended, grading.note) if part)


# The notebook


def _notebooks(
    course: Course, assignment: Assignment, student: str, attempt: int | None
) -> tuple[NotebookView, ...]:
    """The executed notebooks that are kept as evidence, sanitised."""
    if attempt is None:
        return ()
    folder = evidence_folder(course.root, student, assignment.name, attempt)
    views = []
    for name in assignment.notebooks:
        file = folder / name
        if file.is_file():
            text = file.read_bytes().decode("utf-8", errors="replace")
            fragment = to_fragment(without_hidden_tests(nbformat.v4.reads(text)))
            views.append(NotebookView(name, Markup(fragment)))  # noqa: S704 - sanitised in the line above
    return tuple(views)
