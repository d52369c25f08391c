"""Bringing in a quiz's results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.enrolment import Person
from assessor.database.queries import student_ids
from assessor.database.tables import Student
from assessor.errors import AssessorError
from assessor.quizzes.lms_results import Stray, read_lms
from assessor.quizzes.results import read_results
from assessor.quizzes.settings import FOLDER, read_quiz
from assessor.workflow.mark import Imported, append_totals


def import_quiz(
    course: Course, database: Database, name: str, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> Imported:
    """Imports a quiz's results, all or nothing; what is in force already is left alone.

    Raises:
        UnknownName: there is no such quiz.
        ImportRefused: the file is wrong; nothing was imported.
    """
    quiz = course.assignment(name)
    if quiz.kind != "quiz":
        raise AssessorError(f"{name}: a {quiz.kind}, not a quiz")
    reason = f"quiz import {file.name}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    with database.transaction() as session:
        policy = course.marking.counting_attempt
        marks = read_results(file, student_ids(session), quiz.marks, policy, encoding=encoding)
        return append_totals(session, name, TOTAL, marks, quiz.marks, author=author, reason=reason, now=now)


@dataclass(frozen=True)
class FromLms:
    """What an import did, the rows that gave no mark, and who of the class list has no row."""

    marks: Imported
    strays: tuple[Stray, ...]
    without: tuple[str, ...]


def import_lms(
    course: Course, database: Database, name: str, file: Path, system: str, *, author: str, now: datetime,
    column: str | None = None, encoding: str | None = None,
) -> FromLms:  # fmt: skip
    """Imports results as an LMS exports them: all rows of the class list, or none where one of them is wrong.

    Of several attempts the quiz's own policy says which counts, or the course's where the quiz has no file. Nobody becomes
    absent by having no row.

    Raises:
        UnknownName: there is no such quiz.
        ImportRefused: the file is wrong; nothing was imported.
    """
    quiz = course.assignment(name)
    if quiz.kind != "quiz":
        raise AssessorError(f"{name}: a {quiz.kind}, not a quiz")
    taken_here = (course.root / FOLDER / f"{name}.toml").is_file()
    counts = read_quiz(course.root, name).policy.counts if taken_here else course.marking.counting_attempt
    reason = f"quiz import {file.name} from {system}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    with database.transaction() as session:
        people = [Person(one.id, one.name, one.email) for one in session.scalars(select(Student).order_by(Student.id))]
        found = read_lms(file, system, people, quiz.marks, counts, column=column, encoding=encoding)
        done = append_totals(session, name, TOTAL, found.marks, quiz.marks, author=author, reason=reason, now=now)
    return FromLms(done, found.strays, found.without)
