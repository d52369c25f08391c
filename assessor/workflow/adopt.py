"""A course made of an existing nbgrader course directory. Nothing that is in it is changed: only new files are written."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from assessor.course import load_course
from assessor.errors import AssessorError, CourseInvalid
from assessor.notebooks.regions import flag, grade_id
from assessor.notebooks.release import read_source

PLACES = Decimal("0.0001")
STUDENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
OURS = ("CourseDirectory", "IncludeHeaderFooter")
"""The classes of nbgrader's configuration that are looked at."""
WORK_DAYS = timedelta(days=28)
"""How long before its deadline an assignment of the gradebook is taken to have been released."""


@dataclass(frozen=True)
class Adopted:
    """What was made.

    Attributes:
        students: those of gradebook.db as (id, name, email), which roster.csv holds too.
        skipped: what could not be taken over, and why.
    """

    written: tuple[Path, ...]
    students: tuple[tuple[str, str, str], ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    name: str
    folder: Path
    notebooks: tuple[str, ...]
    automatic: Decimal
    manual: tuple[tuple[str, Decimal], ...]
    due: datetime | None = None


@dataclass(frozen=True)
class _Gradebook:
    students: tuple[tuple[str, str, str], ...] = ()
    due: tuple[tuple[str, datetime], ...] = ()
    skipped: tuple[str, ...] = ()


def adopt_course(target: Path, *, today: date | None = None) -> Adopted:
    """Writes course.toml, an assignment.toml for each assignment of source/, and roster.csv where a gradebook is.

    Raises:
        AssessorError: there is no source/ with graded notebooks, or a course is there already; nothing was written.
    """
    target = target.resolve()
    for taken in (target / "course.toml", target / "assignments"):
        if taken.exists():
            raise AssessorError(f"{taken}: is there already; nothing was changed")
    settings = _settings(target / "nbgrader_config.py")
    source = target / settings.get("source_directory", "source")
    gradebook = _read_gradebook(target / "gradebook.db")
    found, skipped = _assignments(source, dict(gradebook.due))
    if not found:
        why = f" ({'; '.join(skipped[:3])})" if skipped else ""
        raise AssessorError(f"{source}: no assignment with graded cells{why}; is this an nbgrader course directory?")
    files = {target / "course.toml": _course_toml(settings.get("course_id") or target.name, found, today)}
    for one in found:
        files[target / "assignments" / one.name / "assignment.toml"] = _assignment_toml(one, target)
    skipped += gradebook.skipped
    if "header" in settings or "footer" in settings:
        skipped.append("nbgrader_config.py: header and footer are not put in at release; put their cells into the notebooks")
    if gradebook.students and (target / "roster.csv").exists():
        skipped.append("roster.csv: is there already; the gradebook's students were not written")
    elif gradebook.students:
        files[target / "roster.csv"] = _roster(gradebook.students)
    with _undone_on_failure(target) as written:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
        load_course(target)
    return Adopted(tuple(files), gradebook.students, tuple(skipped))


@contextmanager
def _undone_on_failure(target: Path) -> Iterator[list[Path]]:
    """Takes away what was written when not all of it could be, or when it makes no valid course."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        shutil.rmtree(target / "assignments", ignore_errors=True)  # was not there before
        raise


# What is found


def _read_gradebook(file: Path) -> _Gradebook:
    """Students and deadlines of a nbgrader gradebook, read from a copy: opening the file itself could change it."""
    if not file.is_file():
        return _Gradebook()
    with tempfile.TemporaryDirectory() as folder:
        for part in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-journal")):
            if part.is_file():
                shutil.copyfile(part, Path(folder) / part.name)
        try:
            with closing(sqlite3.connect(Path(folder) / file.name)) as connection:
                rows = connection.execute("SELECT id, first_name, last_name, email FROM student ORDER BY id").fetchall()
                due = connection.execute("SELECT name, duedate FROM assignment WHERE duedate IS NOT NULL").fetchall()
        except sqlite3.Error as fault:
            raise AssessorError(f"{file}: not a nbgrader gradebook that can be read ({fault})") from None
    students, deadlines, skipped = [], [], []
    for row in rows:
        student, first, last, email = (str(value or "").strip() for value in row)
        if STUDENT_ID.fullmatch(student):
            students.append((student, f"{first} {last}".strip() or student, email))
        else:
            skipped.append(f"student {student!r}: an id holds letters, digits, '.', '_' and '-' alone")
    for name, when in due:
        try:
            deadlines.append((str(name), _utc(str(when))))
        except ValueError:
            skipped.append(f"{name}: deadline {when!r} is not a time")
    return _Gradebook(tuple(students), tuple(deadlines), tuple(skipped))


def _utc(text: str) -> datetime:
    """A time of the gradebook, which keeps UTC without saying so."""
    when = datetime.fromisoformat(text)
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _assignments(source: Path, due: dict[str, datetime]) -> tuple[list[_Found], list[str]]:
    found: list[_Found] = []
    skipped: list[str] = []
    for folder in sorted(source.iterdir()) if source.is_dir() else ():
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        try:
            one = _assignment(folder)
        except CourseInvalid as fault:
            skipped.append(f"{folder.name}: {fault}")
            continue
        if not one.automatic and not one.manual:
            skipped.append(f"{folder.name}: no graded cell")
        else:
            name = _fresh(_name(folder.name, "a_"), [other.name for other in found])
            found.append(replace(one, name=name, due=due.get(folder.name)))
    return found, skipped


def _assignment(folder: Path) -> _Found:
    """An assignment's notebooks and what their cells are worth.

    Raises:
        CourseInvalid: one of its notebooks cannot be read.
    """
    automatic, manual = Decimal(0), list[tuple[str, Decimal]]()
    notebooks = sorted(path.name for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    for name in notebooks:
        for cell in read_source(folder / name).cells:
            points = _points(folder / name, cell)
            if points and (flag(cell, "task") or (flag(cell, "grade") and flag(cell, "solution"))):
                item = _fresh(_name(f"item_{grade_id(cell)}", "item_"), [taken for taken, _ in manual])
                manual.append((item, points))
            elif points and flag(cell, "grade"):
                automatic += points
    return _Found(folder.name, folder, tuple(notebooks), automatic, tuple(manual))


def _points(file: Path, cell: Any) -> Decimal:
    data = cell.metadata.get("nbgrader")
    found = data.get("points") if isinstance(data, dict) else None
    try:
        points = Decimal(str(found or 0))
    except InvalidOperation:
        points = Decimal("NaN")
    if not points.is_finite() or points < 0 or points != points.quantize(PLACES):
        allowed = "a number of 0 or more, of at most four decimals"
        raise CourseInvalid(file, f"{grade_id(cell)}.points", str(found), allowed)
    return points


def _name(text: str, prefix: str) -> str:
    """A name that a course may use: letters, digits, '_' and '-', a letter first."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return (plain if re.match(r"[A-Za-z]", plain) else prefix + plain)[:60]


def _fresh(name: str, taken: list[str]) -> str:
    number, candidate = 2, name
    while candidate in taken:
        number, candidate = number + 1, f"{name}_{number}"
    return candidate


def _settings(config: Path) -> dict[str, str]:
    """c.CourseDirectory.NAME and c.IncludeHeaderFooter.NAME = "text" of a nbgrader_config.py, parsed and never run."""
    try:
        tree = ast.parse(config.read_text(encoding="utf-8", errors="replace"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value).endswith(OURS):
                    found[target.attr] = node.value.value
    return found


# What is written


def _course_toml(course_id: str, found: list[_Found], today: date | None) -> str:
    known = [one.due for one in found if one.due]
    start = (min(known) - WORK_DAYS).date() if known else today or datetime.now(UTC).date()
    code = re.sub(r"[^A-Za-z0-9_-]", "_", course_id)[:32] or "course"
    lines = [
        "# Made by `assessor adopt` of an nbgrader course directory. Read every line: dates and weights are guesses.", "",
        "[course]", f"code = {_quoted(code)}", f"title = {_quoted(course_id or code)}", 'time_zone = "UTC"',
        f"term_start = {start - timedelta(days=start.weekday())}", "", "[components]", "labs = 100",
    ]  # fmt: skip
    for one in found:
        released = (one.due - WORK_DAYS).isoformat() if one.due else '"week 1 Monday 09:00"'
        due = one.due.isoformat() if one.due else '"week 12 Friday 16:00"'
        lines += [
            "", "[[assignment]]", f"name = {_quoted(one.name)}", 'component = "labs"', 'kind = "notebook"',
            f"released = {released}", f"due = {due}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _assignment_toml(one: _Found, target: Path) -> str:
    folder = one.folder.relative_to(target) if one.folder.is_relative_to(target) else None
    place = f"../../{folder.as_posix()}" if folder is not None else one.folder.as_posix()
    lines = [
        f"title = {_quoted(one.folder.name)}", f"notebooks = [{', '.join(map(_quoted, one.notebooks))}]",
        f"source = {_quoted(place)}", f"hidden_marks = {one.automatic:f}",
    ]  # fmt: skip
    for name, points in one.manual:
        lines += ["", "[[manual]]", f"name = {_quoted(name)}", f"marks = {points:f}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string: the same as JSON's, but that it may not hold DEL."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _roster(students: tuple[tuple[str, str, str], ...]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "name", "email"])
    writer.writerows(students)
    return text.getvalue()
