"""The [marking] table of course.toml: every rule that regulations leave to an institution, as a choice with a default.

docs/marking.md says of each key what it does and who uses which variant.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from assessor.validation import Number, Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=4), Number]


class Code(StrEnum):
    """Outcomes, of a module or of one assessment. NS, a zero and NM are three things."""

    PASS = "P"  # noqa: S105 - no password
    FAIL = "F"
    REFERRAL = "R"
    """Failed, and the board lets the student try again."""
    COMPENSATED = "C"
    """Failed, and the board passes it for the rest of the year's work."""
    NOT_SUBMITTED = "NS"
    LATE_ZERO = "LW"
    """Handed in so late that it counts 0."""
    EXCUSED = "EX"
    """Waived by the board: counts neither for nor against."""
    CONSIDERATIONS = "SC"
    """Special considerations are not decided yet."""
    DEFERRED = "DF"
    """A first attempt still to come."""
    INTEGRITY = "AI"
    """Academic integrity: held until it is decided."""
    MISSING = "NM"
    """A mark is missing."""


class LateRules(Strict):
    """What lateness costs.

    Attributes:
        unit: `per_day` is a proportion of the mark (0.10), or percentage points (5).
        days: after so many the mark is 0.
        count: working days, or every day of the calendar.
        floor: no day takes a mark below this; the 0 after `days` does.
        cap: late work gets this at most.
        referral: what is handed in late at a referral: penalised as usual, or 0.
    """

    unit: Literal["proportion", "points"] = "proportion"
    per_day: Percent = Decimal("0.10")
    days: Annotated[int, Field(ge=0, le=365), Number] = 5
    count: Literal["working", "calendar"] = "working"
    floor: Percent = Decimal(0)
    cap: Percent | None = None
    grace_seconds: Annotated[int, Field(ge=0, le=86400), Number] = 0
    referral: Literal["usual", "zero"] = "usual"

    @field_validator("per_day")
    @classmethod
    def _a_part_of_the_mark(cls, per_day: Decimal, info: ValidationInfo) -> Decimal:
        if info.data.get("unit") == "proportion" and per_day > 1:
            raise ValueError("from 0 to 1, a part of the mark; for percentage points say unit = 'points'")
        return per_day


class Counting(Strict):
    """Which of a component's assignments count: all but the lowest few, or the best few."""

    best: Annotated[int, Field(ge=1, le=100), Number] | None = None
    drop_lowest: Annotated[int, Field(ge=1, le=100), Number] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Counting:
        if (self.best is None) == (self.drop_lowest is None):
            raise ValueError("either best or drop_lowest")
        return self

    def of(self, assignments: int) -> int:
        """How many of so many count; at least one."""
        return max(1, min(assignments, self.best if self.best is not None else assignments - (self.drop_lowest or 0)))


class SecondMarking(Strict):
    """How two markers' marks become one.

    Attributes:
        within: they agree where they differ by no more, in percentage points,
        same_band: and, if so chosen, lie in the same band.
        agreed: what counts then.
        third: what counts where a third marker was needed: the nearer of the first two, or the third mark itself.
    """

    within: Percent = Decimal(5)
    same_band: bool = True
    agreed: Literal["mean", "first"] = "mean"
    third: Literal["nearest", "third"] = "nearest"


class Moderation(Strict):
    """Whose work a moderator sees: all fails, all near a boundary, the top, and a stratified random part of the rest."""

    near: Percent = Decimal(2)
    top: Annotated[int, Field(ge=0, le=100), Number] = 3
    part: Annotated[Decimal, Field(ge=0, le=1, decimal_places=4), Number] = Decimal("0.1")
    least: Annotated[int, Field(ge=0, le=1000), Number] = 8


class MarkingPolicy(Strict):
    """Everything from which attempt counts to what an outcome is called.

    Attributes:
        rounding: of the module mark, once, at the end, to `places`.
        boundaries: of the bands, for second marking, moderation, scaling and reports.
        team_late: a team's lateness is taken from the team's mark, or from each member's.
        team_extension: what one member's extension of a team's work moves: that member's deadline, the team's, or none.
        referral_cap: the most that counts after a referral; the pass mark where it is not given.
        referral_capped: what is held to it: the module, the component or the assignment that was referred.
        minima: for some components the least that a pass needs.
        minimum_cap: what a module mark is held to where a minimum is not reached; without it the module is failed.
        counting: for some components, which of their assignments count.
        codes: other names for outcomes.
    """

    counting_attempt: Literal["last", "best"] = "last"
    pass_mark: Percent = Decimal(50)
    rounding: Literal["half_up", "half_even", "truncate"] = "half_up"
    places: Annotated[int, Field(ge=0, le=4), Number] = 0
    boundaries: tuple[Percent, ...] = (Decimal(40), Decimal(50), Decimal(60), Decimal(70))
    late: LateRules = LateRules()
    team_late: Literal["before_share", "after_share"] = "before_share"
    team_extension: Literal["individual", "team", "none"] = "individual"
    referral_cap: Percent | None = None
    referral_capped: Literal["module", "component", "assignment"] = "module"
    minima: dict[Name, Percent] = {}
    minimum_cap: Percent | None = None
    counting: dict[Name, Counting] = {}
    second: SecondMarking = SecondMarking()
    moderation: Moderation = Moderation()
    codes: dict[Code, Annotated[str, Field(min_length=1, max_length=16)]] = {}

    @field_validator("boundaries")
    @classmethod
    def _rising(cls, found: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        if list(found) != sorted(set(found)):
            raise ValueError("numbers that rise, such as [40, 50, 60, 70]")
        return found

    @property
    def cap(self) -> Decimal:
        """The most that counts after a referral."""
        return self.pass_mark if self.referral_cap is None else self.referral_cap

    def shown(self, code: Code) -> str:
        """An outcome as this course names it."""
        return self.codes.get(code, code.value)


class FeedbackPolicy(Strict):
    """The [feedback] table: what a student's page tells of the others.

    Attributes:
        distribution: how the cohort's marks spread over the bands, where no band has fewer than six students.
        own_place: and which band is the student's own.
    """

    distribution: bool = False
    own_place: bool = False

    @model_validator(mode="after")
    def _a_place_in_something(self) -> FeedbackPolicy:
        if self.own_place and not self.distribution:
            raise ValueError("own_place only beside distribution = true")
        return self


class RetentionPolicy(Strict):
    """The [retention] table: for how long a year's records are kept.

    Attributes:
        years: after the module's end; None: nothing is ever due.
        ends: the module's last day; the last deadline's where it is not given.
    """

    years: Annotated[int, Field(ge=1, le=100), Number] | None = None
    ends: date | None = None
