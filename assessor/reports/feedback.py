"""Feedback pages for one student: one an assignment, and one for the module.

What may be shown is decided by these types: they have no place for an expected value, a hidden input, a staff detail
or another student, so that no template can print one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from assessor.grading.results import TestResult, Verdict
from assessor.reports.pages import render

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.PASSED: ("passed", "good"),
    Verdict.FAILED: ("not right yet", "bad"),
    Verdict.RAISED: ("raised an error", "bad"),
    Verdict.MISSING: ("not found", "bad"),
    Verdict.TIMED_OUT: ("out of time", "bad"),
    Verdict.DIED: ("process ended", "bad"),
    Verdict.BAD_REPLY: ("not a value", "bad"),
    Verdict.REVIEW: ("with a marker", "wait"),
}
"""For each verdict what a student reads, and the class of its tag."""


@dataclass(frozen=True)
class TestLine:
    """What a student reads of one hidden test."""

    __test__ = False  # not a pytest class

    title: str
    verdict: Verdict
    points: Decimal
    out_of: Decimal
    message: str = ""
    hint: str = ""

    @property
    def words(self) -> str:
        """The verdict in words."""
        return VERDICTS[self.verdict][0]

    @property
    def tag(self) -> str:
        """The class of the verdict's tag."""
        return VERDICTS[self.verdict][1]


def test_line(result: TestResult) -> TestLine:
    """The part of a test's result that its student may read. A test that passed needs no message and no hint."""
    passed = result.verdict is Verdict.PASSED
    return TestLine(
        title=result.title or result.name,
        verdict=result.verdict,
        points=result.points,
        out_of=result.out_of,
        message="" if passed or result.verdict is Verdict.REVIEW else result.message,
        hint="" if passed or result.verdict is Verdict.REVIEW else result.hint,
    )


test_line.__test__ = False  # type: ignore[attr-defined]  # not a pytest function


@dataclass(frozen=True)
class ManualLine:
    """One item that a person marked, with the reason that they gave. `points` is None until it is marked."""

    item: str
    points: Decimal | None
    out_of: Decimal
    reason: str = ""


@dataclass(frozen=True)
class NotebookView:
    """An executed notebook as a sanitised fragment of HTML (`assessor.notebooks.render.to_fragment`)."""

    name: str
    fragment: Markup


@dataclass(frozen=True)
class QuizLine:
    """One question of an attempt: as it was asked, what was answered, and what is said about that."""

    number: int
    text: str
    answer: str
    points: Decimal
    out_of: Decimal
    feedback: tuple[str, ...]

    @property
    def tag(self) -> str:
        """The class of its points' tag."""
        return "good" if self.points == self.out_of else "bad" if self.points <= 0 else "wait"


@dataclass(frozen=True)
class QuizView:
    """One attempt at a quiz that has closed for its student."""

    attempt: int
    points: Decimal
    out_of: Decimal
    questions: tuple[QuizLine, ...]


@dataclass(frozen=True)
class AssignmentPage:
    """One student's feedback on one assignment.

    Attributes:
        status: '' or why there is no mark, in a few words.
        lateness: 'on time', or how late and what it cost.
        working: the mark's arithmetic, a line a step.
        changes: what re-basing did to the hand-in.
        note: how the run ended, where that explains the mark.
    """

    course: str
    assignment: str
    student: str
    attempt: int | None
    submitted: str
    lateness: str
    status: str
    points: Decimal | None
    out_of: Decimal
    percent: Decimal | None
    working: tuple[str, ...] = ()
    tests: tuple[TestLine, ...] = ()
    manual: tuple[ManualLine, ...] = ()
    changes: tuple[str, ...] = ()
    note: str = ""
    notebooks: tuple[NotebookView, ...] = ()
    made: str = ""
    quiz: tuple[QuizView, ...] = ()


@dataclass(frozen=True)
class SpreadLine:
    """One band of the cohort's marks. `own` is whether the student's mark lies in it, where the course tells that."""

    words: str
    count: int
    own: bool = False


@dataclass(frozen=True)
class ModuleLine:
    """One assignment on a student's module page. `link` is the feedback page beside it, `rubric` the one by rubric, or ''."""

    title: str
    due: str
    points: Decimal | None
    out_of: Decimal
    percent: Decimal | None
    status: str
    tag: str
    link: str = ""
    rubric: str = ""
    working: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    spread: tuple[SpreadLine, ...] = ()


@dataclass(frozen=True)
class ModuleComponent:
    """One component on a student's module page.

    Attributes:
        percent: its mark; None while something is still to come.
        so_far: the same of what has a mark already, and `marked` says how much that is.
    """

    name: str
    weight: Decimal
    percent: Decimal | None
    lines: tuple[ModuleLine, ...]
    working: tuple[str, ...] = ()
    so_far: Decimal | None = None
    marked: str = ""


@dataclass(frozen=True)
class ModulePage:
    """One student's marks so far, with their working.

    Attributes:
        final: the module mark that counts; None while something is missing or undecided.
        outcome: of the module, in words, or ''.
        to_come: what there is no mark of yet, and why, a line each.
        so_far: what the components with a mark come to so far, a line, or ''.
        late_rule: the course's rule of lateness in a sentence.
    """

    course: str
    student: str
    name: str
    total: Decimal | None
    final: Decimal | None
    status: str
    components: tuple[ModuleComponent, ...]
    working: tuple[str, ...] = ()
    outcome: str = ""
    to_come: tuple[str, ...] = ()
    so_far: str = ""
    late_rule: str = ""
    spread: tuple[SpreadLine, ...] = ()
    made: str = ""


def assignment_page(page: AssignmentPage) -> str:
    """The HTML of one assignment's feedback."""
    return render("feedback_assignment.html", page=page)


def module_page(page: ModulePage) -> str:
    """The HTML of one student's module page."""
    return render("feedback_module.html", page=page)
