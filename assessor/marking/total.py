"""From the components to the module mark, rounded once, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from assessor.course import MarkingPolicy
from assessor.marking.acts import NOTHING, ModuleActs, Sitting
from assessor.marking.exact import EXACT, ZERO, plain, round_once
from assessor.marking.marks import AssignmentMark, Code, ComponentMark, ModuleMark, Status, Step

DEFAULT = MarkingPolicy()
ROUNDING_WORDS = {"half_up": "rounded once, half up", "half_even": "rounded once, half to even", "truncate": "truncated once"}

NOTHING_LEFT = ({Code.NOT_SUBMITTED}, {Code.LATE_ZERO})
"""Where all that counts is of one of these, that is the outcome rather than a plain fail."""


def mark_module(
    components: Sequence[ComponentMark], policy: MarkingPolicy = DEFAULT, acts: ModuleActs = NOTHING
) -> ModuleMark:
    """The weighted sum of the components, in percent, rounded once; then a referral's cap, and the outcome.

    There is no total, not even a part of one, while a component has none. One that the board left out is no gap: the
    others are weighted anew, and the mark says so.
    """
    counting = [component for component in components if not component.waived]
    assignments = [mark for component in components for mark in component.assignments]
    reweighted = len(counting) < len(components) or any(mark.status is Status.WAIVED for mark in assignments)
    total = rounded = final = None
    steps: list[Step] = []
    if counting:
        total = _total(counting)
        steps.append(Step(_sum_text(counting, anew=len(counting) < len(components)), total))
    if reweighted:
        steps.append(Step("board re-weighted: what was waived does not count", None))
    referred = any(mark.sitting is Sitting.REFERRAL for mark in assignments)
    if total is not None:
        rounded = final = _rounded(total, counting, policy, steps)
        if referred and policy.referral_capped == "module" and rounded > policy.cap:
            final = policy.cap
            steps.append(Step(f"referral: at most {plain(final)}", final))
    outcome = _outcome(final, counting, assignments, policy, acts)
    return ModuleMark(tuple(components), total, rounded, tuple(steps), final, outcome, reweighted, referred)


def _total(counting: Sequence[ComponentMark]) -> Decimal | None:
    if any(component.percent is None for component in counting):
        return None
    with localcontext(EXACT):
        weights = sum((component.weight for component in counting), ZERO)
        return sum((each.weight * (each.percent or ZERO) for each in counting), ZERO) / weights


def _sum_text(counting: Sequence[ComponentMark], *, anew: bool) -> str:
    text = " + ".join(
        f"{plain(each.weight)} % of {each.name} {'(incomplete)' if each.percent is None else plain(each.percent)}"
        for each in counting
    )
    return f"({text}) / {plain(sum((each.weight for each in counting), ZERO))} %" if anew else text


def _rounded(total: Decimal, counting: Sequence[ComponentMark], policy: MarkingPolicy, steps: list[Step]) -> Decimal:
    """The mark rounded once, after what components below their minimum do to it."""
    below = [each for each in counting if each.below_minimum]
    for each in below:
        steps.append(Step(f"{each.name} is below its minimum of {plain(each.minimum or ZERO)}", each.percent))
    if below and policy.minimum_cap is not None and total > policy.minimum_cap:
        total = policy.minimum_cap
        steps.append(Step(f"held to {plain(total)} for it", total))
    rounded = round_once(total, policy.rounding, policy.places)
    places = f", to {policy.places} decimal{'s' * (policy.places > 1)}" if policy.places else ""
    steps.append(Step(ROUNDING_WORDS[policy.rounding] + places, rounded))
    return rounded


def _outcome(
    final: Decimal | None,
    counting: Sequence[ComponentMark],
    assignments: Sequence[AssignmentMark],
    policy: MarkingPolicy,
    acts: ModuleActs,
) -> Code:
    """What is undecided comes first, then what is missing, then the mark."""
    codes = {mark.code for mark in assignments}
    if acts.held or Code.INTEGRITY in codes:
        return Code.INTEGRITY
    if acts.considered or any(mark.considered for mark in assignments):
        return Code.CONSIDERATIONS
    if Code.DEFERRED in codes:
        return Code.DEFERRED
    if not counting:
        return Code.EXCUSED
    if final is None:
        return Code.MISSING
    below = policy.minimum_cap is None and any(each.below_minimum for each in counting)
    if final >= policy.pass_mark and not below:
        return Code.PASS
    if acts.compensated:
        return Code.COMPENSATED
    if any(mark.awaits_referral for mark in assignments):
        return Code.REFERRAL
    counted = codes - {Code.EXCUSED}
    return counted.pop() or Code.FAIL if counted in NOTHING_LEFT else Code.FAIL
