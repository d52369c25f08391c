"""A component is the weighted mean of its assignments, and has no mark while one of them has none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from assessor.course import MarkingPolicy
from assessor.marking.acts import AssignmentActs, Penalty
from assessor.marking.components import mark_component
from assessor.marking.marks import AssignmentMark, Sitting, Status

Make = Callable[..., AssignmentMark]
LABS = Decimal(40)


def test_assignments_of_one_weight_are_averaged(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab1", "72"), assignment_mark("lab2", "81")]
    component = mark_component("labs", LABS, marks, {"lab1": Decimal(1), "lab2": Decimal(1)})
    assert component.percent == Decimal("76.5")
    assert component.working[0].text == "labs: mean of lab1 72, lab2 81"
    assert component.assignments == tuple(marks)


def test_weights_are_on_any_scale(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab1", "50"), assignment_mark("lab2", "80")]
    component = mark_component("labs", LABS, marks, {"lab1": Decimal(2), "lab2": Decimal(1)})
    assert component.percent == 60
    assert component.working[0].text == "labs: mean of lab1 50 (weight 2), lab2 80 (weight 1)"


def test_one_assignment_is_no_mean(assignment_mark: Make) -> None:
    component = mark_component("project", LABS, [assignment_mark("project", "64")], {"project": Decimal(1)})
    assert component.working[0].text == "project: project 64"


@pytest.mark.parametrize("status", [Status.MISSING, Status.REVIEW])
def test_a_missing_mark_leaves_the_component_open(assignment_mark: Make, status: Status) -> None:
    marks = [assignment_mark("lab1", "72"), assignment_mark("lab2", None, status)]
    component = mark_component("labs", LABS, marks, {"lab1": Decimal(1), "lab2": Decimal(1)})
    assert component.percent is None
    assert component.working[0].text == f"labs: mean of lab1 72, lab2 {status}"


def test_what_was_not_submitted_counts_zero_and_reads_ns(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab1", "72"), assignment_mark("lab2", "0", Status.NOT_SUBMITTED)]
    component = mark_component("labs", LABS, marks, {"lab1": Decimal(1), "lab2": Decimal(1)})
    assert component.percent == 36
    assert component.working[0].text == "labs: mean of lab1 72, lab2 NS"


def labs(make: Make, *percents: str | None) -> list[AssignmentMark]:
    return [make(f"lab{n}", percent) for n, percent in enumerate(percents, 1)]


def counted(marks: list[AssignmentMark], **counting: int) -> tuple[Decimal | None, tuple[str, ...]]:
    policy = MarkingPolicy.model_validate({"counting": {"labs": counting}})
    component = mark_component("labs", LABS, marks, {mark.name: Decimal(1) for mark in marks}, policy)
    return component.percent, component.dropped


def test_the_best_two_of_three_count(assignment_mark: Make) -> None:
    assert counted(labs(assignment_mark, "40", "72", "81"), best=2) == (Decimal("76.5"), ("lab1",))


def test_the_lowest_is_dropped_and_of_two_alike_the_later(assignment_mark: Make) -> None:
    assert counted(labs(assignment_mark, "40", "72", "40"), drop_lowest=1) == (56, ("lab3",))


def test_what_was_not_handed_in_can_be_the_one_that_is_dropped(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab0", "0", Status.NOT_SUBMITTED), *labs(assignment_mark, "60")]
    assert counted(marks, drop_lowest=1)[0] == 60


def test_while_one_is_missing_nobody_knows_which_are_the_best(assignment_mark: Make) -> None:
    assert counted(labs(assignment_mark, "90", "80", None), best=1) == (None, ())


def test_a_mark_that_misconduct_lowered_is_never_the_one_dropped(assignment_mark: Make) -> None:
    punished = assignment_mark("lab1", "0")._replace(acts=AssignmentActs(penalties=(Penalty("factor", Decimal(0), "collusion"),)))
    assert counted([punished, assignment_mark("lab2", "60"), assignment_mark("lab9", "70")], best=2) == (
        35, ("lab2",),
    )  # fmt: skip


def test_one_always_counts(assignment_mark: Make) -> None:
    assert counted(labs(assignment_mark, "40"), drop_lowest=1)[0] == 40
    assert counted(labs(assignment_mark, "40", "50"), best=5)[0] == 45


def test_what_the_board_waived_counts_neither_for_nor_against(assignment_mark: Make) -> None:
    marks = [*labs(assignment_mark, "50", "70"), assignment_mark("lab3", None, Status.WAIVED)]
    component = mark_component("labs", LABS, marks, {mark.name: Decimal(1) for mark in marks})
    assert (component.percent, component.waived) == (60, False)
    assert component.working[0].text == "labs: mean of lab1 50, lab2 70, lab3 waived"


def test_a_component_of_which_all_is_waived_is_waived(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab1", None, Status.WAIVED)]
    assert mark_component("labs", LABS, marks, {"lab1": Decimal(1)}).waived
    assert mark_component("labs", LABS, labs(assignment_mark, "80"), {"lab1": Decimal(1)}, waived=True).percent is None


def test_below_its_minimum_is_less_than_it_unrounded(assignment_mark: Make) -> None:
    policy = MarkingPolicy.model_validate({"minima": {"labs": 40}})
    for percent, below in (("39.99", True), ("40", False)):
        component = mark_component("labs", LABS, labs(assignment_mark, percent), {"lab1": Decimal(1)}, policy)
        assert component.below_minimum is below


def test_a_referred_component_is_held_to_the_cap_where_the_course_says_so(assignment_mark: Make) -> None:
    marks = [assignment_mark("lab1", "80")._replace(acts=AssignmentActs(sitting=Sitting.REFERRAL)), assignment_mark("lab2", "60")]
    weights = {"lab1": Decimal(1), "lab2": Decimal(1)}
    capped = MarkingPolicy(referral_capped="component")
    assert mark_component("labs", LABS, marks, weights, capped).percent == 50
    assert mark_component("labs", LABS, marks, weights).percent == 70
