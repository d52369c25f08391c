"""What a course is: course.toml and each assignment's assignment.toml, read, checked and joined.

Every fault is one `CourseInvalid` line: file, key, what was found, what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assessor.calendar import Break, Term
from assessor.coursefiles import (
    DATES,
    AssignmentFile,
    Attachment,
    CourseFile,
    Entry,
    Environment,
    ManualItem,
)
from assessor.errors import CourseInvalid, UnknownName
from assessor.policy import FeedbackPolicy, LateRules, MarkingPolicy, RetentionPolicy
from assessor.validation import parse, read_toml
from gpu_runner.execution import Limits

__all__ = [
    "AUTOMATIC",
    "TOTAL",
    "Assignment",
    "Attachment",
    "Course",
    "Environment",
    "FeedbackPolicy",
    "LateRules",
    "ManualItem",
    "MarkingPolicy",
    "RetentionPolicy",
    "load_course",
]

AUTOMATIC = "automatic"
"""The item that hidden tests mark."""
TOTAL = "total"
"""The one item of a quiz or project, whose marks are imported."""


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

    @cached_property
    def items(self) -> dict[str, Decimal]:
        """Every part that gets its own mark, and what it is out of."""
        if self.kind != "notebook":
            return {TOTAL: self.marks}
        automatic = {AUTOMATIC: self.hidden_marks} if self.hidden_marks else {}
        return {**automatic, **{item.name: item.marks for item in self.manual}}

    def attachment_for(self, name: str) -> Attachment | None:
        """The rule that lets a file of this name be handed in, or None."""
        return next((rule for rule in self.attachments if fnmatchcase(name, rule.pattern)), None)


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
    feedback: FeedbackPolicy = field(default_factory=FeedbackPolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)

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
    parsed = parse(CourseFile, file, read_toml(file))
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
        environment=_environment(root, parsed.environment),
        database_url=head.database,
        feedback=parsed.feedback,
        retention=parsed.retention,
    )


def _environment(root: Path, given: Environment) -> Environment:
    """A relative interpreter is the course's own. Its link is not followed: that is how it knows its environment."""
    return given.model_copy(update={"python": root / given.python}) if given.python else given


def _check_components(file: Path, parsed: CourseFile) -> None:
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
    _check_policy(file, parsed)
    for component in parsed.components:
        if all(entry.component != component for entry in parsed.assignment):
            raise CourseInvalid(file, f"components.{component}", "no assignment", "at least one [[assignment]] of it")


def _check_policy(file: Path, parsed: CourseFile) -> None:
    """What [marking] says of a component is about one that exists; where only some count, all weigh alike.

    Were weights unlike, a better mark could bring in a heavier assignment, and lower the total.
    """
    for table in ("minima", "counting"):
        for name in getattr(parsed.marking, table):
            if name not in parsed.components:
                raise CourseInvalid(file, f"marking.{table}.{name}", name, f"one of {', '.join(parsed.components)}")
    for name in parsed.marking.counting:
        weights = sorted({entry.weight for entry in parsed.assignment if entry.component == name})
        if len(weights) > 1:
            found = f"weights {' and '.join(map(str, weights))}"
            raise CourseInvalid(file, f"marking.counting.{name}", found, "assignments of one weight, where not all count")


def _check_folders(root: Path, file: Path, parsed: CourseFile) -> None:
    """Each notebook assignment has its folder, and no folder is forgotten."""
    folder = root / "assignments"
    paths = folder.iterdir() if folder.is_dir() else ()
    there = {path.name for path in paths if path.is_dir() and path.name[0] not in "._"}
    for name in [entry.name for entry in parsed.assignment if entry.kind == "notebook"]:
        if name not in there:
            known = ", ".join(sorted(there)) or "none yet"
            raise CourseInvalid(file, f"assignment[{name}].name", name, f"a folder of assignments/: {known}")
    for name in sorted(there - {entry.name for entry in parsed.assignment}):
        raise CourseInvalid(file, "assignment", f"no entry for assignments/{name}", "an [[assignment]] for each folder")


def _assignment(root: Path, file: Path, term: Term, entry: Entry) -> Assignment:
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
    own = parse(AssignmentFile, own_file, read_toml(own_file))
    source = (folder / own.source).resolve() if own.source else folder
    _check_own(own_file, own, source)
    return Assignment(
        **common, title=entry.title or own.title,
        marks=own.hidden_marks + sum((item.marks for item in own.manual), Decimal(0)),
        hidden_marks=own.hidden_marks, manual=own.manual, notebooks=own.notebooks, attachments=own.attachment,
        limits=Limits(**own.limits.model_dump(exclude_unset=True)), gpu=own.gpu, source=source,
        student_hours=own.student_hours,
    )  # fmt: skip


def _check_own(file: Path, own: AssignmentFile, source: Path) -> None:
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
            there = ", ".join(sorted(path.name for path in source.glob("*.ipynb"))) or "which holds none yet"
            raise CourseInvalid(file, "notebooks", notebook, f"a notebook in {source.name}/: {there}")


def _instant(file: Path, key: str, term: Term, value: str | datetime) -> datetime:
    try:
        return value.astimezone(UTC) if isinstance(value, datetime) else term.instant(value)
    except (ValueError, OverflowError):
        raise CourseInvalid(file, key, str(value), DATES) from None
