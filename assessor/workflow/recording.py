"""The one way in which a grading becomes a mark: evidence, mark and job state in one transaction."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from assessor.database import Database
from assessor.database.queue import clean
from assessor.database.tables import RECORDED, REVIEW, GradingRecord, Job, Mark, Submission, TestRecord
from assessor.grading.results import Grading, TestResult, Verdict

AUTOGRADE = "autograde"
"""The author of marks that hidden tests gave; any other author of an automatic mark is a person."""


def record(
    database: Database,
    job_id: int,
    grading: Grading,
    *,
    author: str,
    started_at: datetime,
    finished_at: datetime,
    now: datetime,
    hidden_item: str,
    out_of: Decimal,
) -> bool:
    """Writes a grading's evidence, its mark and its job's state, in one transaction.

    A grading that needs review is kept as evidence without a mark. A job that is recorded already is left as it is.

    Returns:
        Whether it was written now.
    """
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        if job.state == RECORDED:
            return False
        job.started_at, job.finished_at, job.device = started_at, finished_at, _device(grading)
        evidence = _evidence(session, job, grading, finished_at)
        if grading.needs_review:
            broken = [test.name for test in grading.tests if test.verdict is Verdict.REVIEW]
            job.state, job.error = REVIEW, clean(f"hidden tests to look at: {', '.join(broken)}")
            return True
        submission = session.get_one(Submission, job.submission_id)
        session.add(
            Mark(
                student_id=submission.student_id, assignment=submission.assignment, item=hidden_item,
                submission_id=submission.id, points=grading.points, out_of=out_of, author=author, at=now,
                reason=f"hidden tests, grader {job.grader_sha256[:12]}", grading_id=evidence.id,
            )
        )  # fmt: skip
        job.state, job.recorded_at, job.error = RECORDED, now, ""
        return True


def _device(grading: Grading) -> str:
    return str(grading.execution.manifest.get("device", "cpu"))


def _evidence(session: Session, job: Job, grading: Grading, at: datetime) -> GradingRecord:
    record_ = GradingRecord(
        job_id=job.id, submission_id=job.submission_id, at=at, outcome=grading.execution.outcome.value,
        points=grading.points, out_of=grading.out_of, note=clean(grading.note),
        changes=[clean(line) for line in grading.changes], usage=asdict(grading.execution.usage),
        manifest=grading.execution.manifest,
        tests=[_test(place, test) for place, test in enumerate(grading.tests)],
    )  # fmt: skip
    session.add(record_)
    session.flush()
    return record_


def _test(position: int, test: TestResult) -> TestRecord:
    return TestRecord(
        position=position, name=clean(test.name), title=clean(test.title), verdict=test.verdict.value,
        points=test.points, out_of=test.out_of, message=clean(test.message), detail=clean(test.detail),
        hint=clean(test.hint), seconds=test.seconds, retrains=test.retrains, place=test.where, public=test.public,
    )  # fmt: skip
