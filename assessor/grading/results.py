"""What grading one submission gives: a verdict a test, with what the student and what staff may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from gpu_runner.execution import Execution, Limits


class Verdict(StrEnum):
    """How one hidden test ended."""

    PASSED = "passed"
    FAILED = "failed"
    """A wrong answer: the test's assertion did not hold."""
    RAISED = "raised"
    """The student's code raised."""
    MISSING = "missing"
    """The name that the test needs is not defined."""
    TIMED_OUT = "timed out"
    DIED = "process ended"
    BAD_REPLY = "not a value"
    """What came back could not be read as data."""
    REVIEW = "review"
    """Ours: the test itself broke. No mark until a person has looked."""


@dataclass(frozen=True)
class TestResult:
    """One test's verdict.

    Attributes:
        name: pytest's name of the test, without the file.
        title: first line of its docstring; what the student reads.
        message: for the student: never an expected value or an input of a hidden test.
        detail: for staff: everything.
        retrains: how often a training that fell short was begun again with another seed.
        where: 'trusted' or 'in-kernel' (a classic nbgrader cell that ran beside the student's code).
    """

    __test__ = False  # not a pytest class

    name: str
    title: str
    verdict: Verdict
    points: Decimal
    out_of: Decimal
    message: str = ""
    detail: str = ""
    hint: str = ""
    seconds: float = 0.0
    retrains: int = 0
    public: bool = False
    where: str = "trusted"


@dataclass(frozen=True)
class Bundle:
    """All that a worker needs to grade one submission. Picklable; holds no database and no secret but the seed.

    Attributes:
        notebooks: notebook file name -> bytes as handed in.
        attachments: other handed-in files, name -> bytes.
        source: the assignment's folder (source notebooks, public data).
        grader: the assignment's secret folder (hidden tests, reference).
        seed: from HMAC(course secret, student, assignment, run).
        gpu: 'required', 'preferred' or 'none'; gpu_share: how many runs may have one device at the same time.
        grader_sha256: names the version of hidden tests and source.
    """

    submission_id: int
    assignment: str
    notebooks: dict[str, bytes]
    attachments: dict[str, bytes]
    source: Path
    grader: Path
    limits: Limits
    seed: int
    backend: str = "bubblewrap"
    python: Path | None = None
    grader_sha256: str = ""
    gpu: str = "none"
    gpu_share: int = 1


@dataclass(frozen=True)
class Grading:
    """The result of grading one submission: evidence, never yet a mark.

    Attributes:
        changes: what re-basing found: lines for staff and student ('test cell "t3" had been edited; restored').
        note: why the run went as it did, one line, or ''.
    """

    submission_id: int
    execution: Execution
    tests: tuple[TestResult, ...]
    changes: tuple[str, ...] = field(default=())
    note: str = ""

    @property
    def points(self) -> Decimal:
        """What the tests gave."""
        return sum((test.points for test in self.tests), Decimal(0))

    @property
    def out_of(self) -> Decimal:
        """What they could give."""
        return sum((test.out_of for test in self.tests), Decimal(0))

    @property
    def needs_review(self) -> bool:
        """Whether a fault of ours keeps this from becoming a mark."""
        return any(test.verdict is Verdict.REVIEW for test in self.tests)
