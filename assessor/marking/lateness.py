"""What lateness leaves of a mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from assessor.calendar import Term, working_days_late
from assessor.course import LateRules
from assessor.marking.exact import ONE, ZERO, plain


@dataclass(frozen=True)
class LateEffect:
    """What so many days do to a mark in percent: it becomes `factor` x mark - `deducted`, then `cap` at most.

    Attributes:
        floor: a mark that was above it is not taken below it; one that was below stays as it is.
    """

    days: int = 0
    factor: Decimal = ONE
    deducted: Decimal = ZERO
    floor: Decimal = ZERO
    cap: Decimal | None = None
    count: str = "working"

    def of(self, mark: Decimal) -> Decimal:
        """What is left of a mark."""
        left = mark * self.factor - self.deducted
        if self.cap is not None:
            left = min(left, self.cap)
        return max(left, min(mark, self.floor))

    @property
    def is_factor(self) -> bool:
        """Whether it only multiplies."""
        return not self.deducted and not self.floor and self.cap is None

    @property
    def line(self) -> str:
        """For a line of working, such as '2 working days late: x 0.8'."""
        parts = [f"x {plain(self.factor)}"] if self.factor != 1 else []
        parts += [f"- {plain(self.deducted)} points"] if self.deducted else []
        parts += [f"at most {plain(self.cap)}"] if self.cap is not None else []
        parts += [f"not below {plain(self.floor)}"] if self.floor else []
        return f"{self.days} {self.count} day{'s' * (self.days > 1)} late: {', '.join(parts) or 'no penalty'}"


def rule_words(rules: LateRules) -> str:
    """The course's rule of lateness in a sentence, for a mark sheet."""
    if rules.per_day:
        taken = f"{plain(rules.per_day)} points" if rules.unit == "points" else f"{plain(100 * rules.per_day)} % of the mark"
        parts = [f"each {rules.count} day late, or part of one, takes {taken}"]
    else:
        parts = [f"counted in {rules.count} days"]
    parts += [f"late work gets at most {plain(rules.cap)}"] if rules.cap is not None else []
    parts += [f"no mark falls below {plain(rules.floor)} by it"] if rules.floor else []
    parts += [f"after {rules.days} day{'s' * (rules.days != 1)} it is 0"]
    parts += ["late at a referral it is 0"] if rules.referral == "zero" else []
    return "; ".join([*parts, f"grace {rules.grace_seconds} s"])


IN_TIME = LateEffect()


def deadline(due: datetime, extended_until: datetime | None) -> datetime:
    """The deadline that holds for one student: an extension moves it, never to an earlier time."""
    return max(due, extended_until) if extended_until else due


def days_late(due: datetime, submitted: datetime, rules: LateRules, term: Term) -> int:
    """Days late as the course counts them, part days counted whole, after the course's grace; 0 when in time."""
    end = due + timedelta(seconds=rules.grace_seconds) if rules.grace_seconds else due
    return working_days_late(end, submitted, term.zone, term.closures, every_day=rules.count == "calendar")


def late_effect(days: int, rules: LateRules, *, referral: bool = False) -> LateEffect:
    """What `days` of lateness do to a mark.

    Source:
        University of Southampton, the default: final mark x (1 - 0.1 d), 0 after five days. Variants of others are in
        docs/marking.md.
    """
    if days == 0:
        return IN_TIME
    if days > rules.days or (referral and rules.referral == "zero"):
        return LateEffect(days, factor=ZERO, count=rules.count)
    factor, deducted = ONE, ZERO
    if rules.unit == "points":
        deducted = rules.per_day * days
    else:
        factor = max(ZERO, ONE - rules.per_day * days)
    return LateEffect(days, factor, deducted, rules.floor, rules.cap, rules.count)
