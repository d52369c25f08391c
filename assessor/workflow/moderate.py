"""Moderation: a sample for a second look, what the moderator found, and what that says about the marks."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.enrolment import find_student
from assessor.database.gradebook import counting_attempt, gradebook
from assessor.database.tables import GradingRecord, Student, TestRecord
from assessor.errors import AssessorError, UnknownName
from assessor.grading.results import Verdict
from assessor.marking.agreement import Agreement, ErrorRate, agreement, error_rate
from assessor.marking.exact import HUNDRED
from assessor.marking.marks import AssignmentMark, Status
from assessor.marking.sampling import Piece, sample
from assessor.workflow.second import CHECK, MODERATOR, markings, of_role

VERDICTS = {"pass": True, "fail": False}


@dataclass(frozen=True)
class Looked:
    """One piece of the sample, by marking id: why it is in it, and whether the moderator has recorded anything."""

    student: str
    why: str
    done: bool


@dataclass(frozen=True)
class Sample:
    """A moderation sample. `seed` draws the same one again."""

    assignment: str
    marked: int
    seed: int
    pieces: tuple[Looked, ...]


@dataclass(frozen=True)
class Findings:
    """What moderation of one assignment says.

    Attributes:
        agreement: the marks in force against the moderator's, over items.
        changed: (marking id, item, mark in force, moderator's mark), in percent, where they differ.
        false_fails: hidden tests that failed what the moderator calls right, among the failed ones looked at;
            false_passes: the other way round.
    """

    assignment: str
    agreement: Agreement
    changed: tuple[tuple[str, str, Decimal, Decimal], ...]
    false_fails: ErrorRate
    false_passes: ErrorRate


def draw(
    course: Course, database: Database, name: str, *, author: str, now: datetime, seed: int | None = None
) -> Sample:
    """Draws a sample of an assignment's marked work and records it.

    Args:
        seed: for the random part; None draws one.

    Raises:
        UnknownName: no such assignment.
        AssessorError: nothing is marked yet.
    """
    course.assignment(name)
    chosen_seed = secrets.randbelow(2**31) if seed is None else seed
    pieces = _pieces(course, database, name)
    if not pieces:
        raise AssessorError(f"{name}: nothing is marked yet")
    chosen = sample(pieces, course.marking, chosen_seed)
    detail = {"seed": chosen_seed, "marked": len(pieces), "why": {each.piece.student: each.why for each in chosen}}
    with database.transaction() as session:
        add_act(session, Verb.SAMPLE, subject=name, detail=detail, reason="moderation", author=author, now=now)
    return last_sample(course, database, name)


def last_sample(course: Course, database: Database, name: str) -> Sample:
    """The newest sample of an assignment.

    Raises:
        UnknownName: no such assignment.
        AssessorError: none was drawn.
    """
    course.assignment(name)
    with database.reading() as session:
        acts = acts_in_force(session, Act.verb == Verb.SAMPLE, Act.subject == name)
        if not acts:
            raise AssessorError(f"{name}: no sample yet; `assessor moderate sample {name}` draws one")
        looked = acts_in_force(session, Act.verb == Verb.MARKING, Act.subject == name)
        done = {act.student_id for role in (MODERATOR, CHECK) for act in of_role(looked, role)}
        ids = {each.id: each.marking_id for each in session.scalars(select(Student))}
    detail = acts[-1].detail
    pieces = sorted((Looked(ids[who], why, who in done) for who, why in detail["why"].items()), key=lambda each: each.student)
    return Sample(name, detail["marked"], detail["seed"], tuple(pieces))


def _pieces(course: Course, database: Database, name: str) -> list[Piece]:
    """What is marked: raw marks, since a moderator looks at the marking and not at lateness."""
    found = []
    for row in gradebook(course, database):
        mark = next(each for each in row.mark.assignments if each.name == name)
        if mark.status is Status.MARKED and mark.percent is not None:
            found.append(Piece(row.id, mark.percent, _marker(mark)))
    return found


def _marker(mark: AssignmentMark) -> str:
    """Who gave the most of its points."""
    return max(mark.items, key=lambda item: item.out_of).author


def record_check(
    course: Course, database: Database, student: str, name: str, test: str, verdict: str, *,
    author: str, now: datetime, reason: str = "",
) -> None:  # fmt: skip
    """Records what a moderator, who has not seen the test's verdict, says of what it tests: 'pass' or 'fail'.

    Raises:
        UnknownName: no such student, assignment or test.
        AssessorError: another word, or work that no test has looked at.
    """
    course.assignment(name)
    if verdict not in VERDICTS:
        raise AssessorError(f"verdict: found {verdict!r}; expected pass or fail")
    with database.transaction() as session:
        own = find_student(session, student).id
        attempt = counting_attempt(course, session, own, name)
        tests = _verdicts(session, attempt.id) if attempt else {}
        if not tests:
            raise AssessorError(f"{student}, {name}: no hidden test has looked at it")
        if test not in tests:
            raise UnknownName(f"hidden test of {name}", test, tests)
        detail = {"role": CHECK, "test": test, "passed": VERDICTS[verdict], "automatic": tests[test]}
        add_act(
            session, Verb.MARKING, student=own, subject=name, detail=detail, reason=reason, author=author, now=now
        )  # fmt: skip


def _verdicts(session: Session, submission: int) -> Mapping[str, bool]:
    """Whether each hidden test passed, in the newest grading of a submission; those in review are left out."""
    newest = select(func.max(GradingRecord.id)).where(GradingRecord.submission_id == submission).scalar_subquery()
    query = select(TestRecord.name, TestRecord.verdict).join(GradingRecord, GradingRecord.id == TestRecord.grading_id)
    found = session.execute(query.where(GradingRecord.id == newest))
    return {name: verdict == Verdict.PASSED.value for name, verdict in found if verdict != Verdict.REVIEW.value}


def findings(course: Course, database: Database, name: str) -> Findings:
    """What moderation says so far.

    Raises:
        UnknownName: no such assignment.
    """
    course.assignment(name)
    book = {row.marking_id: row for row in gradebook(course, database)}
    with database.reading() as session:
        given = markings(session, name, MODERATOR)
        acts = acts_in_force(session, Act.verb == Verb.MARKING, Act.subject == name)
    pairs, changed = [], []
    for (student, item), marks in sorted(given.items()):
        assignment = next(each for each in book[student].mark.assignments if each.name == name)
        mark = next((each for each in assignment.items if each.item == item), None)
        if mark is None or mark.points is None:
            continue
        force, moderated = HUNDRED * mark.points / mark.out_of, marks[-1][1]
        pairs.append((force, moderated))
        if force != moderated:
            changed.append((student, item, force, moderated))
    return Findings(name, agreement(pairs, course.marking.boundaries), tuple(changed), *errors_of_tests(acts))


def errors_of_tests(acts: Iterable[Act]) -> tuple[ErrorRate, ErrorRate]:
    """False fails and false passes, by what moderators last said of each student's test.

    Args:
        acts: the markings of one assignment in force, oldest first.
    """
    checks = {(act.student_id, act.detail["test"]): act.detail for act in of_role(acts, CHECK)}.values()
    failed = [check["passed"] for check in checks if not check["automatic"]]
    passed = [check["passed"] for check in checks if check["automatic"]]
    return error_rate(sum(failed), len(failed)), error_rate(passed.count(False), len(passed))
