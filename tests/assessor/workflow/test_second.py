"""Second marking and moderation: blind, by marking id, and a mark only where the rules say so."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import GradingRecord, Job, Mark, Submission, TestRecord
from assessor.errors import AssessorError
from assessor.workflow.mark import add_mark
from assessor.workflow.moderate import draw, findings, last_sample, record_check
from assessor.workflow.second import record_marking, second_marking, settle
from tests.assessor.workflow.conftest import NOW


def record(course: Course, database: Database, student: str, points: str, author: str, role: str = "marker") -> None:
    record_marking(course, database, student, "project", points, author=author, now=NOW, role=role)


def marks(database: Database) -> list[tuple[str, Decimal, str, str]]:
    with database.reading() as session:
        return [(m.student_id, m.points, m.author, m.reason) for m in session.scalars(select(Mark).order_by(Mark.id))]


def test_two_who_agree_give_one_mark_and_two_who_do_not_wait_for_a_third(small: Course, database: Database) -> None:
    for student, points in (("ada", "62"), ("bob", "48"), ("M2", "55")):
        record(small, database, student, points, "alice")
    for student, points in (("M0", "65"), ("bob", "52")):
        record(small, database, student, points, "bob")
    assert marks(database) == []
    done = settle(small, database, "project", author="leader", now=NOW)
    assert done.settled == 1
    assert marks(database) == [("ada", Decimal("63.5"), "leader", "second marking: mean of two markers who agree")]
    assert [(work.student, work.words) for work in done.works][1:] == [
        ("M1", "a third marker is needed: in different bands (alice 48, bob 52)"),
        ("M2", "a second marker is needed (alice 55)"),
    ]
    record(small, database, "bob", "51", "carol")
    assert settle(small, database, "project", author="leader", now=NOW).settled == 1
    assert marks(database)[-1][:2] == ("bob", Decimal(52))
    assert settle(small, database, "project", author="leader", now=NOW).settled == 0


def test_a_markers_second_thought_takes_the_place_of_the_first(small: Course, database: Database) -> None:
    for author, points in (("alice", "62"), ("bob", "80"), ("alice", "78")):
        record(small, database, "ada", points, author)
    (work,) = second_marking(small, database, "project").works
    assert work.marks == (("alice", 78), ("bob", 80))
    assert work.percent == 79


def test_what_markers_see_has_neither_ids_nor_names(small: Course, database: Database) -> None:
    record(small, database, "ada", "62", "alice")
    add_mark(small, database, "ada", "project", "total", "62", author="alice", reason="read", now=NOW)
    draw(small, database, "project", author="leader", now=NOW, seed=1)
    shown = f"{second_marking(small, database, 'project')} {last_sample(small, database, 'project')}"
    assert "M0" in shown
    assert "ada" not in shown.lower()


@pytest.mark.parametrize(
    ("student", "name", "points", "item", "words"),
    [
        ("zed", "project", "1", None, "unknown student"),
        ("ada", "projec", "1", None, "did you mean project"),
        ("ada", "project", "101", None, "found '101'; expected a number from 0 to 100"),
        ("ada", "project", "NaN", None, "found 'NaN'"),
        ("ada", "project", "62,5", None, "decimal point"),
        ("ada", "powers", "2", "arguments", "did you mean argument"),
    ],
)
def test_a_marking_that_cannot_be_is_refused(
    small: Course, database: Database, student: str, name: str, points: str, item: str | None, words: str
) -> None:
    with pytest.raises(AssessorError, match=words):
        record_marking(small, database, student, name, points, item, author="alice", now=NOW)
    assert second_marking(small, database, "project").works == ()


def test_a_sample_is_kept_and_says_what_is_done_of_it(small: Course, database: Database) -> None:
    with pytest.raises(AssessorError, match="no sample yet"):
        last_sample(small, database, "project")
    with pytest.raises(AssessorError, match="nothing is marked yet"):
        draw(small, database, "project", author="leader", now=NOW)
    for student, points in (("ada", "41"), ("bob", "58.5"), ("eve", "90")):
        add_mark(small, database, student, "project", "total", points, author="alice", reason="read", now=NOW)
    drawn = draw(small, database, "project", author="leader", now=NOW, seed=1)
    assert [(each.student, each.why, each.done) for each in drawn.pieces] == [
        ("M0", "fail", False), ("M1", "near 60", False), ("M2", "top", False),
    ]  # fmt: skip
    record(small, database, "M1", "60", "mod", role="moderator")
    assert [each.done for each in last_sample(small, database, "project").pieces] == [False, True, False]
    found = findings(small, database, "project")
    assert found.changed == (("M1", "total", Decimal("58.5"), Decimal(60)),)
    assert marks(database)[1][1] == Decimal("58.5")  # moderation changes no mark


def graded(database: Database, student: str, verdicts: dict[str, str]) -> None:
    """A submission whose hidden tests ended so."""
    with database.transaction() as session:
        submission = Submission(
            student_id=student, assignment="powers", attempt=1, submitted_at=NOW, collected_at=NOW, sha256="0" * 64,
            origin="inbox", path="x",
        )  # fmt: skip
        session.add(submission)
        session.flush()
        job = Job(submission_id=submission.id, grader_sha256="g", state="recorded", queued_at=NOW)
        session.add(job)
        session.flush()
        tests = [
            TestRecord(
                position=place, name=name, title=name, verdict=verdict, points=Decimal(0), out_of=Decimal(1), message="",
                detail="", hint="", seconds=0.0, place="trusted", public=False,
            )
            for place, (name, verdict) in enumerate(verdicts.items())
        ]  # fmt: skip
        session.add(
            GradingRecord(
                job_id=job.id, submission_id=submission.id, at=NOW, outcome="finished", points=Decimal(0),
                out_of=Decimal(2), note="", changes=[], usage={}, manifest={}, tests=tests,
            )
        )  # fmt: skip


def test_a_moderators_reading_of_hidden_tests_gives_error_rates_with_bounds(small: Course, database: Database) -> None:
    for student in ("ada", "bob", "eve"):
        graded(database, student, {"test_square": "passed", "test_cube": "failed", "test_odd": "review"})
    for student, square, cube in (("ada", "pass", "fail"), ("bob", "pass", "pass"), ("M2", "fail", "fail")):
        record_check(small, database, student, "powers", "test_square", square, author="mod", now=NOW)
        record_check(small, database, student, "powers", "test_cube", cube, author="mod", now=NOW)
    found = findings(small, database, "powers")
    assert (found.false_fails.errors, found.false_fails.looked_at) == (1, 3)
    assert (found.false_passes.errors, found.false_passes.looked_at) == (1, 3)
    record_check(small, database, "bob", "powers", "test_cube", "fail", author="mod", now=NOW)
    assert findings(small, database, "powers").false_fails.errors == 0  # a second reading takes the place of the first


@pytest.mark.parametrize(
    ("student", "test", "verdict", "words"),
    [
        ("zed", "test_square", "pass", "unknown student"),
        ("ada", "test_sqare", "pass", "did you mean test_square"),
        ("ada", "test_odd", "pass", "unknown hidden test"),
        ("ada", "test_square", "right", "expected pass or fail"),
        ("bob", "test_square", "pass", "no hidden test has looked at it"),
    ],
)
def test_a_check_that_cannot_be_is_refused(
    small: Course, database: Database, student: str, test: str, verdict: str, words: str
) -> None:
    graded(database, "ada", {"test_square": "passed", "test_odd": "review"})
    with pytest.raises(AssessorError, match=words):
        record_check(small, database, student, "powers", test, verdict, author="mod", now=NOW)
