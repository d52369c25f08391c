"""From the marks of an assignment's items to one student's mark of it.

The order of the steps is the policy: raw, scaled (which gives the agreed mark), misconduct, late, the member's share of
a team's mark, the cap of a referral. The last but one and lateness change places where the course says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from functools import partial

from assessor.calendar import Term
from assessor.course import AUTOMATIC, Assignment, MarkingPolicy
from assessor.marking.acts import NONE, AssignmentActs, Sitting
from assessor.marking.exact import EXACT, HUNDRED, ZERO, plain
from assessor.marking.lateness import IN_TIME, LateEffect, days_late, deadline, late_effect
from assessor.marking.marks import AssignmentMark, ItemMark, Status, Step

Change = tuple[str, Callable[[Decimal], Decimal]]
"""A line of working, and what it does to a mark in percent."""


def mark_assignment(
    assignment: Assignment,
    items: Sequence[ItemMark],
    *,
    policy: MarkingPolicy,
    term: Term,
    submitted_at: datetime | None = None,
    attempt: int | None = None,
    extended_until: datetime | None = None,
    in_review: bool = False,
    closed: bool = True,
    acts: AssignmentActs = NONE,
) -> AssignmentMark:
    """One student's mark of one assignment.

    The working begins with one line for each item that is marked, where there are several.

    Args:
        items: the marks in force, one for each of `assignment.items`.
        submitted_at: when the counting attempt came in; None when nothing did (or nothing is handed in, as in a quiz).
        in_review: whether the hidden tests of that attempt failed for a reason of ours.
        closed: whether the deadline has passed for this student; before it, nothing handed in is only missing.
        acts: what people decided about it.

    Raises:
        ValueError: ours; an item's mark lies outside 0 and what it is out of, or items are not the assignment's.
    """
    _check(assignment, items)
    late = _late(assignment, submitted_at, extended_until, policy, term, acts)
    status = _status(assignment, items, submitted_at, in_review=in_review, closed=closed, acts=acts)
    points = percent = agreed = unpenalised = penalised = None
    with localcontext(EXACT):
        worth = tuple([_on_scale(item, assignment.items[item.item]) for item in items])
        if status is Status.MARKED:
            points = sum([item.points or ZERO for item in worth], ZERO)
            percent = agreed = unpenalised = penalised = HUNDRED * points / assignment.marks
            if acts is not NONE or late.days:
                agreed = acts.scaled.of(percent) if acts.scaled else percent
                changes = _changes(acts, late, policy)
                penalised = _through(agreed, changes)
                in_time = [change for change in changes if change[1] != late.of]
                unpenalised = _through(agreed, in_time) if late.days else penalised
        elif status is Status.NOT_SUBMITTED:
            penalised = unpenalised = ZERO
    return AssignmentMark(
        assignment.name, status, worth, points, assignment.marks, percent, late, penalised, attempt, submitted_at,
        extended_until, agreed, unpenalised, acts, None, partial(_lines, assignment, items, policy, term),
    )  # fmt: skip


def _lines(
    assignment: Assignment, items: Sequence[ItemMark], policy: MarkingPolicy, term: Term, mark: AssignmentMark
) -> list[Step]:
    """The working of a mark: its items, then a line for each step."""
    acts = mark.acts
    lines = [Step(str(acts.sitting), None)] if acts.sitting is not Sitting.FIRST else []
    for item, worth in zip(items, mark.items, strict=True):
        if item.points is not None and (len(items) > 1 or worth != item or item.not_submitted):
            lines.append(Step(_item_text(item, worth), worth.points, in_points=True))
    if mark.extended_until:
        local = mark.extended_until.astimezone(term.zone)
        lines.append(Step(f"deadline extended to {local:%Y-%m-%d %H:%M %Z}", None))
    if mark.points is None or mark.percent is None:
        text = STATUS_TEXTS.get(mark.status, str(mark.status))
        return [*lines, Step(text, mark.penalised_percent)]
    lines.append(Step(f"{plain(mark.points)} of {plain(assignment.marks)}", mark.percent))
    with localcontext(EXACT):
        value = mark.percent
        if acts.scaled:
            value = acts.scaled.of(value)
            lines.append(Step(f"scaled by the board, {acts.scaled.words}", value))
        for text, change in _changes(acts, mark.late, policy):
            value = change(value)
            lines.append(Step(text, value))
    return lines


STATUS_TEXTS = {
    Status.WAIVED: "waived by the board: does not count",
    Status.DEFERRED: "deferred: the first attempt is still to come",
    Status.HELD: "held: academic integrity is not decided yet",
}


def _through(mark: Decimal, changes: Sequence[Change]) -> Decimal:
    """A mark after these steps."""
    for _, change in changes:
        mark = change(mark)
    return mark


def _changes(acts: AssignmentActs, late: LateEffect, policy: MarkingPolicy) -> list[Change]:
    """The steps after the agreed mark, in the course's order."""
    changes: list[Change] = [(penalty.line, penalty.of) for penalty in acts.penalties]
    lateness: list[Change] = [(late.words, late.of)] if late.days else []
    share: list[Change] = [(acts.share.line, acts.share.of)] if acts.share else []
    changes += share + lateness if policy.team_late == "after_share" else lateness + share
    if acts.sitting is Sitting.REFERRAL and policy.referral_capped == "assignment":
        cap = policy.cap
        changes.append((f"referral: at most {plain(cap)}", lambda mark: min(mark, cap)))
    return changes


def _late(
    assignment: Assignment,
    submitted_at: datetime | None,
    extended_until: datetime | None,
    policy: MarkingPolicy,
    term: Term,
    acts: AssignmentActs,
) -> LateEffect:
    if submitted_at is None or submitted_at <= assignment.due:
        return IN_TIME
    days = days_late(deadline(assignment.due, extended_until), submitted_at, policy.late, term)
    return late_effect(days, policy.late, referral=acts.sitting is Sitting.REFERRAL)


def _check(assignment: Assignment, items: Sequence[ItemMark]) -> None:
    names = [item.item for item in items]
    if names != list(assignment.items) and sorted(names) != sorted(assignment.items):
        raise ValueError(f"{assignment.name}: items {names}, not {list(assignment.items)}")
    for item in items:
        if item.points is not None and not ZERO <= item.points <= item.out_of:
            raise ValueError(f"{assignment.name}, {item.item}: {item.points} is not from 0 to {item.out_of}")


def _on_scale(item: ItemMark, out_of: Decimal) -> ItemMark:
    """The item on the assignment's own scale.

    A mark keeps what it was given out of. Where the assignment has changed since, the same part of it counts.
    """
    if item.points is None or item.out_of == out_of:
        return item
    return item._replace(points=item.points * out_of / item.out_of, out_of=out_of)


def _item_text(item: ItemMark, worth: ItemMark) -> str:
    if item.not_submitted:
        return f"{item.item}: not submitted, 0 of {plain(worth.out_of)}"
    text = f"{item.item}: {plain(item.points or ZERO)} of {plain(item.out_of)}"
    if worth.out_of != item.out_of:
        text += f", now out of {plain(worth.out_of)}: {plain(worth.points or ZERO)}"
    return text


def _status(
    assignment: Assignment,
    items: Sequence[ItemMark],
    submitted_at: datetime | None,
    *,
    in_review: bool,
    closed: bool,
    acts: AssignmentActs,
) -> Status:
    if acts.waived:
        return Status.WAIVED
    if acts.held:
        return Status.HELD
    open_ = [item.item for item in items if item.points is None]
    if not open_:
        return Status.NOT_SUBMITTED if all(item.not_submitted for item in items) else Status.MARKED
    if in_review and AUTOMATIC in open_:
        return Status.REVIEW
    if submitted_at is None and len(open_) == len(items):
        if assignment.kind == "notebook" and closed:
            return Status.NOT_SUBMITTED
        if acts.sitting is Sitting.DEFERRED:
            return Status.DEFERRED
    return Status.MISSING
