"""How far the automatic marking of an assignment can be trusted: the appendix of a board's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assessor.course import AUTOMATIC, Course
from assessor.database.acts import Act, Verb, acts_in_force
from assessor.database.tables import RECORDED, Event, GradingRecord, Job, Mark, Submission, TestRecord
from assessor.grading.results import Verdict
from assessor.marking.agreement import ErrorRate
from assessor.workflow.moderate import errors_of_tests
from assessor.workflow.power import proven
from assessor.workflow.recording import AUTOGRADE

SETTLED = ("review accept", "review override")


@dataclass(frozen=True)
class Automatic:
    """What is known of one assignment's hidden tests and of what they did.

    Attributes:
        versions, devices: of the hidden tests and of what they ran on, each with how many submissions.
        retrained: submissions of which a training fell short at first and was begun again with another seed.
        sent: submissions of which a test went to review for a fault of ours.
        settled: reviews that a person settled; changed: students whose automatic mark a person changed.
        false_fails, false_passes: what moderators found, who looked at a test's work without its verdict.
        power: what `assessor power` last proved; empty where it was not run.
    """

    name: str
    versions: str
    devices: str
    retrained: int
    sent: int
    settled: int
    changed: int
    false_fails: ErrorRate
    false_passes: ErrorRate
    power: Mapping[str, Any]


def automatic_marking(course: Course, session: Session, name: str) -> Automatic:
    """Reads it from the database, and the power from the course's reports."""
    versions, devices = Counter[str](), Counter[str]()
    jobs = (
        select(Job.grader_sha256, Job.device, func.count())
        .join(Job.submission)
        .where(Submission.assignment == name, Job.state == RECORDED)
        .group_by(Job.grader_sha256, Job.device)
    )
    for sha256, device, submissions in session.execute(jobs):
        versions[sha256[:12]] += submissions
        devices[device or "cpu"] += submissions
    submissions_with = (
        select(func.count(func.distinct(GradingRecord.submission_id)))
        .join(Submission, Submission.id == GradingRecord.submission_id)
        .join(TestRecord, TestRecord.grading_id == GradingRecord.id)
        .where(Submission.assignment == name)
    )
    events = session.scalars(select(Event).where(Event.verb.in_(SETTLED)))
    changed = select(func.count(func.distinct(Mark.student_id))).where(
        Mark.assignment == name, Mark.item == AUTOMATIC, Mark.author != AUTOGRADE
    )
    looks = acts_in_force(session, Act.verb == Verb.MARKING, Act.subject == name)
    return Automatic(
        name, _shown(versions) or "none yet", _shown(devices) or "–",
        session.scalar(submissions_with.where(TestRecord.retrains > 0)) or 0,
        session.scalar(submissions_with.where(TestRecord.verdict == Verdict.REVIEW.value)) or 0,
        sum(event.detail.get("assignment") == name for event in events), session.scalar(changed) or 0,
        *errors_of_tests(looks), proven(course).get(name, {}),
    )  # fmt: skip


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
