"""The demo's students get in both quizzes what was planted, by really drawn papers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, select

from assessor.course import load_course
from assessor.database import open_database
from assessor.database.quizzes import QuizAttempt, QuizScore, attempts_of
from assessor.database.tables import Student
from assessor.workflow.demo.cohort import COHORT
from assessor.workflow.demo.quizzes import planted, quiz_faults, take_and_mark
from assessor.workflow.init import init_course


def test_each_gets_what_was_planted_from_a_paper_of_its_own(tmp_path: Path) -> None:
    course = load_course(init_course(tmp_path / "course"))
    database = open_database(course.root, create=True)
    with database.transaction() as session:
        for place, student in enumerate(COHORT):
            session.add(Student(id=student.id, name=student.name, email="", marking_id=f"M{place}"))
    assert len(quiz_faults(database)) == len(COHORT), "before, nobody has a mark"
    take_and_mark(course, database, author="demo", now=datetime.now(UTC))
    assert quiz_faults(database) == {}
    with database.reading() as session:
        assert session.scalar(select(func.count(QuizAttempt.id))) == 2 * len(COHORT)
        points = session.scalars(select(QuizScore.points).join(QuizAttempt).where(QuizAttempt.student_id == "bao02"))
        assert sorted(points) == [planted(1, "quiz2"), planted(1, "quiz1")] == [Decimal(19), Decimal(23)]
        papers = {str([slot["question"] for slot in attempt.paper]) for attempt in attempts_of(session, "quiz1")}
        assert len(papers) == len(COHORT)
    database.close()
