"""What is noted of each hidden test while pytest runs, and the results made of it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from assessor.errors import GraderFault
from assessor.grading.results import TestResult, Verdict
from assessor.grading.verdicts import Judgement

SHARE = Decimal("0.0001")
"""Shares of a parametrised test's marks are whole multiples of this; the last case takes what is left."""
MAX_DETAIL = 20_000
_REPEATED = re.compile(r"(?<=[\[-])repeat\d+(-|(?=\]))")


@dataclass
class Record:
    """One test as it goes on. Several items of pytest with `repeats` are one test."""

    name: str
    function: str
    title: str
    out_of: Decimal = Decimal(0)
    hint: str = ""
    public: bool = False
    reviewed: bool = False
    trained: bool = False
    retrains: int = 0
    depends: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    carried: bool = False
    planned: int = 0
    finished: int = 0
    seconds: float = 0.0
    judgement: Judgement | None = None
    details: list[str] = field(default_factory=list)

    def fail(self, judgement: Judgement, detail: str) -> None:
        """Notes a phase that raised; a fault of ours outweighs a failure, and the first of a kind stands."""
        if self.reviewed and judgement.verdict is Verdict.FAILED:
            judgement = Judgement(Verdict.REVIEW, "a person will look at this answer")
        if self.judgement is None or judgement.verdict is Verdict.REVIEW:
            self.judgement = judgement
        self.details.append(detail[-MAX_DETAIL:])

    @property
    def verdict(self) -> Verdict:
        """How the test ended; one that did not end is ours."""
        if self.judgement is not None:
            return self.judgement.verdict
        return Verdict.PASSED if self.planned == self.finished else Verdict.REVIEW


class Records:
    """All tests of a run, in order."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def plan(self, items: list[pytest.Item]) -> None:
        """Notes every test and shares marks between the cases of parametrised ones.

        Raises:
            GraderFault: ours; two tests of one name, or a marker with a wrong argument.
        """
        files: dict[str, str] = {}
        for item in items:
            record = self._records.setdefault(_name(item), _record(item))
            record.planned += 1
            if files.setdefault(record.function, str(item.path)) != str(item.path):
                elsewhere = files[record.function]
                raise GraderFault(f"{item.path}: test {record.function!r} is also in {elsewhere}; rename one")
        if not self._records:
            raise GraderFault("the grader's files hold no test")
        cases: dict[str, list[Record]] = {}
        for record in self._records.values():
            cases.setdefault(record.function, []).append(record)
        for group in cases.values():
            for record, share in zip(group, share_equally(group[0].out_of, len(group)), strict=True):
                record.out_of = share
        order = list(cases)
        for record in self._records.values():
            late = [name for name in record.depends if name in cases and order.index(name) > order.index(record.function)]
            if record.instead and late:
                raise GraderFault(f"test {record.function!r} carries forward from {late[0]!r}, which must stand before it")
            if unknown := [name for name in record.depends if name not in cases]:
                raise GraderFault(f"test {record.function!r} depends on {unknown[0]!r}, which does not exist")

    def of(self, item: pytest.Item) -> Record:
        """The record of an item."""
        return self._records[_name(item)]

    def carried(self, item: pytest.Item) -> tuple[str, ...]:
        """Functions that the reference lends to this test, because a test that it builds on has found them wrong."""
        record = self.of(item)
        failed = {other.function for other in self._records.values() if other.judgement is not None}
        record.carried = record.carried or bool(record.instead and failed & set(record.depends))
        return record.instead if record.carried else ()

    def results(self) -> tuple[TestResult, ...]:
        """All results, in the order of the tests."""
        failed = {record.function for record in self._records.values() if record.verdict is not Verdict.PASSED}
        titles = {record.function: record.title for record in self._records.values()}
        return tuple(self._result(record, failed, titles) for record in self._records.values())

    def _result(self, record: Record, failed: set[str], titles: dict[str, str]) -> TestResult:
        passed = record.verdict is Verdict.PASSED
        message = record.judgement.message if record.judgement else ""
        verdict = record.verdict
        if record.trained and verdict is Verdict.FAILED and not failed & set(record.depends):
            verdict = Verdict.REVIEW  # a trained metric alone fails nobody
            message += "; a person will look at this answer"
        if record.carried:
            names = ", ".join(f"`{name}`" for name in record.instead)
            message += f"\nTested with a right {names} in place of yours."
        for name in record.depends if not passed and not record.carried else ():
            if name in failed:
                message += f"\nThis builds on “{titles[name]}”, which did not pass either: mend that first."
        return TestResult(
            name=record.name,
            title=record.title,
            verdict=verdict,
            points=record.out_of if passed else Decimal(0),
            out_of=record.out_of,
            message=message.strip(),
            detail="\n\n".join(record.details)[:MAX_DETAIL],
            hint="" if passed else record.hint,
            seconds=record.seconds,
            retrains=record.retrains,
            public=record.public,
        )


def share_equally(marks: Decimal, cases: int) -> list[Decimal]:
    """Splits marks between cases; the sum is exact."""
    if cases == 1:
        return [marks]
    share = (marks / cases).quantize(SHARE, ROUND_DOWN).normalize()
    return [share] * (cases - 1) + [marks - share * (cases - 1)]


def _name(item: pytest.Item) -> str:
    return _REPEATED.sub("", item.name).replace("-]", "]").removesuffix("[]")


def _record(item: pytest.Item) -> Record:
    function = getattr(item, "function", None)
    name = str(getattr(item, "originalname", None) or item.name)
    title = (inspect.getdoc(function) or name.removeprefix("test_").replace("_", " ")).strip().splitlines()[0]
    depends = item.get_closest_marker("depends")
    try:
        marks = Decimal(str(_argument(item, "marks", 0)))
    except ArithmeticError:
        raise GraderFault(f"test {name!r}: marks() takes a number") from None
    return Record(
        name=_name(item),
        function=name,
        title=title,
        out_of=marks,
        hint=str(_argument(item, "hint", "")),
        public=item.get_closest_marker("public") is not None,
        reviewed=item.get_closest_marker("review") is not None,
        depends=tuple(depends.args) if depends else (),
        instead=_instead(depends.kwargs.get("instead", ())) if depends else (),
    )


def _instead(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _argument(item: pytest.Item, marker: str, default: Any) -> Any:
    found = item.get_closest_marker(marker)
    if found is None:
        return default
    if len(found.args) != 1:
        raise GraderFault(f"test {item.name!r}: {marker}() takes one argument")
    return found.args[0]
