"""A hundred thousand random students under fifty random regulations, against the same rules written with fractions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random

import pytest

from assessor.calendar import Term
from assessor.course import Assignment, MarkingPolicy
from assessor.marking.acts import AssignmentActs, ModuleActs, Penalty, Sitting, TeamShare
from assessor.marking.assignments import mark_assignment
from assessor.marking.components import mark_component
from assessor.marking.marks import AssignmentMark, Code, ItemMark, ModuleMark
from assessor.marking.scaling import read_scaling
from assessor.marking.total import mark_module

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)
MONDAYS = [DUE + timedelta(days=day) for day in (0, 2, 3, 4, 7, 8, 9, 10)]
"""Hand-ins 0 to 7 working days late; the Tuesday after the deadline is a closure day, the 8th and 9th a weekend."""
Make = Callable[..., Assignment]
Pair = tuple[AssignmentMark, Fraction | None]


def random_policy(random: Random) -> MarkingPolicy:
    points = random.random() < 0.4
    late = {
        "unit": "points" if points else "proportion", "per_day": random.choice([5, 10] if points else [0.05, 0.1, 0.25]),
        "days": random.choice([3, 5, 7]), "floor": random.choice([0, 0, 40]), "referral": random.choice(["usual", "zero"]),
    }  # fmt: skip
    if random.random() < 0.3:
        late["cap"] = 50
    chosen: dict[str, object] = {
        "late": late, "rounding": random.choice(["half_up", "half_even", "truncate"]), "places": random.choice([0, 0, 1, 2]),
        "referral_capped": random.choice(["module", "component", "assignment"]),
        "team_late": random.choice(["before_share", "after_share"]), "pass_mark": random.choice([40, 50]),
        "minima": {"labs": 40} if random.random() < 0.5 else {},
    }  # fmt: skip
    if random.random() < 0.3:
        chosen["minimum_cap"] = 45
    if random.random() < 0.5:
        chosen["counting"] = {"labs": random.choice([{"best": 2}, {"drop_lowest": 1}])}
    if random.random() < 0.3:
        chosen["referral_cap"] = 40
    return MarkingPolicy.model_validate(chosen)


def random_acts(random: Random) -> tuple[AssignmentActs, dict[str, object]]:
    """Acts, and the numbers from which the other formulation starts."""
    plain: dict[str, object] = {"shift": 0, "penalty": None, "share": None, "referral": random.random() < 0.1}
    scaled = penalties = share = None
    if random.random() < 0.2:
        plain["shift"] = random.randint(1, 9)
        scaled = read_scaling(f"m + {plain['shift']}")
    if random.random() < 0.15:
        plain["penalty"] = random.choice([("factor", "0"), ("factor", "0.9"), ("deduct", "7"), ("cap", "40")])
        penalties = (Penalty(plain["penalty"][0], Decimal(plain["penalty"][1]), "words"),)
    if random.random() < 0.2:
        plain["share"] = random.choice(["0.6", "1", "1.2", "1.55"])
        share = TeamShare("T", Decimal(plain["share"]), "words")
    sitting = Sitting.REFERRAL if plain["referral"] else Sitting.FIRST
    return AssignmentActs(scaled, penalties or (), share, sitting), plain


def by_fractions(raw: Fraction, days: int, plain: dict[str, object], policy: MarkingPolicy) -> Fraction:
    """One assignment's mark, step by step, straight from the regulations."""
    mark = min(Fraction(100), raw + plain["shift"]) if raw and plain["shift"] else raw
    if plain["penalty"]:
        rule, value = plain["penalty"][0], Fraction(plain["penalty"][1])
        mark = {"factor": mark * value, "deduct": max(Fraction(0), mark - value), "cap": min(mark, value)}[rule]

    def late(mark: Fraction) -> Fraction:
        rules = policy.late
        if days == 0:
            return mark
        if days > rules.days or (plain["referral"] and rules.referral == "zero"):
            return Fraction(0)
        part = Fraction(rules.per_day)
        left = mark - part * days if rules.unit == "points" else mark * max(Fraction(0), 1 - part * days)
        if rules.cap is not None:
            left = min(left, Fraction(rules.cap))
        floor_ = Fraction(rules.floor)
        return max(left, mark if mark < floor_ else floor_)

    def share(mark: Fraction) -> Fraction:
        return min(Fraction(100), mark * Fraction(plain["share"])) if plain["share"] else mark

    mark = share(late(mark)) if policy.team_late == "before_share" else late(share(mark))
    if plain["referral"] and policy.referral_capped == "assignment":
        mark = min(mark, Fraction(policy.cap))
    return mark


def pool(make: Make, term: Term, policy: MarkingPolicy, random: Random, size: int) -> list[Pair]:
    """Marks of random work, each compared with the other formulation."""
    found: list[Pair] = []
    for number in range(size):
        out_of = random.choice([3, 7, 20, 100])
        assignment = make(f"a{number}", kind="project", marks=out_of)
        if random.random() < 0.05:
            item = ItemMark("total", Decimal(0), Decimal(out_of), not_submitted=True)
            found.append((mark_assignment(assignment, [item], policy=policy, term=term), Fraction(0)))
            continue
        points = Decimal(random.randint(0, 4 * out_of)) / 4
        days = random.choice([0, 0, 0, 1, 2, 3, 5, 6, 7])
        acts, plain = random_acts(random)
        mark = mark_assignment(
            assignment, [ItemMark("total", points, Decimal(out_of))], policy=policy, term=term,
            submitted_at=MONDAYS[days], acts=acts,
        )  # fmt: skip
        expected = by_fractions(100 * Fraction(points) / out_of, days, plain, policy)
        assert mark.days_late == days
        assert mark.penalised_percent is not None
        assert abs(Fraction(mark.penalised_percent) - expected) < Fraction(1, 10**40)
        found.append((mark, expected))
    return found


def rounded(value: Fraction, policy: MarkingPolicy) -> Fraction:
    scale = 10**policy.places
    if policy.rounding == "half_even":
        return Fraction(round(value * scale), scale)
    return Fraction(floor(value * scale + (Fraction(1, 2) if policy.rounding == "half_up" else 0)), scale)


def expected_component(pairs: list[Pair], counting: int | None, capped: bool, policy: MarkingPolicy) -> Fraction:
    marks = [mark for _, mark in pairs if mark is not None]
    if counting is not None and counting < len(marks):
        kept = sorted((m for (a, m) in pairs if not a.acts.penalties and m is not None), reverse=True)
        fixed = [m for (a, m) in pairs if a.acts.penalties and m is not None]
        marks = fixed + kept[: max(0, counting - len(fixed))]
    mean = Fraction(sum(marks), len(marks))
    return min(mean, Fraction(policy.cap)) if capped else mean


def counting_of(policy: MarkingPolicy) -> int | None:
    """Of three labs."""
    return 2 if "labs" in policy.counting else None


def expected_module(
    labs: list[Pair], project: Pair, quiz: Pair, weights: list[int], waived: bool, policy: MarkingPolicy
) -> tuple[Fraction, Fraction, bool]:
    """Total, final mark, and whether it passes by marks alone."""
    by_component = policy.referral_capped == "component"
    parts = [
        expected_component(
            pairs, counting_of(policy) if place == 0 else None,
            by_component and any(a.acts.sitting is Sitting.REFERRAL for a, _ in pairs), policy,
        )
        for place, pairs in enumerate((labs, [project], [quiz]))
    ]  # fmt: skip
    used = list(zip(weights, parts, strict=True))[: 2 if waived else 3]
    total = Fraction(sum(weight * part for weight, part in used), sum(weight for weight, _ in used))
    below = "labs" in policy.minima and parts[0] < policy.minima["labs"]
    held = min(total, Fraction(policy.minimum_cap)) if below and policy.minimum_cap is not None else total
    final = rounded(held, policy)
    counted = [*labs, project] if waived else [*labs, project, quiz]
    referred = any(a.acts.sitting is Sitting.REFERRAL for a, _ in counted)
    if referred and policy.referral_capped == "module":
        final = min(final, Fraction(policy.cap))
    passes = final >= policy.pass_mark and not (below and policy.minimum_cap is None)
    return total, final, passes


@pytest.mark.parametrize("seed", range(50))
def test_a_cohort_of_two_thousand_agrees_with_fractions(make_assignment: Make, term: Term, seed: int) -> None:
    random = Random(seed)
    policy = random_policy(random)
    marks = pool(make_assignment, term, policy, random, 80)
    one = Decimal(1)
    halves = 0
    for _ in range(2000):
        *labs, project, quiz = random.sample(marks, 5)
        weights = random.choice([[40, 40, 20], [40, 40, 20], [33, 33, 34], [1, 98, 1]])
        waived = random.random() < 0.1
        components = [
            mark_component(
                name, Decimal(weight), [a for a, _ in pairs], {a.name: one for a, _ in pairs}, policy,
                waived=waived and name == "quizzes",
            )
            for name, weight, pairs in zip(("labs", "project", "quizzes"), weights, (labs, [project], [quiz]), strict=True)
        ]  # fmt: skip
        found = mark_module(components, policy, ModuleActs())
        total, final, passes = expected_module(labs, project, quiz, weights, waived, policy)
        assert found.total is not None
        assert found.final is not None
        assert abs(Fraction(found.total) - total) < Fraction(1, 10**40)
        assert Fraction(found.final) == final
        assert (found.outcome is Code.PASS) == passes
        assert found.reweighted == waived
        halves += (total * 2).denominator == 1 and total.denominator == 2
    if policy.places == 0:
        assert halves > 0, "no half-way case came up"


@pytest.mark.parametrize("seed", range(30))
def test_a_better_item_never_lowers_the_module(make_assignment: Make, term: Term, seed: int) -> None:
    """Under any regulations, whatever was decided: raise one item of one student, and nothing goes down."""
    random = Random(1000 + seed)
    policy = random_policy(random)
    for _ in range(60):
        acts, days = [random_acts(random)[0] for _ in range(5)], [random.choice([0, 0, 1, 3, 6]) for _ in range(5)]
        points = [Decimal(random.randint(0, 80)) / 4 for _ in range(5)]
        better = list(points)
        raised = random.randrange(5)
        better[raised] = min(Decimal(20), points[raised] + Decimal(random.randint(1, 40)) / 4)
        low, high = (
            module_of([
                mark_assignment(
                    make_assignment(f"a{n}", kind="project", marks=20), [ItemMark("total", each, Decimal(20))],
                    policy=policy, term=term, submitted_at=MONDAYS[days[n]], acts=acts[n],
                )
                for n, each in enumerate(given)
            ], policy)
            for given in (points, better)
        )  # fmt: skip
        assert low.total is not None and high.total is not None and low.final is not None and high.final is not None
        assert low.total <= high.total
        assert low.final <= high.final
        assert not (low.outcome is Code.PASS and high.outcome is not Code.PASS)


def module_of(marks: list[AssignmentMark], policy: MarkingPolicy) -> ModuleMark:
    parts = {"labs": marks[:3], "project": marks[3:4], "quizzes": marks[4:]}
    return mark_module(
        [
            mark_component(name, Decimal(weight), own, {mark.name: Decimal(1) for mark in own}, policy)
            for (name, own), weight in zip(parts.items(), (40, 40, 20), strict=True)
        ],
        policy,
    )
