"""Bringing in a quiz's results."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.queries import student_ids
from assessor.errors import AssessorError
from assessor.quizzes.results import read_results
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
