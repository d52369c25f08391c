"""Eight who write at once, on either engine: no mark is lost, none is doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select

from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.quizzes import QuizAttempt
from assessor.database.tables import Event, Mark, Student
from assessor.workflow.mark import add_mark
from assessor.workflow.quiz_take import start
from tests.assessor.database.conftest import empty_place, postgresql_server  # noqa: F401 - fixtures
from tests.assessor.workflow.conftest import NOW
from tests.assessor.workflow.test_quiz import BANK, TOML

WRITERS, EACH = 8, 12


@pytest.fixture
def places(empty_place: Path | str) -> Iterator[list[Database]]:  # noqa: F811
    """The same database, opened by each writer for itself."""
    opened = [open_database(empty_place, create=True) for _ in range(WRITERS)]
    with opened[0].transaction() as session:
        session.add_all(Student(id=f"s{n}", name="", email="", marking_id=f"M{n}") for n in range(EACH))
    yield opened
    for each in opened:
        each.close()


def test_eight_markers_at_once_lose_and_double_nothing(small: Course, places: list[Database]) -> None:
    def work(writer: int) -> None:
        for n in range(EACH):
            add_mark(
                small, places[writer], f"s{n}", "quiz1", None, str(writer), author=f"marker {writer}", reason="r", now=NOW
            )

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    with places[0].reading() as session:
        marks = Counter((mark.student_id, mark.author, int(mark.points)) for mark in session.scalars(select(Mark)))
        events = session.scalar(select(func.count()).select_from(Event).where(Event.verb == "mark"))
    assert marks == Counter({(f"s{n}", f"marker {w}", w): 1 for n in range(EACH) for w in range(WRITERS)})
    assert events == WRITERS * EACH


def test_eight_starts_of_one_quiz_are_one_attempt(small: Course, places: list[Database]) -> None:
    (small.root / "quizzes/sums.md").write_text(BANK)
    (small.root / "quizzes/quiz1.toml").write_text(TOML.format(policy="attempts = 3", more=""))
    for student in ("s0", "s1", "s2"):
        together = Barrier(WRITERS)

        def work(writer: int, student: str = student, together: Barrier = together) -> tuple[int, bool]:
            together.wait()
            started = start(small, places[writer], "quiz1", student, now=small.assignment("quiz1").released)
            return started.number, started.again

        with ThreadPoolExecutor(WRITERS) as pool:
            found = list(pool.map(work, range(WRITERS)))
        assert sorted(found) == [(1, False), *[(1, True)] * (WRITERS - 1)]
    with places[0].reading() as session:
        assert session.scalar(select(func.count()).select_from(QuizAttempt)) == 3
