"""The tables. Marks and events are appended, never updated: triggers of the database itself see to that."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from assessor.database.types import Exact, UtcDateTime

QUEUED, LEASED, STARTED, FINISHED, RECORDED, REVIEW = "queued", "leased", "started", "finished", "recorded", "review"
OUT = (LEASED, STARTED, FINISHED)
"""States of a job that some coordinator holds."""
MARK_IN_RANGE = (
    "CAST(points AS NUMERIC) BETWEEN 0 AND CAST(out_of AS NUMERIC)"
    " AND (NOT not_submitted OR CAST(points AS NUMERIC) = 0)"
)
"""Casts, because SQLite keeps exact numbers as text."""


class Table(DeclarativeBase):
    """Base of all tables; constraints are named alike on every engine, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {
        Decimal: Exact, datetime: UtcDateTime, float: Double, str: Text, dict[str, Any]: JSON, list[str]: JSON
    }  # fmt: skip


class Student(Table):
    """One student of the class list. `marking_id` stands for them where marking is anonymous."""

    __tablename__ = "student"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    marking_id: Mapped[str] = mapped_column(String(32), unique=True)


class Submission(Table):
    """One attempt of one student, as collected. Every attempt is kept."""

    __tablename__ = "submission"
    __table_args__ = (UniqueConstraint("student_id", "assignment", "attempt"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("student.id"))
    assignment: Mapped[str] = mapped_column(String(64), index=True)
    attempt: Mapped[int]
    submitted_at: Mapped[datetime]
    collected_at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(String(32))
    path: Mapped[str]
    note: Mapped[str] = mapped_column(default="")


class Extension(Table):
    """More time for one student. The newest counts."""

    __tablename__ = "extension"
    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("student.id"))
    assignment: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]
    reason: Mapped[str]
    author: Mapped[str]
    at: Mapped[datetime]


class Job(Table):
    """The grading of one submission by one version of its grader, with the time of each phase."""

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("submission_id", "grader_sha256"), Index("ix_job_state", "state"))
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    grader_sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=QUEUED)
    queued_at: Mapped[datetime]
    leased_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime | None]
    host: Mapped[str] = mapped_column(default="")
    device: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    submission: Mapped[Submission] = relationship()


class GradingRecord(Table):
    """The evidence of one grading: how the run ended and everything needed to repeat it."""

    __tablename__ = "grading"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    at: Mapped[datetime]
    outcome: Mapped[str]
    points: Mapped[Decimal]
    out_of: Mapped[Decimal]
    note: Mapped[str]
    changes: Mapped[list[str]]
    usage: Mapped[dict[str, Any]]
    manifest: Mapped[dict[str, Any]]
    tests: Mapped[list[TestRecord]] = relationship(order_by="TestRecord.position")


class TestRecord(Table):
    """One hidden test's verdict in one grading."""

    __test__ = False
    __tablename__ = "test_result"
    grading_id: Mapped[int] = mapped_column(ForeignKey("grading.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(32))
    points: Mapped[Decimal]
    out_of: Mapped[Decimal]
    message: Mapped[str]
    detail: Mapped[str]
    hint: Mapped[str]
    seconds: Mapped[float]
    retrains: Mapped[int] = mapped_column(default=0)
    place: Mapped[str] = mapped_column(String(16))
    public: Mapped[bool]


class Mark(Table):
    """One mark of one item: appended, never changed; the newest counts, the older stay.

    `submission_id` of None stands whatever is handed in. `not_submitted` says that nothing was handed in: 0 points that
    are shown as NS.
    """

    __tablename__ = "mark"
    __table_args__ = (
        Index("ix_mark_student_id_assignment_item", "student_id", "assignment", "item"),
        CheckConstraint(MARK_IN_RANGE, "in_range"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    student_id: Mapped[str] = mapped_column(ForeignKey("student.id"))
    assignment: Mapped[str] = mapped_column(String(64))
    item: Mapped[str] = mapped_column(String(64))
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submission.id"))
    points: Mapped[Decimal]
    out_of: Mapped[Decimal]
    author: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str]
    grading_id: Mapped[int | None] = mapped_column(ForeignKey("grading.id"))
    not_submitted: Mapped[bool] = mapped_column(default=False)


class Event(Table):
    """Who did what, when: the audit."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    author: Mapped[str]
    verb: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]


class Erasing(Table):
    """Whose record is being erased, within one transaction: the one door through the triggers. Goes with its student."""

    __tablename__ = "erasing"
    student_id: Mapped[str] = mapped_column(ForeignKey("student.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    author: Mapped[str]
    reason: Mapped[str]
