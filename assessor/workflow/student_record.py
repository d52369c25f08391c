"""One student's whole record: given out where the student asks for it, erased where the law asks for that.

An erasure deletes every row and folder that is the student's own, and takes the id out of events and acts that name others
too, where the marking id, which then leads to nobody, stands instead. The database's own triggers let only this through,
and note in the audit that it was done, by whom and why. Backups that were taken before still hold the record.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, inspect, select
from sqlalchemy.orm import Session

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act
from assessor.database.audit import add_event
from assessor.database.enrolment import find_student
from assessor.database.quizzes import QuizAttempt, QuizEnd, QuizResponse, QuizScore
from assessor.database.tables import (
    Erasing,
    Event,
    Extension,
    GradingRecord,
    Job,
    Mark,
    Student,
    Submission,
    Table,
    TestRecord,
)
from assessor.errors import AssessorError
from assessor.files import replacing

FOLDERS = ("submitted", "autograded", "feedback")
"""Each has a folder for each student."""


@dataclass(frozen=True)
class RecordDone:
    """What was given out or erased: rows by table, and files."""

    student: str
    rows: dict[str, int]
    files: int


def export_record(
    course: Course, database: Database, name: str, file: Path, *, author: str = "unknown", now: datetime
) -> RecordDone:
    """Writes a zip of one student's rows (record.json) and files. The audit keeps that it was given out, and by whom.

    Raises:
        UnknownName: no such student.
        AssessorError: the file exists.
    """
    if file.exists():
        raise AssessorError(f"{file}: exists already; choose another name")
    with database.reading() as session:
        student = find_student(session, name)
        found = {"student": [student]} | {
            table.__tablename__: list(session.scalars(select(table).where(whose))) for table, whose in _own(student.id)
        }
        rows: dict[str, list[dict[str, Any]]] = {table: [_plain(row) for row in of] for table, of in found.items()}
        rows["event"] = [_plain(event) for event in _naming(session, Event, student.id)]
    paths = _files(course.root, student.id)
    with replacing(file) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("record.json", json.dumps(rows, indent=1, default=str, ensure_ascii=False))
        for path in paths:
            archive.write(path, path.relative_to(course.root).as_posix())
    file.chmod(0o600)
    with database.transaction() as session:
        add_event(session, author, "record export", now, {"student": student.id, "file": file.name})
    return RecordDone(student.id, {table: len(of) for table, of in rows.items()}, len(paths))


def erase_record(
    course: Course, database: Database, name: str, *, author: str, reason: str, now: datetime
) -> RecordDone:
    """Erases one student's record, rows and files. It cannot be undone.

    Raises:
        UnknownName: no such student.
        AssessorError: no reason.
        OSError: ours; a file cannot be removed. No row is gone then; run it again.
    """
    with database.transaction() as session:
        student = find_student(session, name)
        check_reason(reason, student)
        session.add(Erasing(student_id=student.id, at=now, author=author, reason=reason.strip()))
        session.flush()
        paths, rows = _files(course.root, student.id), {}
        for table, whose in _own(student.id):
            rows[table.__tablename__] = session.execute(
                delete(table).where(whose), execution_options={"synchronize_session": False}
            ).rowcount  # type: ignore[attr-defined]
        for named in (Event, Act):
            found = _naming(session, named, student.id)
            rows[f"{named.__tablename__} rewritten"] = len(found)
            for row in found:
                _redact(row, student)
        session.flush()
        session.execute(delete(Student).where(Student.id == student.id), execution_options={"synchronize_session": False})
        for folder in _folders(course.root, student.id):
            shutil.rmtree(folder)
    return RecordDone(student.marking_id, rows, len(paths))


def check_reason(reason: str, *students: Student) -> None:
    """A reason stays in the audit for good.

    Raises:
        AssessorError: there is none, or it names one of these students.
    """
    if not reason.strip():
        raise AssessorError("an erasure needs a reason; it stays in the audit, so do not name the student in it")
    if any(re.search(_word(student.id), reason) or student.name in reason for student in students):
        raise AssessorError("the reason stays in the audit: do not name the student in it")


def _own(student: str) -> tuple[tuple[type[Table], Any], ...]:
    """The tables of a student's own rows, and which those are; rows that refer to others come before them."""
    submissions = select(Submission.id).where(Submission.student_id == student)
    gradings = select(GradingRecord.id).where(GradingRecord.submission_id.in_(submissions))
    attempts = select(QuizAttempt.id).where(QuizAttempt.student_id == student)
    return (
        (QuizScore, QuizScore.attempt_id.in_(attempts)),
        (QuizResponse, QuizResponse.attempt_id.in_(attempts)),
        (QuizEnd, QuizEnd.attempt_id.in_(attempts)),
        (QuizAttempt, QuizAttempt.student_id == student),
        (Mark, Mark.student_id == student),
        (TestRecord, TestRecord.grading_id.in_(gradings)),
        (GradingRecord, GradingRecord.submission_id.in_(submissions)),
        (Job, Job.submission_id.in_(submissions)),
        (Submission, Submission.student_id == student),
        (Extension, Extension.student_id == student),
        (Act, Act.student_id == student),
    )


def _naming(session: Session, table: type[Event] | type[Act], student: str) -> list[Any]:
    """The events or acts that name a student, each word for word."""
    word = re.compile(_word(student))
    rows: list[Any] = list(session.scalars(select(table).order_by(table.id)))
    return [row for row in rows if row.author == student or word.search(json.dumps(row.detail, ensure_ascii=False))]


def _word(student: str) -> str:
    return rf"(?<![\w.-]){re.escape(student)}(?![\w-]|\.\w)"


def _redact(row: Event | Act, student: Student) -> None:
    """Leaves of an event that is the student's alone only whose it was; of another, takes the id out."""
    if row.author == student.id:
        row.author = student.marking_id
    if row.detail.get("student") == student.id:
        row.detail = {"student": student.marking_id}
    else:
        text = json.dumps(row.detail, ensure_ascii=False)
        row.detail = json.loads(re.sub(_word(student.id), lambda _: student.marking_id, text))


def _folders(root: Path, student: str) -> list[Path]:
    """The folders that are one student's; the inbox has one for each assignment."""
    places = [*(root / folder for folder in FOLDERS), *sorted((root / "inbox").glob("*"))]
    return [place / student for place in places if (place / student).exists()]


def _files(root: Path, student: str) -> list[Path]:
    found = [path for folder in _folders(root, student) for path in sorted(folder.rglob("*"))]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def _plain(row: Table) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs}
