"""Grades one submission: re-base, run in a sandbox, test from outside, return the evidence.

A worker calls `grade` with a `Bundle` and nothing else. The notebook runs once, cell after cell; that run is the
record. The hidden tests then call into the same live kernel. Where the kernel ended (a crash, a limit), it is opened
again and the cells that worked are run again, so that what was right still earns its marks; where a hidden test ends
it, that test is lost and the rest goes on in a new kernel. Both together happen at most `MAX_REOPENED` times.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from assessor.errors import GraderFault
from assessor.grading.classic import ClassicCells, unfit
from assessor.grading.incell import in_kernel_results
from assessor.grading.plugin import run_tests
from assessor.grading.results import Bundle, Grading, TestResult
from assessor.grading.seeds import sub_seed
from assessor.notebooks.rebase import Rebased, as_it_is, rebase
from gpu_runner.channel import Channel
from gpu_runner.errors import KernelDied
from gpu_runner.execution import CellStatus, Execution, Outcome
from gpu_runner.gpus import Lease, leased
from gpu_runner.notebook import Kernel, open_kernel

MAX_REOPENED = 3
_unfit: dict[tuple[object, ...], frozenset[str]] = {}
_FATAL = (CellStatus.TIMED_OUT, CellStatus.KILLED)


def grade(bundle: Bundle, *, own: bool = False) -> Grading:
    """Grades a submission. Whatever the student's files and code do is in the result.

    Args:
        own: runs the notebooks as they are, by the tests of `bundle.grader`: for students on their own machines, where
            there is no source to put their answers into.

    Raises:
        RunnerError: ours; no sandbox, no kernel.
        GraderFault: ours; the hidden tests, the reference or the source are broken.
    """
    if own:
        return _graded(bundle, {name: as_it_is(data) for name, data in bundle.notebooks.items()}, {})
    sources = _sources(bundle)
    hidden_tests = any(bundle.grader.glob("test_*.py"))
    rebased = {
        name: rebase(bundle.notebooks.get(name, b""), source, hidden_tests=not hidden_tests)
        for name, source in sources.items()
    }
    classic = {} if hidden_tests else {name: _classic(bundle, name, source) for name, source in sources.items()}
    return _graded(bundle, rebased, classic)


def _graded(bundle: Bundle, rebased: dict[str, Rebased], classic: dict[str, ClassicCells]) -> Grading:
    """Runs the notebooks and the tests: the classic cells where there are some, else the hidden tests."""
    with ExitStack() as stack:
        lease = stack.enter_context(leased(bundle.gpu, share=bundle.gpu_share, label=f"submission {bundle.submission_id}"))
        runs = {
            name: stack.enter_context(_running(bundle, name, rebased[name], lease, classic.get(name))) for name in rebased
        }
        if not classic:
            first = next(iter(runs))
            code = {name: rebased[name].code for name in rebased}
            tests = run_tests(
                bundle.grader,
                lambda name: _run_of(runs, name or first).connect(),
                seed=bundle.seed,
                device="cuda" if lease else "cpu",
                code={**code, "": code[first]},
            )
        else:
            tests = _in_kernel(runs, classic)
        execution = _merged([run.execution for run in runs.values()], list(runs))
        return Grading(
            submission_id=bundle.submission_id,
            execution=replace(execution, manifest={**execution.manifest, "grader_sha256": bundle.grader_sha256}),
            tests=tests,
            changes=tuple(_labelled(name, line, rebased) for name in rebased for line in rebased[name].changes),
            note="; ".join(_labelled(name, note, rebased) for name, run in runs.items() for note in run.notes),
        )


class _Run:
    """One notebook of a submission: its record, its kernel, and the kernels after that."""

    def __init__(
        self, bundle: Bundle, name: str, notebook: NotebookNode, lease: Lease | None, classic: ClassicCells | None
    ) -> None:
        self._bundle, self._notebook, self._lease, self._classic = bundle, notebook, lease, classic
        if classic is not None:
            classic.prepare(notebook)
        self._seed = sub_seed(bundle.seed, "kernel", name) % 2**32
        self._stack = ExitStack()
        self._kernel: Kernel | None = None
        self._channel: Channel | None = None
        self._reopened = 0
        self._was_over = False
        self._last_reason = ""
        self.notes: list[str] = []
        self.execution = self._open()

    def _open(self) -> Execution:
        """A fresh kernel that has run the notebook."""
        self.close()
        self._kernel = self._stack.enter_context(
            open_kernel(
                self._bundle.limits,
                files=_given_files(self._bundle),
                seed=self._seed,
                backend=self._bundle.backend,
                python=self._bundle.python,
                lease=self._lease,
            )
        )
        execution: Execution = self._kernel.run(self._notebook, self._check_cell if self._classic else None)
        if not self._kernel.alive:
            self._last_reason = self._kernel.death_reason or execution.outcome.value
            self._leave_out(execution)
        return execution

    def _check_cell(self, grade_id: str) -> None:
        """Judges a classic test cell that has just run; see `ClassicCells.check`."""
        if self._kernel is None or self._classic is None or not self._classic.knows(grade_id):
            return
        with self._kernel.asking() as channel:
            channel.cpu_clock = _cpu_clock(self._kernel)
            self._classic.check(grade_id, channel)

    def _leave_out(self, execution: Execution) -> None:
        """Empties the cells that ended the kernel, for the next one."""
        notebook = deepcopy(self._notebook)
        fatal = [cell for cell in execution.cells if cell.status in _FATAL]
        if fatal and self._is_run_over(execution):
            if self._was_over:  # not by one cell's doing: whatever is left has no time either
                fatal = [cell for cell in execution.cells if cell.index >= fatal[0].index]
            self._was_over = True
        for cell in fatal:
            notebook.cells[cell.index].source = ""
        if not fatal:  # it ended between cells: running the same again would end the same
            self._reopened = MAX_REOPENED
            return
        self._notebook = notebook
        places = ", ".join(str(cell.index + 1) for cell in fatal)
        self.notes.append(f"cell {places}: {self._last_reason}; the tests ran without it")

    def _is_run_over(self, execution: Execution) -> bool:
        """Whether it was the time of the whole notebook that was used up, not that of one cell."""
        limits, usage = self._bundle.limits, execution.usage
        return usage.cpu_seconds > limits.cpu_seconds or usage.wall_seconds > limits.wall_seconds

    def connect(self) -> Channel:
        """A channel to a kernel that lives.

        Raises:
            KernelDied: the student's; it was opened again often enough.
        """
        while self._channel is None or self._channel.broken:
            if self._channel is not None:
                self._last_reason = self._channel.broken
            if self._channel is not None or self._kernel is None or not self._kernel.alive:
                if self._reopened >= MAX_REOPENED:
                    raise KernelDied(self._last_reason)
                self._reopened += 1
                self._channel = None
                self._open()
            if self._kernel is not None and self._kernel.alive:
                self._channel = _served(self._kernel)
        return self._channel

    def close(self) -> None:
        """Ends the kernel."""
        self._kernel = None
        self._stack.close()


def _served(kernel: Kernel) -> Channel:
    """The kernel's channel; what its process tree computes is what counts against a test's time."""
    channel = kernel.serve()
    channel.cpu_clock = _cpu_clock(kernel)
    return channel


def _cpu_clock(kernel: Kernel) -> Callable[[], float]:
    return lambda: float(kernel.usage().cpu_seconds)


@contextmanager
def _running(
    bundle: Bundle, name: str, rebased: Rebased, lease: Lease | None, classic: ClassicCells | None
) -> Iterator[_Run]:
    run = _Run(bundle, name, rebased.notebook, lease, classic)
    try:
        yield run
    finally:
        run.close()


def _run_of(runs: dict[str, _Run], name: str) -> _Run:
    if name not in runs:
        raise GraderFault(f"notebook({name!r}): the assignment has {', '.join(runs)}")
    return runs[name]


def _sources(bundle: Bundle) -> dict[str, NotebookNode]:
    """The assignment's source notebooks, in the order of assignment.toml."""
    settings = bundle.source / "assignment.toml"
    names: list[Any] = tomllib.loads(settings.read_text("utf-8")).get("notebooks", []) if settings.exists() else []
    names = names or sorted(path.name for path in bundle.source.glob("*.ipynb"))
    if not names:
        raise GraderFault(f"{bundle.source}: found no notebook; an assignment needs at least one")
    return {str(name): nbformat.read(bundle.source / str(name), as_version=4) for name in names}


def _given_files(bundle: Bundle) -> dict[str, bytes]:
    """What the working directory holds: public data, and what was handed in and stands in no place of it."""
    public = _public_files(bundle.source)
    taken = {part for name in public for part in (name, *map(str, Path(name).parents))}
    return {**{name: data for name, data in bundle.attachments.items() if name not in taken}, **public}


def _public_files(source: Path) -> dict[str, bytes]:
    """The data that students were given, at the paths that the release has: data/NAME."""
    found = sorted(path for path in (source / "data").rglob("*") if path.is_file())
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in found}


def _classic(bundle: Bundle, name: str, source: NotebookNode) -> ClassicCells:
    """The notebook's classic test cells; which of them must stay in the kernel is tried once a worker and source."""
    key = name, nbformat.writes(source), bundle.source, bundle.limits, bundle.backend, bundle.python
    if key not in _unfit:
        plain = replace(bundle, attachments={}, seed=0)

        def run(cells: ClassicCells, notebook: NotebookNode) -> None:
            _Run(plain, name, notebook, None, cells).close()

        _unfit[key] = unfit(source, run)
    return ClassicCells(source, bundle.seed, bundle.limits.cell_cpu_seconds, _unfit[key])


def _in_kernel(runs: dict[str, _Run], classic: dict[str, ClassicCells]) -> tuple[TestResult, ...]:
    results = []
    for name, run in runs.items():
        for result in in_kernel_results(run.execution, classic[name]):
            label = result.name if len(runs) == 1 else f"{name}::{result.name}"
            results.append(replace(result, name=label))
    return tuple(results)


def _merged(executions: list[Execution], names: list[str]) -> Execution:
    """One record of several notebooks: the first that did not complete gives the outcome."""
    first = executions[0]
    if len(executions) == 1:
        return first
    outcome = next((one.outcome for one in executions if one.outcome is not Outcome.COMPLETED), Outcome.COMPLETED)
    others = {
        name: {"notebook": one.notebook, "outcome": one.outcome.value, "manifest": one.manifest}
        for name, one in zip(names[1:], executions[1:], strict=True)
    }
    return replace(first, outcome=outcome, manifest={**first.manifest, "other_notebooks": others})


def _labelled(name: str, line: str, names: Collection[str]) -> str:
    return line if len(names) == 1 else f"{name}: {line}"
