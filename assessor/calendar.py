"""Dates of a course: relative to a term, kept as aware UTC instants; working days between two of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEK_FORM = re.compile(r"week (\d{1,2}) (" + "|".join(DAYS) + r") (\d\d):(\d\d)", re.ASCII)
WEEK_EXAMPLE = "'week 10 Monday 16:00'"


@dataclass(frozen=True)
class Break:
    """Weeks without teaching, not counted: `weeks` of them after teaching week `after_week`."""

    after_week: int
    weeks: int


@dataclass(frozen=True)
class Term:
    """A term's calendar: the Monday of week 1, its breaks, its closure days and its time zone."""

    start: date
    zone: ZoneInfo
    breaks: tuple[Break, ...] = ()
    closures: frozenset[date] = frozenset()

    def instant(self, text: str) -> datetime:
        """The UTC instant of a date such as 'week 10 Monday 16:00', local time of the course.

        Raises:
            ValueError: the text is not of that form.
        """
        match = WEEK_FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not of the form {WEEK_EXAMPLE}")
        week, hour, minute = int(match[1]), int(match[3]), int(match[4])
        if week < 1 or hour > 23 or minute > 59:
            raise ValueError("week, hour or minute out of range")
        skipped = sum(rest.weeks for rest in self.breaks if rest.after_week < week)
        day = self.start + timedelta(weeks=week - 1 + skipped, days=DAYS.index(match[2]))
        return datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)


def working_days_late(
    due: datetime, submitted: datetime, zone: ZoneInfo, closures: Collection[date] = (), *, every_day: bool = False
) -> int:
    """How many working days, part days counted whole, lie between a deadline and a hand-in.

    A day runs from the deadline's local time of day to the same time on the next day, and belongs to the date on which
    it ends; weekends and closure days do not count. One second late on a Monday is one day late; from Friday 16:00 all
    of the weekend until Monday 16:00 is one day. Local times, so that a day on which the clocks change is one day.

    Args:
        due, submitted: aware instants.
        zone: the course's.
        closures: days on which the university is closed. Breaks in teaching are not closures.
        every_day: count weekends and closure days too.

    Returns:
        Days, 0 when in time.

    Source:
        University of Southampton late-submission policy: each University working day or part of one.
    """
    if submitted <= due:
        return 0
    closed, days = frozenset(closures), 8
    while (ends := _ends(due, days, zone, closed, every_day))[-1] < submitted:
        days *= 2
    return bisect_left(ends, submitted) + 1


@lru_cache(maxsize=1024)
def _ends(due: datetime, days: int, zone: ZoneInfo, closures: frozenset[date], every_day: bool) -> tuple[datetime, ...]:
    """The instants at which each of the first days after a deadline has passed. A cohort has few deadlines."""
    end, ends = due.astimezone(zone).replace(tzinfo=None), list[datetime]()
    while len(ends) < days:
        end += timedelta(days=1)
        if every_day or (end.weekday() < 5 and end.date() not in closures):
            ends.append(end.replace(tzinfo=zone).astimezone(UTC))
    return tuple(ends)
