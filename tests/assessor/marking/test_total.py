"""The module mark: weighted, rounded once, and never better for worse work."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.marking.components import mark_component
from assessor.marking.marks import AssignmentMark, ComponentMark, ModuleMark
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
