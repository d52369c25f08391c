"""The mark sheet of a course: XLSX with live formulas, CSV, HTML and PDF, from the marks that are in force."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.course import Assignment, Course
from assessor.database import Database
from assessor.database.gradebook import StudentRow, collector_resting, gradebook
from assessor.database.migrating import current
from assessor.database.queries import fingerprint
from assessor.database.tables import RECORDED, Job, Submission
from assessor.errors import AssessorError
from assessor.marking.acts import NONE
from assessor.marking.lateness import IN_TIME, rule_words
from assessor.marking.marks import AssignmentMark, Code, ModuleMark, Sitting, Status
from assessor.marking.total import ROUNDING_WORDS
from assessor.reports.sheet import (
    DEFERRED,
    FAIL,
    HELD,
    MARKED,
    MISSING,
    NOT_SUBMITTED,
    PASS,
    PENDING,
    REVIEW,
    WAIVED,
    Cell,
    Component,
    Item,
    Row,
    Sheet,
)
from assessor.reports.text import local_time, plain
from assessor.workflow.final_sheet import Frozen, differences, freeze, latest
from assessor.workflow.sheet_files import Written, write_sheet

STATUS_WORDS = {
    Status.MARKED: MARKED,
    Status.NOT_SUBMITTED: NOT_SUBMITTED,
    Status.REVIEW: REVIEW,
    Status.MISSING: MISSING,
    Status.WAIVED: WAIVED,
    Status.DEFERRED: DEFERRED,
    Status.HELD: HELD,
}
CODE_WORDS = {
    Code.PASS: "pass",
    Code.FAIL: "fail",
    Code.REFERRAL: "failed; the board lets the student try again",
    Code.COMPENSATED: "failed, and passed by the board for the rest of the year's work",
    Code.NOT_SUBMITTED: "nothing was handed in",
    Code.LATE_ZERO: "handed in so late that it counts 0",
    Code.EXCUSED: "waived by the board",
    Code.CONSIDERATIONS: "special considerations are not decided yet",
    Code.DEFERRED: "a first attempt is still to come",
    Code.INTEGRITY: "held: academic integrity is not decided yet",
    Code.MISSING: "a mark is missing",
}
PASSED = {Code.PASS, Code.COMPENSATED}
SETTLED = {*PASSED, Code.FAIL, Code.REFERRAL, Code.NOT_SUBMITTED, Code.LATE_ZERO}


class History(NamedTuple):
    """What a sheet says of the record behind it.

    Attributes:
        attempts: all that were collected.
        marks: how many were ever given; sha256: over all of them.
        versions: for each assignment the versions of its hidden tests by which submissions were graded.
    """

    attempts: int
    marks: int
    sha256: str
    versions: dict[str, str]


def marksheet(
    course: Course, database: Database, *, anonymous: bool = False, printable: bool = False, now: datetime
) -> Written:
    """Writes the mark sheet into reports/. Where one was frozen, it says what is different since.

    Args:
        anonymous: marking ids only, in their own order, so that neither name nor place in the class list shows.
        printable: a PDF too, which takes a second for each twenty students.
        now: the time of the sheet; what is not yet due and not handed in is missing, not NS.

    Raises:
        DatabaseUnavailable: the marks cannot be read.
        OSError: ours; the disk is full, read-only or not ours to write. The files that were there stay as they were.
    """
    with collector_resting():
        book, history = read(course, database, now)
        sheet, note = _compared(course, database, book, history, latest(course, database), anonymous, now)
        rows = rows_of(course, book, anonymous=anonymous)
        stem = course.root / "reports" / ("marksheet-anonymous" if anonymous else "marksheet")
        return replace(write_sheet(sheet, rows, stem, printable), note=note)


def final_marksheet(course: Course, database: Database, *, author: str, reason: str = "", now: datetime) -> Written:
    """Freezes the sheet for the board: read-only files below reports/final-N/, their hashes in the audit.

    Args:
        reason: why it is frozen again; needed from the second time on.

    Raises:
        AssessorError: it was frozen before, and no reason is given.
        OSError: ours; nothing was frozen.
    """
    before = latest(course, database)
    if before is not None and not reason.strip():
        raise AssessorError(
            f"{before.folder.name} was frozen on {local_time(before.at, course.time_zone)} by {before.author}: to freeze it "
            "again say why with --reason; the first stays"
        )
    book, history = read(course, database, now)
    sheet, note = _compared(course, database, book, history, before, False, now)
    rows = rows_of(course, book, anonymous=False)
    return replace(freeze(course, database, sheet, rows, author=author, reason=reason.strip(), now=now), note=note)


def read(course: Course, database: Database, now: datetime) -> tuple[list[StudentRow], History]:
    """The gradebook, and the record behind it, which the database goes through meanwhile."""
    with ThreadPoolExecutor(1) as beside:
        history = beside.submit(_history, database)
        return gradebook(course, database, now), history.result()


def _history(database: Database) -> History:
    with database.reading() as session:
        attempts = session.scalar(select(func.count()).select_from(Submission)) or 0
        return History(attempts, *fingerprint(session), _grader_versions(session))


def _compared(
    course: Course,
    database: Database,
    book: Sequence[StudentRow],
    history: History,
    frozen: Frozen | None,
    anonymous: bool,
    now: datetime,
) -> tuple[Sheet, str]:
    """The sheet with what differs from the frozen one, and why nothing could be compared where that is gone or changed.

    The marks are in the database: a lost file keeps nobody from a sheet of them.
    """
    sheet = sheet_of(course, anonymous=anonymous, now=now, provenance=provenance(course, database, book, history, now))
    if frozen is None:
        return sheet, ""
    named = [row_of(course, student) for student in book]
    whose = {student.id: student.marking_id for student in book} if anonymous else None
    try:
        return replace(sheet, changes=differences(course, database, frozen, sheet, named, whose)), ""
    except AssessorError as fault:
        return replace(sheet, provenance=(*sheet.provenance, ("Not compared with the frozen sheet", str(fault)))), str(fault)


def sheet_of(course: Course, *, anonymous: bool, now: datetime, provenance: Sequence[tuple[str, str]]) -> Sheet:
    """The sheet's head: its columns and where it comes from."""
    components = tuple(
        Component(name, weight, tuple(Item(a.name, a.title, a.weight) for a in course.of_component(name)))
        for name, weight in course.components.items()
    )
    return Sheet(
        code=course.code,
        title=course.title,
        made=local_time(now, course.time_zone),
        pass_mark=course.marking.pass_mark,
        rounding=course.marking.rounding,
        decimals=course.marking.places,
        components=components,
        provenance=tuple(provenance),
        anonymous=anonymous,
        codes=tuple((course.marking.shown(code), meaning) for code, meaning in CODE_WORDS.items()),
    )


def rows_of(course: Course, book: Sequence[StudentRow], *, anonymous: bool) -> list[Row]:
    """The sheet's rows, in the order of student ids, or of marking ids where it is anonymous."""
    ordered = sorted(book, key=lambda student: student.marking_id) if anonymous else book
    return [row_of(course, student) for student in ordered]


def row_of(course: Course, student: StudentRow) -> Row:
    """One student's row."""
    mark = student.mark
    outcome = PENDING if mark.outcome not in SETTLED else PASS if mark.outcome in PASSED else FAIL
    return Row(
        student=student.id,
        name=student.name,
        marking_id=student.marking_id,
        cells=tuple(tuple(cell_of(each) for each in component.assignments) for component in mark.components),
        components=tuple(component.percent for component in mark.components),
        total=mark.total,
        rounded=mark.final,
        outcome=outcome,
        plain=_is_plain(mark),
        code=course.marking.shown(mark.outcome),
        remarks=_remarks(mark),
    )


def _remarks(mark: ModuleMark) -> tuple[str, ...]:
    """What was decided about a module as a whole, without anybody's reasons."""
    found = ["re-weighted by the board"] if mark.reweighted else []
    found += [f"{each.name}: waived" for each in mark.components if each.waived]
    found += [f"{each.name}: below its minimum of {plain(each.minimum)}" for each in mark.components if each.below_minimum]
    found += [f"{each.name}: does not count {', '.join(each.dropped)}" for each in mark.components if each.dropped]
    if mark.final != mark.rounded:
        found.append(f"held to {plain(mark.final)} from {plain(mark.rounded)}")
    return tuple(found)


def _is_plain(mark: ModuleMark) -> bool:
    """Whether sums and means of the sheet's own cells come to this mark and outcome."""
    components = mark.components
    return (
        not mark.reweighted
        and mark.final == mark.rounded
        and mark.outcome in (Code.PASS, Code.FAIL, Code.NOT_SUBMITTED, Code.LATE_ZERO, Code.MISSING)
        and not any(component.below_minimum or component.dropped for component in components)
        and not any(each.acts.sitting is Sitting.REFERRAL for each in mark.assignments)
    )


def cell_of(mark: AssignmentMark) -> Cell:
    """One assignment's part of a row."""
    late = mark.late
    return Cell(
        points=mark.points,
        out_of=mark.out_of,
        percent=mark.percent,
        days_late=late.days,
        factor=late.factor,
        penalised=mark.penalised_percent,
        attempt=mark.attempt,
        status=MARKED if mark.status is Status.MARKED else STATUS_WORDS[mark.status],
        extended=mark.extended_until is not None,
        by_factor=(mark.acts is NONE or not mark.changed) and (late is IN_TIME or late.is_factor),
        remarks=_decided(mark),
    )


def _decided(mark: AssignmentMark) -> tuple[str, ...]:
    """What people decided about an assignment, in a word each; why is kept in confidence."""
    acts = mark.acts
    if acts is NONE:
        return ()
    said = {
        "scaled": acts.scaled, "penalised": acts.penalties, "share of a team's mark": acts.share,
        "considerations pending": acts.considered, "awaits its referral": acts.awaits_referral,
    }  # fmt: skip
    sitting = [] if acts.sitting is Sitting.FIRST else [str(acts.sitting)]
    return (*sitting, *(words for words, found in said.items() if found))


# Where the marks come from


def provenance(
    course: Course, database: Database, book: Sequence[StudentRow], history: History, now: datetime
) -> list[tuple[str, str]]:
    """Lines that say where a sheet comes from: course, software, database, policy, and the source of each mark."""
    made = f"{local_time(now, course.time_zone)}, {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return [
        ("Course", f"{course.code} {course.title}"),
        ("Made", made),
        ("State", "provisional until the examination board confirms it"),
        ("Software", f"assessor {version('assessor')}, Python {platform.python_version()}"),
        ("Database", f"{database.engine.dialect.name}, revision {current(database.engine) or 'none'}"),
        ("Students", str(len(book))),
        ("Attempts collected", str(history.attempts)),
        ("Marks on record", f"{history.marks}, earlier ones included; SHA-256 of their history {history.sha256}"),
        *_policy(course),
        *_sources(course, book, history.versions),
    ]


def _grader_versions(session: Session) -> dict[str, str]:
    """For each assignment the versions of its hidden tests by which submissions were graded."""
    query = (
        select(Submission.assignment, Job.grader_sha256, func.count())
        .join(Job.submission)
        .where(Job.state == RECORDED)
        .group_by(Submission.assignment, Job.grader_sha256)
    )
    found: dict[str, list[str]] = {}
    for assignment, sha256, submissions in session.execute(query):
        found.setdefault(assignment, []).append(f"{sha256[:12]} ({submissions} submissions)")
    return {assignment: ", ".join(sorted(versions)) for assignment, versions in found.items()}


def _policy(course: Course) -> list[tuple[str, str]]:
    marking = course.marking
    places = f"{marking.places} decimals" if marking.places else "a whole number"
    weights = ", ".join(f"{name} {plain(weight)} %" for name, weight in course.components.items())
    return [
        ("Weights", weights),
        ("Attempt that counts", marking.counting_attempt),
        ("Lateness", rule_words(marking.late)),
        ("Rounding", f"exact decimals throughout; the weighted total is {ROUNDING_WORDS[marking.rounding]}, to {places}"),
        ("Pass mark", plain(marking.pass_mark)),
    ]


def _sources(course: Course, book: Sequence[StudentRow], versions: dict[str, str]) -> list[tuple[str, str]]:
    """For each assignment what it is out of, when it was due, and whose marks are in force for each of its items."""
    given = Counter([
        (mark.name, item.item, item.author)
        for student in book
        for component in student.mark.components
        for mark in component.assignments
        for item in mark.items
        if item.points is not None
    ])
    authors: dict[tuple[str, str], Counter[str]] = {}
    for (name, item, author), count in given.items():
        authors.setdefault((name, item), Counter())[author or "unknown"] += count
    return [(f"Marks of {each.name}", _source(course, each, authors, versions)) for each in course.assignments]


def _source(
    course: Course, assignment: Assignment, authors: dict[tuple[str, str], Counter[str]], versions: dict[str, str]
) -> str:
    parts = [
        f"{assignment.kind}, out of {plain(assignment.marks)}, weight {plain(assignment.weight)} "
        f"in {assignment.component}, due {local_time(assignment.due, course.time_zone)}"
    ]
    for item, out_of in assignment.items.items():
        given = authors.get((assignment.name, item), Counter())
        by = ", ".join(f"{count} by {author}" for author, count in sorted(given.items())) or "none yet"
        parts.append(f"{item} (of {plain(out_of)}): {by}")
    if assignment.name in versions:
        parts.append(f"version of the hidden tests {versions[assignment.name]}")
    return "; ".join(parts)
