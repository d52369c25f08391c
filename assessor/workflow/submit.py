"""Handing in: a student's files into the inbox, whole, with an attempt number and a signed receipt."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from assessor.course import Assignment, Attachment, Course
from assessor.errors import SubmissionRefused
from assessor.files import new_folder, write_all
from assessor.pdf import read_pdf
from assessor.workflow.keys import private_folder, signing_key
from assessor.workflow.receipts import Receipt, ReceiptFile, sign, write_receipt

STUDENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
FILE_NAME = re.compile(r"[^/\\\0\x01-\x1f\x7f]{1,200}")
COPY_NUMBER = re.compile(r"( ?\(\d+\)|[ -]*[Cc]opy\d*)+$")
MAX_NOTEBOOK_BYTES = 32 * 2**20
MAX_BYTES = 64 * 2**20
RECEIPT = "receipt.json"


def submit(course: Course, name: str, student: str, files: Sequence[Path], *, now: datetime) -> Receipt:
    """Hands in files for an assignment.

    A late hand-in is taken, and its receipt says so.

    Raises:
        UnknownName: there is no such assignment.
        SubmissionRefused: one clear reason; nothing was handed in.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise SubmissionRefused(name, f"nothing is handed in here for a {assignment.kind}")
    if not STUDENT_ID.fullmatch(student):
        raise SubmissionRefused(name, f"{student!r} is no student id (letters, digits, '.', '_', '-')")
    contents = accept(assignment, [(path.name, read_plain(path)) for path in files])
    return into_inbox(course, assignment, student, contents, now)


def into_inbox(
    course: Course, assignment: Assignment, owner: str, contents: dict[str, bytes], now: datetime
) -> Receipt:
    """Puts a hand-in that was checked into the inbox, with its number and receipt. `owner`: a student, or a team."""
    key = signing_key(course.root)
    place = course.root / "inbox" / assignment.name / owner
    with _turn(course.root):
        attempt = 1 + max(_attempts(place), default=0)
        receipt = sign(make_receipt(course, assignment, owner, attempt, contents, now), key)
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
        with new_folder(place / f"{attempt:03}-{stamp}") as folder:
            write_all(folder, contents)
            write_receipt(receipt, folder / RECEIPT)
    return receipt


def make_receipt(
    course: Course, assignment: Assignment, student: str, attempt: int, files: dict[str, bytes], now: datetime
) -> Receipt:
    """An unsigned receipt for these files."""
    listed = tuple(ReceiptFile(n, hashlib.sha256(data).hexdigest(), len(data)) for n, data in sorted(files.items()))
    return Receipt(
        course=course.code, student=student, assignment=assignment.name, attempt=attempt,
        submitted_at=now.astimezone(UTC), files=listed, late=now > assignment.due, key="",
    )  # fmt: skip


def accept(assignment: Assignment, files: Sequence[tuple[str, bytes]], *, lenient: bool = False) -> dict[str, bytes]:
    """Checks a hand-in's files against what the assignment asks for, and gives them their proper names.

    Args:
        lenient: take a damaged notebook or too long a PDF, as a collection must; a student is told at once instead.

    Raises:
        SubmissionRefused: the student's; a file is missing, unexpected, too large or no notebook.
    """
    wanted = list(assignment.notebooks)
    taken: dict[str, bytes] = {}
    for given, data in files:
        name = _proper_name(given, wanted)
        if name in taken:
            raise SubmissionRefused(given, f"{name} was given twice")
        rule = assignment.attachment_for(name)
        if name in wanted:
            if len(data) > MAX_NOTEBOOK_BYTES:
                raise SubmissionRefused(given, f"{_mib(len(data))}, at most {_mib(MAX_NOTEBOOK_BYTES)}: clear outputs")
            if not lenient:
                _must_parse(given, data)
        elif rule is None:
            patterns = [rule.pattern for rule in assignment.attachments]
            raise SubmissionRefused(given, f"not asked for; expected {', '.join([*wanted, *patterns])}")
        elif len(data) > rule.max_bytes:
            raise SubmissionRefused(given, f"{_mib(len(data))}, at most {_mib(int(rule.max_bytes))}")
        elif not lenient and (fault := too_long(rule, data)):
            raise SubmissionRefused(given, fault)
        taken[name] = data
    for name in wanted:
        if name not in taken:
            raise SubmissionRefused(name, "this notebook is missing")
    for rule in assignment.attachments:
        if rule.required and not any(assignment.attachment_for(name) == rule for name in taken):
            raise SubmissionRefused(rule.pattern, "a file of this kind is missing")
    if sum(map(len, taken.values())) > MAX_BYTES:
        raise SubmissionRefused(assignment.name, f"more than {_mib(MAX_BYTES)} in all")
    return taken


def too_long(rule: Attachment, data: bytes) -> str:
    """Why a file is not the PDF that is asked for; '' when it is, or when none is."""
    return read_pdf(data).exceeds(rule.max_pages) if rule.max_pages else ""


def read_plain(path: Path) -> bytes:
    """Reads an ordinary file: no link, no device, no directory, not without end.

    Raises:
        SubmissionRefused: it is something else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        reason = "a symbolic link" if path.is_symlink() else (fault.strerror or "cannot be read").lower()
        raise SubmissionRefused(path, reason) from None
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise SubmissionRefused(path, "not an ordinary file")
    with os.fdopen(handle, "rb") as file:
        if state.st_size > MAX_BYTES:
            raise SubmissionRefused(path, f"{_mib(state.st_size)}, at most {_mib(MAX_BYTES)}")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SubmissionRefused(path, f"more than {_mib(MAX_BYTES)}")
    return data


def _proper_name(given: str, wanted: Sequence[str]) -> str:
    """'lab1 (1).ipynb' is lab1.ipynb; a single notebook of another name is the one that is asked for."""
    if not FILE_NAME.fullmatch(given) or given.startswith(".") or given in (RECEIPT, "submission.json"):
        raise SubmissionRefused(given, "not a name that can be handed in")
    path = Path(given)
    plain = COPY_NUMBER.sub("", path.stem) + path.suffix.lower()
    if plain in wanted:
        return plain
    if path.suffix.lower() == ".ipynb" and len(wanted) == 1:
        return wanted[0]
    return given


def _must_parse(given: str, data: bytes) -> None:
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError):
        raise SubmissionRefused(given, "not a notebook: save it in Jupyter and hand in the .ipynb file") from None
    if not isinstance(loaded, dict) or not ("cells" in loaded or "worksheets" in loaded):
        raise SubmissionRefused(given, "JSON, but not a notebook: it has no cells")


def _attempts(place: Path) -> Iterator[int]:
    for folder in place.glob("[0-9]*-*") if place.is_dir() else ():
        yield int(folder.name.split("-")[0])


@contextmanager
def _turn(root: Path) -> Iterator[None]:
    """One hand-in at a time gets its number."""
    with (private_folder(root) / "submit.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
