"""Results of a quiz, from a plain CSV: student, score and optionally out_of and attempt."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

from assessor.csvfile import CsvRow, read_csv
from assessor.database.types import PLACES

NOT_TAKEN = "-"


def read_results(
    file: Path, students: Collection[str], marks: Decimal, policy: str, *, encoding: str | None = None
) -> dict[str, Decimal | None]:
    """Each student's marks of a quiz that is out of `marks`; None where the score is '-': the quiz was not taken.

    Where a student has several rows, each needs its attempt number, and `policy` ('last' or 'best') says which counts.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    rows = read_csv(file, ["student", "score"], ["out_of", "attempt", "started", "finished"], encoding=encoding)
    found: dict[str, dict[int, Decimal | None]] = {}
    for row in rows:
        student = row.text("student")
        if student not in students:
            raise row.refuse("student", student, "a student of the class list")
        points = _points(row, marks)
        attempt = _attempt(row)
        earlier = found.setdefault(student, {})
        if attempt in earlier:
            expected = "each student once, or a column attempt that tells their rows apart"
            raise row.refuse("student", student, expected)
        earlier[attempt] = points
    return {student: _counting(tries, policy) for student, tries in found.items()}


def _counting(tries: dict[int, Decimal | None], policy: str) -> Decimal | None:
    taken = {attempt: points for attempt, points in tries.items() if points is not None}
    if not taken:
        return None
    return max(taken.values()) if policy == "best" else taken[max(taken)]


def _points(row: CsvRow, marks: Decimal) -> Decimal | None:
    if row.text("score") == NOT_TAKEN:
        return None
    out_of = marks
    if row.values.get("out_of", "").strip():
        out_of = row.number_in("out_of", Decimal("0.01"), Decimal(10_000))
    score = row.number_in("score", Decimal(0), out_of)
    return (score * marks / out_of).quantize(PLACES)


def _attempt(row: CsvRow) -> int:
    text = row.values.get("attempt", "").strip()
    if not text:
        return 1
    value = row.number_in("attempt", Decimal(1), Decimal(1000))
    if value != int(value):
        raise row.refuse("attempt", text, "a whole number")
    return int(value)
