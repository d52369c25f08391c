"""The mark sheet that a board decided on: frozen as files, its hashes in the audit, and what has changed since.

A frozen sheet is a folder reports/final-N/ of read-only files. The audit, which the database keeps append-only, holds the
SHA-256 of each: a file that was changed, by whatever hand, is not taken for what was frozen. The CSV is what later sheets
are compared with, so the comparison stands on the very numbers that the board saw.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act
from assessor.database.audit import add_event
from assessor.database.tables import Event, Extension, Mark
from assessor.errors import AssessorError
from assessor.files import new_folder
from assessor.reports.marksheet_csv import lines
from assessor.reports.sheet import Change, Row, Sheet
from assessor.reports.text import local_time
from assessor.workflow.sheet_files import Written, write_sheet

VERB = "freeze mark sheet"
CSV = "marksheet.csv"
MARK, STATUS = " mark", " status"
COMPARED = ("mark", "outcome", "code")
NEW = "(not in the frozen sheet)"
GONE = "(no longer in the class list)"


@dataclass(frozen=True)
class Frozen:
    """A frozen sheet as the audit knows it: `files` are names and their SHA-256."""

    folder: Path
    at: datetime
    author: str
    reason: str
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The hash of the numbers: of the CSV."""
        return self.files[CSV]


def freeze(
    course: Course,
    database: Database,
    sheet: Sheet,
    rows: Sequence[Row],
    *,
    author: str,
    reason: str,
    now: datetime,
) -> Written:
    """Writes the files, makes them read-only, and notes their hashes in the audit.

    Until they are noted they count for nothing: what a crash leaves behind is passed over.
    """
    number = len(_all(course, database)) + 1
    folder = course.root / "reports" / f"final-{number}"
    while folder.exists():  # left by one that was never noted
        number += 1
        folder = folder.with_name(f"final-{number}")
    state = f"final: frozen by {author} on {local_time(now, course.time_zone)}" + (f", {reason}" if reason else "")
    facts = tuple((label, state if label == "State" else text) for label, text in sheet.provenance)
    final = replace(sheet, state="final", provenance=facts)
    with new_folder(folder) as fresh:
        written = write_sheet(final, rows, fresh / "marksheet", True)
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written.paths}
        sums = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
        (fresh / "SHA256SUMS").write_text(sums, "utf-8")
        for path in fresh.iterdir():
            path.chmod(0o440)
    with database.transaction() as session:
        add_event(session, author, VERB, now, {"folder": folder.name, "reason": reason, "files": hashes})
    return replace(written, paths=tuple(folder / path.name for path in written.paths))


def latest(course: Course, database: Database) -> Frozen | None:
    """The sheet that was frozen last; None where none was."""
    found = _all(course, database)
    return found[-1] if found else None


def _all(course: Course, database: Database) -> list[Frozen]:
    with database.reading() as session:
        events = list(session.scalars(select(Event).where(Event.verb == VERB).order_by(Event.id)))
    found = []
    for event in events:
        folder = course.root / "reports" / event.detail["folder"]
        found.append(Frozen(folder, event.at, event.author, event.detail["reason"], event.detail["files"]))
    return found


def verify(course: Course, database: Database, file: Path) -> str:
    """Says which frozen sheet a file is of.

    Raises:
        AssessorError: it is none, or was changed since.
    """
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as fault:
        raise AssessorError(f"{file}: cannot be read: {fault.strerror}") from None
    frozen = _all(course, database)
    for one in frozen:
        if digest in one.files.values():
            return f"{file}: as it was frozen on {local_time(one.at, course.time_zone)} by {one.author} ({one.folder.name})"
    known = ", ".join(one.folder.name for one in frozen) or "none was frozen"
    raise AssessorError(f"{file}: SHA-256 {digest} is of no frozen mark sheet ({known}): it is another file, or was changed")


def differences(
    course: Course,
    database: Database,
    frozen: Frozen,
    sheet: Sheet,
    rows: Sequence[Row],
    whose: Mapping[str, str] | None,
) -> tuple[Change, ...]:
    """What is no longer as it was frozen, student by student: module mark, outcome and code, and each item's mark.

    Args:
        sheet, rows: as they are now, identified.
        whose: student id -> the name to show instead.

    Raises:
        AssessorError: the frozen CSV is gone or was changed.
    """
    then, now = _read(frozen), _table(sheet, rows)
    why = _decisions(course, database, frozen.at)
    found = []
    for student in dict.fromkeys([*then, *now]):
        shown = student if whose is None else whose.get(student, "?")
        if student not in then or student not in now:
            text = NEW if student not in then else GONE
            found.append(Change(shown, "student", "" if student not in then else "there", text if student in now else "", text))
            continue
        for what in _compared(then[student], now[student]):
            before, after = then[student].get(what, ""), now[student].get(what, "")
            if before != after:
                name = what.removesuffix(MARK).removesuffix(STATUS)
                because = [*why.get((student, name), ()), *why.get((None, name), ())]
                if what in COMPARED:
                    because = [line for key, said in why.items() if key[0] in (student, None) for line in said]
                found.append(Change(shown, what, before, after, "; ".join(because)))
    return tuple(found)


def _compared(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    names = dict.fromkeys([*then, *now])
    return [name for name in names if name in COMPARED or name.endswith((MARK, STATUS))]


def _read(frozen: Frozen) -> dict[str, dict[str, str]]:
    path = frozen.folder / CSV
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise AssessorError(f"{path}: the frozen mark sheet cannot be read: {fault.strerror}; restore it from a backup") from None
    if hashlib.sha256(data).hexdigest() != frozen.sha256:
        raise AssessorError(f"{path}: not as it was frozen (its SHA-256 is not {frozen.sha256}); restore it from a backup")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))}


def _table(sheet: Sheet, rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    head, *values = lines(replace(sheet, anonymous=False), rows)
    return {row[0]: dict(zip(head, row, strict=True)) for row in values}


def _decisions(course: Course, database: Database, since: datetime) -> dict[tuple[str | None, str], list[str]]:
    """(student, assignment) -> what was recorded since, by whom and when; marks with their reasons, the rest in confidence."""
    found: dict[tuple[str | None, str], list[str]] = {}

    def note(student: str | None, name: str, at: datetime, author: str, what: str) -> None:
        found.setdefault((student, name), []).append(f"{what} by {author}, {local_time(at.astimezone(UTC), course.time_zone)}")

    with database.reading() as session:
        for mark in session.scalars(select(Mark).where(Mark.at > since).order_by(Mark.id)):
            note(mark.student_id, mark.assignment, mark.at, mark.author, f"{mark.item}: {mark.reason}")
        for act in session.scalars(select(Act).where(Act.at > since).order_by(Act.id)):
            note(act.student_id, act.subject, act.at, act.author, act.verb)
        for more in session.scalars(select(Extension).where(Extension.at > since).order_by(Extension.id)):
            note(more.student_id, more.assignment, more.at, more.author, "extension")
    return found
