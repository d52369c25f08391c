"""Proof that an assignment's hidden tests are good: right answers earn everything, known wrong ones lose marks.

Everything here is our own code (the source's solution, right variants, mutants), so it runs in this process, without a
sandbox.
"""

from __future__ import annotations

import ast
import importlib.util
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import nbformat

from assessor.errors import GraderFault
from assessor.grading.local import grade_source
from assessor.grading.mutation import Mutant
from assessor.grading.results import TestResult, Verdict
from assessor.grading.verdicts import OURS
from assessor.notebooks.release import read_source, student_version

SEEDS = 15
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Kill:
    """What one mutant came to: the tests that did not pass, and those of which one should not have."""

    mutant: str
    bug: str
    failed: tuple[str, ...]
    expected: tuple[str, ...]
    points: Decimal

    @property
    def dead(self) -> bool:
        """Whether it lost marks where its entry says."""
        return bool(set(self.failed) & set(self.expected))


@dataclass(frozen=True)
class FalseFail:
    """A right answer that did not earn everything."""

    answer: str
    seed: int
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Power:
    """What the hidden tests of one assignment can do.

    Attributes:
        tests: names of its hidden tests, cases of a parametrised one together; public ones prove nothing.
        correct: how many right answers were tried, the solution among them, each over all seeds.
        release_points: what the untouched release earns.
    """

    assignment: str
    tests: tuple[str, ...]
    kills: tuple[Kill, ...]
    correct: int
    seeds: int
    false_fails: tuple[FalseFail, ...]
    out_of: Decimal
    release_points: Decimal
    seconds: float

    @property
    def alive(self) -> tuple[Kill, ...]:
        """The mutants that no test found where it should."""
        return tuple(kill for kill in self.kills if not kill.dead)

    @property
    def idle(self) -> tuple[str, ...]:
        """The tests that kill nothing."""
        busy = {name for kill in self.kills for name in kill.failed}
        return tuple(name for name in self.tests if name not in busy)

    @property
    def proven(self) -> bool:
        """Whether nothing is left to mend."""
        return not (self.alive or self.idle or self.false_fails or self.release_points)

    def summary(self) -> dict[str, object]:
        """For machines."""
        return {
            "tests": len(self.tests), "mutants": len(self.kills), "killed": len(self.kills) - len(self.alive),
            "correct": self.correct, "false_fails": len(self.false_fails), "seconds": round(self.seconds, 1),
        }  # fmt: skip


def measure(
    name: str,
    notebook: Path,
    grader: Path,
    *,
    seeds: int = SEEDS,
    whole: bool = True,
    progress: Progress = lambda done, total: None,
) -> Power:
    """Runs solution, release, right variants and mutants through the hidden tests.

    Args:
        seeds: how many seeds each right answer is tried with.
        whole: False is quick: a mutant meets only the tests of which one should find it.
        progress: called after each run with how many are done of how many.

    Raises:
        GraderFault: ours; a test, a mutant or a variant is broken.
    """
    started = time.monotonic()
    mutants, variants = load_mutants(grader), load_variants(grader)
    total, done = (1 + len(variants)) * seeds + 1 + len(mutants), 0

    def run(
        replacements: Mapping[str, str], seed: int = 0, path: Path = notebook, only: tuple[str, ...] = ()
    ) -> tuple[TestResult, ...]:
        nonlocal done
        results = grade_source(path, grader, replacements, seed=seed, only=only, shown=done == 0)
        done += 1
        progress(done, total)
        return results

    false_fails, first = [], run({})
    tests = tuple(dict.fromkeys(plain_name(result) for result in first if not result.public))
    for answer, replacements in {"the solution": {}, **variants}.items():
        for seed in range(seeds):
            results = first if (answer, seed) == ("the solution", 0) else run(replacements, seed)
            if lost(results):
                false_fails.append(FalseFail(answer, seed, lost(results)))
    with TemporaryDirectory() as folder:
        released = Path(folder) / notebook.name
        nbformat.write(student_version(read_source(notebook), notebook.name), released)
        empty = points(run({}, path=released))
    kills = []
    for mutant in mutants:
        if unknown := set(mutant.killed_by) - set(tests):
            raise GraderFault(f"{name}: mutant {mutant.name} is to be killed by {min(unknown)}, which is no test")
        results = run({mutant.replaces: mutant.source}, only=() if whole else mutant.killed_by)
        broken = [result for result in results if result.verdict is Verdict.REVIEW and result.message == OURS.message]
        if broken:
            raise GraderFault(f"{name}: mutant {mutant.name} breaks {broken[0].name}: a wrong answer is no fault of ours")
        kills.append(Kill(mutant.name, mutant.bug, lost(results), mutant.killed_by, points(results)))
    out_of = sum((result.out_of for result in first), Decimal(0))
    return Power(
        name, tests, tuple(kills), 1 + len(variants), seeds, tuple(false_fails), out_of, empty, time.monotonic() - started
    )


def load_mutants(grader: Path) -> tuple[Mutant, ...]:
    """The mutants of graders/NAME/mutants.py; none where there is no such file.

    Raises:
        GraderFault: ours; it does not load, or two have the same name.
    """
    path = grader / "mutants.py"
    found = tuple(_module(path).MUTANTS) if path.exists() else ()
    names = [mutant.name for mutant in found]
    for name in names:
        if names.count(name) > 1:
            raise GraderFault(f"{path}: two mutants are called {name!r}")
    return found


def load_variants(grader: Path) -> dict[str, dict[str, str]]:
    """Other right answers: file name -> what it replaces and with what.

    A file of graders/NAME/correct/ holds functions and classes, each of which takes the place of its namesake.

    Raises:
        GraderFault: ours; a file is not Python or replaces nothing.
    """
    return {path.stem: replacements(path) for path in sorted((grader / "correct").glob("*.py"))}


def replacements(path: Path) -> dict[str, str]:
    """Each function and class of a file, with the imports that it needs above it."""
    text = path.read_text("utf-8")
    try:
        body = ast.parse(text).body
    except SyntaxError as fault:
        raise GraderFault(f"{path}: line {fault.lineno}: not Python: {fault.msg}") from None
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    head = "\n".join(ast.get_source_segment(text, node) or "" for node in imports)
    found = {
        node.name: f"{head}\n\n{_whole(text, node)}"
        for node in body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    if not found:
        raise GraderFault(f"{path}: defines no function or class, so it replaces nothing")
    return found


def _whole(text: str, node: ast.FunctionDef | ast.ClassDef) -> str:
    """A definition with its decorators, which ast counts apart."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.split("\n")[first - 1 : node.end_lineno])


def plain_name(result: TestResult) -> str:
    """A test's name without its parameters and its class."""
    return result.name.split("[")[0].split("::")[-1]


def lost(results: Iterable[TestResult]) -> tuple[str, ...]:
    """The tests that did not pass."""
    return tuple(dict.fromkeys(plain_name(result) for result in results if result.verdict is not Verdict.PASSED))


def points(results: Iterable[TestResult]) -> Decimal:
    """What was earned."""
    return sum((result.points for result in results), Decimal(0))


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise GraderFault(f"{path}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise GraderFault(f"{path}: {type(fault).__name__}: {fault}") from fault
    return module
