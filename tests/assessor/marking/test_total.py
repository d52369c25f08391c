"""The module mark: weighted, rounded once, and never better for worse work."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.course import MarkingPolicy
from assessor.marking.acts import AssignmentActs, ModuleActs
from assessor.marking.components import mark_component
from assessor.marking.lateness import LateEffect
from assessor.marking.marks import AssignmentMark, Code, ComponentMark, ModuleMark, Sitting, Status
from assessor.marking.total import mark_module

WEIGHTS = {"labs": Decimal(40), "project": Decimal(40), "quizzes": Decimal(20)}
Make = Callable[..., AssignmentMark]


def module(labs: str | None, project: str | None, quizzes: str | None) -> ModuleMark:
    given_ = zip(WEIGHTS.items(), (labs, project, quizzes), strict=True)
    return mark_module(
        [ComponentMark(name, weight, None if mark is None else Decimal(mark), ()) for (name, weight), mark in given_]
    )


def test_the_worked_example_of_the_regulations() -> None:
    mark = module("72.3", "51.2", "55")
    assert (mark.total, mark.rounded) == (Decimal("60.40"), 60)
    assert [(step.text, step.value) for step in mark.working] == [
        ("40 % of labs 72.3 + 40 % of project 51.2 + 20 % of quizzes 55", Decimal("60.4")),
        ("rounded once, half up", Decimal(60)),
    ]


def test_the_worked_example_on_time() -> None:
    assert module("72.3", "64", "55").total == Decimal("65.52")


def test_exactly_half_goes_up_where_binary_floats_go_down() -> None:
    assert 0.4 * 41.75 + 0.4 * 82.25 + 0.2 * 49.5 < 59.5  # why marks are Decimal
    mark = module("41.75", "82.25", "49.5")
    assert (mark.total, mark.rounded) == (Decimal("59.5"), 60)


def test_64_and_a_half_is_65() -> None:
    assert module("64.5", "64.5", "64.5").rounded == 65


def test_it_is_rounded_once_only() -> None:
    assert module("64.44", "64.46", "64.5").rounded == 64  # rounding the components first would give 65


@pytest.mark.parametrize("marks", [(None, "50", "50"), ("50", None, "50"), ("50", "50", None)])
def test_a_missing_component_leaves_no_total(marks: tuple[str | None, ...]) -> None:
    mark = module(*marks)
    assert (mark.total, mark.rounded) == (None, None)
    assert "(incomplete)" in mark.working[0].text


def test_a_zero_component_is_not_a_missing_one() -> None:
    assert module("0", "50", "50").rounded == 30


def parts(*marks: str | None, **minima: int) -> list[ComponentMark]:
    return [
        ComponentMark(
            name, weight, None if mark is None else Decimal(mark), (), waived=mark is None,
            minimum=Decimal(minima[name]) if name in minima else None,
        )
        for (name, weight), mark in zip(WEIGHTS.items(), marks, strict=True)
    ]  # fmt: skip


def test_a_component_that_the_board_waived_gives_its_weight_to_the_others_and_the_mark_says_so() -> None:
    mark = mark_module(parts("72.3", "51.2", None))
    assert (mark.total, mark.reweighted, mark.outcome) == (Decimal("61.75"), True, Code.PASS)
    assert "board re-weighted: what was waived does not count" in [step.text for step in mark.working]
    assert mark.working[0].text == "(40 % of labs 72.3 + 40 % of project 51.2) / 80 %"


def test_a_module_all_of_which_is_waived_is_excused() -> None:
    mark = mark_module(parts(None, None, None))
    assert (mark.total, mark.outcome) == (None, Code.EXCUSED)


def test_below_a_minimum_a_good_module_is_failed_with_its_mark() -> None:
    mark = mark_module(parts("38", "80", "80", labs=40))
    assert (mark.final, mark.outcome) == (63, Code.FAIL)
    assert "labs is below its minimum of 40" in [step.text for step in mark.working]


def test_below_a_minimum_a_module_may_be_held_to_a_cap_instead() -> None:
    policy = MarkingPolicy(minimum_cap=Decimal(50))
    mark = mark_module(parts("38", "80", "80", labs=40), policy)
    assert (mark.total, mark.rounded, mark.outcome) == (Decimal("63.2"), 50, Code.PASS)
    assert mark_module(parts("20", "20", "20", labs=40), policy).rounded == 20  # a cap raises nobody


def test_the_cap_of_a_minimum_comes_before_the_one_rounding() -> None:
    policy = MarkingPolicy(minimum_cap=Decimal("49.5"))
    assert mark_module(parts("38", "80", "80", labs=40), policy).rounded == 50


@pytest.mark.parametrize(("mark", "capped"), [("63", 50), ("44", 44), ("50", 50)])
def test_a_referral_is_held_to_the_pass_mark(make_referred: MakeReferred, mark: str, capped: int) -> None:
    found = mark_module(make_referred(mark))
    assert (found.rounded, found.final, found.referred) == (Decimal(mark), capped, True)
    assert found.outcome is (Code.PASS if capped >= 50 else Code.FAIL)


def test_a_referral_has_a_cap_of_its_own_where_the_course_says_so(make_referred: MakeReferred) -> None:
    assert mark_module(make_referred("63"), MarkingPolicy(referral_cap=Decimal(40))).final == 40
    assert mark_module(make_referred("63"), MarkingPolicy(referral_capped="assignment")).final == 63


MakeReferred = Callable[[str], list[ComponentMark]]


@pytest.fixture
def make_referred(assignment_mark: Make) -> MakeReferred:
    """`make_referred("63")`: one component, whose only assignment was referred and got 63."""

    def make(percent: str) -> list[ComponentMark]:
        mark = assignment_mark("exam", percent)._replace(acts=AssignmentActs(sitting=Sitting.REFERRAL))
        return [ComponentMark("exam", Decimal(100), Decimal(percent), (mark,))]

    return make


OUTCOMES = [
    ("50", {}, ModuleActs(), Code.PASS),
    ("49.5", {}, ModuleActs(), Code.PASS),
    ("49.4", {}, ModuleActs(), Code.FAIL),
    ("49.4", {}, ModuleActs(compensated=True), Code.COMPENSATED),
    ("60", {}, ModuleActs(compensated=True), Code.PASS),
    ("49.4", {"acts": AssignmentActs(awaits_referral=True)}, ModuleActs(), Code.REFERRAL),
    ("60", {"acts": AssignmentActs(considered=True)}, ModuleActs(), Code.CONSIDERATIONS),
    ("60", {}, ModuleActs(considered=True), Code.CONSIDERATIONS),
    ("60", {}, ModuleActs(held=True, considered=True), Code.INTEGRITY),
    (None, {"status": Status.HELD, "acts": AssignmentActs(considered=True)}, ModuleActs(), Code.INTEGRITY),
    (None, {"status": Status.DEFERRED}, ModuleActs(), Code.DEFERRED),
    (None, {}, ModuleActs(), Code.MISSING),
    ("0", {"status": Status.NOT_SUBMITTED}, ModuleActs(), Code.NOT_SUBMITTED),
    ("0", {"late": LateEffect(6, factor=Decimal(0))}, ModuleActs(), Code.LATE_ZERO),
    ("0", {}, ModuleActs(), Code.FAIL),
]


@pytest.mark.parametrize(("percent", "about", "acts", "code"), OUTCOMES, ids=lambda part: str(part)[:40])
def test_the_outcome(
    assignment_mark: Make, percent: str | None, about: dict[str, Any], acts: ModuleActs, code: Code
) -> None:
    mark = assignment_mark("exam", percent)._replace(**about)
    component = mark_component("exam", Decimal(100), [mark], {"exam": Decimal(1)})
    assert mark_module([component], acts=acts).outcome is code


def test_what_a_waived_component_holds_decides_nothing(assignment_mark: Make) -> None:
    away = mark_component("exam", Decimal(50), [assignment_mark("a", None, Status.DEFERRED)], {"a": Decimal(1)}, waived=True)
    there = mark_component("labs", Decimal(50), [assignment_mark("b", "60")], {"b": Decimal(1)})
    assert mark_module([away, there]).outcome is Code.PASS


def test_a_module_that_is_held_shows_no_mark(assignment_mark: Make) -> None:
    there = mark_component("labs", Decimal(100), [assignment_mark("b", "60")], {"b": Decimal(1)})
    mark = mark_module([there], acts=ModuleActs(held=True))
    assert (mark.total, mark.final, mark.outcome) == (None, None, Code.INTEGRITY)
    assert mark.working[-1].text == "held: academic integrity is not decided yet"


def test_not_submitted_beside_a_zero_is_a_fail(assignment_mark: Make) -> None:
    marks = [assignment_mark("a", "0", Status.NOT_SUBMITTED), assignment_mark("b", "0")]
    component = mark_component("exam", Decimal(100), marks, {"a": Decimal(1), "b": Decimal(1)})
    assert mark_module([component]).outcome is Code.FAIL


def test_what_is_truncated_says_so() -> None:
    mark = mark_module(parts("69.96", "69.96", "69.96"), MarkingPolicy(rounding="truncate", places=1))
    assert mark.final == Decimal("69.9")
    assert mark.working[-1].text == "truncated once, to 1 decimal"


PERCENT = st.fractions(0, 100, max_denominator=300)
PART = st.integers(1, 20)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[int], list[list[tuple[Fraction, int]]]]:
    """Component weights that sum to 100, and for each component its assignments' marks and weights."""
    first = draw(st.integers(1, 98))
    second = draw(st.integers(1, 99 - first))
    marks = [draw(st.lists(st.tuples(PERCENT, PART), min_size=1, max_size=8)) for _ in range(3)]
    return [first, second, 100 - first - second], marks


def worked_out(make: Make, weights: list[int], marks: list[list[tuple[Fraction, int]]]) -> ModuleMark:
    components = []
    for number, (weight, assignments) in enumerate(zip(weights, marks, strict=True)):
        each = [
            make(f"a{number}{place}", Decimal(mark.numerator) / Decimal(mark.denominator))
            for place, (mark, _) in enumerate(assignments)
        ]
        parts = {mark.name: Decimal(part) for mark, (_, part) in zip(each, assignments, strict=True)}
        components.append(mark_component(f"c{number}", Decimal(weight), each, parts))
    return mark_module(components)


@given(cohorts())
def test_the_total_agrees_with_fractions(
    assignment_mark: Make, cohort: tuple[list[int], list[list[tuple[Fraction, int]]]]
) -> None:
    weights, marks = cohort
    mark = worked_out(assignment_mark, weights, marks)
    exact = sum(
        (
            Fraction(weight, 100) * sum(m * p for m, p in assignments) / sum(p for _, p in assignments)
            for weight, assignments in zip(weights, marks, strict=True)
        ),
        Fraction(0),
    )
    assert mark.total is not None
    assert 0 <= mark.total <= 100
    assert abs(Fraction(mark.total) - exact) < Fraction(1, 10**24)  # the marks here come in with 28 digits
    if abs((exact + Fraction(1, 2)) % 1) > Fraction(1, 10**20):
        assert mark.rounded == floor(exact + Fraction(1, 2))


@given(cohorts(), st.data())
def test_a_better_assignment_never_lowers_the_total(
    assignment_mark: Make, cohort: tuple[list[int], list[list[tuple[Fraction, int]]]], data: st.DataObject
) -> None:
    weights, marks = cohort
    component = data.draw(st.integers(0, 2))
    place = data.draw(st.integers(0, len(marks[component]) - 1))
    old, part = marks[component][place]
    before = worked_out(assignment_mark, weights, marks)
    marks[component][place] = (old + data.draw(st.fractions(0, 100 - old, max_denominator=300)), part)
    after = worked_out(assignment_mark, weights, marks)
    assert before.total is not None and after.total is not None
    assert after.total >= before.total
