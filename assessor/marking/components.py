"""From the marks of its assignments to a component's mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext

from assessor.marking.exact import EXACT, ZERO, plain
from assessor.marking.marks import AssignmentMark, ComponentMark, Status, Step


def mark_component(
    name: str, weight: Decimal, marks: Sequence[AssignmentMark], weights: Mapping[str, Decimal]
) -> ComponentMark:
    """The weighted mean of a component's assignments, in percent, unrounded; None while one of them has no mark.

    Args:
        weight: the component's part of the module, in percent.
        weights: each assignment's part of the component, on any scale.
    """
    percent = None
    with localcontext(EXACT):
        if all(mark.penalised_percent is not None for mark in marks):
            whole = sum((weights[mark.name] for mark in marks), ZERO)
            percent = sum((weights[mark.name] * (mark.penalised_percent or ZERO) for mark in marks), ZERO) / whole
    alike = len({weights[mark.name] for mark in marks}) == 1
    parts = [_shown(mark) + ("" if alike else f" (weight {plain(weights[mark.name])})") for mark in marks]
    text = f"{name}: {parts[0]}" if len(parts) == 1 else f"{name}: mean of {', '.join(parts)}"
    return ComponentMark(name, weight, percent, tuple(marks), (Step(text, percent),))


def _shown(mark: AssignmentMark) -> str:
    if mark.status is Status.NOT_SUBMITTED:
        return f"{mark.name} NS"
    return f"{mark.name} {mark.status if mark.penalised_percent is None else plain(mark.penalised_percent)}"
