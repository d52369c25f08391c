"""The gradebook: every student's marks with their working, from what is in force in the database."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from assessor.course import Assignment, Course
from assessor.database.engine import Database
from assessor.database.queries import Counted, InForce, Penalised, counting_submission, in_force
from assessor.database.tables import REVIEW, Submission
from assessor.marking.acts import NONE, NOTHING, AssignmentActs, Sitting
from assessor.marking.assignments import mark_assignment
from assessor.marking.components import mark_component
from assessor.marking.exact import HUNDRED
from assessor.marking.lateness import days_late, deadline, late_effect
from assessor.marking.marks import AssignmentMark, ItemMark, ModuleMark, Status, Step
from assessor.marking.total import mark_module

Parts = dict[str, tuple[tuple[Assignment, ...], dict[str, Decimal]]]
"""Of each component its assignments and their weights."""


@dataclass(frozen=True)
class StudentRow:
    """One student's module."""

    id: str
    name: str
    email: str
    marking_id: str
    mark: ModuleMark


def gradebook(
    course: Course, database: Database, now: datetime | None = None, *, only: str | None = None
) -> list[StudentRow]:
    """Works out all marks of a cohort, in the order of student ids.

    Args:
        now: where given, an assignment that is not yet due and not handed in is missing, not "not submitted".
        only: this student's id, for whoever needs no more.
    """
    with collector_resting(), database.reading() as session:
        force = in_force(session, course.marking.counting_attempt, _penalised(course))
        parts = _parts(course)
        return [
            StudentRow(
                student.id, student.name, student.email, student.marking_id, _module(course, parts, force, student.id, now)
            )
            for student in force.students
            if only is None or student.id == only
        ]  # fmt: skip


def _parts(course: Course) -> Parts:
    found = {}
    for name in course.components:
        assignments = course.of_component(name)
        found[name] = (assignments, {assignment.name: assignment.weight for assignment in assignments})
    return found


@contextmanager
def collector_resting() -> Iterator[None]:
    """A cohort is a million small objects in no cycle; walking them again and again took half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def counting_attempt(course: Course, session: Session, student: str, assignment: str) -> Submission | None:
    """The attempt of one student that counts: the one that the gradebook marks."""
    return counting_submission(session, student, assignment, course.marking.counting_attempt, _penalised(course))


def in_force_now(course: Course, session: Session) -> InForce:
    """Everything in force, by the course's rule of which attempt counts."""
    return in_force(session, course.marking.counting_attempt, _penalised(course))


def in_force_of(course: Course, session: Session, student: str) -> list[ItemMark]:
    """The marks in force of one student."""
    force = in_force_now(course, session)
    return [mark for (whose, _, _), mark in force.marks.items() if whose == student]


def _penalised(course: Course) -> Penalised:
    rules = course.marking.late
    known = {assignment.name: assignment for assignment in course.assignments}

    def penalised(name: str, submitted_at: datetime, extended_until: datetime | None, points: Decimal) -> Decimal:
        if name not in known:  # of last year's course.toml
            return points
        days = days_late(deadline(known[name].due, extended_until), submitted_at, rules, course.term)
        return late_effect(days, rules).of(HUNDRED * points / known[name].marks)

    return penalised


def _module(
    course: Course, parts: Parts, force: InForce, student: str, now: datetime | None
) -> ModuleMark:
    acts = force.decided.modules.get(student, NOTHING)
    components = []
    for name, weight in course.components.items():
        assignments, weights = parts[name]
        marks = [_assignment(course, assignment, force, student, now) for assignment in assignments]
        waived = name in acts.waived
        components.append(mark_component(name, weight, marks, weights, course.marking, waived=waived))
    return mark_module(components, course.marking, acts)


def _assignment(
    course: Course, assignment: Assignment, force: InForce, student: str, now: datetime | None
) -> AssignmentMark:
    """The mark that counts: of the newest try, or of the one before while (or because) nothing came of a referral."""
    key = (student, assignment.name)
    acts = force.decided.assignments.get(key, NONE)
    scaled = force.decided.scaled.get(assignment.name)
    if scaled and acts.sitting is not Sitting.REFERRAL:
        acts = replace(acts, scaled=scaled)
    mark = _try(course, assignment, force, force, student, acts, now)
    if acts.sitting is Sitting.FIRST:
        return mark
    before = force.decided.earlier[key]
    if before.sitting is not Sitting.REFERRAL:
        before = replace(before, scaled=scaled)
    first = _try(course, assignment, force, force.earlier, student, before, None)
    if acts.sitting is Sitting.REFERRAL and mark.status is Status.NOT_SUBMITTED:
        step = Step("nothing was handed in at the referral: this mark stands", first.penalised_percent)
        return first._replace(notes=(step,), acts=replace(first.acts, considered=acts.considered))
    begun = mark.attempt is not None or any(item.points is not None for item in mark.items)
    if acts.sitting is Sitting.REFERRAL and mark.status is Status.MISSING and not begun:
        step = Step("referred by the board: awaits the new attempt", first.penalised_percent)
        pending = replace(first.acts, considered=acts.considered, awaits_referral=True)
        return first._replace(notes=(step,), acts=pending)
    return mark._replace(first=first)


def _try(
    course: Course,
    assignment: Assignment,
    force: InForce,
    counted: Counted,
    student: str,
    acts: AssignmentActs,
    now: datetime | None,
) -> AssignmentMark:
    attempt = counted.counting.get((student, assignment.name))
    extended = _extended(course, force, counted, student, assignment.name, acts)
    return mark_assignment(
        assignment,
        [_item(counted, student, assignment.name, item, out_of) for item, out_of in assignment.items.items()],
        policy=course.marking,
        term=course.term,
        submitted_at=attempt.submitted_at if attempt else None,
        attempt=attempt.attempt if attempt else None,
        extended_until=extended,
        in_review=attempt is not None and force.job_states.get(attempt.id) == REVIEW,
        closed=now is None or now > deadline(assignment.due, extended),
        acts=acts,
    )


def _extended(
    course: Course, force: InForce, counted: Counted, student: str, name: str, acts: AssignmentActs
) -> datetime | None:
    """Until when a student has more time; in a team, whose extensions move whose deadline is the course's choice."""
    own = counted.extensions.get((student, name))
    if acts.share is None or course.marking.team_extension == "individual":
        return own
    if course.marking.team_extension == "none":
        return None
    members = force.decided.teams.get((name, acts.share.team), ())
    return max((until for member in members if (until := counted.extensions.get((member, name)))), default=own)


def _item(counted: Counted, student: str, assignment: str, item: str, out_of: Decimal) -> ItemMark:
    return counted.marks.get((student, assignment, item)) or ItemMark(item, None, out_of)
