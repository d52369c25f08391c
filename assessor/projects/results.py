"""Marks of a group project, from a plain CSV: team, student, mark and optionally share (percent of the signed split)."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

from assessor.csvfile import CsvRow, read_csv
from assessor.database.types import PLACES

HUNDRED = Decimal(100)


def read_results(
    file: Path, students: Collection[str], marks: Decimal, *, encoding: str | None = None
) -> dict[str, Decimal]:
    """Each member's mark: the team's mark x share x members, at most `marks`.

    Without shares all members get the team's mark. With them, a team's shares sum to 100.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    rows = read_csv(file, ["team", "student", "mark"], ["share"], encoding=encoding)
    teams: dict[str, list[CsvRow]] = {}
    seen: dict[str, CsvRow] = {}
    for row in rows:
        student = row.text("student")
        if student not in students:
            raise row.refuse("student", student, "a student of the class list")
        if student in seen:
            raise row.refuse("student", student, f"each student in one team; row {seen[student].number} has them too")
        seen[student] = row
        teams.setdefault(row.text("team"), []).append(row)
    return {student: points for members in teams.values() for student, points in _team(members, marks).items()}


def _team(members: list[CsvRow], marks: Decimal) -> dict[str, Decimal]:
    mark = members[0].number_in("mark", Decimal(0), marks)
    for row in members:
        if row.number_in("mark", Decimal(0), marks) != mark:
            raise row.refuse("mark", row.values["mark"], f"the team's mark, {mark} in row {members[0].number}")
    given = [row for row in members if row.values.get("share", "").strip()]
    if not given:
        return {row.text("student"): mark for row in members}
    if len(given) != len(members):
        missing = next(row for row in members if row not in given)
        raise missing.refuse("share", "", "a share for every member, or for none")
    shares = {row.text("student"): row.number_in("share", Decimal(0), HUNDRED) for row in members}
    if sum(shares.values()) != HUNDRED:
        raise members[-1].refuse("share", f"sum {sum(shares.values())}", "a team's shares that sum to 100")
    return {s: min(marks, (mark * share * len(members) / HUNDRED).quantize(PLACES)) for s, share in shares.items()}
