"""Runs an assignment's hidden tests: pytest, in this process, with this plugin and nothing of the surroundings.

A test gets `student` (the proxy; its generators seeded anew), `reference` (graders/NAME/reference.py), `rng`
(a torch.Generator), `seed`, `device` and `calibrated`. Its first docstring line is its title. Markers:

    marks(n)               what it is worth, shared equally between the cases of a parametrised test; default 0
    public                 may be shown to, and run by, students
    timeout(seconds)       for the student's side; default 30
    repeats(n)             runs n times with different seeds; all must pass
    depends("test", ...)   builds on these tests; where one of them failed too, the message says so. With
                           instead="f" (or several names) the reference's `f` then stands in for the student's while this
                           test runs (the error is carried forward): data in, data out, so no gradient goes through it
    hint("text")           read by the student when it does not pass
    review                 a wrong answer goes to a person instead of costing marks
    forbids("torch.x", ..) the student's code may name none of these, under whatever alias
    notebook("name.ipynb") which notebook `student` is, where an assignment has several; default the first

pytest runs inside the worker with a configuration of its own: no ini file, no conftest, no installed plugins, no cache,
so that nothing but the grader's folder decides a mark.
"""

from __future__ import annotations

import importlib.util
import io
import os
import random
import sys
import warnings
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch

from assessor.errors import GraderFault
from assessor.grading.bounded import bounded
from assessor.grading.calibration import Calibration, Run, TrainedTooLow
from assessor.grading.forbids import find_uses
from assessor.grading.proxy import Student
from assessor.grading.records import Records
from assessor.grading.results import TestResult
from assessor.grading.seeds import sub_seed
from assessor.grading.tolerances import WrongAnswer
from assessor.grading.verdicts import OURS, judge
from gpu_runner.channel import Channel
from gpu_runner.errors import ChannelMisused, KernelDied, RunnerError, StudentFault

Connect = Callable[[str], Channel]
"""Gives a live channel to the kernel of a notebook ('' for the first). Called again when the last one broke."""

DEFAULT_TIMEOUT_SECONDS = 30.0
BACKSTOP_SECONDS = 900.0
"""What one test may take on this side; a claim of the student's (a number of steps, say) may not hold a worker for ever."""
STAND_IN_SECONDS = 5.0
REPEAT = "repeat_index"
MARKERS = (
    "marks(n): what the test is worth",
    "public: may be shown to students",
    "timeout(seconds): for the student's side",
    "repeats(n): runs n times with different seeds",
    "depends(*names, instead=()): tests that this one builds on; what the reference has in place of what they found wrong",
    "hint(text): shown when it does not pass",
    "review: a wrong answer goes to a person",
    "forbids(*names): what the student's code may not use",
    "notebook(name): which notebook `student` is",
)
_UNUSED = (
    "cacheprovider", "doctest", "faulthandler", "junitxml", "legacypath", "logging", "pastebin", "setuponly",
    "setupplan", "stepwise", "threadexception", "unittest", "unraisableexception", "warnings",
)  # fmt: skip
_OPTIONS = (
    "--noconftest", "--import-mode=importlib", "--strict-markers", "--disable-plugin-autoload", "--tb=short", "-q",
    "-s",
    *(part for name in _UNUSED for part in ("-p", f"no:{name}")),
)  # fmt: skip


def run_tests(
    grader: Path,
    connect: Connect,
    *,
    seed: int,
    device: str = "cpu",
    public_only: bool = False,
    only: Collection[str] = (),
    code: Mapping[str, Sequence[str]] | None = None,
    collect: dict[str, tuple[list[float], bool]] | None = None,
) -> tuple[TestResult, ...]:
    """Runs graders/NAME/test_*.py against a student's kernel.

    Args:
        connect: gives the channel; may raise `StudentFault` when the student's process cannot be had again.
        only: names of the test functions to run, with what they depend on; all where none is given.
        code: the student's own code cells of each notebook ('' for the first), for `forbids`.
        collect: takes the values of calibrated metrics, which are then not judged.
        seed: of this run; each test's inputs and the student's generators are seeded from it.

    Raises:
        GraderFault: ours; a test file or the reference does not load, no test is there, or pytest itself failed.
        RunnerError: ours; a kernel could not be opened again.
    """
    grader = grader.resolve()
    files = sorted(grader.glob("test_*.py"))
    if not files:
        raise GraderFault(f"{grader}: found no test_*.py; a grader needs at least one")
    with _isolated(grader), _reference(grader) as reference:
        plugin = _Plugin(connect, reference, seed, device, public_only, only, code or {}, Calibration(grader, collect))
        arguments = ["-c", os.devnull, "--rootdir", str(grader), *_OPTIONS, *map(str, files)]
        status = pytest.main(arguments, plugins=[plugin])
    if plugin.interrupted:
        raise KeyboardInterrupt
    if plugin.fault is not None:
        raise plugin.fault
    if plugin.broken or status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise GraderFault(f"{grader}: the hidden tests did not run: {plugin.broken or status!s}")
    return plugin.records.results()


@contextmanager
def _isolated(grader: Path) -> Iterator[None]:
    """Keeps the surroundings out of pytest, and pytest's traces out of the surroundings."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
    modules = set(sys.modules)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        # Another grader may have a test file of the same name: the next run must not find this one's module.
        for name in set(sys.modules) - modules:
            if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(grader):
                del sys.modules[name]
        os.environ.update(kept)


@contextmanager
def _reference(grader: Path) -> Iterator[ModuleType | None]:
    """Loads reference.py afresh, under a name that nothing else can have."""
    path = grader / "reference.py"
    if not path.exists():
        yield None
        return
    name = f"reference_{uuid4().hex}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise GraderFault(f"{path}: cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        try:
            spec.loader.exec_module(module)
        except Exception as exc:
            raise GraderFault(f"{path}: raised {type(exc).__name__}: {exc}") from exc
        yield module
    finally:
        del sys.modules[name]


class _Plugin:
    """What pytest calls."""

    def __init__(
        self,
        connect: Connect,
        reference: ModuleType | None,
        seed: int,
        device_name: str,
        public_only: bool,
        only: Collection[str],
        code: Mapping[str, Sequence[str]],
        calibration: Calibration,
    ) -> None:
        self._connect, self._reference_module, self._seed = connect, reference, seed
        self._device_name, self._public_only, self._only, self._code = device_name, public_only, only, code
        self._calibration = calibration
        self._students: dict[str, Student] = {}
        self.records = Records()
        self.broken = ""
        self.fault: RunnerError | None = None
        self.interrupted = False

    @pytest.fixture
    def seed(self, request: pytest.FixtureRequest) -> int:
        """A seed of this test in this run."""
        return sub_seed(self._seed, request.node.name, "inputs")

    @pytest.fixture
    def rng(self, seed: int) -> torch.Generator:
        """The generator of this test's inputs."""
        return torch.Generator().manual_seed(seed)

    @pytest.fixture
    def device(self) -> str:
        """Where the student's side computes: 'cpu' or 'cuda'."""
        return self._device_name

    @pytest.fixture
    def reference(self) -> ModuleType:
        """The reference model of the assignment."""
        if self._reference_module is None:
            raise GraderFault("this grader has no reference.py")
        return self._reference_module

    @pytest.fixture
    def calibrated(self, request: pytest.FixtureRequest) -> Callable[..., None]:
        """`calibrated(name, run, higher=True)` asserts that `run(seed)` reaches what right answers reach.

        `run` draws all that is random from its seed, the data too: on data that are hard to learn every retrain falls short.
        """
        name = request.node.name

        def seeds(attempt: int) -> int:
            return sub_seed(self._seed, name, "training", str(attempt)) % 2**31

        def check(metric: str, run: Run, *, higher: bool = True) -> None:
            runs: list[int] = []

            def counted(seed: int) -> object:
                runs.append(seed)
                return run(seed)

            try:
                self._calibration.check(metric, counted, seeds, higher=higher)
            finally:
                self.records.of(request.node).retrains += max(0, len(runs) - 1)

        return check

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Iterator[Student]:
        """The notebook, alive, its random generators seeded for this test."""
        node = request.node
        name = str(_argument(node, "notebook", ""))
        self._check_forbidden(node, name)
        for last in (False, True):
            channel = self._connect(name)
            channel.begin(float(_argument(node, "timeout", DEFAULT_TIMEOUT_SECONDS)))
            try:
                channel.seed(sub_seed(self._seed, node.name, "student"))
                break
            except KernelDied:  # it ended between two tests: not this one's doing
                if last:
                    raise
        student = self._students[node.nodeid] = Student(channel)
        carried = self.records.carried(node)
        for function in carried:
            channel.stand_in(function, self._reference_for(function))
        yield student
        if carried:
            with suppress(StudentFault):
                channel.withdraw()

    def _reference_for(self, name: str) -> Callable[..., Any]:
        """The reference's function, its time bounded: a student's code may give it any arguments."""
        function = getattr(self._reference_module, name, None)
        if function is None:
            raise GraderFault(f"depends(instead={name!r}): reference.py has no such function")

        def answer(*arguments: Any, **keywords: Any) -> Any:
            with bounded(STAND_IN_SECONDS):
                return function(*arguments, **keywords)

        return answer

    def _check_forbidden(self, node: Any, notebook: str) -> None:
        marker = node.get_closest_marker("forbids")
        if marker is None:
            return
        cells = self._code.get(notebook, ())
        for use in find_uses(cells, map(str, marker.args)):
            line = cells[use.cell - 1].split("\n")[use.line - 1].strip()[:200]
            text = f"`{use.name}` may not be used here (line {use.line}: {line})"
            raise WrongAnswer(text, f"{text}; code cell {use.cell} of theirs")

    def pytest_configure(self, config: pytest.Config) -> None:
        """Declares the markers."""
        for line in MARKERS:
            config.addinivalue_line("markers", line)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Multiplies a test with `repeats`."""
        if marker := metafunc.definition.get_closest_marker("repeats"):
            metafunc.fixturenames.append(REPEAT)
            count = int(marker.args[0])
            metafunc.parametrize(REPEAT, range(count), ids=[f"repeat{index}" for index in range(count)])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes every test before the first runs, so that none can be lost."""
        if self._public_only:
            items[:] = [item for item in items if item.get_closest_marker("public")]
        if self._only:
            items[:] = _with_what_they_build_on(self._only, items)
        self.records.plan(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A test file that does not load is our fault."""
        if report.failed:
            self.broken = self.broken or report.longreprtext.strip()[-2000:]

    def pytest_internalerror(self, excrepr: object, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """As is an error of pytest or of this plugin."""
        ours = isinstance(excinfo.value, GraderFault)
        self.broken = self.broken or (str(excinfo.value) if ours else str(excrepr)[-2000:])

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Somebody wants the worker to stop; pytest would swallow it."""
        self.interrupted = type(excinfo.value) is KeyboardInterrupt  # pytest's own stops derive from it

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Seeds this side, for a reference that draws from the global generators."""
        number = sub_seed(self._seed, item.name, "reference")
        random.seed(number)
        np.random.seed(number % 2**32)
        torch.manual_seed(number)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Bounds the test's time on this side."""
        with bounded(BACKSTOP_SECONDS):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turns each phase's end into a verdict."""
        report = yield
        exc = call.excinfo.value if call.excinfo else None
        if isinstance(exc, RunnerError) and not isinstance(exc, ChannelMisused):
            self.fault = self.fault or exc
            item.session.shouldstop = "a fault of ours"
        record = self.records.of(item)
        if exc is not None:
            record.trained = record.trained or isinstance(exc, TrainedTooLow)
            judgement = judge(exc, item.path, self._students.get(item.nodeid))
            record.fail(OURS if call.when == "teardown" else judgement, self._detail(item, report, exc))
        elif call.when == "teardown":
            record.finished += 1
        record.seconds += call.duration
        return report

    def _detail(self, item: pytest.Item, report: pytest.TestReport, exc: BaseException) -> str:
        traceback = getattr(exc, "traceback", "")
        theirs = f"\nin the student's process:\n{traceback}" if traceback and isinstance(traceback, str) else ""
        return f"{report.longreprtext}{theirs}\nseed {self._seed}, test {item.name}"


def _with_what_they_build_on(names: Collection[str], items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests of these names, and those that they depend on."""
    wanted, size = set(names), 0
    while size < len(wanted):
        size = len(wanted)
        chosen = [item for item in items if getattr(item, "originalname", item.name) in wanted]
        wanted.update(name for item in chosen for marker in item.iter_markers("depends") for name in marker.args)
    return chosen


def _argument(node: Any, marker: str, default: Any) -> Any:
    found = node.get_closest_marker(marker)
    return found.args[0] if found and found.args else default
