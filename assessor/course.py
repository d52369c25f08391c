"""A course directory's own files, validated: course.toml and each assignment's assignment.toml.

Every fault is one `CourseInvalid` line: file, key, what was found, what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ByteSize, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from assessor.calendar import WEEK_EXAMPLE, Break, Term
from assessor.errors import CourseInvalid, UnknownName
from gpu_runner.execution import Limits

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Model = TypeVar("Model", bound=BaseModel)
Points = Annotated[Decimal, Field(gt=0, le=1000)]
AUTOMATIC = "automatic"
"""The item that hidden tests mark."""
TOTAL = "total"
"""The one item of a quiz or project, whose marks are imported."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LateRules(_Strict):
    """What lateness costs: `per_day` of the mark a working day, nothing left after `days`."""

    per_day: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.10")
    days: Annotated[int, Field(ge=0, le=365)] = 5
    grace_seconds: Annotated[int, Field(ge=0)] = 0


class MarkingPolicy(_Strict):
    """Which attempt counts, what passes, what lateness costs."""

    counting_attempt: Literal["last", "best"] = "last"
    pass_mark: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(50)
    late: LateRules = LateRules()


class Environment(_Strict):
    """What students' code runs with; `python` of None is the engine's own interpreter."""

    python: Path | None = None


class ManualItem(_Strict):
    """A part that a person marks."""

    name: Name
    marks: Points
    guide: str = ""


class Attachment(_Strict):
    """A file that may or must be handed in beside the notebook; `pattern` is a shell pattern on its name."""

    pattern: str
    required: bool = False
    max_bytes: ByteSize = ByteSize(30 * 2**20)


class _BreakEntry(_Strict):
    after_week: Annotated[int, Field(ge=1, le=52)]
    weeks: Annotated[int, Field(ge=1, le=26)]


class _CourseSection(_Strict):
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    title: Annotated[str, Field(min_length=1)]
    time_zone: str
    term_start: date
    breaks: tuple[_BreakEntry, ...] = ()
    closures: frozenset[date] = frozenset()
    database: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("a time zone such as 'Europe/London'")
        return name

    @field_validator("term_start", mode="before")
    @classmethod
    def _monday(cls, day: object) -> object:
        if not isinstance(day, date) or isinstance(day, datetime) or day.weekday() != 0:
            raise ValueError("a date that is a Monday, the first of week 1, such as 2027-02-01")
        return day


class _Entry(_Strict):
    name: Name
    component: str
    kind: Literal["notebook", "quiz", "project"]
    released: str | datetime
    due: str | datetime
    weight: Points = Decimal(1)
    marks: Points | None = None
    title: str = ""


class _CourseFile(_Strict):
    course: _CourseSection
    marking: MarkingPolicy = MarkingPolicy()
    environment: Environment = Environment()
    components: dict[Name, Annotated[Decimal, Field(gt=0, le=100)]]
    assignment: tuple[_Entry, ...] = Field(min_length=1)


class _AssignmentFile(_Strict):
    title: Annotated[str, Field(min_length=1)]
    notebooks: tuple[Annotated[str, Field(pattern=r"^[^/\\]+\.ipynb$")], ...] = Field(min_length=1)
    gpu: Literal["none", "preferred", "required"] = "none"
    student_hours: Annotated[float, Field(gt=0)] | None = None
    hidden_marks: Annotated[Decimal, Field(ge=0, le=1000)]
    source: str | None = None
    limits: dict[str, Any] = {}
    manual: tuple[ManualItem, ...] = ()
    attachment: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """One assessed piece of work.

    Attributes:
        weight: its part of its component, on any scale.
        marks: what it is out of; `hidden_marks` of them by hidden tests, the rest by `manual` items.
        released, due: aware UTC.
        source: folder given to students; grader: secret folder. For quizzes and projects neither need exist.
    """

    name: str
    title: str
    component: str
    kind: str
    released: datetime
    due: datetime
    weight: Decimal
    marks: Decimal
    hidden_marks: Decimal
    manual: tuple[ManualItem, ...]
    notebooks: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    limits: Limits
    gpu: str
    source: Path
    grader: Path
    student_hours: float | None = None

    @property
    def items(self) -> dict[str, Decimal]:
        """Every part that gets its own mark, and what it is out of."""
        if self.kind != "notebook":
            return {TOTAL: self.marks}
        automatic = {AUTOMATIC: self.hidden_marks} if self.hidden_marks else {}
        return {**automatic, **{item.name: item.marks for item in self.manual}}

    def attachment_for(self, name: str) -> Attachment | None:
        """The rule that lets a file of this name be handed in, or None."""
        return next((rule for rule in self.attachments if fnmatch(name, rule.pattern)), None)


@dataclass(frozen=True)
class Course:
    """A whole course, as its directory says."""

    root: Path
    code: str
    title: str
    term: Term
    components: dict[str, Decimal]
    assignments: tuple[Assignment, ...]
    marking: MarkingPolicy
    environment: Environment
    database_url: str | None = None

    @property
    def time_zone(self) -> ZoneInfo:
        """The zone in which people read its dates."""
        return self.term.zone

    def assignment(self, name: str) -> Assignment:
        """The assignment of this name.

        Raises:
            UnknownName: there is none.
        """
        for assignment in self.assignments:
            if assignment.name == name:
                return assignment
        raise UnknownName("assignment", name, [assignment.name for assignment in self.assignments])

    def of_component(self, component: str) -> tuple[Assignment, ...]:
        """The assignments of one component, in the order of course.toml."""
        return tuple(assignment for assignment in self.assignments if assignment.component == component)


def load_course(root: Path) -> Course:
    """Reads and checks a course directory.

    Raises:
        CourseInvalid: one line with file, key, what was found and what is allowed.
    """
    root = Path(root).resolve()
    file = root / "course.toml"
    parsed = _parse(_CourseFile, file, _read_toml(file))
    head = parsed.course
    term = Term(
        head.term_start,
        ZoneInfo(head.time_zone),
        tuple(Break(rest.after_week, rest.weeks) for rest in head.breaks),
        head.closures,
    )
    _check_components(file, parsed)
    _check_folders(root, file, parsed)
    return Course(
        root=root,
        code=head.code,
        title=head.title,
        term=term,
        components=dict(parsed.components),
        assignments=tuple(_assignment(root, file, term, entry) for entry in parsed.assignment),
        marking=parsed.marking,
        environment=parsed.environment,
        database_url=head.database,
    )


def _check_components(file: Path, parsed: _CourseFile) -> None:
    total = sum(parsed.components.values())
    if total != 100:
        shown = " + ".join(str(weight) for weight in parsed.components.values())
        raise CourseInvalid(file, "components", f"{shown} = {total}", "weights that sum to 100")
    seen: set[str] = set()
    for entry in parsed.assignment:
        key = f"assignment[{entry.name}]"
        if entry.name in seen:
            raise CourseInvalid(file, f"{key}.name", entry.name, "a name that no other assignment has")
        seen.add(entry.name)
        if entry.component not in parsed.components:
            allowed = f"one of {', '.join(parsed.components)}"
            raise CourseInvalid(file, f"{key}.component", entry.component, allowed)
        if entry.kind == "notebook" and entry.marks is not None:
            raise CourseInvalid(file, f"{key}.marks", str(entry.marks), "nothing here: assignment.toml says it")
        if entry.kind != "notebook" and entry.marks is None:
            raise CourseInvalid(file, f"{key}.marks", "nothing", f"what the {entry.kind} is out of, such as 100")
    for component in parsed.components:
        if all(entry.component != component for entry in parsed.assignment):
            raise CourseInvalid(file, f"components.{component}", "no assignment", "at least one [[assignment]] of it")


def _check_folders(root: Path, file: Path, parsed: _CourseFile) -> None:
    named = {entry.name for entry in parsed.assignment if entry.kind == "notebook"}
    folder = root / "assignments"
    there = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"} if folder.is_dir() else set()
    for name in sorted(named - there):
        raise CourseInvalid(file, f"assignment[{name}].name", name, f"a folder of assignments/: {', '.join(sorted(there)) or 'none yet'}")
    for name in sorted(there - named):
        raise CourseInvalid(file, "assignment", f"no entry for assignments/{name}", "an [[assignment]] for each folder")


def _assignment(root: Path, file: Path, term: Term, entry: _Entry) -> Assignment:
    key = f"assignment[{entry.name}]"
    released = _instant(file, f"{key}.released", term, entry.released)
    due = _instant(file, f"{key}.due", term, entry.due)
    if due <= released:
        raise CourseInvalid(file, f"{key}.due", str(entry.due), f"a time after released ({entry.released})")
    folder = root / "assignments" / entry.name
    common: dict[str, Any] = {
        "name": entry.name, "component": entry.component, "kind": entry.kind, "released": released, "due": due,
        "weight": entry.weight, "grader": root / "graders" / entry.name,
    }  # fmt: skip
    if entry.kind != "notebook":
        return Assignment(
            **common, title=entry.title or entry.name, marks=entry.marks or Decimal(0), hidden_marks=Decimal(0),
            manual=(), notebooks=(), attachments=(), limits=Limits(), gpu="none", source=folder,
        )  # fmt: skip
    own_file = folder / "assignment.toml"
    own = _parse(_AssignmentFile, own_file, _read_toml(own_file))
    source = (folder / own.source).resolve() if own.source else folder
    _check_own(own_file, own, source)
    return Assignment(
        **common, title=entry.title or own.title,
        marks=own.hidden_marks + sum((item.marks for item in own.manual), Decimal(0)),
        hidden_marks=own.hidden_marks, manual=own.manual, notebooks=own.notebooks, attachments=own.attachment,
        limits=_limits(own_file, own.limits), gpu=own.gpu, source=source, student_hours=own.student_hours,
    )  # fmt: skip


def _check_own(file: Path, own: _AssignmentFile, source: Path) -> None:
    names = [item.name for item in own.manual]
    for name in names:
        if names.count(name) > 1 or name in (AUTOMATIC, TOTAL):
            allowed = f"a name of its own, not {AUTOMATIC!r} or {TOTAL!r}"
            raise CourseInvalid(file, f"manual[{name}].name", name, allowed)
    if own.hidden_marks == 0 and not own.manual:
        raise CourseInvalid(file, "hidden_marks", "0", "more than 0, or [[manual]] items")
    for notebook in own.notebooks:
        if own.notebooks.count(notebook) > 1:
            raise CourseInvalid(file, "notebooks", notebook, "each notebook once")
        if not (source / notebook).is_file():
            raise CourseInvalid(file, "notebooks", notebook, f"a notebook in {source.name}/")


def _instant(file: Path, key: str, term: Term, value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise CourseInvalid(file, key, str(value), f"a time with its zone (2027-05-03T16:00:00+01:00) or {WEEK_EXAMPLE}")
        return value.astimezone(UTC)
    try:
        return term.instant(value)
    except ValueError:
        allowed = f"{WEEK_EXAMPLE}, or a time with its zone (2027-05-03T16:00:00+01:00)"
        raise CourseInvalid(file, key, value, allowed) from None
