"""A course made of an existing nbgrader course directory. Nothing that is in it is changed: only new files are written."""

from __future__ import annotations

import ast
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from assessor.course import load_course
from assessor.errors import AssessorError, CourseInvalid
from assessor.workflow.release import read_source

NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Adopted:
    """What was made. `students` are those of gradebook.db as (id, name, email), for `assessor roster`."""

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
    due: datetime | None


def adopt_course(target: Path, *, today: date | None = None) -> Adopted:
    """Writes course.toml, an assignment.toml for each assignment of source/, and roster.csv where a gradebook is.

    Raises:
        AssessorError: there is no source/ with notebooks, or a course is there already.
    """
    target = target.resolve()
    if (target / "course.toml").exists():
        raise AssessorError(f"{target / 'course.toml'}: there is a course already")
    gradebook = _read_gradebook(target / "gradebook.db")
    found, skipped = _assignments(target / "source", gradebook.due)
    if not found:
        raise AssessorError(f"{target / 'source'}: no assignment with graded cells; is this an nbgrader course directory?")
    files = {target / "course.toml": _course_toml(target, found, today or datetime.now(UTC).date())}
    for assignment in found:
        files[target / "assignments" / assignment.name / "assignment.toml"] = _assignment_toml(assignment)
    if gradebook.students:
        files[target / "roster.csv"] = _roster(gradebook.students)
    for path in files:
        if path.exists():
            raise AssessorError(f"{path}: is there already; nothing was changed")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    load_course(target)
    return Adopted(tuple(files), gradebook.students, tuple(skipped))


@dataclass(frozen=True)
class _Gradebook:
    students: tuple[tuple[str, str, str], ...]
    due: dict[str, datetime]


def _read_gradebook(file: Path) -> _Gradebook:
    """Students and deadlines of a nbgrader gradebook, opened read-only and immutable."""
    if not file.is_file():
        return _Gradebook((), {})
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            rows = connection.execute("SELECT id, first_name, last_name, email FROM student ORDER BY id").fetchall()
            due = connection.execute("SELECT name, duedate FROM assignment WHERE duedate IS NOT NULL").fetchall()
    except sqlite3.Error as fault:
        raise AssessorError(f"{file}: not a nbgrader gradebook that can be read ({fault})") from None
    students = tuple((i, " ".join(filter(None, (first, last))) or i, email or "") for i, first, last, email in rows)
    return _Gradebook(students, {name: datetime.fromisoformat(str(when)).replace(tzinfo=UTC) for name, when in due})


def _assignments(source: Path, due: dict[str, datetime]) -> tuple[list[_Found], list[str]]:
    found, skipped = [], []
    for folder in sorted(source.iterdir()) if source.is_dir() else ():
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        one = _assignment(folder, due.get(folder.name))
        if one is None:
            skipped.append(f"{folder.name}: no graded cell")
        else:
            found.append(one)
    return found, skipped


def _assignment(folder: Path, due: datetime | None) -> _Found | None:
    automatic, manual = Decimal(0), list[tuple[str, Decimal]]()
    notebooks = sorted(path.name for path in folder.glob("*.ipynb"))
    for name in notebooks:
        try:
            cells = read_source(folder / name).cells
        except CourseInvalid:
            return None
        for cell in cells:
            data = cell.metadata.get("nbgrader", {})
            points = Decimal(str(data.get("points") or 0))
            if not data.get("grade") or points <= 0:
                continue
            if data.get("solution") or data.get("task"):
                manual.append((_item_name(str(data.get("grade_id", "manual")), manual), points))
            else:
                automatic += points
    if not automatic and not manual:
        return None
    return _Found(NAME.sub("_", folder.name), folder, tuple(notebooks), automatic, tuple(manual), due)


def _item_name(grade_id: str, taken: list[tuple[str, Decimal]]) -> str:
    plain = "item_" + NAME.sub("_", grade_id)[:50]
    names = {name for name, _ in taken}
    number, candidate = 2, plain
    while candidate in names:
        number, candidate = number + 1, f"{plain}_{number}"
    return candidate


def _course_toml(target: Path, found: list[_Found], today: date) -> str:
    monday = today - timedelta(days=today.weekday())
    code = NAME.sub("_", _course_id(target / "nbgrader_config.py") or target.name)[:32] or "course"
    lines = [
        "# Made by `assessor adopt` of an nbgrader course directory. Read every line: dates and weights are guesses.", "",
        "[course]", f'code = "{code}"', f'title = "{code}"', 'time_zone = "UTC"', f"term_start = {monday}", "",
        "[components]", "labs = 100",
    ]  # fmt: skip
    for assignment in found:
        released = f"{monday - timedelta(weeks=520)}T09:00:00+00:00" if assignment.due else '"week 1 Monday 09:00"'
        due = assignment.due.isoformat() if assignment.due else '"week 12 Friday 16:00"'
        lines += [
            "", "[[assignment]]", f'name = "{assignment.name}"', 'component = "labs"', 'kind = "notebook"',
            f"released = {released}", f"due = {due}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _course_id(config: Path) -> str:
    """c.CourseDirectory.course_id of a nbgrader_config.py; parsed, never run."""
    if not config.is_file():
        return ""
    try:
        tree = ast.parse(config.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == "course_id":
                return str(node.value.value)
    return ""


def _assignment_toml(assignment: _Found) -> str:
    names = ", ".join(f'"{name}"' for name in assignment.notebooks)
    lines = [
        f'title = "{assignment.name}"', f"notebooks = [{names}]", f'source = "../../source/{assignment.folder.name}"',
        f"hidden_marks = {assignment.automatic}",
    ]  # fmt: skip
    for name, points in assignment.manual:
        lines += ["", "[[manual]]", f'name = "{name}"', f"marks = {points}"]
    return "\n".join(lines) + "\n"


def _roster(students: tuple[tuple[str, str, str], ...]) -> str:
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "name", "email"])
    writer.writerows(students)
    return text.getvalue()
