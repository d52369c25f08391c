"""What people decide about a student's work: recorded as acts, each with its author, time and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from assessor.course import Course
from assessor.csvfile import exact
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.enrolment import find_student
from assessor.database.tables import Extension, Mark, Student, Submission
from assessor.errors import AssessorError, UnknownName
from assessor.marking.acts import Penalty
from assessor.workflow.extend import later_than_due

COST = re.compile(r"(x|-|cap)\s*(\S+)")
COSTS = "'zero', 'x 0.9' (a part is left), '- 5' (points are taken), or 'cap 40' (at most)"
RULES = {"x": ("factor", Decimal(1)), "-": ("deduct", Decimal(100)), "cap": ("cap", Decimal(100))}
AGAIN = (Verb.DEFER, Verb.REFER)
MAX_WORDS = 120
ONCE = (Verb.WAIVE, Verb.COMPENSATE, Verb.CLAIM, Verb.HOLD)
"""What is either so or not so: a second act while the first holds would say nothing."""
ELSEWHERE = (Verb.MARKING, Verb.SAMPLE, Verb.TEAM, Verb.SPLIT, Verb.RUBRIC, Verb.REPRODUCTION)
"""What other commands list."""


@dataclass(frozen=True)
class Decision:
    """An act as people read it: whom it is about by marking id, or nobody where it is about all.

    Attributes:
        number: None for an extension, which another extension replaces.
        what: the act in words, with its subject; never its reason, which `reason` holds for those who may read it.
    """

    number: int | None
    what: str
    student: str
    author: str
    at: datetime
    reason: str
    ended: bool = False


@dataclass(frozen=True)
class By:
    """Who decides, when, and why."""

    author: str
    reason: str
    now: datetime


def waive(course: Course, database: Database, student: str, subject: str, by: By) -> Decision:
    """The board leaves an assignment or a component out for one student; the rest is weighted anew.

    Raises:
        UnknownName: no such student, assignment or component.
        AssessorError: no reason, or waived already.
    """
    names = [assignment.name for assignment in course.assignments]
    if subject not in course.components and subject not in names:
        raise UnknownName("assignment or component", subject, [*course.components, *names])
    return _record(database, Verb.WAIVE, student, subject, {}, by)


def compensate(database: Database, student: str, by: By) -> Decision:
    """The board passes a failed module."""
    return _record(database, Verb.COMPENSATE, student, "", {}, by)


def claim(course: Course, database: Database, student: str, subject: str, by: By) -> Decision:
    """Special considerations were asked for, of an assignment or ('') of the module; pending until ended."""
    return _record(database, Verb.CLAIM, student, _assignment(course, subject), {}, by)


def hold(course: Course, database: Database, student: str, subject: str, by: By) -> Decision:
    """Academic integrity is in question, of an assignment or ('') of the module; no mark until ended."""
    return _record(database, Verb.HOLD, student, _assignment(course, subject), {}, by)


def penalise(
    course: Course, database: Database, student: str, name: str, cost: str, words: str, by: By
) -> Decision:
    """Misconduct, a word limit or the like takes something from an assignment's mark.

    Args:
        cost: 'zero', 'x 0.9', '- 5' or 'cap 40'.
        words: what for; the student reads it in the working.

    Raises:
        UnknownName: no such student or assignment.
        AssessorError: no reason, no words, or a cost that is none.
    """
    course.assignment(name)
    if not words.strip() or not words.isprintable() or len(words) > MAX_WORDS:
        found = f"{student}, {name}: found {words[:40]!r}"
        raise AssessorError(f"{found}; expected words that say what for, on one line of at most {MAX_WORDS} characters")
    rule, value = read_cost(cost)
    detail = {"rule": rule, "value": str(value), "words": words.strip()}
    return _record(database, Verb.PENALISE, student, name, detail, by)


def read_cost(cost: str) -> tuple[str, Decimal]:
    """The rule and its number.

    Raises:
        AssessorError: it is none of the forms.
    """
    text = cost.strip()
    if text == "zero":
        return "factor", Decimal(0)
    match = COST.fullmatch(text)
    if match is None:
        raise AssessorError(f"penalty: found {cost!r}; expected {COSTS}")
    rule, most = RULES[match[1]]

    def refuse(found: str, expected: str) -> AssessorError:
        return AssessorError(f"penalty {cost!r}: found {found!r}; expected {expected}")

    return rule, exact(match[2], Decimal(0), most, refuse)


def defer(
    course: Course, database: Database, student: str, subject: str, until: str | datetime, by: By
) -> tuple[Decision, ...]:
    """A first attempt is still to come, or to come again, by a new deadline; what came in so far does not count.

    Args:
        subject: an assignment, or a component: then one act for each of its assignments, or none at all.

    Raises:
        UnknownName: no such student, assignment or component.
        AssessorError: no reason, a time that is none or not after the deadline, or an earlier try that is still awaited.
    """
    return _again(course, database, Verb.DEFER, student, subject, until, by)


def refer(
    course: Course, database: Database, student: str, subject: str, until: str | datetime, by: By
) -> tuple[Decision, ...]:
    """The board lets a student try again, by a new deadline; capped. Otherwise as `defer`."""
    return _again(course, database, Verb.REFER, student, subject, until, by)


def _again(
    course: Course, database: Database, verb: Verb, student: str, subject: str, until: str | datetime, by: By
) -> tuple[Decision, ...]:
    alone = all(assignment.name != subject for assignment in course.assignments)
    assignments = course.of_component(subject) if alone else ()
    deadlines = {
        each.name: later_than_due(course, each, until) for each in assignments or [course.assignment(subject)]
    }
    with database.transaction() as session:
        own = find_student(session, student).id
        return tuple(
            _append(session, verb, own, name, _since(course, session, own, name, when), by)
            for name, when in deadlines.items()
        )


def _since(course: Course, session: Session, student: str, name: str, until: datetime) -> dict[str, Any]:
    """A later try's deadline, and the last attempt and mark of what went before."""
    attempt = session.scalar(
        select(func.max(Submission.attempt)).where(Submission.student_id == student, Submission.assignment == name)
    )
    mark = session.scalar(select(func.max(Mark.id)).where(Mark.student_id == student, Mark.assignment == name))
    for act in acts_in_force(session, Act.verb.in_(AGAIN), Act.student_id == student, Act.subject == name):
        if (act.detail["after_attempt"], act.detail["after_mark"]) == (attempt or 0, mark or 0):
            raise AssessorError(f"act {act.id} ({_words(act)}) still awaits its attempt; end it to decide otherwise")
    local = until.astimezone(course.time_zone)
    return {"until": local.isoformat(), "after_attempt": attempt or 0, "after_mark": mark or 0}


def end(database: Database, number: int, by: By) -> Decision:
    """An act no longer holds: a claim or a hold was decided, a waiver was taken back.

    Raises:
        AssessorError: there is no such act, or it was ended before.
    """
    with database.transaction() as session:
        act = session.get(Act, number)
        if act is None or act.ends is not None:
            raise AssessorError(f"no act {number}; `assessor board acts` lists them")
        earlier = session.scalar(select(Act).where(Act.ends == number))
        if earlier is not None:
            raise AssessorError(f"act {number} was ended by {earlier.author} on {earlier.at:%d %b %Y}")
        return _append(session, Verb.END, act.student_id, act.subject, {"verb": act.verb}, by, ends=number)


def listed(
    course: Course, database: Database, student: str | None = None, *, ended: bool = False
) -> tuple[Decision, ...]:
    """The acts that hold and the extensions, oldest first; second marks and samples are listed elsewhere.

    Args:
        ended: those that hold no longer too, and what ended them.

    Raises:
        UnknownName: no such student.
    """
    shown: list[ColumnElement[bool]] = [Act.verb.not_in(ELSEWHERE)]
    more_time = select(Extension).order_by(Extension.id)
    with database.reading() as session:
        if student is not None:
            own = find_student(session, student).id
            shown.append(Act.student_id == own)
            more_time = more_time.where(Extension.student_id == own)
        holding = acts_in_force(session, *shown)
        acts = list(session.scalars(select(Act).where(*shown).order_by(Act.id))) if ended else holding
        hold_on = {act.id for act in holding}
        ids = {each.id: each.marking_id for each in session.scalars(select(Student))}
        newest = {(each.student_id, each.assignment): each.id for each in session.scalars(more_time)}
        extensions = [
            _extension(course, each, ids, ended=newest[each.student_id, each.assignment] != each.id)
            for each in session.scalars(more_time)
        ]
    found = [_decision(act, ids, ended=act.ends is None and act.id not in hold_on) for act in acts]
    found += [each for each in extensions if ended or not each.ended]
    return tuple(sorted(found, key=lambda each: each.at))


def _record(
    database: Database, verb: Verb, student: str | None, subject: str, detail: dict[str, Any], by: By
) -> Decision:
    with database.transaction() as session:
        own = find_student(session, student).id if student is not None else None
        return _append(session, verb, own, subject, detail, by)


def _append(
    session: Session, verb: Verb, student: str | None, subject: str, detail: dict[str, Any], by: By,
    ends: int | None = None,
) -> Decision:  # fmt: skip
    if not by.reason.strip():
        raise AssessorError(f"{verb}: needs a reason")
    if verb in ONCE:
        same = acts_in_force(session, Act.verb == verb, Act.student_id == student, Act.subject == subject)
        if same:
            raise AssessorError(f"act {same[0].id} of {same[0].author} says so already; `assessor board acts` lists them")
    act = add_act(
        session, verb, student=student, subject=subject, detail=detail, reason=by.reason.strip(), author=by.author,
        now=by.now, ends=ends,
    )  # fmt: skip
    ids = {student: session.get_one(Student, student).marking_id} if student is not None else {}
    return _decision(act, ids)


def _assignment(course: Course, subject: str) -> str:
    return course.assignment(subject).name if subject else ""


def _decision(act: Act, marking_ids: Mapping[str, str], *, ended: bool = False) -> Decision:
    student = marking_ids[act.student_id] if act.student_id is not None else ""
    return Decision(act.id, _words(act), student, act.author, act.at, act.reason, ended)


def _extension(course: Course, given: Extension, marking_ids: Mapping[str, str], *, ended: bool) -> Decision:
    what = f"extend {given.assignment} until {given.until.astimezone(course.time_zone):%Y-%m-%d %H:%M %Z}"
    return Decision(None, what, marking_ids[given.student_id], given.author, given.at, given.reason, ended)


def _words(act: Act) -> str:
    detail, of = act.detail, f" {act.subject}" if act.subject else " the module"
    if act.verb == Verb.END:
        return f"end act {act.ends} ({detail['verb']}{of})"
    if act.verb == Verb.PENALISE:
        return f"penalise{of}: {Penalty(detail['rule'], Decimal(detail['value']), detail['words']).line}"
    if act.verb in (Verb.DEFER, Verb.REFER):
        return f"{act.verb}{of} until {datetime.fromisoformat(detail['until']):%Y-%m-%d %H:%M %Z}"
    if act.verb == Verb.SHARE:
        return f"share of team {detail['team']}'s{of}: x {detail['factor']} ({detail['words']})"
    if act.verb == Verb.SCALE:
        return f"scale{of}: {detail['formula']}"
    if act.verb == Verb.EXTRA_TIME:
        return f"{detail['percent']} % more time in {act.subject or 'every quiz'}"
    return f"{act.verb}{of}"
