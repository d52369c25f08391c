"""Taking in hand-ins: every attempt kept, every file checked, one bad one never stopping the rest.

Sources: the inbox that `submit` fills; a nbgrader exchange's inbound directory; a folder or an LMS zip whose naming is
given as a pattern. What belongs to nobody on the class list is set aside under submitted/.strays and reported.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.queries import attempts, student_ids
from assessor.database.tables import Submission
from assessor.errors import AssessorError, ReceiptInvalid, SubmissionRefused
from assessor.files import new_folder, write_all
from assessor.workflow.archives import Found, read_folder, read_zip
from assessor.workflow.keys import course_public_key
from assessor.workflow.receipts import Receipt, verify
from assessor.workflow.submit import RECEIPT, STUDENT_ID, accept, too_long

FIELDS = {
    "student": r"(?P<student>[A-Za-z0-9_][A-Za-z0-9._-]{0,63}?)",
    "file": r"(?P<file>[^/]+?)",
    "timestamp": r"(?P<timestamp>\d{4}-?\d\d-?\d\d[T_ -]?\d\d[:.-]?\d\d(?:[:.-]?\d\d)?)",
    "ignore": r"[^/]*?",
}
RECORD = "submission.json"
STAMP_FORMATS = ("%Y%m%d%H%M%S", "%Y%m%d%H%M")


@dataclass(frozen=True)
class Inbox:
    """What `submit` took."""


@dataclass(frozen=True)
class Exchange:
    """A nbgrader exchange: folders named student+assignment+timestamp[+random]."""

    folder: Path


@dataclass(frozen=True)
class Named:
    """A folder or zip whose paths follow a pattern such as '{student}_{ignore}_{file}'."""

    place: Path
    pattern: str


Source = Inbox | Exchange | Named


@dataclass(frozen=True)
class HandIn:
    """One hand-in as found. `fault` says why it cannot be taken."""

    student: str
    files: Mapping[str, bytes]
    submitted_at: datetime
    origin: str
    fault: str = ""


@dataclass(frozen=True)
class CollectRow:
    """What became of one hand-in. `status`: new, already, refused."""

    student: str
    attempt: int | None
    status: str
    late: bool
    note: str = ""


@dataclass(frozen=True)
class CollectReport:
    """What one collection did."""

    assignment: str
    rows: tuple[CollectRow, ...]

    def count(self, status: str) -> int:
        """How many hand-ins ended so."""
        return sum(row.status == status for row in self.rows)


def find_source(place: Path | None, pattern: str | None, exchange: Path | None) -> Source:
    """The source that the command line's options name.

    Raises:
        AssessorError: they contradict each other.
    """
    if place is not None and exchange is not None:
        raise AssessorError("--from and --exchange: give one of them")
    if exchange is not None:
        return Exchange(exchange)
    if place is None:
        if pattern is not None:
            raise AssessorError("--pattern says how files of --from are named: give both")
        return Inbox()
    if pattern is None:
        example = "--pattern '{student}_{ignore}_{file}'"
        raise AssessorError(f"{place}: say how its files are named, such as {example}; fields: {', '.join(FIELDS)}")
    return Named(place, pattern)


def collect(
    course: Course, database: Database, name: str, source: Source, *, now: datetime, author: str = "collect"
) -> CollectReport:
    """Takes in all hand-ins of an assignment that a source holds.

    Running it again takes only what is new. A crash in between loses nothing.

    Raises:
        UnknownName: there is no such assignment.
        SubmissionRefused: the source as a whole cannot be read.
    """
    assignment = course.assignment(name)
    with database.reading() as session:
        known = frozenset(student_ids(session))
    if isinstance(source, Inbox):
        found = from_inbox(course, assignment)
    elif isinstance(source, Exchange):
        found = _from_exchange(course, assignment, source)
    else:
        found = _from_named(course, source)
    rows = [_take(course, database, assignment, hand_in, known, now, author) for hand_in in found]
    return CollectReport(name, tuple(rows))


def _take(
    course: Course, database: Database, assignment: Assignment, found: HandIn, known: frozenset[str], now: datetime,
    author: str,
) -> CollectRow:  # fmt: skip
    late = found.submitted_at > assignment.due
    if found.fault:
        return CollectRow(found.student, None, "refused", late, found.fault)
    if found.student not in known:
        place = _set_aside(course, assignment, found)
        return CollectRow(found.student, None, "refused", late, f"not on the class list; kept in {place}")
    try:
        files = accept(assignment, list(found.files.items()), lenient=True)
    except SubmissionRefused as fault:
        place = _set_aside(course, assignment, found)
        return CollectRow(found.student, None, "refused", late, f"{fault.file}: {fault.reason}; kept in {place}")
    return _store(course, database, assignment, found, files, late=late, now=now, author=author)


def _store(
    course: Course,
    database: Database,
    assignment: Assignment,
    found: HandIn,
    files: Mapping[str, bytes],
    *,
    late: bool,
    now: datetime,
    author: str,
) -> CollectRow:
    """Files first, then the row: a folder without a row is a crash's and is replaced."""
    digest = digest_of(files)
    with database.transaction() as session:
        earlier = attempts(session, found.student, assignment.name)
        for old in earlier:
            if old.sha256 == digest and old.submitted_at == found.submitted_at:
                return CollectRow(found.student, old.attempt, "already", late)
        attempt = 1 + max((old.attempt for old in earlier), default=0)
        place = Path("submitted", found.student, assignment.name, str(attempt))
        notes = _notes(assignment, files)
        record = {"submitted_at": found.submitted_at.isoformat(), "sha256": digest, "origin": found.origin}
        shutil.rmtree(course.root / place, ignore_errors=True)
        with new_folder(course.root / place) as folder:
            write_all(folder, files)
            (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        session.add(
            Submission(
                student_id=found.student, assignment=assignment.name, attempt=attempt, path=str(place),
                submitted_at=found.submitted_at, collected_at=now, sha256=digest, origin=found.origin, note="; ".join(notes),
            )
        )  # fmt: skip
        detail = {"student": found.student, "assignment": assignment.name, "attempt": attempt, "sha256": digest}
        add_event(session, author, "collect", now, detail)
    if any(old.submitted_at > found.submitted_at for old in earlier):
        notes.append("came in after an attempt that was handed in later; it counts as the newest")
    return CollectRow(found.student, attempt, "new", late, "; ".join(notes))


def _notes(assignment: Assignment, files: Mapping[str, bytes]) -> list[str]:
    """What the marker should know of the files: the work is taken and marked all the same."""
    rules = {name: assignment.attachment_for(name) for name in files if name not in assignment.notebooks}
    faults = {name: too_long(rule, files[name]) for name, rule in rules.items() if rule is not None}
    return [f"{name}: {fault}" for name, fault in faults.items() if fault]


def digest_of(files: Mapping[str, bytes]) -> str:
    """One hash over names and contents."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(name.encode("utf-8", "replace") + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def _set_aside(course: Course, assignment: Assignment, found: HandIn) -> Path:
    """Keeps what cannot be taken, under a name of ours."""
    key = hashlib.sha256(f"{found.student}\0{found.submitted_at}\0{digest_of(found.files)}".encode()).hexdigest()[:16]
    place = Path("submitted", ".strays", assignment.name, key)
    if not (course.root / place).exists():
        with new_folder(course.root / place) as folder:
            for number, (name, data) in enumerate(sorted(found.files.items())):
                suffix = Path(name).suffix
                plain = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", suffix) else ""
                (folder / f"file-{number}{plain}").write_bytes(data)
            (folder / "found.json").write_text(json.dumps({"student": found.student, "files": sorted(found.files)}))
    return place


def from_inbox(course: Course, assignment: Assignment) -> Iterator[HandIn]:
    """Hand-ins whose receipts prove that nothing was changed since."""
    for folder in sorted((course.root / "inbox" / assignment.name).glob("*/[0-9]*-*")):
        student = folder.parent.name
        try:
            receipt = verify(folder / RECEIPT, course_public_key(course.root))
            files = {item.path: item.data for item in read_folder(folder) if item.path != RECEIPT}
            _check_receipt(folder, receipt, student, assignment.name, files)
        except (AssessorError, OSError) as fault:
            reason = fault.reason if isinstance(fault, ReceiptInvalid) else str(fault)
            yield HandIn(student, {}, datetime.now(UTC), "inbox", f"inbox/{folder.name}: {reason}")
            continue
        yield HandIn(student, files, receipt.submitted_at, "inbox")


def _check_receipt(folder: Path, receipt: Receipt, student: str, name: str, files: Mapping[str, bytes]) -> None:
    if (receipt.student, receipt.assignment) != (student, name):
        raise ReceiptInvalid(folder, f"its receipt is {receipt.student}'s for {receipt.assignment}")
    hashes = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    if hashes != {entry.name: entry.sha256 for entry in receipt.files}:
        raise ReceiptInvalid(folder, "its files are not those of its receipt")


def _from_exchange(course: Course, assignment: Assignment, source: Exchange) -> Iterator[HandIn]:
    for folder in sorted(source.folder.iterdir()):
        parts = folder.name.split("+")
        if folder.is_symlink() or not folder.is_dir() or len(parts) < 3 or parts[1] != assignment.name:
            continue
        files, fault = _plain(read_folder(folder), skip=("timestamp.txt",))
        when = _timestamp(course, folder / "timestamp.txt", parts[2])
        if not STUDENT_ID.fullmatch(parts[0]) or when is None:
            fault = fault or f"{folder.name}: not of the form student+assignment+timestamp"
        yield HandIn(parts[0], files, when or datetime.now(UTC), "exchange", fault)


def _timestamp(course: Course, file: Path, named: str) -> datetime | None:
    """nbgrader's own stamp, else the one in the folder's name; without a zone it is the course's."""
    texts = [named]
    if file.is_file() and not file.is_symlink() and file.stat().st_size < 200:
        texts.insert(0, file.read_text(errors="replace").strip())
    for text in texts:
        plain = re.sub(r" UTC$", "+00:00", text)
        try:
            when = datetime.fromisoformat(plain)
        except ValueError:
            continue
        return (when if when.tzinfo else when.replace(tzinfo=course.time_zone)).astimezone(UTC)
    return None


def _plain(found: Iterator[Found], skip: tuple[str, ...] = ()) -> tuple[dict[str, bytes], str]:
    """Files by their last name; the first fault."""
    files: dict[str, bytes] = {}
    for item in found:
        name = item.path.rsplit("/", 1)[-1]
        if name in skip or name.startswith("."):
            continue
        if item.fault:
            return files, f"{item.path}: {item.fault}"
        files[name] = item.data
    return files, ""


def _from_named(course: Course, source: Named) -> Iterator[HandIn]:
    """Files grouped by what the pattern says of their names; strays are reported one by one."""
    regex = compile_pattern(source.pattern)
    groups: dict[tuple[str, str], list[Found]] = {}
    opened = read_zip(source.place) if source.place.is_file() else read_folder(source.place)
    for item in opened:
        match = regex.search(item.path)
        if match is None:
            reason = item.fault or f"does not fit the pattern {source.pattern!r}"
            yield HandIn("?", {}, datetime.now(UTC), "folder", f"{item.path}: {reason}")
            continue
        groups.setdefault((match["student"], match.groupdict().get("timestamp") or ""), []).append(item)
    for (student, stamp), items in sorted(groups.items()):
        faults = [f"{item.path}: {item.fault}" for item in items if item.fault]
        files = {_file_name(regex, item.path): item.data for item in items if not item.fault}
        when = _stamp_time(course, stamp) or max((_when(course, item) for item in items), default=datetime.now(UTC))
        yield HandIn(student, files, when, "folder", faults[0] if faults else "")


def _file_name(regex: re.Pattern[str], path: str) -> str:
    match = regex.search(path)
    name = match.groupdict().get("file") if match else None
    return name or path.rsplit("/", 1)[-1]


def _when(course: Course, item: Found) -> datetime:
    when = item.modified or datetime.now(UTC)
    return (when if when.tzinfo else when.replace(tzinfo=course.time_zone)).astimezone(UTC)


def _stamp_time(course: Course, stamp: str) -> datetime | None:
    digits = re.sub(r"\D", "", stamp)
    for form in STAMP_FORMATS:
        try:
            return datetime.strptime(digits, form).replace(tzinfo=course.time_zone).astimezone(UTC)
        except ValueError:
            continue
    return None


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A naming pattern as a regular expression on the end of a path.

    Raises:
        AssessorError: an unknown field, a field twice, or no {student}.
    """
    parts = re.split(r"\{(\w+)\}", pattern)
    built = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            built += re.escape(part)
        elif part not in FIELDS:
            raise AssessorError(f"pattern {pattern!r}: unknown field {{{part}}}; known: {', '.join(FIELDS)}")
        else:
            built += FIELDS[part]
    if "{student}" not in pattern:
        raise AssessorError(f"pattern {pattern!r}: {{student}} must be in it")
    try:
        return re.compile(rf"(?:^|/){built}$")
    except re.error:
        raise AssessorError(f"pattern {pattern!r}: a field is in it twice") from None
