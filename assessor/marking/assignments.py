"""From the marks of an assignment's items to one student's mark of it.

The order of the steps is the policy: raw, scaled (which gives the agreed mark), misconduct, late, the member's share of
a team's mark, the cap of a referral. The last but one and lateness change places where the course says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import NamedTuple, Protocol

from assessor.calendar import Term
from assessor.course import AUTOMATIC, Assignment, MarkingPolicy
from assessor.marking.acts import NONE, AssignmentActs, Sitting
from assessor.marking.exact import EXACT, HUNDRED, ZERO, plain
from assessor.marking.lateness import IN_TIME, LateEffect, days_late, deadline, late_effect
from assessor.marking.marks import AssignmentMark, ItemMark, Status, Step


class Change(Protocol):
    """A step after the agreed mark: its line of working, and what it does to a mark in percent."""

    @property
    def line(self) -> str:
        """Such as 'referral: at most 40'."""

    def of(self, mark: Decimal, /) -> Decimal:
        """What is left of a mark."""


class Capped(NamedTuple):
    """A referral's mark is held to the cap."""

    cap: Decimal

    @property
    def line(self) -> str:
        """For a line of working."""
        return f"referral: at most {plain(self.cap)}"

    def of(self, mark: Decimal, /) -> Decimal:
        """What is left of a mark."""
        return min(mark, self.cap)


class Working(NamedTuple):
    """What the lines of a mark are written from, when they are asked for."""

    assignment: Assignment
    items: tuple[ItemMark, ...]
    policy: MarkingPolicy
    term: Term

    def __call__(self, mark: AssignmentMark) -> list[Step]:
        """Its items, then a line for each step."""
        return _lines(*self, mark)


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
    given = tuple(items)
    _check(assignment, given)
    late = _late(assignment, submitted_at, extended_until, policy, term, acts)
    status = _status(assignment, items, submitted_at, in_review=in_review, closed=closed, acts=acts)
    points = percent = agreed = unpenalised = penalised = None
    with localcontext(EXACT):
        worth = _on_scale(assignment, given)
        if status is Status.MARKED:
            points = sum([item.points or ZERO for item in worth], ZERO)
            percent = agreed = unpenalised = penalised = HUNDRED * points / assignment.marks
            if acts is not NONE or late.days:
                agreed = acts.scaled.of(percent) if acts.scaled else percent
                changes = _changes(acts, late, policy)
                penalised = _through(agreed, changes)
                unpenalised = _through(agreed, [each for each in changes if each is not late]) if late.days else penalised
        elif status is Status.NOT_SUBMITTED:
            penalised = unpenalised = ZERO
    return AssignmentMark(
        assignment.name, status, worth, points, assignment.marks, percent, late, penalised, attempt, submitted_at,
        extended_until, agreed, unpenalised, acts, None, Working(assignment, given, policy, term),
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
        for change in _changes(acts, mark.late, policy):
            value = change.of(value)
            lines.append(Step(change.line, value))
    return lines


STATUS_TEXTS = {
    Status.WAIVED: "waived by the board: does not count",
    Status.DEFERRED: "deferred: the first attempt is still to come",
    Status.HELD: "held: academic integrity is not decided yet",
}


def _through(mark: Decimal, changes: Sequence[Change]) -> Decimal:
    """A mark after these steps."""
    for change in changes:
        mark = change.of(mark)
    return mark


def _changes(acts: AssignmentActs, late: LateEffect, policy: MarkingPolicy) -> list[Change]:
    """The steps after the agreed mark, in the course's order."""
    changes: list[Change] = list(acts.penalties)
    lateness: list[Change] = [late] if late.days else []
    share: list[Change] = [acts.share] if acts.share else []
    changes += share + lateness if policy.team_late == "after_share" else lateness + share
    if acts.sitting is Sitting.REFERRAL and policy.referral_capped == "assignment":
        changes.append(Capped(policy.cap))
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
    if names != [*assignment.items] and sorted(names) != sorted(assignment.items):
        raise ValueError(f"{assignment.name}: items {names}, not {list(assignment.items)}")
    for name, points, out_of, *_ in items:
        if points is not None and not ZERO <= points <= out_of:
            raise ValueError(f"{assignment.name}, {name}: {points} is not from 0 to {out_of}")


def _on_scale(assignment: Assignment, items: tuple[ItemMark, ...]) -> tuple[ItemMark, ...]:
    """The items on the assignment's own scale.

    A mark keeps what it was given out of. Where the assignment has changed since, the same part of it counts.
    """
    now = assignment.items
    if not [name for name, _, out_of, *_ in items if out_of != now[name]]:
        return items
    return tuple([
        item if item.points is None or item.out_of == now[item.item]
        else item._replace(points=item.points * now[item.item] / item.out_of, out_of=now[item.item])
        for item in items
    ])  # fmt: skip


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
        return Status.MARKED if [item for item in items if not item.not_submitted] else Status.NOT_SUBMITTED
    if in_review and AUTOMATIC in open_:
        return Status.REVIEW
    if submitted_at is None and len(open_) == len(items):
        if assignment.kind == "notebook" and closed:
            return Status.NOT_SUBMITTED
        if acts.sitting is Sitting.DEFERRED:
            return Status.DEFERRED
    return Status.MISSING
