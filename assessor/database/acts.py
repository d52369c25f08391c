"""Acts: what people decided about a student's work. Appended, never changed; one that no longer holds is ended by another.

Each has an author, a time in UTC and a reason, which is kept in confidence: no mark sheet and no feedback page shows it.
What an act means for a mark is said in `assessor.marking.acts`; here acts are kept, and read into those types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from assessor.database.audit import add_event
from assessor.database.tables import Table
from assessor.marking.acts import AssignmentActs, ModuleActs, Penalty, Scaled, Sitting, TeamShare
from assessor.marking.scaling import read_scaling

Key = tuple[str, str]
"""(student, assignment)."""


class Verb(StrEnum):
    """What an act does. `subject` is an assignment unless it says otherwise."""

    WAIVE = "waive"
    """The board leaves an assignment or a component out for one student."""
    DEFER = "defer"
    """A first attempt is still to come, or to come again; not capped."""
    REFER = "refer"
    """The board lets a student try again; capped."""
    COMPENSATE = "compensate"
    """The board passes a failed module."""
    CLAIM = "claim"
    """Special considerations were asked for, of an assignment or (subject '') the module; pending until it is ended."""
    HOLD = "hold"
    """Academic integrity is in question, of an assignment or the module; no mark until it is ended."""
    PENALISE = "penalise"
    """Misconduct, a word limit or the like takes something."""
    SHARE = "share"
    """One member's part of a team's mark."""
    SCALE = "scale"
    """The board scales an assignment for everybody."""
    MARKING = "marking"
    """One marker's own mark of an item, for second marking and moderation; not yet the mark."""
    SAMPLE = "sample"
    """Whose work a moderator is to see."""
    EXTRA_TIME = "extra time"
    """A student has so many percent more time in every quiz, or (subject) in one."""
    TEAM = "team"
    """Which team of a project a student is in; the newest holds."""
    SPLIT = "split"
    """How a team's mark is split, or that this waits for the members' agreement; the newest holds."""
    RUBRIC = "rubric"
    """What one marker says of a team's work, leaf by leaf; the newest of each marker holds."""
    REPRODUCTION = "reproduction"
    """What came of running a team's code: evidence, not a mark."""
    END = "end"
    """An earlier act no longer holds."""


class Act(Table):
    """One act; `ends` names the one that it ends. No act is ended twice."""

    __tablename__ = "act"
    __table_args__ = (Index("ix_act_student_id_subject", "student_id", "subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    verb: Mapped[str] = mapped_column(String(32))
    student_id: Mapped[str | None] = mapped_column(ForeignKey("student.id"))
    subject: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, Any]]
    reason: Mapped[str]
    author: Mapped[str]
    at: Mapped[datetime]
    ends: Mapped[int | None] = mapped_column(ForeignKey("act.id"), unique=True)


def add_act(
    session: Session,
    verb: Verb,
    *,
    student: str | None = None,
    subject: str = "",
    detail: dict[str, Any] | None = None,
    reason: str,
    author: str,
    now: datetime,
    ends: int | None = None,
) -> Act:
    """Appends an act, and notes it in the audit without its reason, in the caller's transaction."""
    act = Act(
        verb=verb.value, student_id=student, subject=subject, detail=detail or {}, reason=reason, author=author, at=now,
        ends=ends,
    )  # fmt: skip
    session.add(act)
    session.flush()
    noted = {"act": act.id, "student": student, "subject": subject, "ends": ends}
    add_event(session, author, verb.value, now, {key: value for key, value in noted.items() if value is not None})
    return act


def acts_in_force(session: Session, *only: object) -> list[Act]:
    """The acts that hold, oldest first: those that no other ends, and that end none."""
    ending = aliased(Act)
    query = select(Act).outerjoin(ending, ending.ends == Act.id).where(ending.id.is_(None), Act.ends.is_(None), *only)  # type: ignore[arg-type]
    return list(session.scalars(query.order_by(Act.id)))


@dataclass(frozen=True)
class Resit:
    """A try that follows another: what came in before it began belongs to the earlier one.

    Attributes:
        act: number of the act that began it.
        attempt, mark: the last attempt and the last mark that were on record when it began.
        until: its deadline.
    """

    act: int
    at: datetime
    sitting: Sitting
    attempt: int
    mark: int
    until: datetime


@dataclass(frozen=True)
class Decided:
    """All acts in force of a cohort that change marks, in the types of `assessor.marking.acts`.

    Attributes:
        resits: for each student and assignment the newest deferral or referral.
        assignments: for each what was decided; `earlier` is the same for the try before a resit.
        teams: for each assignment and team its members.
    """

    resits: Mapping[Key, Resit] = field(default_factory=dict)
    assignments: Mapping[Key, AssignmentActs] = field(default_factory=dict)
    earlier: Mapping[Key, AssignmentActs] = field(default_factory=dict)
    modules: Mapping[str, ModuleActs] = field(default_factory=dict)
    scaled: Mapping[str, Scaled] = field(default_factory=dict)
    teams: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)


OF_MARKS = (
    Verb.WAIVE, Verb.DEFER, Verb.REFER, Verb.COMPENSATE, Verb.CLAIM, Verb.HOLD, Verb.PENALISE, Verb.SHARE, Verb.SCALE
)  # fmt: skip


def decided(session: Session) -> Decided:
    """Reads all acts that change marks, in one query."""
    acts = acts_in_force(session, Act.verb.in_(OF_MARKS))
    if not acts:
        return Decided()
    resits: dict[Key, Resit] = {}
    previous: dict[Key, Resit] = {}
    for act in acts:
        if act.verb in (Verb.DEFER, Verb.REFER):
            key = (act.student_id or "", act.subject)
            if key in resits:
                previous[key] = resits[key]
            resits[key] = resit_of(act)
    scaled = {act.subject: read_scaling(act.detail["formula"]) for act in acts if act.verb == Verb.SCALE}
    of_key: dict[Key, list[Act]] = {}
    of_student: dict[str, list[Act]] = {}
    teams: dict[Key, tuple[str, ...]] = {}
    for act in acts:
        if act.student_id is None:
            continue
        of_key.setdefault((act.student_id, act.subject), []).append(act)
        of_student.setdefault(act.student_id, []).append(act)
        if act.verb == Verb.SHARE:
            team = (act.subject, str(act.detail["team"]))
            teams[team] = (*teams.get(team, ()), act.student_id)
    assignments, earlier = {}, {}
    for key, own in of_key.items():
        resit = resits.get(key)
        assignments[key] = _assignment([act for act in own if resit is None or _is_of(act, resit)], resit)
        if resit:
            before, past = previous.get(key), [act for act in own if act.id < resit.act or act.verb == Verb.SHARE]
            earlier[key] = _assignment([act for act in past if before is None or _is_of(act, before)], before)
    modules = {student: _module(own) for student, own in of_student.items()}
    return Decided(resits, assignments, earlier, modules, scaled, teams)


def _is_of(act: Act, resit: Resit) -> bool:
    """Whether an act is about this later try.

    A waiver, a claim or a hold is of the assignment, whatever try it is; a penalty is of the try in which it was given;
    a share of a team's mark is of first attempts, since nobody is referred as a team.
    """
    if act.verb == Verb.SHARE:
        return resit.sitting is Sitting.DEFERRED
    return act.id > resit.act or act.verb in (Verb.WAIVE, Verb.CLAIM, Verb.HOLD)


def resit_of(act: Act) -> Resit:
    """A deferral or referral as it was recorded."""
    sitting = Sitting.DEFERRED if act.verb == Verb.DEFER else Sitting.REFERRAL
    detail = act.detail
    until = datetime.fromisoformat(detail["until"])
    return Resit(act.id, act.at, sitting, detail["after_attempt"], detail["after_mark"], until)


def _assignment(acts: Iterable[Act], resit: Resit | None) -> AssignmentActs:
    own = list(acts)
    verbs = {act.verb for act in own}
    shares = [act.detail for act in own if act.verb == Verb.SHARE]
    return AssignmentActs(
        penalties=tuple(
            Penalty(act.detail["rule"], Decimal(act.detail["value"]), act.detail["words"])
            for act in own
            if act.verb == Verb.PENALISE
        ),
        share=_share(shares[-1]) if shares else None,
        sitting=resit.sitting if resit else Sitting.FIRST,
        waived=Verb.WAIVE in verbs,
        considered=Verb.CLAIM in verbs,
        held=Verb.HOLD in verbs,
    )


def _share(detail: Mapping[str, Any]) -> TeamShare:
    return TeamShare(
        detail["team"], Decimal(detail["factor"]), detail["words"], Decimal(detail.get("penalty", "1")),
        Decimal(detail.get("cap", "100")),
    )  # fmt: skip


def _module(acts: Iterable[Act]) -> ModuleActs:
    own = list(acts)
    whole = {act.verb for act in own if not act.subject}
    return ModuleActs(
        waived=frozenset(act.subject for act in own if act.verb == Verb.WAIVE),
        compensated=Verb.COMPENSATE in whole,
        considered=Verb.CLAIM in whole,
        held=Verb.HOLD in whole,
    )
