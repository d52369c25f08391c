"""Results of a quiz as Moodle, Blackboard and Canvas export them: whose they are, of what, and which attempt counts.

Nothing is guessed: a column that could be two things, a number in another locale, an attempt whose place is not known are
refused, with row, column and what to do. Rows of nobody in the class list are strays, and are told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from assessor.csvfile import NUMBER, read_table
from assessor.database.enrolment import Person
from assessor.database.types import PLACES
from assessor.errors import ImportRefused

NOT_ANSWERED = frozenset(["", "-", "–", "--"])
AVERAGES = ("overall average", "group average", "average")
PENDING = ("requires grading", "not yet graded", "needs grading", "in progress", "needs grading(!)", "in progress(>)")
FINISHED = ("finished", "submitted", "complete", "completed")
_MOODLE_GRADE = re.compile(r"(?:grade|marks?)/(\d{1,6}(?:[.,]\d{1,5})?)", re.IGNORECASE)
_BLACKBOARD = re.compile(r"(.*?)\s*\[Total Pts: (?:up to )?(\d{1,6}(?:[.,]\d{1,5})?) (\w+)[^\]]*\](?:\s*\|(\S+))?")
_POINTS = re.compile(r"\d{1,6}(?:\.\d{1,5})?")
DATES = (
    "%d %B %Y %I:%M %p", "%d %b %Y %I:%M %p", "%A, %d %B %Y, %I:%M %p", "%d %B %Y, %I:%M %p", "%d %B %Y %H:%M",
    "%d %B %Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ",
)  # fmt: skip


@dataclass(frozen=True)
class Stray:
    """A row that gave no mark: its line, who it says it is of, and why."""

    row: int
    who: str
    why: str


@dataclass(frozen=True)
class LmsResults:
    """Marks by student, of what the course says the quiz is out of; strays; and who of the class list has no row."""

    marks: Mapping[str, Decimal]
    strays: tuple[Stray, ...]
    without: tuple[str, ...]


@dataclass(frozen=True)
class _Try:
    row: int
    points: Decimal
    number: int | None = None
    at: datetime | None = None


def read_lms(
    file: Path, system: str, people: Iterable[Person], marks: Decimal, counts: str, *, column: str | None = None,
    encoding: str | None = None,
) -> LmsResults:  # fmt: skip
    """Reads an export.

    Args:
        system: 'moodle', 'blackboard' or 'canvas'.
        counts: 'first', 'best' or 'last' of several attempts.
        column: of Blackboard's grade centre, where it holds several.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    header, rows = read_table(file, encoding=encoding)
    if not rows:
        raise ImportRefused(file, None, None, "no rows", f"results as {system} exports them")
    table = _Table(file, header, rows)
    found, strays = READERS[system](table, _finder(people), column)
    counted = {student: _counting(table, tries, counts, student) for student, tries in found.items()}
    scaled = {student: (points * marks).quantize(PLACES) for student, points in counted.items()}
    everybody = [person.id for person in people]
    return LmsResults(scaled, tuple(strays), tuple(one for one in everybody if one not in scaled))


@dataclass(frozen=True)
class _Table:
    file: Path
    header: list[str]
    rows: Sequence[tuple[int, list[str]]]

    def column(self, *names: str) -> int | None:
        """Where the first of these columns stands."""
        lowered = [name.lower() for name in self.header]
        return next((lowered.index(name) for name in names if name in lowered), None)

    def needed(self, *names: str) -> int:
        place = self.column(*names)
        if place is None:
            raise ImportRefused(
                self.file, 1, names[0], f"columns {', '.join(self.header[:12])}", f"a column {' or '.join(names)}"
            )
        return place

    def refuse(self, row: int, column: str, found: str, expected: str) -> ImportRefused:
        return ImportRefused(self.file, row, column, found, expected)

    def number(self, row: int, column: str, text: str, most: Decimal, *, comma: bool) -> Decimal:
        """A number from 0 to `most`; with a decimal comma only where the header has one too."""
        plain = text.strip()
        if "," in plain:
            if not comma or "." in plain:
                raise self.refuse(row, column, text, "a number with a decimal point, as in the header")
            plain = plain.replace(",", ".")
        if not NUMBER.fullmatch(plain) or not 0 <= Decimal(plain) <= most:
            raise self.refuse(row, column, text, f"a number from 0 to {most.normalize():f}")
        return Decimal(plain)


Finder = Callable[[Iterable[str]], str | None]
Found = tuple[dict[str, list[_Try]], list[Stray]]


def _finder(people: Iterable[Person]) -> Finder:
    """Finds a student by the first of some names that is anybody's id or address."""
    by_id = {person.id.lower(): person.id for person in people}
    by_email: dict[str, str] = {}
    for person in people:
        if person.email:
            by_email[person.email.lower()] = "" if person.email.lower() in by_email else person.id

    def find(names: Iterable[str]) -> str | None:
        for name in names:
            own = name.strip().lower()
            if own and (student := by_id.get(own) or by_email.get(own)):
                return student
        return None

    return find


def _cell(fields: list[str], place: int | None) -> str:
    return "" if place is None else fields[place].strip()


def _moodle(table: _Table, find: Finder, column: str | None) -> Found:
    grades = [(place, match) for place, name in enumerate(table.header) if (match := _MOODLE_GRADE.fullmatch(name.strip()))]
    if len(grades) != 1:
        shown = ", ".join(table.header[:12])
        raise ImportRefused(
            table.file, 1, "Grade/...", f"columns {shown}", "one column such as Grade/10.00: the quiz's grades report"
        )
    place, match = grades[0]
    comma = "," in match[1]
    out_of = Decimal(match[1].replace(",", "."))
    surname, forename = table.column("surname", "last name"), table.column("first name")
    keys = [table.column(name) for name in ("id number", "username", "email address", "institution id")]
    if all(key is None for key in keys):
        raise ImportRefused(table.file, 1, "Email address", "no column that says who", "ID number, Username or Email address")
    state, started = table.column("state", "status"), table.column("started on", "started")
    found: dict[str, list[_Try]] = {}
    strays: list[Stray] = []
    for line, fields in table.rows:
        who = " ".join(filter(None, [_cell(fields, forename), _cell(fields, surname)]))
        names = [_cell(fields, key) for key in keys]
        if not any(names) and any(
            who.lower().startswith(each) or _cell(fields, surname).lower().startswith(each) for each in AVERAGES
        ):
            continue
        student, grade = find(names), fields[place].strip()
        if student is None:
            strays.append(Stray(line, who or "; ".join(filter(None, names)), "nobody of the class list"))
        elif state is not None and _cell(fields, state).lower() not in FINISHED:
            strays.append(Stray(line, student, f"the attempt is {_cell(fields, state) or 'in no state'}: no mark"))
        elif grade in NOT_ANSWERED or grade.lower() in PENDING:
            strays.append(Stray(line, student, f"no grade yet ({grade or 'empty'})"))
        else:
            points = table.number(line, table.header[place], grade, out_of, comma=comma)
            found.setdefault(student, []).append(_Try(line, points / out_of, at=_moment(_cell(fields, started))))
    return found, strays


def _blackboard(table: _Table, find: Finder, column: str | None) -> Found:
    graded = [(place, match) for place, name in enumerate(table.header) if (match := _BLACKBOARD.fullmatch(name.strip()))]
    if column is not None:
        graded = [
            (place, match) for place, match in graded if column in (match[1].strip(), match[4], table.header[place].strip())
        ]
    if len(graded) != 1:
        names = ", ".join(repr(match[1].strip()) for _, match in graded) or ", ".join(table.header[:10])
        expected = (
            "one graded column; say which with --column" if graded else "a column such as 'Quiz 1 [Total Pts: 30 Score] |123'"
        )
        raise ImportRefused(table.file, 1, column or "[Total Pts: ...]", names, expected)
    place, match = graded[0]
    kind, comma = match[3].lower(), "," in match[2]
    if kind not in ("score", "percentage"):
        raise ImportRefused(table.file, 1, table.header[place], match[3], "a column of scores or percentages")
    out_of = Decimal(match[2].replace(",", ".")) if kind == "score" else Decimal(100)
    keys = [table.needed("username", "student id"), table.column("student id")]
    first, last = table.column("first name"), table.column("last name")
    found: dict[str, list[_Try]] = {}
    strays: list[Stray] = []
    for line, fields in table.rows:
        student = find(_cell(fields, key) for key in keys)
        grade = fields[place].strip()
        if student is None:
            who = " ".join(filter(None, [_cell(fields, first), _cell(fields, last)])) or _cell(fields, keys[0])
            strays.append(Stray(line, who, "nobody of the class list"))
        elif grade in NOT_ANSWERED:
            strays.append(Stray(line, student, "no score"))
        elif grade.lower() in PENDING:
            strays.append(Stray(line, student, f"no score yet ({grade})"))
        elif grade.endswith("%") and kind == "score":
            raise table.refuse(line, table.header[place], grade, f"points of {out_of.normalize():f}, as the header says")
        else:
            points = table.number(line, table.header[place], grade.removesuffix("%"), out_of, comma=comma)
            if student in found:
                raise table.refuse(
                    line, table.header[keys[0] or 0], student, "each student once: the grade centre holds one score"
                )
            found[student] = [_Try(line, points / out_of, 1)]
    return found, strays


def _canvas(table: _Table, find: Finder, column: str | None) -> Found:
    if table.column("name") is None or table.column("id") is None:
        raise ImportRefused(
            table.file,
            1,
            "name",
            f"columns {', '.join(table.header[:8])}",
            "name and id; of an anonymous quiz nobody can be told",
        )
    keys = [table.column("sis_id"), table.column("id")]
    score, attempt, submitted = table.needed("score"), table.column("attempt"), table.column("submitted")
    out_of = Decimal(0)
    for place, name in enumerate(table.header[:-1]):
        if re.match(r"\d+: ", name) and _POINTS.fullmatch(table.header[place + 1]):
            out_of += Decimal(table.header[place + 1])
    if out_of == 0:
        raise ImportRefused(
            table.file, 1, "score", "no question columns", "a student analysis: each question followed by its points"
        )
    found: dict[str, list[_Try]] = {}
    strays: list[Stray] = []
    for line, fields in table.rows:
        student, grade = find(_cell(fields, key) for key in keys), fields[score].strip()
        if student is None:
            strays.append(Stray(line, _cell(fields, table.column("name")), "nobody of the class list"))
        elif grade in NOT_ANSWERED:
            strays.append(Stray(line, student, "no score"))
        else:
            points = table.number(line, "score", grade, out_of, comma=False)
            text = _cell(fields, attempt)
            if text and not re.fullmatch(r"\d{1,4}", text):
                raise table.refuse(line, "attempt", text, "a whole number")
            found.setdefault(student, []).append(
                _Try(line, points / out_of, int(text) if text else None, _moment(_cell(fields, submitted)))
            )
    return found, strays


READERS: dict[str, Callable[[_Table, Finder, str | None], Found]] = {
    "moodle": _moodle, "blackboard": _blackboard, "canvas": _canvas,
}  # fmt: skip


def _moment(text: str) -> datetime | None:
    plain = " ".join(text.split())
    for form in DATES:
        with suppress(ValueError):
            return datetime.strptime(plain, form)  # noqa: DTZ007 - only put in order, among their own kind
    return None


def _counting(table: _Table, tries: list[_Try], counts: str, student: str) -> Decimal:
    """What the attempt that counts earned, as a part of all."""
    if len(tries) == 1:
        return tries[0].points
    if counts == "best":
        return max(each.points for each in tries)
    places = [each.number if each.number is not None else each.at for each in tries]
    if None in places or len(set(places)) != len(places):
        expected = f"attempts whose numbers or times tell which is the {counts} one"
        raise table.refuse(tries[-1].row, "started on", f"{len(tries)} rows of {student}", expected)
    order = sorted(range(len(tries)), key=lambda place: places[place])  # type: ignore[arg-type,return-value]
    return tries[order[0 if counts == "first" else -1]].points
