"""Faults that a person can mend. The CLI prints one line and exits 1; anything else is a bug and keeps its traceback.

    AssessorError
    ├── CourseInvalid           course.toml or assignment.toml: file, key, what was found, what is allowed
    ├── ImportRefused           a table from outside: file, row, column, what was found, what is expected
    ├── SubmissionRefused       a hand-in that cannot be taken: file and reason
    ├── ReceiptInvalid          a receipt that this course did not sign, or that was changed
    ├── ReleaseLeaks            a release would show a solution or a hidden test
    ├── UnknownName             a student, assignment, item or team that does not exist
    ├── DatabaseUnavailable     locked, read-only, full, unreachable or of another version
    ├── AlreadyRunning          another coordinator works on this course
    └── GraderFault             a bug in a hidden test or reference: ours, no mark, to review
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gpu_runner.errors import rebuilt

MAX_SHOWN = 120
"""Characters of what was found that one line shows."""


class AssessorError(Exception):
    """Base of every fault that the CLI reports in one line."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Crosses from a worker whole, whatever its constructor takes."""
        return rebuilt, (type(self), self.args, self.__dict__)


class CourseInvalid(AssessorError):
    """A course's own files are wrong.

    Attributes:
        file: the file; key: dotted path of the key; found: what stands there; allowed: what may.
    """

    def __init__(self, file: Path | str, key: str, found: object, allowed: str) -> None:
        self.file, self.key, self.found, self.allowed = file, key, found, allowed
        super().__init__(f"{file}: {key}: found {found!r}; allowed: {allowed}")


class ImportRefused(AssessorError):
    """A table from outside is wrong; nothing of it was imported."""

    def __init__(self, file: Path | str, row: int | None, column: str | None, found: object, expected: str) -> None:
        self.file, self.row, self.column, self.found, self.expected = file, row, column, found, expected
        place = "".join([f", row {row}" if row is not None else "", f", column {column!r}" if column else ""])
        text = repr(found)
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(str(found))} characters)"
        super().__init__(f"{file}{place}: found {shown}; expected {expected}; nothing was imported")


class SubmissionRefused(AssessorError):
    """A hand-in cannot be taken."""

    def __init__(self, file: Path | str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}; nothing was handed in")


class ReceiptInvalid(AssessorError):
    """A receipt was not signed by this course, or was changed since."""

    def __init__(self, file: Path | str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: not a valid receipt: {reason}")


class ReleaseLeaks(AssessorError):
    """A release would show students what they must not see. Nothing was released.

    Attributes:
        leaks: (file, what) pairs.
    """

    def __init__(self, assignment: str, leaks: Iterable[tuple[str, str]]) -> None:
        self.assignment, self.leaks = assignment, tuple(leaks)
        shown = "; ".join(f"{file}: {what}" for file, what in self.leaks)
        super().__init__(f"{assignment}: not released, it would leak: {shown}")


class UnknownName(AssessorError):
    """Something was named that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = get_close_matches(name, self.known, n=3)
        if near:
            advice = f"; did you mean {' or '.join(near)}?"
        elif self.known:
            advice = f"; known: {', '.join(sorted(self.known)[:12])}{', ...' if len(self.known) > 12 else ''}"
        else:
            advice = ""
        super().__init__(f"unknown {kind} {name!r}{advice}")


class DatabaseUnavailable(AssessorError):
    """The database is locked, read-only, full, unreachable or made by another version. Nothing was half-written."""


class AlreadyRunning(AssessorError):
    """Another process is writing marks of this course."""


class GraderFault(AssessorError):
    """A bug of ours in a hidden test, a reference model or the machinery. No mark follows; the job goes to review."""
