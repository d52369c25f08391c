"""From the components to the module mark, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import localcontext

from assessor.marking.exact import EXACT, HUNDRED, ZERO, plain, round_half_up
from assessor.marking.marks import ComponentMark, ModuleMark, Step


def mark_module(components: Sequence[ComponentMark]) -> ModuleMark:
    """The weighted sum of the components, in percent; rounded once, half up, to an integer.

    There is no total, not even a part of one, while a component has none.
    """
    total = rounded = None
    with localcontext(EXACT):
        if all(component.percent is not None for component in components):
            total = sum((each.weight * (each.percent or ZERO) for each in components), ZERO) / HUNDRED
            rounded = round_half_up(total)
    steps = [Step(" + ".join(_shown(component) for component in components), total)]
    if rounded is not None:
        steps.append(Step("rounded once, half up", rounded))
    return ModuleMark(tuple(components), total, rounded, tuple(steps))


def _shown(component: ComponentMark) -> str:
    percent = "(incomplete)" if component.percent is None else plain(component.percent)
    return f"{plain(component.weight)} % of {component.name} {percent}"
