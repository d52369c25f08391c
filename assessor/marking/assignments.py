"""From the marks of an assignment's items to one student's mark of it.

The order of the steps is the policy: raw, scaled (which gives the agreed mark), misconduct, late, the member's share of
a team's mark, the cap of a referral. The last but one and lateness change places where the course says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, localcontext

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
        working, worth = _items(assignment, items)
        if acts.sitting is not Sitting.FIRST:
            working.insert(0, Step(str(acts.sitting), None))
        if extended_until:
            working.append(Step(f"deadline extended to {extended_until.astimezone(term.zone):%Y-%m-%d %H:%M %Z}", None))
        if status is Status.MARKED:
            points = sum((item.points or ZERO for item in worth), ZERO)
            percent = agreed = unpenalised = penalised = HUNDRED * points / assignment.marks
            working.append(Step(f"{plain(points)} of {plain(assignment.marks)}", percent))
            if acts is not NONE or late.days:
                agreed, unpenalised, penalised = _through(percent, acts, late, policy, working)
        elif status is Status.NOT_SUBMITTED:
            penalised = unpenalised = ZERO
            working.append(Step("not submitted", ZERO))
        else:
            working.append(Step(STATUS_TEXTS.get(status, str(status)), None))
    return AssignmentMark(
        assignment.name, status, tuple(worth), points, assignment.marks, percent, late, penalised,
        attempt, submitted_at, extended_until, tuple(working), agreed, unpenalised, acts.considered, acts.sitting,
        penalised_for=tuple(penalty.words for penalty in acts.penalties),
        awaits_referral=acts.awaits_referral,
        changed=bool(acts.scaled or acts.penalties or acts.share or _capped(acts, policy)),
    )  # fmt: skip


STATUS_TEXTS = {
    Status.WAIVED: "waived by the board: does not count",
    Status.DEFERRED: "deferred: the first attempt is still to come",
    Status.HELD: "held: academic integrity is not decided yet",
}


def _through(
    raw: Decimal, acts: AssignmentActs, late: LateEffect, policy: MarkingPolicy, working: list[Step]
) -> tuple[Decimal, Decimal, Decimal]:
    """The agreed mark, the mark without lateness, and the mark that counts; adds a line of working for each step."""
    agreed = raw
    if acts.scaled:
        agreed = acts.scaled.of(raw)
        working.append(Step(f"scaled by the board, {acts.scaled.words}", agreed))
    mark = unpenalised = agreed
    for text, change in _changes(acts, late, policy):
        mark = change(mark)
        unpenalised = mark if not late.days else unpenalised if change == late.of else change(unpenalised)
        working.append(Step(text, mark))
    return agreed, unpenalised, mark


def _changes(acts: AssignmentActs, late: LateEffect, policy: MarkingPolicy) -> list[Change]:
    """The steps after the agreed mark, in the course's order."""
    changes: list[Change] = [(penalty.line, penalty.of) for penalty in acts.penalties]
    lateness: list[Change] = [(late.words, late.of)] if late.days else []
    share: list[Change] = [(acts.share.line, acts.share.of)] if acts.share else []
    changes += share + lateness if policy.team_late == "after_share" else lateness + share
    if _capped(acts, policy):
        cap = policy.cap
        changes.append((f"referral: at most {plain(cap)}", lambda mark: min(mark, cap)))
    return changes


def _capped(acts: AssignmentActs, policy: MarkingPolicy) -> bool:
    return acts.sitting is Sitting.REFERRAL and policy.referral_capped == "assignment"


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


def _items(assignment: Assignment, items: Sequence[ItemMark]) -> tuple[list[Step], list[ItemMark]]:
    """The items on the assignment's own scale, with a line each for those that are marked and say more than the sum.

    A mark keeps what it was given out of. Where the assignment has changed since, the same part of it counts.
    """
    steps, worth = [], []
    for item in items:
        out_of = assignment.items[item.item]
        text, now = "", item
        if item.points is not None:
            text = f"{item.item}: {plain(item.points)} of {plain(item.out_of)}"
            if item.out_of != out_of:
                now = item._replace(points=item.points * out_of / item.out_of, out_of=out_of)
                text += f", now out of {plain(out_of)}: {plain(now.points or ZERO)}"
            if item.not_submitted:
                text = f"{item.item}: not submitted, 0 of {plain(out_of)}"
            if len(items) > 1 or now is not item or item.not_submitted:
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
    acts: AssignmentActs,
) -> Status:
    if acts.waived:
        return Status.WAIVED
    if acts.held:
        return Status.HELD
    open_ = {item.item for item in items if item.points is None}
    if not open_:
        return Status.NOT_SUBMITTED if all(item.not_submitted for item in items) else Status.MARKED
    if acts.sitting is Sitting.DEFERRED and submitted_at is None and len(open_) == len(items):
        return Status.DEFERRED
    if in_review and AUTOMATIC in open_:
        return Status.REVIEW
    if assignment.kind == "notebook" and submitted_at is None and len(open_) == len(items) and closed:
        return Status.NOT_SUBMITTED
    return Status.MISSING
