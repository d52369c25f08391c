"""What people decided about a student's work, as far as it changes marks. Recorded by `assessor.database.acts`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from assessor.marking.exact import HUNDRED, ONE, ZERO, plain

Change = Callable[[Decimal], Decimal]


class Sitting(StrEnum):
    """Which try a mark is of."""

    FIRST = "first attempt"
    DEFERRED = "deferred first attempt"
    """Counts as the first: not capped."""
    REFERRAL = "referral"


@dataclass(frozen=True)
class Scaled:
    """A scaling that the board applied to an assignment: a function on percent, and its formula in words."""

    of: Change
    words: str


@dataclass(frozen=True)
class Penalty:
    """What misconduct, a word limit or the like costs: x `value`, - `value`, or at most `value`, in percent.

    Attributes:
        rule: 'factor', 'deduct' or 'cap'.
        words: what it is for, as the board reads it.
    """

    rule: str
    value: Decimal
    words: str

    def of(self, mark: Decimal) -> Decimal:
        """What is left of a mark."""
        if self.rule == "cap":
            return min(mark, self.value)
        return mark * self.value if self.rule == "factor" else max(ZERO, mark - self.value)

    @property
    def line(self) -> str:
        """For a line of working."""
        sign = {"factor": "x", "deduct": "-", "cap": "at most"}[self.rule]
        return f"{self.words}: {sign} {plain(self.value)}"


@dataclass(frozen=True)
class TeamShare:
    """One member's part of a team's mark: x `factor`, then x `penalty` where a peer form was not handed in.

    Every method comes to a factor: size x share of a signed split, (1 - w) + w x P of WebPA, and so on.

    Attributes:
        words: how the factor came about, for the working.
        cap: the most that a member can have.
    """

    team: str
    factor: Decimal
    words: str
    penalty: Decimal = ONE
    cap: Decimal = HUNDRED

    def of(self, mark: Decimal) -> Decimal:
        """The member's mark. The penalty comes before the cap."""
        return min(self.cap, mark * self.factor * self.penalty)

    @property
    def line(self) -> str:
        """For a line of working."""
        penalty = f" x {plain(self.penalty)} (peer form not handed in)" if self.penalty != 1 else ""
        return f"share of team {self.team}'s mark, {self.words}: x {plain(self.factor)}{penalty}, at most {plain(self.cap)}"


@dataclass(frozen=True)
class AssignmentActs:
    """What was decided about one student's one assignment.

    Attributes:
        awaits_referral: the board let the student try again, and nothing of that has come in yet.
        waived: excused by the board: counts neither for nor against.
        considered: special considerations are pending.
        held: academic integrity is pending: no mark until it is decided.
    """

    scaled: Scaled | None = None
    penalties: tuple[Penalty, ...] = ()
    share: TeamShare | None = None
    sitting: Sitting = Sitting.FIRST
    awaits_referral: bool = False
    waived: bool = False
    considered: bool = False
    held: bool = False


@dataclass(frozen=True)
class ModuleActs:
    """What was decided about one student's module as a whole."""

    waived: frozenset[str] = frozenset()
    """Components that the board left out."""
    compensated: bool = False
    considered: bool = False
    held: bool = False


NONE, NOTHING = AssignmentActs(), ModuleActs()
"""Nothing was decided: most students' case."""
