"""From item marks to the module mark: pure functions in exact `Decimal`, each leaving a line of working.

The order of the steps is the policy: items -> assignment -> lateness -> component -> module, rounded once at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from assessor.calendar import Term, working_days_late
from assessor.course import Assignment, LateRules
from assessor.marking.marks import AssignmentMark, ComponentMark, ItemMark, ModuleMark, Status, Step

HUNDRED, ZERO, ONE = Decimal(100), Decimal(0), Decimal(1)
EXACT = Context(prec=50)
"""Thirds do not end: fifty digits are kept through every step, and one rounding is made at the end."""


def late_factor(days: int, rules: LateRules) -> Decimal:
    """What is left of a mark that is `days` working days late, 0 to 1.

    Source:
        University of Southampton: final mark x (1 - 0.1 d), 0 after five days.
    """
    if days > rules.days:
        return ZERO
    return max(ZERO, ONE - rules.per_day * days)


def days_late(due: datetime, submitted: datetime, rules: LateRules, term: Term) -> int:
    """Working days late after the course's grace."""
    return working_days_late(due + timedelta(seconds=rules.grace_seconds), submitted, term.zone, term.closures)


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

    Args:
        items: the marks in force, one for each of `assignment.items`.
        submitted_at: when the counting attempt came in; None when nothing did (or nothing is handed in, as in a quiz).
        closed: whether the deadline has passed for this student; before it, nothing handed in is only missing.
    """
    due = max(assignment.due, extended_until) if extended_until else assignment.due
    days = days_late(due, submitted_at, rules, term) if submitted_at else 0
    factor = late_factor(days, rules)
    marked = [item for item in items if item.points is not None]
    status = _status(assignment, items, marked, submitted_at, in_review=in_review, closed=closed)
    points = percent = penalised = None
    working: list[Step] = [Step(f"{item.item}: {_plain(item.points)} of {item.out_of}", item.points) for item in marked]
    with localcontext(EXACT):
        if status is Status.MARKED:
            points = sum((item.points or ZERO for item in marked), ZERO)
            percent = HUNDRED * points / assignment.marks
            penalised = percent * factor
            working.append(Step(f"{_plain(points)} of {assignment.marks}", percent))
            if days:
                working.append(Step(f"{days} working day{'s' * (days > 1)} late: x {_plain(factor)}", penalised))
        elif status is Status.NOT_SUBMITTED:
            penalised = ZERO
            working.append(Step("not submitted", ZERO))
        else:
            working.append(Step(str(status), None))
    return AssignmentMark(
        assignment.name, status, tuple(items), points, assignment.marks, percent, days, factor, penalised,
        attempt, submitted_at, extended_until, tuple(working),
    )  # fmt: skip


def _status(
    assignment: Assignment,
    items: Sequence[ItemMark],
    marked: Sequence[ItemMark],
    submitted_at: datetime | None,
    *,
    in_review: bool,
    closed: bool,
) -> Status:
    if len(marked) == len(items):
        return Status.MARKED
    if in_review:
        return Status.REVIEW
    if assignment.kind == "notebook" and submitted_at is None and not marked:
        return Status.NOT_SUBMITTED if closed else Status.MISSING
    return Status.MISSING


def mark_component(
    name: str, weight: Decimal, marks: Sequence[AssignmentMark], weights: Mapping[str, Decimal]
) -> ComponentMark:
    """The weighted mean of a component's assignments, in percent, unrounded."""
    percent = None
    with localcontext(EXACT):
        if all(mark.penalised_percent is not None for mark in marks):
            whole = sum((weights[mark.name] for mark in marks), ZERO)
            percent = sum((weights[mark.name] * (mark.penalised_percent or ZERO) for mark in marks), ZERO) / whole
    names = ", ".join(mark.name for mark in marks)
    return ComponentMark(name, weight, percent, tuple(marks), (Step(f"{name}: mean of {names}", percent),))


def mark_module(components: Sequence[ComponentMark]) -> ModuleMark:
    """The weighted sum of the components; rounded once, half up, to an integer."""
    total = rounded = None
    with localcontext(EXACT):
        if all(component.percent is not None for component in components):
            total = sum((c.weight * (c.percent or ZERO) for c in components), ZERO) / HUNDRED
            rounded = round_half_up(total)
    sums = " + ".join(f"{c.weight} % of {c.name}" for c in components)
    steps = [Step(sums, total)]
    if rounded is not None:
        steps.append(Step("rounded once, half up", rounded))
    return ModuleMark(tuple(components), total, rounded, tuple(steps))


def round_half_up(value: Decimal) -> Decimal:
    """To an integer; exactly half goes up, whatever digits a division left beyond the fortieth."""
    with localcontext(EXACT):
        return value.quantize(Decimal("1e-40"), ROUND_HALF_UP).quantize(ONE, ROUND_HALF_UP)


def _plain(value: Decimal | None) -> str:
    if value is None:
        return "none"
    text = f"{value.normalize():f}"
    return text if text != "-0" else "0"
