"""Makers of assignments and marks; of session scope, since hypothesis runs a test's body many times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assessor.calendar import Term
from assessor.course import Assignment, ManualItem
from assessor.marking.marks import AssignmentMark, Status
from gpu_runner.execution import Limits

DUE = datetime(2021, 5, 3, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def term() -> Term:
    """The reference term."""
    return Term(date(2021, 2, 1), ZoneInfo("Europe/London"), closures=frozenset({date(2021, 5, 4)}))


@pytest.fixture(scope="session")
def make_assignment() -> Callable[..., Assignment]:
    """`make_assignment(hidden=4, plot=1)`; `make_assignment(kind="quiz", marks=30)`."""

    def make(name: str = "lab", *, kind: str = "notebook", marks: object = None, hidden: object = 0, **manual: object) -> Assignment:  # noqa: E501
        items = tuple(ManualItem.model_construct(name=n, marks=Decimal(str(m)), guide="") for n, m in manual.items())
        hidden_marks = Decimal(str(hidden))
        return Assignment(
            name=name, title=name, component="labs", kind=kind, released=datetime(2021, 2, 1, tzinfo=UTC), due=DUE,
            weight=Decimal(1), hidden_marks=hidden_marks, manual=items, notebooks=(), attachments=(), limits=Limits(),
            marks=Decimal(str(marks)) if marks else hidden_marks + sum((i.marks for i in items), Decimal(0)),
            gpu="none", source=Path("a"), grader=Path("b"),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def assignment_mark() -> Callable[..., AssignmentMark]:
    """`assignment_mark("lab1", "72.3")`: a mark in percent; None is missing."""

    def make(name: str, percent: str | Decimal | None, status: Status | None = None) -> AssignmentMark:
        value = None if percent is None else Decimal(percent)
        status = status or (Status.MISSING if value is None else Status.MARKED)
        return AssignmentMark(name, status, (), value, Decimal(100), value, penalised_percent=value)

    return make
