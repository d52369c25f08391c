"""What is due by the rule of retention, and what is not; all of it goes by an act that the audit keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from assessor.course import Course, RetentionPolicy, load_course
from assessor.database import Database, open_database
from assessor.database.tables import Event, Student
from assessor.errors import AssessorError, CourseInvalid
from assessor.workflow.backup import backup
from assessor.workflow.decide import By, end, hold
from assessor.workflow.mark import add_mark
from assessor.workflow.retention import apply_retention, ended, retention
from tests.assessor.database.conftest import empty_place, postgresql_server  # noqa: F401 - fixtures
from tests.assessor.workflow.conftest import NOW

DUE = datetime(2033, 2, 16, 12, tzinfo=UTC)
"""The day after six years since the last deadline, 15 February 2027."""


@pytest.fixture
def kept(small: Course) -> Course:
    return replace(small, retention=RetentionPolicy(years=6))


@pytest.fixture
def anywhere(empty_place: Path | str) -> Iterator[Database]:  # noqa: F811
    """The three students on each engine."""
    opened = open_database(empty_place, create=True)
    with opened.transaction() as session:
        for place, name in enumerate(("ada", "bob", "eve")):
            session.add(Student(id=name, name=name.title(), email="", marking_id=f"M{place}"))
    yield opened
    opened.close()


def give(course: Course, database: Database, student: str, at: datetime) -> None:
    add_mark(course, database, student, "project", None, "50", author="kim", reason="read", now=at)


def due(course: Course, database: Database, now: datetime) -> list[str]:
    return [each.student for each in retention(course, database, now).due]


def test_records_are_kept_for_so_many_years_after_the_last_deadline(kept: Course, database: Database) -> None:
    assert ended(kept) == date(2027, 2, 15)
    assert due(kept, database, DUE.replace(day=15)) == []
    assert due(kept, database, DUE) == ["ada", "bob", "eve"]


def test_the_course_says_when_it_ended(kept: Course, database: Database) -> None:
    longer = replace(kept, retention=RetentionPolicy(years=6, ends=date(2028, 2, 29)))
    assert due(longer, database, datetime(2034, 3, 2, 12, tzinfo=UTC)) == ["ada", "bob", "eve"]
    assert due(longer, database, datetime(2034, 3, 1, 12, tzinfo=UTC)) == []


def test_what_was_done_after_the_end_keeps_a_record_for_longer(kept: Course, database: Database) -> None:
    give(kept, database, "ada", datetime(2027, 9, 1, 12, tzinfo=UTC))
    assert due(kept, database, DUE) == ["bob", "eve"]
    assert due(kept, database, datetime(2033, 9, 2, 12, tzinfo=UTC)) == ["ada", "bob", "eve"]


def test_a_student_of_an_earlier_year_is_due_by_that_year(kept: Course, database: Database) -> None:
    give(kept, database, "ada", datetime(2023, 5, 1, 12, tzinfo=UTC))
    assert due(kept, database, datetime(2029, 5, 2, 12, tzinfo=UTC)) == ["ada"]
    assert due(kept, database, datetime(2029, 5, 1, 12, tzinfo=UTC)) == []


def test_what_is_not_decided_waits(kept: Course, database: Database) -> None:
    hold(kept, database, "ada", "project", By("lee", "a case", NOW))
    found = retention(kept, database, DUE)
    assert [each.student for each in found.due] == ["bob", "eve"]
    assert [(each.student, each.waits) for each in found.waiting] == [("ada", "a hold or a claim is not decided")]
    apply_retention(kept, database, author="registrar", reason="schedule 7.2", now=DUE)
    with database.reading() as session:
        assert session.scalars(select(Student.id)).all() == ["ada"]
    end(database, 1, By("lee", "no case", NOW))
    assert due(kept, database, DUE) == ["ada"]


def test_what_is_erased_stands_in_the_audit_by_whom_when_and_why(kept: Course, anywhere: Database) -> None:
    for student in ("ada", "bob"):
        give(kept, anywhere, student, NOW)
    (kept.root / "submitted/ada").mkdir(parents=True)
    done = apply_retention(kept, anywhere, author="registrar", reason=" schedule 7.2 ", now=DUE)
    assert done.erased == ("M0", "M1", "M2") and not (kept.root / "submitted/ada").exists()
    with anywhere.reading() as session:
        assert session.scalars(select(Student)).all() == []
        events = [(e.author, e.verb, e.at, e.detail) for e in session.scalars(select(Event).order_by(Event.id))][-4:]
    assert [(event[0], event[1], event[2]) for event in events] == [("registrar", "erase", DUE)] * 3 + [
        ("registrar", "retention", DUE)
    ]
    assert events[-1][3] == {"years": 6, "ended": "2027-02-15", "erased": 3, "reason": "schedule 7.2"}
    again = apply_retention(kept, anywhere, author="registrar", reason="schedule 7.2", now=DUE)
    assert (again.students, again.erased) == (0, ())


@pytest.mark.parametrize("reason", ["", " ", "eve left"])
def test_without_a_reason_that_may_stay_nobody_is_erased(kept: Course, database: Database, reason: str) -> None:
    with pytest.raises(AssessorError, match="stays in the audit"):
        apply_retention(kept, database, author="registrar", reason=reason, now=DUE)
    assert len(due(kept, database, DUE)) == 3


def test_without_a_rule_nothing_is_due_and_the_line_says_what_to_write(small: Course, database: Database) -> None:
    with pytest.raises(AssessorError, match=r"write \[retention\] with years"):
        retention(small, database, DUE)


def test_the_rule_stands_in_the_courses_file(small: Course) -> None:
    file = small.root / "course.toml"
    written = file.read_text()
    file.write_text(written + "\n[retention]\nyears = 6\nends = 2027-06-30\n")
    assert load_course(small.root).retention == RetentionPolicy(years=6, ends=date(2027, 6, 30))
    for wrong in ("years = 0", "years = '6'", "year = 6"):
        file.write_text(f"{written}\n[retention]\n{wrong}\n")
        with pytest.raises(CourseInvalid, match=r"retention\.year"):
            load_course(small.root)


def test_old_backups_of_this_course_go_and_nothing_else(small: Course, database: Database, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    (place / "thesis.zip").write_bytes(b"no zip")
    (place / "other.txt").write_text("x")
    backup(replace(small, code="COMP2"), database, place / "of-another.zip", NOW)
    for day in (1, 2, 3):
        backup(small, database, place / f"b{day}.zip", NOW.replace(day=day))
    done = backup(small, database, place / "a-newest.zip", NOW, author="kim", keep=2)
    assert [Path(each).name for each in done.removed] == ["b1.zip", "b2.zip"]
    left = ["a-newest.zip", "b3.zip", "of-another.zip", "other.txt", "thesis.zip"]
    assert sorted(path.name for path in place.iterdir()) == left
    with database.reading() as session:
        event = session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert event is not None and (event.author, event.verb, event.detail["removed"]) == ("kim", "backup", ["b1.zip", "b2.zip"])
