"""Items add up, lateness follows, and zero, missing and not submitted stay three things."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.calendar import Term
from assessor.course import Assignment, LateRules
from assessor.marking.assignments import mark_assignment
from assessor.marking.marks import AssignmentMark, ItemMark, Status

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)
RULES = LateRules()
Make = Callable[..., Assignment]


def item(name: str, points: str | None, out_of: str, *, not_submitted: bool = False) -> ItemMark:
    value = None if points is None else Decimal(points)
    return ItemMark(name, value, Decimal(out_of), not_submitted=not_submitted)


def texts(mark: AssignmentMark) -> list[str]:
    return [step.text for step in mark.working]


@pytest.fixture(scope="session")
def lab(make_assignment: Make) -> Assignment:
    """4 by hidden tests, 1 by hand."""
    return make_assignment(hidden=4, plot=1)


def test_an_assignments_mark_is_the_sum_of_its_items(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "3.25", "4"), item("plot", "0.5", "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE, attempt=2)
    assert (mark.status, mark.points, mark.percent, mark.penalised_percent) == (Status.MARKED, Decimal("3.75"), 75, 75)
    assert (mark.days_late, mark.late_factor, mark.attempt) == (0, 1, 2)
    assert texts(mark) == ["automatic: 3.25 of 4", "plot: 0.5 of 1", "3.75 of 5"]
    assert [step.value for step in mark.working] == [Decimal("3.25"), Decimal("0.5"), 75]


def test_two_days_late_leave_four_fifths_and_say_so(make_assignment: Make, term: Term) -> None:
    project = make_assignment(kind="project", marks=100)
    handed_in = DUE + timedelta(days=2, seconds=1)  # a closure day lies between
    mark = mark_assignment(project, [item("total", "64", "100")], rules=RULES, term=term, submitted_at=handed_in)
    assert (mark.days_late, mark.percent, mark.penalised_percent) == (2, 64, Decimal("51.2"))
    assert texts(mark)[-1] == "2 working days late: x 0.8"
    assert mark.working[-1].value == Decimal("51.2")


def test_an_extension_undoes_lateness_and_is_in_the_working(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    handed_in = DUE + timedelta(days=4)
    until = DUE + timedelta(days=4)
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=handed_in, extended_until=until)
    assert (mark.days_late, mark.penalised_percent, mark.extended_until) == (0, 100, until)
    assert "deadline extended to 2021-05-07 16:00 BST" in texts(mark)


def test_lateness_after_an_extension_counts_from_its_end(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    until = DUE + timedelta(days=4)  # Friday
    late = until + timedelta(days=1)
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=late, extended_until=until)
    assert (mark.days_late, mark.penalised_percent) == (1, 90)


def test_nothing_handed_in_counts_zero_and_is_not_a_zero(lab: Assignment, term: Term) -> None:
    mark = mark_assignment(lab, [item("automatic", None, "4"), item("plot", None, "1")], rules=RULES, term=term)
    assert (mark.status, mark.points, mark.percent, mark.penalised_percent) == (Status.NOT_SUBMITTED, None, None, 0)
    assert texts(mark) == ["not submitted"]


def test_a_zero_is_a_mark(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "0", "4"), item("plot", "0", "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.MARKED, 0, 0)


def test_an_item_that_is_not_marked_yet_leaves_no_mark(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", None, "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.MISSING, None, None)
    assert texts(mark) == ["automatic: 4 of 4", "missing"]


def test_before_the_deadline_nothing_handed_in_is_only_missing(lab: Assignment, term: Term) -> None:
    items = [item("automatic", None, "4"), item("plot", None, "1")]
    assert mark_assignment(lab, items, rules=RULES, term=term, closed=False).status is Status.MISSING


def test_a_quiz_that_was_not_imported_is_missing(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=30)
    assert mark_assignment(quiz, [item("total", None, "30")], rules=RULES, term=term).status is Status.MISSING


def test_a_quiz_that_was_not_taken_is_not_submitted(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=30)
    mark = mark_assignment(quiz, [item("total", "0", "30", not_submitted=True)], rules=RULES, term=term)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.NOT_SUBMITTED, None, 0)


def test_one_item_not_handed_in_counts_zero_beside_the_others(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "0", "1", not_submitted=True)]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE)
    assert (mark.status, mark.percent) == (Status.MARKED, 80)
    assert "plot: not submitted, 0 of 1" in texts(mark)


def test_a_fault_of_ours_holds_the_mark_back(lab: Assignment, term: Term) -> None:
    items = [item("automatic", None, "4"), item("plot", "1", "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE, in_review=True)
    assert (mark.status, mark.penalised_percent) == (Status.REVIEW, None)


def test_a_persons_mark_settles_a_review(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE, in_review=True)
    assert mark.status is Status.MARKED


def test_after_a_persons_mark_only_the_missing_item_holds_it_back(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", None, "1")]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE, in_review=True)
    assert mark.status is Status.MISSING


def test_a_mark_given_out_of_another_sum_counts_in_proportion(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=100)
    mark = mark_assignment(quiz, [item("total", "21", "30")], rules=RULES, term=term)
    assert (mark.points, mark.out_of, mark.percent) == (70, 100, 70)
    assert texts(mark)[0] == "total: 21 of 30, now out of 100: 70"


@pytest.mark.parametrize("points", ["-0.5", "4.5"])
def test_a_mark_outside_its_range_is_a_fault_of_ours(lab: Assignment, term: Term, points: str) -> None:
    with pytest.raises(ValueError, match="not from 0 to 4"):
        mark_assignment(lab, [item("automatic", points, "4"), item("plot", "1", "1")], rules=RULES, term=term)


def test_items_of_another_assignment_are_a_fault_of_ours(lab: Assignment, term: Term) -> None:
    with pytest.raises(ValueError, match="items"):
        mark_assignment(lab, [item("automatic", "4", "4")], rules=RULES, term=term)


MARKS = st.decimals(0, 1, places=4)
MAXIMA = st.decimals(Decimal("0.5"), 40, places=1)


@given(MARKS, MARKS, MAXIMA, MAXIMA, st.timedeltas(timedelta(days=-3), timedelta(days=12)), MARKS)
def test_a_mark_agrees_with_fractions_and_a_better_item_never_lowers_it(
    make_assignment: Make,
    term: Term,
    first: Decimal,
    second: Decimal,
    a: Decimal,
    b: Decimal,
    delay: timedelta,
    better: Decimal,
) -> None:
    lab = make_assignment(hidden=a, plot=b)
    items = [ItemMark("automatic", a * first, a), ItemMark("plot", b * second, b)]
    mark = mark_assignment(lab, items, rules=RULES, term=term, submitted_at=DUE + delay)
    factor = max(Fraction(0), 1 - Fraction(mark.days_late, 10)) if mark.days_late <= 5 else Fraction(0)
    points = Fraction(a) * Fraction(first) + Fraction(b) * Fraction(second)
    exact = 100 * points / (Fraction(a) + Fraction(b)) * factor
    assert mark.penalised_percent is not None
    assert 0 <= mark.penalised_percent <= 100
    assert abs(Fraction(mark.penalised_percent) - exact) < Fraction(1, 10**40)
    raised = [ItemMark("automatic", a * max(first, better), a), items[1]]
    again = mark_assignment(lab, raised, rules=RULES, term=term, submitted_at=DUE + delay)
    assert again.penalised_percent is not None
    assert again.penalised_percent >= mark.penalised_percent
