"""What holds of every mark under any regulations: weights, half-way cases, the order of steps, caps, floors, what is no mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assessor.calendar import Term
from assessor.course import Assignment, MarkingPolicy
from assessor.marking.acts import AssignmentActs, ModuleActs, Penalty, Sitting
from assessor.marking.assignments import mark_assignment
from assessor.marking.components import mark_component
from assessor.marking.exact import EXACT
from assessor.marking.marks import AssignmentMark, Code, ComponentMark, ItemMark, ModuleMark, Status
from assessor.marking.total import mark_module
from tests.assessor.marking.test_cohort import MONDAYS, random_acts, random_policy

Make = Callable[..., Assignment]
MakeMark = Callable[..., AssignmentMark]
PERCENT = st.decimals(0, 100, places=4)
SEEDS = st.integers(0, 10**6)
ONE = Decimal(1)


@st.composite
def weights(draw: st.DrawFn) -> tuple[int, int, int]:
    """Three that sum to 100."""
    first = draw(st.integers(1, 98))
    second = draw(st.integers(1, 99 - first))
    return first, second, 100 - first - second


def exactly(value: Fraction) -> Decimal:
    with localcontext(EXACT):
        return Decimal(value.numerator) / Decimal(value.denominator)


def parts(weights_: tuple[int, ...], marks: list[Decimal | None]) -> list[ComponentMark]:
    pairs = enumerate(zip(weights_, marks, strict=True))
    return [ComponentMark(f"c{number}", Decimal(weight), mark, ()) for number, (weight, mark) in pairs]


# Weights


@settings(max_examples=400)
@given(weights(), st.lists(PERCENT, min_size=3, max_size=3), st.permutations(range(3)))
def test_the_total_lies_among_the_components_whatever_their_order(
    each: tuple[int, int, int], marks: list[Decimal], order: list[int]
) -> None:
    total = mark_module(parts(each, list(marks))).total
    assert total is not None and min(marks) <= total <= max(marks)
    turned = mark_module([parts(each, list(marks))[place] for place in order])
    assert turned.total == total
    assert mark_module(parts(each, [marks[0]] * 3)).total == marks[0]


@settings(max_examples=400)
@given(st.lists(st.tuples(PERCENT, st.integers(1, 20)), min_size=1, max_size=8), st.decimals("0.01", 50, places=2))
def test_weights_of_assignments_are_on_any_scale(
    assignment_mark: MakeMark, given_: list[tuple[Decimal, int]], scale: Decimal
) -> None:
    marks = [assignment_mark(f"a{place}", percent) for place, (percent, _) in enumerate(given_)]
    plain = {f"a{place}": Decimal(weight) for place, (_, weight) in enumerate(given_)}
    one = mark_component("labs", ONE, marks, plain).percent
    other = mark_component("labs", ONE, marks, {name: weight * scale for name, weight in plain.items()}).percent
    assert one is not None and other is not None
    assert abs(one - other) < Decimal("1e-40")


@settings(max_examples=400)
@given(weights(), PERCENT, PERCENT, PERCENT, st.integers(0, 2), PERCENT)
def test_a_better_component_never_lowers_the_mark(
    each: tuple[int, int, int], a: Decimal, b: Decimal, c: Decimal, place: int, better: Decimal
) -> None:
    marks: list[Decimal | None] = [a, b, c]
    raised = list(marks)
    raised[place] = max((a, b, c)[place], better)
    for policy in (MarkingPolicy(), MarkingPolicy(rounding="truncate", places=1), MarkingPolicy(rounding="half_even")):
        low, high = mark_module(parts(each, marks), policy), mark_module(parts(each, raised), policy)
        assert low.final is not None and high.final is not None and low.final <= high.final


# Half-way


@settings(max_examples=400)
@given(
    weights(), st.integers(0, 699), st.integers(0, 299), st.integers(0, 9999), st.sampled_from([0, 1, 2]),
    st.sampled_from(["half_up", "half_even", "truncate"]),
)  # fmt: skip
def test_exactly_half_is_half_after_sevenths_and_thirds(
    each: tuple[int, int, int], sevenths: int, thirds: int, unit: int, places: int, rounding: str
) -> None:
    """The third component is what makes the total half-way between two marks; it has no last decimal."""
    step = Fraction(1, 10**places)
    half = (Fraction(unit % (100 * 10**places)) + Fraction(1, 2)) * step
    marks = [Fraction(sevenths, 7), Fraction(thirds, 3)]
    third = (100 * half - each[0] * marks[0] - each[1] * marks[1]) / each[2]
    assume(0 <= third <= 100)
    policy = MarkingPolicy.model_validate({"rounding": rounding, "places": places})

    def final(last: Fraction) -> Fraction:
        found = mark_module(parts(each, [exactly(mark) for mark in (*marks, last)]), policy).final
        assert found is not None
        return Fraction(found)

    below, above = half - step / 2, half + step / 2
    even = below if (below / step) % 2 == 0 else above
    assert final(third) == {"half_up": above, "half_even": even, "truncate": below}[rounding]
    tiny = Fraction(1, 10**15)
    if third >= tiny:
        assert final(third - tiny) == below
    if third <= 100 - tiny:
        assert final(third + tiny) == (below if rounding == "truncate" else above)


# The order of steps


def kind_of(text: str) -> str:
    """Which step a line of working tells of."""
    for words, kind in (("scaled by", "scaled"), ("days late", "late"), ("day late", "late"), ("share of", "share"),
                        ("referral: at most", "cap"), ("words:", "penalty")):  # fmt: skip
        if words in text:
            return kind
    return "other"


@settings(max_examples=400)
@given(SEEDS)
def test_the_steps_stand_in_the_order_of_the_regulations(make_assignment: Make, term: Term, seed: int) -> None:
    random = Random(seed)
    policy = random_policy(random)
    acts, _ = random_acts(random)
    mark = mark_assignment(
        make_assignment("a", kind="project", marks=20), [ItemMark("total", Decimal(random.randint(0, 80)) / 4, Decimal(20))],
        policy=policy, term=term, submitted_at=random.choice(MONDAYS), acts=acts,
    )  # fmt: skip
    team = ["share", "late"] if policy.team_late == "after_share" else ["late", "share"]
    order = ["scaled", "penalty", *team, "cap"]
    kinds = [kind for line in mark.working if (kind := kind_of(line.text)) != "other"]
    assert all(order.index(one) < order.index(other) for one, other in pairwise(kinds)), kinds
    assert mark.working[-1].value == mark.penalised_percent
    assert all(line.value is None or 0 <= line.value <= 100 for line in mark.working)
    decided = {"scaled": acts.scaled, "penalty": acts.penalties, "share": acts.share, "late": mark.days_late}
    assert {kind for kind, there in decided.items() if there} == set(kinds) - {"cap"}, "every step has its line"


# Lateness, caps, floors


@settings(max_examples=400)
@given(SEEDS, st.integers(0, 6), st.integers(-5, 12))
def test_later_is_never_better_and_an_extension_never_worse(
    make_assignment: Make, term: Term, seed: int, place: int, extra_days: int
) -> None:
    random = Random(seed)
    policy = random_policy(random)
    acts, _ = random_acts(random)
    items = [ItemMark("total", Decimal(random.randint(0, 80)) / 4, Decimal(20))]

    def of(hand_in: int, extended: int | None = None) -> Decimal:
        until = None if extended is None else MONDAYS[0] + timedelta(days=extended)
        found = mark_assignment(
            make_assignment("a", kind="project", marks=20), items, policy=policy, term=term, submitted_at=MONDAYS[hand_in],
            extended_until=until, acts=acts,
        ).penalised_percent  # fmt: skip
        assert found is not None
        return found

    assert of(place + 1) <= of(place)
    assert of(place) <= of(place, extra_days)


@settings(max_examples=400)
@given(PERCENT, st.integers(0, 5), st.sampled_from([40, 50]), st.sampled_from(["points", "proportion"]))
def test_no_day_takes_a_mark_below_the_floor_nor_lifts_one_to_it(
    make_assignment: Make, term: Term, percent: Decimal, late: int, floor: int, unit: str
) -> None:
    rules = {"unit": unit, "per_day": 10 if unit == "points" else 0.1, "floor": floor, "days": 5}
    mark = mark_assignment(
        make_assignment("a", kind="project", marks=100), [ItemMark("total", percent, Decimal(100))],
        policy=MarkingPolicy.model_validate({"late": rules}), term=term, submitted_at=MONDAYS[late],
    ).penalised_percent  # fmt: skip
    assert mark is not None
    assert min(percent, Decimal(floor)) <= mark <= percent


@settings(max_examples=400)
@given(SEEDS)
def test_a_referral_is_never_above_its_cap_where_it_is_held_to_it(make_assignment: Make, term: Term, seed: int) -> None:
    random = Random(seed)
    policy = random_policy(random)
    referral = AssignmentActs(sitting=Sitting.REFERRAL)
    marks = [
        mark_assignment(
            make_assignment(f"a{number}", kind="project", marks=20),
            [ItemMark("total", Decimal(random.randint(0, 20)), Decimal(20))],
            policy=policy, term=term, submitted_at=MONDAYS[0], acts=referral if number == 0 else AssignmentActs(),
        )
        for number in range(2)
    ]  # fmt: skip
    components = [
        mark_component(name, Decimal(50), [mark], {mark.name: ONE}, policy)
        for name, mark in zip(("exam", "project"), marks, strict=True)
    ]
    found = mark_module(components, policy)
    held = {"assignment": marks[0].penalised_percent, "component": components[0].percent, "module": found.final}
    capped = held[policy.referral_capped]
    assert capped is not None and capped <= policy.cap
    assert found.final is not None and found.rounded is not None and 0 <= found.final <= found.rounded <= 100


@settings(max_examples=400)
@given(PERCENT, PERCENT, st.sampled_from([40, 50]), st.sampled_from([None, 45]))
def test_a_component_below_its_minimum_never_passes_uncapped(
    assignment_mark: MakeMark, labs: Decimal, project: Decimal, least: int, cap: int | None
) -> None:
    policy = MarkingPolicy.model_validate({"minima": {"labs": least}} | ({"minimum_cap": cap} if cap else {}))
    components = [
        mark_component(name, Decimal(50), [assignment_mark("a", percent)], {"a": ONE}, policy)
        for name, percent in (("labs", labs), ("project", project))
    ]
    found = mark_module(components, policy)
    assert found.final is not None
    if labs < least:
        assert found.outcome is Code.FAIL
        assert cap is None or found.final <= cap
    else:
        assert (found.outcome is Code.PASS) == (found.final >= 50)


@settings(max_examples=400)
@given(PERCENT, st.lists(st.sampled_from(["0", "x 0.5", "- 7", "cap 40"]), max_size=3))
def test_penalties_never_raise_and_never_go_below_0(
    make_assignment: Make, term: Term, percent: Decimal, costs: list[str]
) -> None:
    read = {"0": ("factor", "0"), "x 0.5": ("factor", "0.5"), "- 7": ("deduct", "7"), "cap 40": ("cap", "40")}
    acts = AssignmentActs(penalties=tuple(Penalty(read[cost][0], Decimal(read[cost][1]), "words") for cost in costs))
    values = mark_assignment(
        make_assignment("a", kind="project", marks=100), [ItemMark("total", percent, Decimal(100))],
        policy=MarkingPolicy(), term=term, submitted_at=MONDAYS[0], acts=acts,
    ).working  # fmt: skip
    left = [line.value for line in values if line.value is not None]
    assert all(0 <= after <= before for before, after in pairwise(left))


# What is no mark


@settings(max_examples=400)
@given(st.lists(PERCENT, min_size=2, max_size=5), st.data())
def test_not_submitted_counts_as_0_and_a_missing_mark_leaves_none(
    assignment_mark: MakeMark, percents: list[Decimal], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(percents) - 1))

    def of(percent: str | None, status: Status) -> ModuleMark:
        marks = [assignment_mark(f"a{number}", each) for number, each in enumerate(percents)]
        marks[place] = assignment_mark(f"a{place}", percent, status)
        return mark_module([mark_component("labs", Decimal(100), marks, {mark.name: ONE for mark in marks})], acts=ModuleActs())

    zero, absent = of("0", Status.MARKED), of("0", Status.NOT_SUBMITTED)
    assert zero.total == absent.total is not None
    for status in (Status.MISSING, Status.REVIEW, Status.HELD, Status.DEFERRED):
        gone = of(None, status)
        assert gone.total is None and gone.final is None and gone.outcome is not Code.FAIL


def test_the_same_rules_give_the_same_mark_in_any_number_of_runs() -> None:
    """No rule hangs on the order of a set, on a float or on the thread's own decimal context."""
    with localcontext() as context:
        context.prec = 5
        low = mark_module(parts((33, 33, 34), [Decimal("33.3333333333"), Decimal("66.6666666667"), Decimal("59.9999999999")]))
    high = mark_module(parts((33, 33, 34), [Decimal("33.3333333333"), Decimal("66.6666666667"), Decimal("59.9999999999")]))
    assert (low.total, low.final, low.outcome) == (high.total, high.final, high.outcome)
