"""A student's look at their own work: the notebook from top to bottom in a fresh kernel, then the public tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assessor.errors import AssessorError
from assessor.grading.grade import grade
from assessor.grading.results import Bundle, Grading, TestResult, Verdict
from assessor.notebooks.public import FOLDER
from assessor.notebooks.reading import read_raw
from gpu_runner.errors import SandboxUnavailable
from gpu_runner.execution import Limits

SANDBOX, OWN = "bubblewrap", "unconfined"
SEED = 0
"""Everybody's the same: what a student sees is what the student beside them sees."""


@dataclass(frozen=True)
class Checked:
    """What came of it, and in which sandbox: 'unconfined' is none."""

    notebook: Path
    grading: Grading
    sandbox: str

    @property
    def tests(self) -> tuple[TestResult, ...]:
        """The public tests' results."""
        return self.grading.tests

    @property
    def passed(self) -> bool:
        """Whether all of them pass."""
        return all(test.verdict is Verdict.PASSED for test in self.tests)


def check(notebook: Path, files: Sequence[Path] = (), *, confined: bool = True) -> Checked:
    """Runs a student's notebook and the public tests that were released beside it, in the folder checks/.

    Args:
        files: what is handed in with it; other notebooks of the assignment among them.
        confined: False runs it as any program of the student's, for machines that have no sandbox; only when asked for.

    Raises:
        AssessorError: a file cannot be read, no public tests lie beside the notebook, or this machine has no sandbox.
    """
    given = {path.name: _read(path) for path in (notebook, *files)}
    fault = read_raw(given[notebook.name]).fault
    if fault:
        raise AssessorError(f"{notebook}: {fault}; save it again in Jupyter, then check it again")
    folder = notebook.resolve().parent
    tests = folder / FOLDER
    if not any(tests.glob("test_*.py")):
        raise AssessorError(
            f"{notebook}: no public tests beside it: expected {FOLDER}/test_*.py in the same folder, as the assignment "
            "was released; put the notebook back there (not every assignment has public tests)"
        )
    notebooks = {name: data for name, data in given.items() if name.endswith(".ipynb")}
    others = {name: data for name, data in given.items() if name not in notebooks}
    backend = SANDBOX if confined else OWN
    bundle = Bundle(0, folder.name, notebooks, others, folder, tests, Limits(), SEED, backend=backend)
    try:
        return Checked(notebook, grade(bundle, own=True), backend)
    except SandboxUnavailable as missing:
        raise AssessorError(
            f"{notebook}: this machine has no sandbox ({missing.reason}); where the notebook is your own, --unconfined runs it "
            "in your own Python, with your files and network at hand"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise AssessorError(f"{path}: cannot be read: {fault.strerror}") from None
