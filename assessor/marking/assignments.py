"""From the marks of an assignment's items to one student's mark of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import localcontext

from assessor.calendar import Term
from assessor.course import AUTOMATIC, Assignment, LateRules
from assessor.marking.exact import EXACT, HUNDRED, ZERO, plain
from assessor.marking.lateness import days_late, deadline, late_factor
from assessor.marking.marks import AssignmentMark, ItemMark, Status, Step


def mark_assignment(
    assignment: Assignment,
    items: Sequence[ItemMark],
    *,
    rules: LateRules,
    term: Term,
    submitted_at: datetime | None = None,
    attempt: int | None = None,
    extended_until: datetime | None = None,
    in_review: bool = False,
    closed: bool = True,
) -> AssignmentMark:
    """One student's mark of one assignment.

    The working begins with one line for each item that is marked.

    Args:
        items: the marks in force, one for each of `assignment.items`.
        submitted_at: when the counting attempt came in; None when nothing did (or nothing is handed in, as in a quiz).
        in_review: whether the hidden tests of that attempt failed for a reason of ours.
        closed: whether the deadline has passed for this student; before it, nothing handed in is only missing.

    Raises:
        ValueError: ours; an item's mark lies outside 0 and what it is out of, or items are not the assignment's.
    """
    _check(assignment, items)
    days = days_late(deadline(assignment.due, extended_until), submitted_at, rules, term) if submitted_at else 0
    factor = late_factor(days, rules)
    status = _status(assignment, items, submitted_at, in_review=in_review, closed=closed)
    points = percent = penalised = None
    with localcontext(EXACT):
        working, worth = _items(assignment, items)
        if extended_until:
            working.append(Step(f"deadline extended to {extended_until.astimezone(term.zone):%Y-%m-%d %H:%M %Z}", None))
        if status is Status.MARKED:
            points = sum((item.points or ZERO for item in worth), ZERO)
            percent = HUNDRED * points / assignment.marks
            penalised = percent * factor
            working.append(Step(f"{plain(points)} of {plain(assignment.marks)}", percent))
            if days:
                working.append(Step(f"{days} working day{'s' * (days > 1)} late: x {plain(factor)}", penalised))
        elif status is Status.NOT_SUBMITTED:
            penalised = ZERO
            working.append(Step("not submitted", ZERO))
        else:
            working.append(Step(str(status), None))
    return AssignmentMark(
        assignment.name, status, tuple(worth), points, assignment.marks, percent, days, factor, penalised,
        attempt, submitted_at, extended_until, tuple(working),
    )  # fmt: skip


def _check(assignment: Assignment, items: Sequence[ItemMark]) -> None:
    if sorted(item.item for item in items) != sorted(assignment.items):
        raise ValueError(f"{assignment.name}: items {[item.item for item in items]}, not {list(assignment.items)}")
    for item in items:
        if item.points is not None and not ZERO <= item.points <= item.out_of:
            raise ValueError(f"{assignment.name}, {item.item}: {item.points} is not from 0 to {item.out_of}")


def _items(assignment: Assignment, items: Sequence[ItemMark]) -> tuple[list[Step], list[ItemMark]]:
    """The items on the assignment's own scale, with a line each for those that are marked.

    A mark keeps what it was given out of. Where the assignment has changed since, the same part of it counts.
    """
    steps, worth = [], []
    for item in items:
        out_of = assignment.items[item.item]
        text, now = "", item
        if item.points is not None:
            text = f"{item.item}: {plain(item.points)} of {plain(item.out_of)}"
            if item.out_of != out_of:
                now = replace(item, points=item.points * out_of / item.out_of, out_of=out_of)
                text += f", now out of {plain(out_of)}: {plain(now.points or ZERO)}"
            if item.not_submitted:
                text = f"{item.item}: not submitted, 0 of {plain(out_of)}"
            steps.append(Step(text, now.points))
        worth.append(now)
    return steps, worth


def _status(
    assignment: Assignment,
    items: Sequence[ItemMark],
    submitted_at: datetime | None,
    *,
    in_review: bool,
    closed: bool,
) -> Status:
    open_ = {item.item for item in items if item.points is None}
    if not open_:
        return Status.NOT_SUBMITTED if all(item.not_submitted for item in items) else Status.MARKED
    if in_review and AUTOMATIC in open_:
        return Status.REVIEW
    if assignment.kind == "notebook" and submitted_at is None and len(open_) == len(items) and closed:
        return Status.NOT_SUBMITTED
    return Status.MISSING
