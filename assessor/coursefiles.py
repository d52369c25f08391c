"""What course.toml and assignment.toml may hold, key by key. `assessor.course` reads them and joins them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ByteSize, Field, create_model, field_validator

from assessor.calendar import WEEK_EXAMPLE
from assessor.policy import FeedbackPolicy, MarkingPolicy, Name, RetentionPolicy
from assessor.validation import Number, Size, Strict
from gpu_runner.execution import Limits

Points = Annotated[Decimal, Field(gt=0, le=1000, decimal_places=4), Number]
DATES = f"{WEEK_EXAMPLE}, or a time with its zone (2027-05-03T16:00:00+01:00)"


def _is_when(value: object) -> object:
    if not isinstance(value, str) and not (isinstance(value, datetime) and value.tzinfo):
        raise ValueError(DATES)
    return value


def _is_day(value: object) -> object:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("a date, such as 2027-02-01")
    return value


When = Annotated[str | datetime, BeforeValidator(_is_when)]
Day = Annotated[date, BeforeValidator(_is_day)]


class Environment(Strict):
    """What students' code runs in and with: `python` of None is the engine's own interpreter; `gpu_share` runs share a GPU.

    'unconfined' is no sandbox at all: for debugging a lab. Whatever is graded so carries the label.
    """

    sandbox: Literal["bubblewrap", "podman", "docker", "gvisor", "unconfined"] = "bubblewrap"
    python: Path | None = None
    gpu_share: int = Field(default=1, ge=1, le=16)


class ManualItem(Strict):
    """A part that a person marks."""

    name: Name
    marks: Points
    guide: str = ""


class Attachment(Strict):
    """A file that may or must be handed in beside the notebook.

    Attributes:
        pattern: a shell pattern on its name.
        max_pages: it is a PDF of at most so many A4 pages.
    """

    pattern: Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]+$")]
    required: bool = False
    max_bytes: Size = ByteSize(30 * 2**20)
    max_pages: Annotated[int, Field(ge=1, le=500), Number] | None = None


class BreakEntry(Strict):
    """Weeks without teaching."""

    after_week: Annotated[int, Field(ge=1, le=52), Number]
    weeks: Annotated[int, Field(ge=1, le=26), Number]


class CourseSection(Strict):
    """The [course] table."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    title: Annotated[str, Field(min_length=1)]
    time_zone: str
    term_start: Day
    breaks: tuple[BreakEntry, ...] = ()
    closures: frozenset[Day] = frozenset()
    database: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError):  # unknown; a folder of zones; no name at all
            raise ValueError("a time zone such as 'Europe/London'") from None
        return name

    @field_validator("term_start")
    @classmethod
    def _monday(cls, day: date) -> date:
        if day.weekday() != 0:
            raise ValueError(f"a Monday, the first day of week 1 ({day} is a {day:%A})")
        return day


class Entry(Strict):
    """One [[assignment]] of course.toml."""

    name: Name
    component: str
    kind: Literal["notebook", "quiz", "project"]
    released: When
    due: When
    weight: Points = Decimal(1)
    marks: Points | None = None
    title: str = ""


class CourseFile(Strict):
    """The whole of course.toml."""

    course: CourseSection
    marking: MarkingPolicy = MarkingPolicy()
    feedback: FeedbackPolicy = FeedbackPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    environment: Environment = Environment()
    components: dict[Name, Annotated[Decimal, Field(gt=0, le=100), Number]]
    assignment: tuple[Entry, ...] = Field(min_length=1)


def _limit_type(name: str) -> Any:
    kind = type(getattr(Limits(), name))
    return Size if name.endswith("_bytes") else Annotated[kind, Field(gt=0, allow_inf_nan=False), Number]


if TYPE_CHECKING:
    LimitsTable = Strict
else:
    LimitsTable = create_model(
        "LimitsTable", __base__=Strict, **{each.name: (_limit_type(each.name), None) for each in fields(Limits)}
    )
    """The [limits] table: any field of `Limits`; what is not set keeps its default."""


class AssignmentFile(Strict):
    """The whole of assignment.toml."""

    title: Annotated[str, Field(min_length=1)]
    notebooks: tuple[Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]+\.ipynb$")], ...] = Field(min_length=1)
    gpu: Literal["none", "preferred", "required"] = "none"
    student_hours: Annotated[float, Field(gt=0, allow_inf_nan=False), Number] | None = None
    hidden_marks: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=4), Number]
    source: Annotated[str, Field(min_length=1)] | None = None
    limits: LimitsTable = LimitsTable()
    manual: tuple[ManualItem, ...] = ()
    attachment: tuple[Attachment, ...] = ()
