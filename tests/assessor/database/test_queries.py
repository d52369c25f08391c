"""Which attempt counts, which mark is in force, how far things are."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from assessor.database import Database, queries
from assessor.database.queries import Progress
from assessor.database.tables import LEASED, QUEUED, RECORDED, REVIEW

from .conftest import NOW, Fill  # type: ignore[import-not-found]


def in_force(
    database: Database, policy: str = "last", penalised: queries.Penalised | None = None
) -> queries.InForce:
    with database.reading() as session:
        return queries.in_force(session, policy, penalised)


def points(database: Database, student: str = "ada", item: str = "automatic", policy: str = "last") -> Decimal | None:
    mark = in_force(database, policy).marks.get((student, "lab", item))
    return None if mark is None else mark.points


@pytest.fixture
def ada(fill: Fill) -> list[int]:
    """Ada's two attempts."""
    fill.student("ada")
    return [fill.submission("ada", attempt=1), fill.submission("ada", attempt=2, hours=1)]


def test_the_newest_mark_is_in_force_and_the_older_stay(database: Database, fill: Fill, ada: list[int]) -> None:
    for value in ("1", "3", "2"):
        fill.mark("ada", "automatic", value, submission=ada[1])
    assert points(database) == 2
    with database.reading() as session:
        assert [mark.points for mark in queries.history(session, "ada", "lab")] == [1, 3, 2]


def test_the_last_attempt_counts_even_where_an_earlier_one_was_better(
    database: Database, fill: Fill, ada: list[int]
) -> None:
    fill.mark("ada", "automatic", "4", submission=ada[0])
    fill.mark("ada", "automatic", "1", submission=ada[1])
    fill.mark("ada", "automatic", "3", submission=ada[0])  # graded later, of the attempt that does not count
    assert points(database, policy="last") == 1
    assert in_force(database, "last").counting["ada", "lab"].attempt == 2


def test_the_last_attempt_counts_even_before_it_is_marked(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "automatic", "4", submission=ada[0])
    assert points(database, policy="last") is None


def test_the_best_attempt_counts_where_the_course_says_so(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "automatic", "4", submission=ada[0])
    fill.mark("ada", "automatic", "1", submission=ada[1])
    assert points(database, policy="best") == 4
    fill.mark("ada", "automatic", "0", submission=ada[0], reason="it was copied")
    assert points(database, policy="best") == 1


def test_of_two_attempts_alike_the_later_one_counts(database: Database, fill: Fill, ada: list[int]) -> None:
    for submission in ada:
        fill.mark("ada", "automatic", "2", submission=submission)
    assert in_force(database, "best").counting["ada", "lab"].attempt == 2


def test_an_attempt_that_is_not_marked_never_beats_one_that_is(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "automatic", "0", submission=ada[0])
    assert in_force(database, "best").counting["ada", "lab"].attempt == 1


def test_the_best_attempt_is_the_best_after_lateness(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "automatic", "3", submission=ada[0])
    fill.mark("ada", "automatic", "3.5", submission=ada[1])

    def half_when_late(assignment: str, at: datetime, until: datetime | None, points: Decimal) -> Decimal:
        return points if at <= (until or NOW) else points / 2

    assert in_force(database, "best", half_when_late).counting["ada", "lab"].attempt == 1
    fill.extension("ada", NOW + timedelta(hours=2))
    assert in_force(database, "best", half_when_late).counting["ada", "lab"].attempt == 2


@pytest.mark.parametrize("policy", ["last", "best"])
def test_one_students_counting_attempt_is_the_cohorts(
    database: Database, fill: Fill, ada: list[int], policy: str
) -> None:
    fill.mark("ada", "automatic", "4", submission=ada[0])
    with database.reading() as session:
        one = queries.counting_submission(session, "ada", "lab", policy)
        assert queries.counting_submission(session, "nobody", "lab", policy) is None
    assert one is not None
    assert one.id == in_force(database, policy).counting["ada", "lab"].id


def test_a_mark_of_no_attempt_stands_whatever_is_handed_in(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "plot", "1", submission=None)
    fill.submission("ada", attempt=3, hours=2)
    assert points(database, item="plot") == 1


def test_of_a_persons_mark_and_a_graders_the_newer_counts(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.mark("ada", "automatic", "1", submission=ada[1])
    fill.mark("ada", "automatic", "3", submission=None, reason="the test was too strict")
    assert points(database) == 3
    fill.mark("ada", "automatic", "2", submission=ada[1])
    assert points(database) == 2


def test_nobody_sees_anothers_marks(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.student("bob")
    fill.mark("bob", "automatic", "4")
    assert points(database, "ada") is None
    assert points(database, "bob") == 4


def test_the_newest_extension_holds(database: Database, fill: Fill) -> None:
    fill.student("ada")
    fill.extension("ada", NOW + timedelta(days=7))
    fill.extension("ada", NOW + timedelta(days=3))
    with database.reading() as session:
        assert queries.extended_until(session, "ada", "lab") == NOW + timedelta(days=3)
        assert queries.extended_until(session, "ada", "other") is None
    assert in_force(database).extensions == {("ada", "lab"): NOW + timedelta(days=3)}


def test_the_state_of_the_newest_job_is_the_submissions(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.job(ada[0], REVIEW, "version 1")
    fill.job(ada[0], RECORDED, "version 2")
    assert in_force(database).job_states == {ada[0]: RECORDED}


def test_what_is_in_force_takes_six_queries_whatever_the_cohort(database: Database, fill: Fill) -> None:
    for number in range(12):
        student = fill.student(f"s{number:02}")
        fill.mark(student, "automatic", "1", submission=fill.submission(student))
    statements: list[str] = []
    with database.reading() as session:
        listen = (session.connection(), "before_cursor_execute", lambda *given: statements.append(given[2]))
        event.listen(*listen)
        queries.in_force(session, "last")
        event.remove(*listen)
    assert len(statements) == 6


def test_attempts_and_submissions_are_in_order(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.student("aaron")
    fill.submission("aaron")
    with database.reading() as session:
        assert [s.attempt for s in queries.attempts(session, "ada", "lab")] == [1, 2]
        found = [(s.student_id, s.attempt) for s in queries.submissions(session, "lab")]
        assert found == [("aaron", 1), ("ada", 1), ("ada", 2)]
        assert queries.submissions(session, "other") == []
        assert queries.student_ids(session) == ["aaron", "ada"]


def test_the_newest_attempts_without_a_mark_are_to_be_graded(database: Database, fill: Fill, ada: list[int]) -> None:
    bob, cyd = (fill.submission(fill.student(name)) for name in ("bob", "cyd"))
    fill.job(bob, RECORDED)
    fill.job(cyd, REVIEW)
    with database.reading() as session:
        assert queries.ungraded(session, "lab", "last") == [ada[1], cyd]
        assert queries.ungraded(session, "lab", "best") == [*ada, cyd]
        assert queries.ungraded(session, "other", "last") == []


def test_progress_counts_students_by_their_newest_attempt(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.job(ada[0], RECORDED)
    fill.job(ada[1], QUEUED)
    for name, state in (("bob", RECORDED), ("cyd", REVIEW), ("dan", LEASED)):
        fill.job(fill.submission(fill.student(name)), state)
    fill.submission(fill.student("eve"))
    fill.submission("eve", "project")
    with database.reading() as session:
        assert queries.progress(session) == {
            "lab": Progress(submitted=5, attempts=6, queued=1, out=1, recorded=1, review=1),
            "project": Progress(submitted=1, attempts=1),
        }


def test_progress_counts_a_superseded_job_once(database: Database, fill: Fill, ada: list[int]) -> None:
    fill.job(ada[1], REVIEW, "version 1")
    fill.job(ada[1], RECORDED, "version 2")
    with database.reading() as session:
        assert queries.progress(session) == {"lab": Progress(submitted=1, attempts=2, recorded=1)}


def test_the_fingerprint_of_the_history_is_the_same_on_every_engine_and_tells_every_mark(database: Database, fill: Fill) -> None:
    def taken() -> tuple[int, str]:
        with database.reading() as session:
            return queries.fingerprint(session)

    assert taken() == (0, hashlib.sha256(b"").hexdigest())
    fill.student("ada")
    fill.mark("ada", "plot", "2.5")
    line = "\x1f".join(["1", "ada", "lab", "plot", "2.5", "4", "0", "marker", "2021-05-03 12:00:00.000000"])
    assert taken() == (1, hashlib.sha256(line.encode()).hexdigest())
    fill.mark("ada", "plot", "2.5")
    assert taken()[0] == 2
