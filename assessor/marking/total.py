"""From the components to the module mark, rounded once, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import partial

from assessor.course import MarkingPolicy
from assessor.marking.acts import NONE, NOTHING, AssignmentActs, ModuleActs, Sitting
from assessor.marking.exact import EXACT, ZERO, plain, round_once
from assessor.marking.marks import Code, ComponentMark, ModuleMark, Status, Step

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
    assignments = [mark for component in counting for mark in component.assignments]
    reweighted = len(counting) < len(components) or any(mark.status is Status.WAIVED for mark in assignments)
    decided = [mark.acts for mark in assignments if mark.acts is not NONE]
    referred = any(each.sitting is Sitting.REFERRAL for each in decided)
    total = None if acts.held else _total(counting)
    rounded = final = None
    if total is not None:
        rounded = final = round_once(_held(total, counting, policy), policy.rounding, policy.places)
        if referred and policy.referral_capped == "module":
            final = min(rounded, policy.cap)
    codes = {mark.code for mark in assignments}
    outcome = _outcome(final, counting, codes, decided, policy, acts)
    lines = partial(_lines, policy, acts.held)
    return ModuleMark(tuple(components), total, rounded, final, outcome, reweighted, referred, lines)


def _lines(policy: MarkingPolicy, held: bool, mark: ModuleMark) -> list[Step]:
    """The working of the module, from the sum to what counts."""
    counting = [component for component in mark.components if not component.waived]
    lines = []
    if counting:
        lines.append(Step(_sum_text(counting, anew=len(counting) < len(mark.components)), mark.total))
    if mark.reweighted:
        lines.append(Step("board re-weighted: what was waived does not count", None))
    if held:
        lines.append(Step("held: academic integrity is not decided yet", None))
    if mark.total is None or mark.rounded is None:
        return lines
    for each in counting:
        if each.below_minimum:
            lines.append(Step(f"{each.name} is below its minimum of {plain(each.minimum or ZERO)}", each.percent))
    kept = _held(mark.total, counting, policy)
    if kept != mark.total:
        lines.append(Step(f"held to {plain(kept)} for it", kept))
    places = f", to {policy.places} decimal{'s' * (policy.places > 1)}" if policy.places else ""
    lines.append(Step(ROUNDING_WORDS[policy.rounding] + places, mark.rounded))
    if mark.final != mark.rounded:
        lines.append(Step(f"referral: at most {plain(policy.cap)}", mark.final))
    return lines


def _held(total: Decimal, counting: Sequence[ComponentMark], policy: MarkingPolicy) -> Decimal:
    """The total, held to the course's cap where a component is below its minimum."""
    if policy.minimum_cap is None or not any(each.below_minimum for each in counting):
        return total
    return min(total, policy.minimum_cap)


def _total(counting: Sequence[ComponentMark]) -> Decimal | None:
    if not counting or any(component.percent is None for component in counting):
        return None
    with localcontext(EXACT):
        weights = sum([component.weight for component in counting], ZERO)
        return sum([each.weight * (each.percent or ZERO) for each in counting], ZERO) / weights


def _sum_text(counting: Sequence[ComponentMark], *, anew: bool) -> str:
    text = " + ".join(
        f"{plain(each.weight)} % of {each.name} {'(incomplete)' if each.percent is None else plain(each.percent)}"
        for each in counting
    )
    return f"({text}) / {plain(sum((each.weight for each in counting), ZERO))} %" if anew else text


def _outcome(
    final: Decimal | None,
    counting: Sequence[ComponentMark],
    codes: set[Code | None],
    decided: Sequence[AssignmentActs],
    policy: MarkingPolicy,
    acts: ModuleActs,
) -> Code:
    """What is undecided comes first, then what is missing, then the mark. Codes and decisions are of what counts."""
    if acts.held or Code.INTEGRITY in codes:
        return Code.INTEGRITY
    if acts.considered or any(each.considered for each in decided):
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
    if any(each.awaits_referral for each in decided):
        return Code.REFERRAL
    counted = codes - {Code.EXCUSED}
    return counted.pop() or Code.FAIL if counted in NOTHING_LEFT else Code.FAIL
