"""The job queue: which submissions are to be graded, and by whom they are held.

Only the coordinator that holds the course's writer lock calls these. A job is `queued`, then `leased` (given to a
worker), `started`, `finished` (the worker answered), and `recorded`, or `review` where a fault of ours kept it from a
mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update

from assessor.database.engine import Database
from assessor.database.tables import FINISHED, LEASED, OUT, QUEUED, RECORDED, REVIEW, STARTED, Job, Submission

MAX_TEXT = 20_000


def release_stale(database: Database) -> int:
    """Queues again what a dead coordinator held. Its tries stay counted; no student's attempt is touched."""
    with database.transaction() as session:
        held = session.scalars(select(Job).where(Job.state.in_(OUT))).all()
        for job in held:
            job.state = QUEUED
        return len(held)


def enqueue(database: Database, submission_ids: Iterable[int], grader_sha256: str, now: datetime) -> None:
    """Queues submissions for this version of their grader, and tries again what was in review.

    What has a recorded grading, by any version, is left alone: a mark changes only when a person asks for it.
    """
    wanted = list(submission_ids)
    with database.transaction() as session:
        jobs = session.scalars(select(Job).where(Job.submission_id.in_(wanted))).all()
        done = {job.submission_id for job in jobs if job.state == RECORDED}
        mine = {job.submission_id: job for job in jobs if job.grader_sha256 == grader_sha256}
        for job in jobs:
            if job.state != RECORDED and job.grader_sha256 != grader_sha256:
                job.state, job.error = REVIEW, job.error or "superseded: its grader changed before it was graded"
        for submission_id in wanted:
            if submission_id in done:
                continue
            job_or_none = mine.get(submission_id)
            if job_or_none is None:
                session.add(Job(submission_id=submission_id, grader_sha256=grader_sha256, state=QUEUED, queued_at=now))
            else:
                job_or_none.state, job_or_none.queued_at, job_or_none.tries = QUEUED, now, 0


def queued(database: Database, assignments: Iterable[str]) -> list[Job]:
    """The queued jobs of these assignments with their submissions, oldest first."""
    wanted = list(assignments)
    with database.reading() as session:
        query = select(Job).join(Job.submission).where(Job.state == QUEUED, Submission.assignment.in_(wanted))
        jobs = list(session.scalars(query.order_by(Job.queued_at, Job.id)))
        for job in jobs:
            job.submission  # noqa: B018 - loads it while the session is open
        return jobs


def mark_leased(database: Database, job_id: int, host: str, now: datetime) -> int:
    """Gives a job to a worker; returns how often it was given, this time included."""
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        job.state, job.leased_at, job.host, job.tries = LEASED, now, host, job.tries + 1
        job.started_at = job.finished_at = None
        return job.tries


def requeue(database: Database, job_id: int) -> None:
    """Takes a job back from a worker that died or was interrupted."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id, Job.state != RECORDED).values(state=QUEUED))


def to_review(database: Database, job_id: int, error: str) -> None:
    """Sets a job aside for a person: ours, no mark."""
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        if job.state != RECORDED:
            job.state, job.error = REVIEW, clean(error)


def set_state(database: Database, job_id: int, state: str, now: datetime) -> None:
    """Stamps the phases between a lease and a record."""
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        job.state = state
        if state == STARTED:
            job.started_at = now
        elif state == FINISHED:
            job.finished_at = now


def clean(text: str) -> str:
    """Text from strangers that any engine can keep: no NUL, no lone surrogate, not without end."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]
