"""What lateness leaves of a mark."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from assessor.calendar import Term, working_days_late
from assessor.course import LateRules
from assessor.marking.exact import ONE, ZERO


def deadline(due: datetime, extended_until: datetime | None) -> datetime:
    """The deadline that holds for one student: an extension moves it, never to an earlier time."""
    return max(due, extended_until) if extended_until else due


def days_late(due: datetime, submitted: datetime, rules: LateRules, term: Term) -> int:
    """Working days late, part days counted whole, after the course's grace; 0 when in time."""
    return working_days_late(due + timedelta(seconds=rules.grace_seconds), submitted, term.zone, term.closures)


def late_factor(days: int, rules: LateRules) -> Decimal:
    """What is left of a mark that is `days` working days late, 0 to 1.

    Source:
        University of Southampton: final mark x (1 - 0.1 d), 0 after five days.
    """
    if days > rules.days:
        return ZERO
    return max(ZERO, ONE - rules.per_day * days)
