"""Scaling an assignment: proposals side by side, and one of them applied by a recorded act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.gradebook import StudentRow, gradebook
from assessor.errors import AssessorError
from assessor.marking.acts import Sitting
from assessor.marking.marks import AssignmentMark, Status
from assessor.marking.scaling import Proposal, propose, read_scaling
from assessor.workflow.decide import By


@dataclass(frozen=True)
class Proposals:
    """What each formula would do to an assignment.

    Attributes:
        students: marking ids, in the order of the proposals' marks.
        in_force: the formula that is applied now, or ''.
    """

    assignment: str
    in_force: str
    students: tuple[str, ...]
    proposals: tuple[Proposal, ...]


def proposals(course: Course, database: Database, name: str, formulas: Sequence[str]) -> Proposals:
    """Works out what formulas would do to the raw marks of an assignment, beside one another. Changes nothing.

    Raises:
        UnknownName: no such assignment.
        AssessorError: a formula is refused, or nothing is marked yet.
    """
    course.assignment(name)
    scalings = [read_scaling(formula) for formula in formulas]
    rows = sorted(
        ((row.marking_id, mark.percent) for row in gradebook(course, database) for mark in [_of(row, name)] if _counts(mark)),
        key=lambda each: (each[1] or Decimal(0), each[0]),
    )
    raw = [percent for _, percent in rows if percent is not None]
    with database.reading() as session:
        acts = acts_in_force(session, Act.verb == Verb.SCALE, Act.subject == name)
    return Proposals(
        name, acts[-1].detail["formula"] if acts else "", tuple(student for student, _ in rows),
        tuple(propose(scaling, raw, course.marking.boundaries) for scaling in scalings),
    )  # fmt: skip


def _of(row: StudentRow, name: str) -> AssignmentMark:
    return next(mark for mark in row.mark.assignments if mark.name == name)


def _counts(mark: AssignmentMark) -> bool:
    """Marks that a scaling touches: not NS, not held, not of a referral."""
    return mark.status is Status.MARKED and mark.acts.sitting is not Sitting.REFERRAL


def scale(course: Course, database: Database, name: str, formula: str, by: By) -> int:
    """Applies a scaling to everybody's mark of an assignment, in place of one that was applied before.

    Returns:
        The number of the act.

    Raises:
        UnknownName: no such assignment.
        AssessorError: no reason, or the formula is refused.
    """
    course.assignment(name)
    read_scaling(formula)
    if not by.reason.strip():
        raise AssessorError(f"{name}: a scaling needs a reason")
    with database.transaction() as session:
        for act in acts_in_force(session, Act.verb == Verb.SCALE, Act.subject == name):
            add_act(
                session, Verb.END, subject=name, detail={"verb": act.verb}, reason=f"another scaling: {by.reason}",
                author=by.author, now=by.now, ends=act.id,
            )  # fmt: skip
        act = add_act(
            session, Verb.SCALE, subject=name, detail={"formula": formula.strip()}, reason=by.reason.strip(),
            author=by.author, now=by.now,
        )  # fmt: skip
        return act.id
