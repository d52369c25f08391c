"""From the marks of its assignments to a component's mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from functools import partial

from assessor.course import MarkingPolicy
from assessor.marking.acts import Sitting
from assessor.marking.exact import EXACT, ZERO, plain
from assessor.marking.marks import AssignmentMark, ComponentMark, Status, Step

DEFAULT = MarkingPolicy()


def mark_component(
    name: str,
    weight: Decimal,
    marks: Sequence[AssignmentMark],
    weights: Mapping[str, Decimal],
    policy: MarkingPolicy = DEFAULT,
    *,
    waived: bool = False,
) -> ComponentMark:
    """The weighted mean of a component's assignments, in percent, unrounded; None while one of them has no mark.

    Args:
        weight: the component's part of the module, in percent.
        weights: each assignment's part of the component, on any scale.
        waived: the board left out all of it.
    """
    left = [] if waived else [mark for mark in marks if mark.status is not Status.WAIVED]
    minimum = policy.minima.get(name)
    if not left:
        return ComponentMark(name, weight, None, tuple(marks), waived=True, minimum=minimum, lines=_waived)
    percent: Decimal | None = None
    dropped: tuple[str, ...] = ()
    if all(mark.penalised_percent is not None for mark in left):
        dropped = _dropped(left, policy.counting[name].of(len(left))) if name in policy.counting else ()
        percent = _mean(left, weights, dropped)
        if _is_capped(left, policy):
            percent = min(percent, policy.cap)
    lines = partial(_lines, weights, policy)
    return ComponentMark(name, weight, percent, tuple(marks), dropped=dropped, minimum=minimum, lines=lines)


def _mean(marks: Sequence[AssignmentMark], weights: Mapping[str, Decimal], dropped: Sequence[str]) -> Decimal:
    counting = [mark for mark in marks if mark.name not in dropped]
    with localcontext(EXACT):
        whole = sum([weights[mark.name] for mark in counting], ZERO)
        return sum([weights[mark.name] * (mark.penalised_percent or ZERO) for mark in counting], ZERO) / whole


def _lines(weights: Mapping[str, Decimal], policy: MarkingPolicy, component: ComponentMark) -> list[Step]:
    """The working of a component: its mean, and a referral's cap."""
    text = _text(component.name, component.assignments, weights, component.dropped)
    left = [mark for mark in component.assignments if mark.status is not Status.WAIVED]
    if component.percent is None or not _is_capped(left, policy):
        return [Step(text, component.percent)]
    cap = Step(f"{component.name}, referral: at most {plain(policy.cap)}", component.percent)
    return [Step(text, _mean(left, weights, component.dropped)), cap]


def _waived(component: ComponentMark) -> list[Step]:
    return [Step(f"{component.name}: waived by the board", None)]


def _dropped(marks: Sequence[AssignmentMark], counting: int) -> tuple[str, ...]:
    """The lowest, so that `counting` are left; of two alike the later. What was penalised for misconduct stays in."""
    honest = [(place, mark) for place, mark in enumerate(marks) if not mark.acts.penalties]
    lowest = sorted(honest, key=lambda each: (each[1].penalised_percent or ZERO, -each[0]))
    return tuple(mark.name for _, mark in lowest[: len(marks) - counting])


def _is_capped(marks: Sequence[AssignmentMark], policy: MarkingPolicy) -> bool:
    return policy.referral_capped == "component" and any(mark.acts.sitting is Sitting.REFERRAL for mark in marks)


def _text(
    name: str, marks: Sequence[AssignmentMark], weights: Mapping[str, Decimal], dropped: Sequence[str]
) -> str:
    alike = len({weights[mark.name] for mark in marks}) == 1
    parts = [
        _shown(mark)
        + ("" if alike else f" (weight {plain(weights[mark.name])})")
        + (" (not counted)" if mark.name in dropped else "")
        for mark in marks
    ]
    return f"{name}: {parts[0]}" if len(parts) == 1 else f"{name}: mean of {', '.join(parts)}"


def _shown(mark: AssignmentMark) -> str:
    if mark.status is Status.NOT_SUBMITTED:
        return f"{mark.name} NS"
    return f"{mark.name} {mark.status if mark.penalised_percent is None else plain(mark.penalised_percent)}"
