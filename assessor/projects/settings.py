"""What a project asks of its teams: assignments/NAME/project.toml, which students read too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, ValidationInfo, field_validator

from assessor.course import Assignment, Course
from assessor.coursefiles import LimitsTable, When
from assessor.errors import AssessorError, CourseInvalid
from assessor.policy import Percent
from assessor.validation import Number, Size, Strict, parse, read_toml
from gpu_runner.execution import GIB, Limits

Count = Annotated[int, Field(ge=1, le=1000), Number]
Part = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4), Number]
LIMITS = Limits(
    cpu_seconds=3600, wall_seconds=5400, memory_bytes=8 * GIB, disk_bytes=2 * GIB, output_bytes=64 * 2**20, threads=2
)
"""What one run of a team's commands may use, where [reproduce.limits] says nothing else."""


class TeamRules(Strict):
    """How large a team may be."""

    least: Count = 1
    most: Count = 4

    @field_validator("most")
    @classmethod
    def _not_less(cls, most: int, info: ValidationInfo) -> int:
        if most < info.data.get("least", 1):
            raise ValueError("not less than `least`")
        return most


class PlanRules(Strict):
    """The interim plan: feedback, no marks."""

    due: When
    max_words: Annotated[int, Field(ge=1, le=100_000), Number] = 500


class PaperRules(Strict):
    """The paper: a PDF of at most so many A4 pages."""

    max_pages: Count = 10
    max_bytes: Size = ByteSize(30 * 2**20)


class SplitRules(Strict):
    """How the team's mark is split; `weight` is WebPA's, `no_form` what a missing peer form leaves, `cap` the most."""

    method: Literal["none", "signed", "webpa", "spark", "catme"] = "signed"
    weight: Part = Decimal("0.5")
    no_form: Part = Decimal(1)
    cap: Percent = Decimal(100)


class ReproduceRules(Strict):
    """How a team's commands are run.

    Attributes:
        seeds: how many runs, with SEED = 1, 2, ...; each in a sandbox of its own.
        error_rate: how often, at most, a team whose every claim is honest is told that one of them is not reproduced.
    """

    seeds: Annotated[int, Field(ge=1, le=100), Number] = 5
    error_rate: Annotated[float, Field(gt=0, lt=0.5), Number] = 0.05
    gpu: Literal["none", "preferred", "required"] = "none"
    limits: LimitsTable = LimitsTable()


class ProjectFile(Strict):
    """The whole of project.toml."""

    plan: PlanRules | None = None
    team: TeamRules = TeamRules()
    paper: PaperRules = PaperRules()
    split: SplitRules = SplitRules()
    reproduce: ReproduceRules = ReproduceRules()


@dataclass(frozen=True)
class Project:
    """A project of a course: the assignment, its rules, and where they stand."""

    assignment: Assignment
    rules: ProjectFile
    plan_due: datetime | None

    @property
    def name(self) -> str:
        """The assignment's name."""
        return self.assignment.name

    @property
    def rubric_file(self) -> Path:
        """Where its rubric lies."""
        return self.assignment.source / "rubric.toml"

    @property
    def limits(self) -> Limits:
        """What one run may use."""
        given = self.rules.reproduce.limits.model_dump(exclude_unset=True)
        return replace(LIMITS, **given)


def load_project(course: Course, name: str) -> Project:
    """The project of this name; without a project.toml all rules have their defaults.

    Raises:
        UnknownName: there is no such assignment.
        AssessorError: it is no project.
        CourseInvalid: project.toml is wrong.
    """
    assignment = course.assignment(name)
    if assignment.kind != "project":
        raise AssessorError(f"{name}: a {assignment.kind}, not a project")
    file = assignment.source / "project.toml"
    rules = parse(ProjectFile, file, read_toml(file)) if file.exists() else ProjectFile()
    return Project(assignment, rules, _plan_due(course, file, rules))


def _plan_due(course: Course, file: Path, rules: ProjectFile) -> datetime | None:
    if rules.plan is None:
        return None
    due = rules.plan.due
    try:
        return due if isinstance(due, datetime) else course.term.instant(due)
    except (ValueError, OverflowError):
        raise CourseInvalid(file, "plan.due", str(due), "a time such as 'week 5 Friday 16:00'") from None
