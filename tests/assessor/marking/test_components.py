"""A component is the weighted mean of its assignments, and has no mark while one of them has none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from assessor.marking.components import mark_component
from assessor.marking.marks import AssignmentMark, Status

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
