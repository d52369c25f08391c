"""From what a hidden test raised to a verdict: whose fault it was, and what the student may read about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _pytest.outcomes import Failed

from assessor.grading.proxy import Student, names_of_data
from assessor.grading.results import Verdict
from assessor.grading.tolerances import WrongAnswer
from gpu_runner.errors import (
    BadReply,
    KernelDied,
    NameMissing,
    StudentCodeError,
    StudentTimeout,
)

MAX_CLAIM = 300
MAX_TRACEBACK = 1500
WRONG_HERE = "the answer is wrong here"
JUDGES = ("assessor.grading.tolerances", "torch.testing", "numpy.testing")
"""Modules, besides the test itself, whose AssertionError is a judgement on the answer."""

PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, np.ndarray, torch.Tensor)
"""What crosses from a student by value."""


@dataclass(frozen=True)
class Judgement:
    """A verdict and the sentence that the student reads."""

    verdict: Verdict
    message: str = ""


OURS = Judgement(Verdict.REVIEW, "this test could not be run properly; a person will look at it")


def judge(exc: BaseException, test_file: Path, student: Student | None) -> Judgement:
    """Whose fault an exception out of a hidden test is.

    Only the student's own faults and failed assertions of the test count against the student. Whatever else is raised
    on this side is ours: `REVIEW`.
    """
    match exc:
        case NameMissing():
            text = f"`{exc.name}` is not defined when your notebook is run from top to bottom"
            return Judgement(Verdict.MISSING, text)
        case StudentTimeout():
            return Judgement(Verdict.TIMED_OUT, f"no answer within {exc.seconds:g} s")
        case KernelDied():
            return Judgement(Verdict.DIED, f"the notebook's process ended: {exc.reason[:MAX_CLAIM]}")
        case BadReply():
            return Judgement(Verdict.BAD_REPLY, f"what your code gave cannot be used as a value: {exc}"[:MAX_CLAIM])
        case StudentCodeError():
            return Judgement(Verdict.RAISED, _own_error(exc))
        case WrongAnswer():
            return Judgement(Verdict.FAILED, exc.for_student)
        case Failed():  # pytest.fail, or pytest.raises that saw nothing
            return Judgement(Verdict.FAILED, WRONG_HERE)
        case AssertionError() if _is_judgement(exc, test_file):
            return Judgement(Verdict.FAILED, WRONG_HERE)
        case TypeError() if student is not None and (found := _called_data(exc, test_file, student)):
            return Judgement(Verdict.BAD_REPLY, found)
        case AttributeError() if student is not None and isinstance(exc.obj, PLAIN) and _in_test(exc, test_file):
            text = f"a plain value ({type(exc.obj).__name__}) came back where an object with `{exc.name}` was expected"
            return Judgement(Verdict.BAD_REPLY, text)
    return OURS


def _own_error(exc: StudentCodeError) -> str:
    """Their own words and lines, cut short: these may quote the test's inputs, which no other student or run shares."""
    text = f"your code raised {exc.type_name[:MAX_CLAIM]}: {exc.message[:MAX_CLAIM]}"
    return f"{text}\n{exc.traceback[-MAX_TRACEBACK:]}" if exc.traceback else text


def _is_judgement(exc: BaseException, test_file: Path) -> bool:
    """Whether the assertion stands in the test or in a module made for judging, not in the reference or a library."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    return Path(trace.tb_frame.f_code.co_filename) == test_file or module.startswith(JUDGES)


def _in_test(exc: BaseException, test_file: Path) -> bool:
    """Whether it was raised by a line of the test itself."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename) == test_file


def _called_data(exc: TypeError, test_file: Path, student: Student) -> str:
    """The test called `student.f(...)`, but the notebook has since given the name `f` to a value: a common slip."""
    if not str(exc).endswith("object is not callable"):
        return ""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or Path(trace.tb_frame.f_code.co_filename) != test_file:
        return ""
    line = test_file.read_text(encoding="utf-8").splitlines()[trace.tb_lineno - 1]
    for name, kind in names_of_data(student).items():
        if re.search(rf"\bstudent\.{re.escape(name)}\(", line) and f"'{kind}'" in str(exc):
            return f"`{name}` is a {kind} in your notebook, where a function was expected"
    return ""
