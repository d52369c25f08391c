"""Bringing in the group project's marks."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.queries import student_ids
from assessor.errors import AssessorError
from assessor.projects.results import read_results
from assessor.workflow.mark import Imported, append_totals


def import_project(
    course: Course, database: Database, name: str, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> Imported:
    """Imports team marks with their splits, all or nothing; what is in force already is left alone.

    Raises:
        UnknownName: there is no such project.
        ImportRefused: the file is wrong; nothing was imported.
    """
    project = course.assignment(name)
    if project.kind != "project":
        raise AssessorError(f"{name}: a {project.kind}, not a project")
    reason = f"project import {file.name}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    with database.transaction() as session:
        marks = read_results(file, student_ids(session), project.marks, encoding=encoding)
        return append_totals(session, name, TOTAL, marks, project.marks, author=author, reason=reason, now=now)
