"""Classic nbgrader test cells, out of the student's reach: the cell runs in this process, unchanged.

Theory of operation. While the notebook runs, each autograded test cell comes by twice. First its visible part runs in
the kernel, as the student knows it. Where that went well the whole cell, hidden tests included, runs here, at the same
point of the notebook. What the instructor's own cells import, define or set to a constant is the instructor's, made
anew on this side; every other free name is the student's: data by value, functions and objects as handles. So neither
the hidden tests nor numpy's `allclose` can be patched or read.

Not everything can run so: magics, plots, `isinstance` of a class that only the kernel has, gradients through a value
that crossed, an argument changed in place. Which cells cannot is decided before any student's code is seen: by the
cell's own code, and by running the instructor's solution (`unfit`). Those run in the kernel, whole, and their results
are labelled 'in-kernel'. What a student's code does never moves a cell there.

Where only this side objects, in a line that the kernel ran without objection, or breaks in a way that is no assertion,
the student's code forged the check or is odd in a way that the solution is not. That is for a person to say.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.util
import io
import math
import numbers
import random
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
from nbformat import NotebookNode

from assessor.grading.bounded import TookTooLong, bounded
from assessor.grading.proxy import Handle, OperableHandle, Student
from assessor.grading.results import Verdict
from assessor.grading.seeds import sub_seed
from assessor.grading.verdicts import Judgement, judge
from assessor.notebooks.regions import HIDDEN_TESTS, grade_id, is_answer, is_test, without
from gpu_runner.channel import Channel
from gpu_runner.errors import BadReply, StudentCodeError, StudentFault
from gpu_runner.tensors import HandleRef

NOT_HERE = frozenset(
    "get_ipython display plt pyplot matplotlib inspect globals locals vars dir exec eval isinstance issubclass type callable "
    "id In Out _ __name__ input open super help".split()
)
"""Names that mean something else on this side of the channel, or ask what kind of thing an object is."""
SHARE = Decimal("0.0001")
BACKSTOP_SECONDS = 600.0
"""What a cell may take here in all; waiting for the student's code has bounds of its own."""


class NotHere(Exception):
    """Something that cannot be told on this side of the channel."""


class ClassicHandle(OperableHandle):
    """An object of the student's in a classic cell: it has its operators; what would compare or classify it is not for here."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Handle) and not super().__eq__(other):
            raise NotHere("two of the student's objects are compared")
        return isinstance(other, Handle)

    __hash__ = OperableHandle.__hash__

    def __bool__(self) -> bool:
        raise NotHere("an object's truth is asked for")

    def _given(self, value: Any) -> Any:
        return value  # the channel has made it what it is to be


@dataclass(frozen=True)
class Outcome:
    """What became of one cell here. `credit` is what its last expression gave in marks; None: all of them."""

    judgement: Judgement
    detail: str = ""
    credit: Decimal | None = None


@dataclass
class _Cell:
    """A test cell that can run here: its statements, and its last expression, which may be partial credit."""

    name: str
    source: str
    code: CodeType
    value: CodeType | None
    hidden: frozenset[int]
    outcome: Outcome | None = None


@dataclass
class ClassicCells:
    """The classic test cells of one source notebook, and what became of them in one run.

    Args:
        source: the instructor's notebook.
        seed: of the run; this side's random generators are seeded from it.
        seconds: how long waiting for the student's code may take in one cell.
        in_kernel: grade ids of the cells that `unfit` found.
    """

    source: NotebookNode
    seed: int
    seconds: float
    in_kernel: frozenset[str] = frozenset()
    _cells: dict[str, _Cell] = field(default_factory=dict)
    _given: list[tuple[str, ast.stmt]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for cell in self.source.cells:
            if cell.cell_type != "code":
                continue
            if is_test(cell):
                made = _compiled(grade_id(cell), str(cell.source))
                if made is not None and made.name not in self.in_kernel:
                    self._cells[made.name] = made
            self._given += [(grade_id(cell), statement) for statement in _instructors(cell)]

    def prepare(self, notebook: NotebookNode) -> None:
        """Takes the hidden tests out of the cells that can run here: the kernel gets the visible part alone."""
        for cell in notebook.cells:
            if cell.cell_type == "code" and grade_id(cell) in self._cells and is_test(cell):
                cell.source = without(str(cell.source), HIDDEN_TESTS)

    def outcomes(self) -> Mapping[str, Outcome]:
        """What was decided here, by grade id."""
        return {name: cell.outcome for name, cell in self._cells.items() if cell.outcome is not None}

    def check(self, name: str, channel: Channel) -> None:
        """Runs a cell whose visible part has just gone well in the kernel."""
        cell = self._cells[name]
        if cell.outcome is None:  # where a notebook runs again, its first run is the record
            channel.begin(self.seconds)
            cell.outcome = self._outcome(cell, channel)

    def knows(self, name: str) -> bool:
        """Whether `check` has anything to do for this grade id."""
        return name in self._cells

    def missed(self, name: str) -> bool:
        """Whether a cell was to be judged here and was not: the notebook's process ended too soon."""
        cell = self._cells.get(name)
        return cell is not None and cell.outcome is None

    def _outcome(self, cell: _Cell, channel: Channel) -> Outcome:
        namespace = _Namespace(Student(channel))
        channel.wrap = lambda named: _wrapped(channel, named)
        channel.raised = _raised
        self._seed_this_side(cell.name)
        try:
            with _quiet(), bounded(BACKSTOP_SECONDS):
                self._lay_given(namespace, cell.name)
                exec(cell.code, namespace)  # noqa: S102  the instructor's own code
                value = eval(cell.value, namespace) if cell.value else None  # noqa: S307
        except (Exception, SystemExit) as exc:  # noqa: BLE001  told apart there
            return self._failed(cell, exc)
        finally:
            channel.raised = StudentCodeError
        return _credited(value)

    def _failed(self, cell: _Cell, exc: BaseException) -> Outcome:
        """What an exception means: the student's fault, a wrong answer, or something for a person to look at."""
        detail = "".join(traceback.format_exception(exc))[-20_000:]
        hidden = _line(exc, _file(cell.name)) in cell.hidden
        if isinstance(exc, TookTooLong):
            return Outcome(Judgement(Verdict.TIMED_OUT, "this check did not end in time"), detail)
        if isinstance(exc, StudentFault) and not isinstance(exc, BadReply):
            return Outcome(judge(exc, Path(_file(cell.name)), None), detail)
        if isinstance(exc, AssertionError) and hidden:
            return Outcome(Judgement(Verdict.FAILED, "a check failed here"), detail)
        seen = "this check did not go well when it was repeated out of the notebook's reach; a person will look at it"
        return Outcome(Judgement(Verdict.REVIEW, seen), detail)

    def _lay_given(self, namespace: _Namespace, name: str) -> None:
        """The instructor's own imports, functions, classes and constants that come before the cell."""
        for place, statement in self._given:
            if place and place == name:
                return
            module = ast.Module([statement], [])
            with contextlib.suppress(NotHere, StudentFault, ImportError):
                exec(compile(module, "<given>", "exec"), namespace)  # noqa: S102  the instructor's own code

    def _seed_this_side(self, name: str) -> None:
        number = sub_seed(self.seed, "classic", name)
        random.seed(number)
        np.random.seed(number % 2**32)
        torch.manual_seed(number)


def unfit(source: NotebookNode, run: Callable[[ClassicCells, NotebookNode], None]) -> frozenset[str]:
    """Grade ids of the test cells that do not pass here although the instructor's solution passes them in the kernel.

    Args:
        run: runs a notebook in a sandbox and has its cells checked.
    """
    trial = ClassicCells(source, seed=0, seconds=60.0)
    run(trial, deepcopy(source))
    outcomes = trial.outcomes()
    passed = {name for name, outcome in outcomes.items() if outcome.judgement.verdict is Verdict.PASSED}
    return frozenset(trial._cells) - passed


class _Namespace(dict[str, Any]):
    """Globals of a test cell: its own names, then Python's, then the student's."""

    def __init__(self, student: Student) -> None:
        super().__init__({"__name__": "__main__", "__builtins__": builtins})
        self._student = student

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        return self._student[name]


def _compiled(name: str, source: str) -> _Cell | None:
    """The cell made ready to run here; None where its code says that it cannot."""
    try:
        tree = ast.parse(source, _file(name))
    except (SyntaxError, ValueError, RecursionError):  # a magic, or no Python
        return None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    asynchronous = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.AsyncFunctionDef)
    if names & NOT_HERE or any(isinstance(node, (*asynchronous, ast.Global)) for node in ast.walk(tree)):
        return None
    last = tree.body[-1] if tree.body else None
    value = None
    if isinstance(last, ast.Expr):
        value = compile(ast.Expression(last.value), _file(name), "eval")
        tree.body.pop()
    return _Cell(name, source, compile(tree, _file(name), "exec"), value, _hidden_lines(source))


def _hidden_lines(source: str) -> frozenset[int]:
    found, inside = set(), False
    for number, line in enumerate(source.split("\n"), 1):
        inside = (inside or HIDDEN_TESTS[0] in line) and HIDDEN_TESTS[1] not in line
        if inside:
            found.add(number)
    return frozenset(found)


def _instructors(cell: NotebookNode) -> Iterator[ast.stmt]:
    """Statements of a source cell that are the instructor's alone: imports of any cell; of cells that students do not
    write also functions, classes and constants."""
    try:
        lines = ("" if line.lstrip()[:1] in ("%", "!") else line for line in cell.source.split("\n"))
        statements = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError):
        return
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            if _importable(statement):
                yield statement
        elif not is_answer(cell) and isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement
        elif not is_answer(cell) and isinstance(statement, ast.Assign):
            with contextlib.suppress(ValueError):
                ast.literal_eval(statement.value)
                yield statement


def _importable(statement: ast.Import | ast.ImportFrom) -> bool:
    """Whether this side has the module; one that lies beside the notebook is the student's to write."""
    if isinstance(statement, ast.ImportFrom):
        names = [statement.module or ""] if not statement.level else [""]
    else:
        names = [alias.name for alias in statement.names]
    return all(name and importlib.util.find_spec(name.partition(".")[0]) is not None for name in names)


def _wrapped(channel: Channel, named: HandleRef) -> Handle:
    if named.type_name == "module":
        raise NotHere("a module of the student's process is used")
    return ClassicHandle(channel, named)


def _raised(type_name: str, message: str, trace: str) -> StudentCodeError:
    """The student's exception, also of the builtin class that it has over there, so that `except ValueError` sees it."""
    kind = getattr(builtins, type_name, None)
    usable = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, AssertionError)
    if usable:
        with contextlib.suppress(TypeError):  # classes whose instances differ too much
            return type(type_name, (StudentCodeError, kind), {})(type_name, message, trace)  # type: ignore[no-any-return, arg-type]
    return StudentCodeError(type_name, message, trace)


def _credited(value: Any) -> Outcome:
    """Full marks, or what the cell's last expression says when it is a number; a number that cannot be is none."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, (bool, Handle)) or not isinstance(value, numbers.Real):
        return Outcome(Judgement(Verdict.PASSED))
    return credit_of(float(value))


def credit_of(number: float) -> Outcome:
    """What a number as partial credit earns; one that cannot be a mark earns nothing."""
    detail = f"partial credit: {number!r}"
    if not math.isfinite(number) or number < 0:
        return Outcome(Judgement(Verdict.FAILED, "this check came to no valid score"), detail)
    verdict = Verdict.PASSED if number else Verdict.FAILED
    return Outcome(Judgement(verdict, "" if number else "this check gave no credit"), detail, Decimal(repr(number)))


def credited(points: Decimal, credit: Decimal | None) -> Decimal:
    """Partial credit in marks, never more than the cell is worth."""
    return points if credit is None or credit >= points else credit.quantize(SHARE, ROUND_DOWN)


def _file(name: str) -> str:
    return f"<test cell {name}>"


def _line(exc: BaseException, file: str) -> int:
    """The last line of the cell that was being run."""
    lines = [number for frame, number in traceback.walk_tb(exc.__traceback__) if frame.f_code.co_filename == file]
    return lines[-1] if lines else 0


@contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
