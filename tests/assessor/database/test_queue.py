"""Jobs go through their states once, survive a dead coordinator, and never touch a student's attempt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from assessor.database import Database, queue
from assessor.database.tables import FINISHED, LEASED, QUEUED, RECORDED, REVIEW, STARTED, Job, Submission

from .conftest import NOW, Fill  # type: ignore[import-not-found]

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def two(fill: Fill) -> list[int]:
    """Two students' submissions."""
    return [fill.submission(fill.student(name)) for name in ("ada", "bob")]


def jobs(database: Database) -> list[Job]:
    with database.reading() as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def states(database: Database) -> list[str]:
    return [job.state for job in jobs(database)]


def test_what_is_queued_is_handed_out_oldest_first_with_its_submission(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[1:], "g", NOW)
    queue.enqueue(database, two[:1], "g", LATER)
    waiting = queue.queued(database, ["lab"])
    assert [job.submission.student_id for job in waiting] == ["bob", "ada"]
    assert queue.queued(database, ["other"]) == []
    assert queue.queued(database, []) == []


def test_queueing_twice_makes_one_job(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two, "g", NOW)
    queue.enqueue(database, two, "g", LATER)
    assert states(database) == [QUEUED, QUEUED]


def test_each_phase_has_its_time_host_and_try(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[:1], "g", NOW)
    job_id = jobs(database)[0].id
    assert queue.mark_leased(database, job_id, "machine", LATER) == 1
    queue.set_state(database, job_id, STARTED, LATER + timedelta(seconds=1))
    queue.set_state(database, job_id, FINISHED, LATER + timedelta(seconds=9))
    job = jobs(database)[0]
    assert (job.state, job.host, job.tries, job.queued_at, job.leased_at) == (FINISHED, "machine", 1, NOW, LATER)
    assert job.started_at == LATER + timedelta(seconds=1)
    assert job.finished_at == LATER + timedelta(seconds=9)


@pytest.mark.parametrize("state", [LEASED, STARTED, FINISHED])
def test_what_a_dead_coordinator_held_is_queued_again(
    database: Database, fill: Fill, two: list[int], state: str
) -> None:
    held, done, broken = fill.job(two[0], state), fill.job(two[1], RECORDED), fill.job(two[1], REVIEW, "h")
    assert queue.release_stale(database) == 1
    assert {job.id: job.state for job in jobs(database)} == {held: QUEUED, done: RECORDED, broken: REVIEW}
    assert queue.release_stale(database) == 0


def test_our_own_tries_are_counted_and_the_students_attempt_is_not_touched(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[:1], "g", NOW)
    job_id = jobs(database)[0].id
    for tries in (1, 2, 3):
        assert queue.mark_leased(database, job_id, "machine", LATER) == tries
        queue.release_stale(database)
    with database.reading() as session:
        assert list(session.scalars(select(Submission.attempt))) == [1, 1]


def test_a_recorded_job_is_never_queued_again(database: Database, fill: Fill, two: list[int]) -> None:
    job_id = fill.job(two[0], RECORDED)
    queue.requeue(database, job_id)
    queue.to_review(database, job_id, "too late")
    queue.enqueue(database, two, "another version of the grader", LATER)
    found = jobs(database)
    assert [(job.submission_id, job.state) for job in found] == [(two[0], RECORDED), (two[1], QUEUED)]
    assert found[0].error == ""


def test_a_job_in_review_is_tried_again_with_fresh_tries(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[:1], "g", NOW)
    job_id = jobs(database)[0].id
    queue.mark_leased(database, job_id, "machine", NOW)
    queue.to_review(database, job_id, "the sandbox did not start")
    assert (states(database), jobs(database)[0].error) == ([REVIEW], "the sandbox did not start")
    queue.enqueue(database, two[:1], "g", LATER)
    job = jobs(database)[0]
    assert (job.state, job.tries, job.queued_at) == (QUEUED, 0, LATER)


def test_a_new_version_of_the_grader_supersedes_what_waited(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two, "version 1", NOW)
    queue.enqueue(database, two, "version 2", LATER)
    assert [job.grader_sha256 for job in queue.queued(database, ["lab"])] == ["version 2", "version 2"]
    assert len(jobs(database)) == 4


def test_a_job_that_was_requeued_waits_again(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[:1], "g", NOW)
    job_id = jobs(database)[0].id
    queue.mark_leased(database, job_id, "machine", NOW)
    assert queue.queued(database, ["lab"]) == []
    queue.requeue(database, job_id)
    assert [job.id for job in queue.queued(database, ["lab"])] == [job_id]


def test_text_from_strangers_can_always_be_kept(database: Database, two: list[int]) -> None:
    queue.enqueue(database, two[:1], "g", NOW)
    job_id = jobs(database)[0].id
    queue.to_review(database, job_id, "nul \0, half a pair \ud800, " + "x" * 100_000)
    error = jobs(database)[0].error
    assert error.startswith("nul �, half a pair ?, xxx")
    assert len(error) == queue.MAX_TEXT
