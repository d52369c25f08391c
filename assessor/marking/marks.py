"""What the marking functions take and give: a mark of an item, an assignment, a component and the module."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    """Not submitted, zero and missing are three things."""

    MARKED = "marked"
    NOT_SUBMITTED = "not submitted"
    """Nothing was handed in: counts 0, and is shown as NS."""
    MISSING = "missing"
    """Not marked or not imported yet: there is no total until it is."""
    REVIEW = "review"
    """Held back for a fault of ours: there is no total until a person has looked."""


@dataclass(frozen=True)
class Step:
    """One line of working: what was done, and the value after it."""

    text: str
    value: Decimal | None


@dataclass(frozen=True)
class ItemMark:
    """The mark in force of one part of an assignment.

    Attributes:
        points: None is not marked yet, which is neither 0 nor "not submitted".
        not_submitted: a marker or an import says that nothing was handed in; `points` is then 0.
    """

    item: str
    points: Decimal | None
    out_of: Decimal
    author: str = ""
    reason: str = ""
    not_submitted: bool = False


@dataclass(frozen=True)
class AssignmentMark:
    """One student's mark of one assignment.

    Attributes:
        points: sum of its items, None unless all are marked.
        percent: of `out_of`, before lateness; `penalised_percent` after; both unrounded, NS gives 0 for the latter.
        late_factor: what lateness leaves, 0 to 1.
    """

    name: str
    status: Status
    items: tuple[ItemMark, ...]
    points: Decimal | None
    out_of: Decimal
    percent: Decimal | None
    days_late: int
    late_factor: Decimal
    penalised_percent: Decimal | None
    attempt: int | None = None
    submitted_at: datetime | None = None
    extended_until: datetime | None = None
    working: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ComponentMark:
    """One component: the weighted mean of its assignments, None while one of them is missing or in review."""

    name: str
    weight: Decimal
    percent: Decimal | None
    assignments: tuple[AssignmentMark, ...]
    working: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ModuleMark:
    """The module: weighted sum of the components, unrounded and rounded once; None while incomplete."""

    components: tuple[ComponentMark, ...]
    total: Decimal | None
    rounded: Decimal | None
    working: tuple[Step, ...] = ()

    @property
    def assignments(self) -> tuple[AssignmentMark, ...]:
        """All assignments, component by component."""
        return tuple(mark for component in self.components for mark in component.assignments)
