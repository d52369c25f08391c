"""What the marking functions take and give: a mark of an item, an assignment, a component and the module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol

from assessor.marking.acts import NONE, AssignmentActs, Sitting
from assessor.marking.lateness import IN_TIME, LateEffect
from assessor.policy import Code

__all__ = ["AssignmentMark", "Code", "ComponentMark", "ItemMark", "ModuleMark", "Sitting", "Status", "Step"]


class Status(StrEnum):
    """Not submitted, zero and missing are three things."""

    MARKED = "marked"
    NOT_SUBMITTED = "not submitted"
    """Nothing was handed in: counts 0, and is shown as NS."""
    MISSING = "missing"
    """Not marked or not imported yet: there is no total until it is."""
    REVIEW = "review"
    """Held back for a fault of ours: there is no total until a person has looked."""
    WAIVED = "waived"
    """Excused by the board: neither a mark nor a gap."""
    DEFERRED = "deferred"
    """The first attempt is still to come: there is no total until then."""
    HELD = "held"
    """Academic integrity is not decided yet: there is no total until it is."""


CODES = {
    Status.NOT_SUBMITTED: Code.NOT_SUBMITTED,
    Status.MISSING: Code.MISSING,
    Status.REVIEW: Code.MISSING,
    Status.WAIVED: Code.EXCUSED,
    Status.DEFERRED: Code.DEFERRED,
    Status.HELD: Code.INTEGRITY,
}


class Step(NamedTuple):
    """One line of working: what was done, and the value after it, in percent but for the points of an item."""

    text: str
    value: Decimal | None
    in_points: bool = False


class ItemMark(NamedTuple):
    """The mark in force of one part of an assignment.

    Attributes:
        points: None is not marked yet, which is neither 0 nor "not submitted".
        not_submitted: a marker or an import says that nothing was handed in; `points` is then 0.
        id: its row in the database, where it comes from there.
    """

    item: str
    points: Decimal | None
    out_of: Decimal
    author: str = ""
    reason: str = ""
    not_submitted: bool = False
    id: int | None = None


class Lines(Protocol):
    """Writes the working of a mark."""

    def __call__(self, mark: AssignmentMark, /) -> Sequence[Step]:
        """Line by line."""


class AssignmentMark(NamedTuple):
    """One student's mark of one assignment. Marks in percent are of `out_of` and unrounded.

    Attributes:
        points: sum of its items, None unless all are marked.
        percent: raw, before anything was done to it; None unless all items are marked.
        late: what lateness does to it.
        penalised_percent: the mark that counts, after every step; 0 for NS.
        agreed_percent: after moderation and scaling, before any penalty.
        unpenalised_percent: what `penalised_percent` would be had it come in time.
        acts: what people decided about it.
        first: where this is a referral's or a deferred attempt's mark, what was there before.
        lines: writes the working when it is asked for, since a sheet of thousands shows numbers only; `notes` follow.
    """

    name: str
    status: Status
    items: tuple[ItemMark, ...]
    points: Decimal | None
    out_of: Decimal
    percent: Decimal | None
    late: LateEffect = IN_TIME
    penalised_percent: Decimal | None = None
    attempt: int | None = None
    submitted_at: datetime | None = None
    extended_until: datetime | None = None
    agreed_percent: Decimal | None = None
    unpenalised_percent: Decimal | None = None
    acts: AssignmentActs = NONE
    first: AssignmentMark | None = None
    lines: Lines | None = None
    notes: tuple[Step, ...] = ()

    @property
    def working(self) -> tuple[Step, ...]:
        """How it came about, a line a step."""
        return (*(self.lines(self) if self.lines else ()), *self.notes)

    @property
    def days_late(self) -> int:
        """Days late, 0 when in time."""
        return self.late.days

    @property
    def late_factor(self) -> Decimal:
        """By what lateness multiplies the mark; `late` says all that it does."""
        return self.late.factor

    @property
    def changed(self) -> bool:
        """Whether anything but lateness made it another than the raw mark."""
        return self.unpenalised_percent != self.percent and self.status is Status.MARKED

    @property
    def code(self) -> Code | None:
        """Its outcome code: NS, LW, EX, SC, DF, AI or NM; None for a mark with nothing to say about it."""
        if self.status is not Status.MARKED:
            return CODES[self.status]
        if self.acts.considered:
            return Code.CONSIDERATIONS
        return Code.LATE_ZERO if self.late.days and self.late.factor == 0 else None


@dataclass(frozen=True)
class ComponentMark:
    """One component: the weighted mean of its assignments, None while one of them is missing or in review.

    Attributes:
        waived: the board left all of it out; it has no mark and its weight goes to the others.
        dropped: assignments that do not count, because only the best do.
        minimum: the least that a pass needs, None where there is none.
        lines: as an assignment's.
    """

    name: str
    weight: Decimal
    percent: Decimal | None
    assignments: tuple[AssignmentMark, ...]
    waived: bool = False
    dropped: tuple[str, ...] = ()
    minimum: Decimal | None = None
    lines: Callable[[ComponentMark], Sequence[Step]] | None = field(default=None, repr=False, compare=False)

    @property
    def working(self) -> tuple[Step, ...]:
        """How it came about, a line a step."""
        return tuple(self.lines(self)) if self.lines else ()

    @property
    def below_minimum(self) -> bool:
        """Whether it has a mark that is less than its minimum."""
        return self.minimum is not None and self.percent is not None and self.percent < self.minimum


@dataclass(frozen=True)
class ModuleMark:
    """The module: weighted sum of the components, rounded once; None while incomplete.

    Attributes:
        total: weighted, unrounded, before any cap.
        rounded: rounded once; held to `minimum_cap` before, where a component is below its minimum.
        final: what counts: `rounded`, after a referral at most the cap.
        outcome: its code.
        reweighted: the board left something out, and the rest was weighted anew.
        referred: some of it is a referral's mark.
        lines: as an assignment's.
    """

    components: tuple[ComponentMark, ...]
    total: Decimal | None
    rounded: Decimal | None
    final: Decimal | None = None
    outcome: Code = Code.MISSING
    reweighted: bool = False
    referred: bool = False
    lines: Callable[[ModuleMark], Sequence[Step]] | None = field(default=None, repr=False, compare=False)

    @property
    def working(self) -> tuple[Step, ...]:
        """How it came about, a line a step."""
        return tuple(self.lines(self)) if self.lines else ()

    @property
    def assignments(self) -> tuple[AssignmentMark, ...]:
        """All assignments, component by component."""
        return tuple(mark for component in self.components for mark in component.assignments)
