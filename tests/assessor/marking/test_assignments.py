"""Items add up, lateness follows, and zero, missing and not submitted stay three things."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessor.calendar import Term
from assessor.course import Assignment, MarkingPolicy
from assessor.marking.acts import NONE, AssignmentActs, Penalty, Scaled, TeamShare
from assessor.marking.assignments import mark_assignment
from assessor.marking.marks import AssignmentMark, Code, ItemMark, Sitting, Status

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)
POLICY = MarkingPolicy()
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
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE, attempt=2)
    assert (mark.status, mark.points, mark.percent, mark.penalised_percent) == (Status.MARKED, Decimal("3.75"), 75, 75)
    assert (mark.days_late, mark.late_factor, mark.attempt) == (0, 1, 2)
    assert texts(mark) == ["automatic: 3.25 of 4", "plot: 0.5 of 1", "3.75 of 5"]
    assert [step.value for step in mark.working] == [Decimal("3.25"), Decimal("0.5"), 75]


def test_two_days_late_leave_four_fifths_and_say_so(make_assignment: Make, term: Term) -> None:
    project = make_assignment(kind="project", marks=100)
    handed_in = DUE + timedelta(days=2, seconds=1)  # a closure day lies between
    mark = mark_assignment(project, [item("total", "64", "100")], policy=POLICY, term=term, submitted_at=handed_in)
    assert (mark.days_late, mark.percent, mark.penalised_percent) == (2, 64, Decimal("51.2"))
    assert texts(mark)[-1] == "2 working days late: x 0.8"
    assert mark.working[-1].value == Decimal("51.2")


def test_an_extension_undoes_lateness_and_is_in_the_working(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    handed_in = DUE + timedelta(days=4)
    until = DUE + timedelta(days=4)
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=handed_in, extended_until=until)
    assert (mark.days_late, mark.penalised_percent, mark.extended_until) == (0, 100, until)
    assert "deadline extended to 2021-05-07 16:00 BST" in texts(mark)


def test_lateness_after_an_extension_counts_from_its_end(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    until = DUE + timedelta(days=4)  # Friday
    late = until + timedelta(days=1)
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=late, extended_until=until)
    assert (mark.days_late, mark.penalised_percent) == (1, 90)


def test_nothing_handed_in_counts_zero_and_is_not_a_zero(lab: Assignment, term: Term) -> None:
    mark = mark_assignment(lab, [item("automatic", None, "4"), item("plot", None, "1")], policy=POLICY, term=term)
    assert (mark.status, mark.points, mark.percent, mark.penalised_percent) == (Status.NOT_SUBMITTED, None, None, 0)
    assert texts(mark) == ["not submitted"]


def test_a_zero_is_a_mark(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "0", "4"), item("plot", "0", "1")]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.MARKED, 0, 0)


def test_an_item_that_is_not_marked_yet_leaves_no_mark(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", None, "1")]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.MISSING, None, None)
    assert texts(mark) == ["automatic: 4 of 4", "missing"]


def test_before_the_deadline_nothing_handed_in_is_only_missing(lab: Assignment, term: Term) -> None:
    items = [item("automatic", None, "4"), item("plot", None, "1")]
    assert mark_assignment(lab, items, policy=POLICY, term=term, closed=False).status is Status.MISSING


def test_a_quiz_that_was_not_imported_is_missing(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=30)
    assert mark_assignment(quiz, [item("total", None, "30")], policy=POLICY, term=term).status is Status.MISSING


def test_a_quiz_that_was_not_taken_is_not_submitted(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=30)
    mark = mark_assignment(quiz, [item("total", "0", "30", not_submitted=True)], policy=POLICY, term=term)
    assert (mark.status, mark.points, mark.penalised_percent) == (Status.NOT_SUBMITTED, None, 0)


def test_one_item_not_handed_in_counts_zero_beside_the_others(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "0", "1", not_submitted=True)]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE)
    assert (mark.status, mark.percent) == (Status.MARKED, 80)
    assert "plot: not submitted, 0 of 1" in texts(mark)


def test_a_fault_of_ours_holds_the_mark_back(lab: Assignment, term: Term) -> None:
    items = [item("automatic", None, "4"), item("plot", "1", "1")]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE, in_review=True)
    assert (mark.status, mark.penalised_percent) == (Status.REVIEW, None)


def test_a_persons_mark_settles_a_review(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", "1", "1")]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE, in_review=True)
    assert mark.status is Status.MARKED


def test_after_a_persons_mark_only_the_missing_item_holds_it_back(lab: Assignment, term: Term) -> None:
    items = [item("automatic", "4", "4"), item("plot", None, "1")]
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE, in_review=True)
    assert mark.status is Status.MISSING


def test_a_mark_given_out_of_another_sum_counts_in_proportion(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=100)
    mark = mark_assignment(quiz, [item("total", "21", "30")], policy=POLICY, term=term)
    assert (mark.points, mark.out_of, mark.percent) == (70, 100, 70)
    assert texts(mark)[0] == "total: 21 of 30, now out of 100: 70"


@pytest.mark.parametrize("points", ["-0.5", "4.5"])
def test_a_mark_outside_its_range_is_a_fault_of_ours(lab: Assignment, term: Term, points: str) -> None:
    with pytest.raises(ValueError, match="not from 0 to 4"):
        mark_assignment(lab, [item("automatic", points, "4"), item("plot", "1", "1")], policy=POLICY, term=term)


def test_items_of_another_assignment_are_a_fault_of_ours(lab: Assignment, term: Term) -> None:
    with pytest.raises(ValueError, match="items"):
        mark_assignment(lab, [item("automatic", "4", "4")], policy=POLICY, term=term)


def steps(mark: AssignmentMark) -> list[tuple[str, Decimal | None]]:
    return [(step.text, step.value) for step in mark.working]


def project_mark(
    make: Make, term: Term, points: str, acts: AssignmentActs = NONE, *, days: int = 0, **policy: Any
) -> AssignmentMark:
    """A project out of 100, handed in so many working days late; the Tuesday after the deadline is a closure day."""
    at = DUE + timedelta(days=days + 1 if days else 0)
    given_ = [item("total", points, "100")]
    chosen = MarkingPolicy.model_validate(policy)
    return mark_assignment(
        make("project", kind="project", marks=100), given_, policy=chosen, term=term, submitted_at=at, acts=acts
    )


def test_the_working_of_the_regulations_reads_line_by_line(make_assignment: Make, term: Term) -> None:
    acts = AssignmentActs(
        scaled=Scaled(lambda mark: mark + 3, "m + 3"),
        penalties=(Penalty("deduct", Decimal(5), "over the page limit"),),
        share=TeamShare("T7", Decimal("1.2"), "4 x 30 % of the signed split"),
    )
    mark = project_mark(make_assignment, term, "66", acts, days=2)
    assert steps(mark) == [
        ("66 of 100", 66),
        ("scaled by the board, m + 3", 69),
        ("over the page limit: - 5", 64),
        ("2 working days late: x 0.8", Decimal("51.2")),
        ("share of team T7's mark, 4 x 30 % of the signed split: x 1.2, at most 100", Decimal("61.44")),
    ]
    assert (mark.percent, mark.agreed_percent, mark.unpenalised_percent) == (66, 69, Decimal("76.8"))
    assert mark.penalised_percent == Decimal("61.44")
    assert mark.changed


@pytest.mark.parametrize(("team_late", "left"), [("before_share", 81), ("after_share", 80)])
def test_the_order_of_lateness_and_share_is_the_courses(
    make_assignment: Make, term: Term, team_late: str, left: int
) -> None:
    acts = AssignmentActs(share=TeamShare("T", Decimal("1.5"), "a factor"))
    late = {"per_day": 0.2, "unit": "proportion"} if team_late == "after_share" else {"per_day": 0.1}
    # before: min(100, 60 x 0.9 x 1.5) = 81; after: min(100, 70 x 1.5) x 0.8 = 80
    points = "60" if team_late == "before_share" else "70"
    assert project_mark(
        make_assignment, term, points, acts, days=1, team_late=team_late, late=late
    ).penalised_percent == left  # fmt: skip


@pytest.mark.parametrize(
    ("share", "mark"), [("0.30", "81.6"), ("0.25", "68"), ("0.15", "40.8"), ("0.40", "100"), ("0", "0")]
)
def test_the_signed_split_of_the_project_brief(make_assignment: Make, term: Term, share: str, mark: str) -> None:
    acts = AssignmentActs(share=TeamShare("T", 4 * Decimal(share), "4 x share"))
    assert project_mark(make_assignment, term, "68", acts).penalised_percent == Decimal(mark)


def test_a_peer_form_that_was_not_handed_in_costs_before_the_cap(make_assignment: Make, term: Term) -> None:
    acts = AssignmentActs(share=TeamShare("T", Decimal("1.3"), "WebPA", penalty=Decimal("0.9")))
    assert project_mark(make_assignment, term, "80", acts).penalised_percent == Decimal("93.6")


@pytest.mark.parametrize(
    ("penalty", "left"),
    [
        (Penalty("factor", Decimal(0), "collusion"), 0),
        (Penalty("factor", Decimal("0.9"), "over the word limit"), Decimal("57.6")),
        (Penalty("deduct", Decimal(10), "over the word limit"), 54),
        (Penalty("deduct", Decimal(90), "over the word limit"), 0),
        (Penalty("cap", Decimal(40), "contract cheating"), 40),
    ],
)
def test_what_misconduct_costs(make_assignment: Make, term: Term, penalty: Penalty, left: Decimal) -> None:
    mark = project_mark(make_assignment, term, "64", AssignmentActs(penalties=(penalty,)))
    assert (mark.percent, mark.agreed_percent, mark.penalised_percent) == (64, 64, left)


def test_scaling_touches_neither_ns_nor_what_misconduct_left(make_assignment: Make, term: Term) -> None:
    scaled = Scaled(lambda mark: mark + 3, "m + 3")
    zero = AssignmentActs(scaled=scaled, penalties=(Penalty("factor", Decimal(0), "collusion"),))
    assert project_mark(make_assignment, term, "64", zero).penalised_percent == 0
    away = mark_assignment(
        make_assignment(kind="quiz", marks=30), [item("total", "0", "30", not_submitted=True)], policy=POLICY,
        term=term, acts=AssignmentActs(scaled=scaled),
    )  # fmt: skip
    assert (away.status, away.penalised_percent) == (Status.NOT_SUBMITTED, 0)


def test_what_the_board_waived_has_no_mark_and_is_no_gap(make_assignment: Make, term: Term) -> None:
    mark = project_mark(make_assignment, term, "64", AssignmentActs(waived=True))
    assert (mark.status, mark.code, mark.penalised_percent) == (Status.WAIVED, Code.EXCUSED, None)


def test_what_is_held_has_no_mark_until_it_is_decided(make_assignment: Make, term: Term) -> None:
    mark = project_mark(make_assignment, term, "64", AssignmentActs(held=True))
    assert (mark.status, mark.code, mark.penalised_percent) == (Status.HELD, Code.INTEGRITY, None)
    assert texts(mark)[-1] == "held: academic integrity is not decided yet"


def test_while_special_considerations_are_pending_the_mark_stands(make_assignment: Make, term: Term) -> None:
    mark = project_mark(make_assignment, term, "64", AssignmentActs(considered=True))
    assert (mark.status, mark.code, mark.penalised_percent) == (Status.MARKED, Code.CONSIDERATIONS, 64)


def test_a_deferred_attempt_is_awaited_and_then_not_capped(make_assignment: Make, term: Term) -> None:
    quiz = make_assignment(kind="quiz", marks=100)
    acts = AssignmentActs(sitting=Sitting.DEFERRED)
    before = mark_assignment(quiz, [item("total", None, "100")], policy=POLICY, term=term, acts=acts)
    assert (before.status, before.code, before.penalised_percent) == (Status.DEFERRED, Code.DEFERRED, None)
    capped = MarkingPolicy(referral_capped="assignment")
    after = mark_assignment(quiz, [item("total", "63", "100")], policy=capped, term=term, acts=acts)
    assert (after.status, after.penalised_percent) == (Status.MARKED, 63)


def test_a_deferred_attempt_that_was_not_handed_in_by_its_deadline_is_not_submitted(lab: Assignment, term: Term) -> None:
    items = [item("automatic", None, "4"), item("plot", None, "1")]
    acts = AssignmentActs(sitting=Sitting.DEFERRED)
    for closed, status in ((False, Status.DEFERRED), (True, Status.NOT_SUBMITTED)):
        mark = mark_assignment(lab, items, policy=POLICY, term=term, closed=closed, acts=acts)
        assert mark.status is status


@pytest.mark.parametrize(("points", "left"), [("63", "50"), ("44", "44")])
def test_a_referral_is_capped_after_lateness(make_assignment: Make, term: Term, points: str, left: str) -> None:
    acts = AssignmentActs(sitting=Sitting.REFERRAL)
    mark = project_mark(make_assignment, term, points, acts, referral_capped="assignment")
    assert mark.penalised_percent == Decimal(left)
    late = project_mark(make_assignment, term, "60", acts, days=1, referral_capped="assignment")
    assert (late.penalised_percent, late.unpenalised_percent) == (50, 50)  # Sheffield: penalty first, then the cap
    assert texts(late)[-2:] == ["1 working day late: x 0.9", "referral: at most 50"]


def test_more_than_five_days_late_is_a_late_zero_which_is_neither_ns_nor_a_zero(
    make_assignment: Make, term: Term
) -> None:
    mark = project_mark(make_assignment, term, "64", days=10)
    assert (mark.status, mark.code, mark.penalised_percent) == (Status.MARKED, Code.LATE_ZERO, 0)
    assert mark.unpenalised_percent == 64
    assert project_mark(make_assignment, term, "0").code is None


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
    mark = mark_assignment(lab, items, policy=POLICY, term=term, submitted_at=DUE + delay)
    factor = max(Fraction(0), 1 - Fraction(mark.days_late, 10)) if mark.days_late <= 5 else Fraction(0)
    points = Fraction(a) * Fraction(first) + Fraction(b) * Fraction(second)
    exact = 100 * points / (Fraction(a) + Fraction(b)) * factor
    assert mark.penalised_percent is not None
    assert 0 <= mark.penalised_percent <= 100
    assert abs(Fraction(mark.penalised_percent) - exact) < Fraction(1, 10**40)
    raised = [ItemMark("automatic", a * max(first, better), a), items[1]]
    again = mark_assignment(lab, raised, policy=POLICY, term=term, submitted_at=DUE + delay)
    assert again.penalised_percent is not None
    assert again.penalised_percent >= mark.penalised_percent
