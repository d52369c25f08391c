"""Whatever is decided in whatever order, every student has a mark that fits its outcome, and the working ends in it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from assessor.course import Course, load_course
from assessor.database import Database
from assessor.database.gradebook import StudentRow, counting_attempt, gradebook
from assessor.database.tables import Submission
from assessor.errors import AssessorError
from assessor.marking.marks import Code, Status
from assessor.workflow.decide import By, claim, compensate, defer, end, hold, listed, penalise, refer, waive
from assessor.workflow.explain import explain
from assessor.workflow.extend import add_extension
from assessor.workflow.mark import add_mark
from assessor.workflow.scale import proposals, scale
from tests.assessor.workflow.conftest import NOW

POLICIES = [
    "",
    'counting_attempt = "best"\nreferral_capped = "assignment"\nminima = { labs = 40 }',
    'rounding = "truncate"\nplaces = 1\nminimum_cap = 45\nminima = { quizzes = 50 }\nreferral_capped = "component"',
]
ASSIGNMENTS = ("powers", "project", "quiz1")
WITHOUT_MARK = {Code.INTEGRITY, Code.DEFERRED, Code.MISSING, Code.EXCUSED}


def do_anything(random: Random, course: Course, database: Database, now: object) -> None:
    """One random thing that a person might do, or be refused."""
    student, name = random.choice(("ada", "bob")), random.choice(ASSIGNMENTS)
    by = By("lee", "because", now)  # type: ignore[arg-type]
    until = f"+{random.randint(1, 300)} days"
    what = random.randrange(13)
    if what <= 3:
        item = random.choice(list(course.assignment(name).items))
        out_of = course.assignment(name).items[item]
        points = random.choice(["NS", str(Decimal(random.randint(0, 4 * int(out_of))) / 4)])
        add_mark(course, database, student, name, item, points, author="kim", reason="read", now=now)  # type: ignore[arg-type]
    elif what == 4:
        hand_in(course, database, student, name, course.assignment(name).due + timedelta(days=random.randint(-3, 200)))
    elif what == 5:
        add_extension(
            course, database, student, name, until, author="kim", reason="ill", now=now, replace=random.random() < 0.5  # type: ignore[arg-type]
        )  # fmt: skip
    elif what == 6:
        waive(course, database, student, random.choice([*ASSIGNMENTS, *course.components]), by)
    elif what == 7:
        random.choice((defer, refer))(course, database, student, name, until, by)
    elif what == 8:
        random.choice((claim, hold))(course, database, student, random.choice(["", name]), by)
    elif what == 9:
        penalise(course, database, student, name, random.choice(["zero", "x 0.9", "- 5", "cap 40"]), "words", by)
    elif what == 10:
        scale(course, database, name, random.choice(["m + 3", "0.9 * m", "45:50 58:60"]), by)
    elif what == 11:
        compensate(database, student, by)
    else:
        end(database, random.randint(1, 12), by)


def hand_in(course: Course, database: Database, student: str, name: str, at: object) -> None:
    with database.transaction() as session:
        last = session.query(Submission).filter_by(student_id=student, assignment=name).count()
        session.add(
            Submission(
                student_id=student, assignment=name, attempt=last + 1, submitted_at=at, collected_at=at,
                sha256="0" * 64, origin="inbox", path="x",
            )
        )  # fmt: skip


def check(course: Course, database: Database, row: StudentRow, now: object) -> None:
    mark = row.mark
    if mark.outcome in WITHOUT_MARK:
        assert mark.final is None
    elif mark.outcome is not Code.CONSIDERATIONS:
        assert mark.final is not None
        assert 0 <= mark.final <= 100
        assert (mark.outcome is not Code.PASS) or mark.final >= course.marking.pass_mark
    assert (mark.total is None) == (mark.rounded is None) == (mark.final is None)
    for each in mark.assignments:
        counts = each.status in (Status.MARKED, Status.NOT_SUBMITTED)
        assert (each.penalised_percent is not None) == counts
        if counts:
            assert each.working[-1].value == each.penalised_percent
            assert each.penalised_percent is not None
            assert 0 <= each.penalised_percent <= 100
    if mark.final is not None:
        assert mark.working[-1].value == mark.final
    shown = explain(course, database, row.id, now=now)  # type: ignore[arg-type]
    assert shown.module.mark == mark.final
    with database.reading() as session:
        for each in mark.assignments:
            counting = counting_attempt(course, session, row.id, each.name)
            if counting is not None and not each.notes:  # where a first mark stands, it is not of the counting attempt
                assert counting.attempt == each.attempt


@pytest.mark.parametrize("policy", POLICIES, ids=["plain", "best", "minima"])
@pytest.mark.parametrize("seed", range(2))
def test_anything_goes(small: Course, database: Database, policy: str, seed: int) -> None:
    file = Path(small.root) / "course.toml"
    file.write_text(file.read_text().replace("[components]", f"[marking]\n{policy}\n[components]"))
    course, random = load_course(small.root), Random(f"{seed} {policy}")
    for step in range(30):
        now = NOW + timedelta(days=5 * step)
        try:
            do_anything(random, course, database, now)
        except AssessorError as fault:
            assert "\n" not in str(fault)
        for row in gradebook(course, database, now):
            check(course, database, row, now)
    assert len(listed(course, database, ended=True)) >= len(listed(course, database))
    try:
        assert proposals(course, database, "project", ["m + 1"]).proposals[0].scaled
    except AssessorError as fault:
        assert "no marks" in str(fault)
