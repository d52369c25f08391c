"""Hidden tests against our own code, without a sandbox: for authors of labs, mutation and calibration.

The notebook's cells run in this process. Trusted code only: the source's own solutions, right variants and mutants that
we wrote. A student's notebook goes through `assessor.grading.grade`.
"""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import os
import sys
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import torch
from nbformat import NotebookNode

from assessor.errors import GraderFault
from assessor.grading.plugin import run_tests
from assessor.grading.results import TestResult
from assessor.grading.seeds import sub_seed
from gpu_runner.launcher import fix_seeds
from gpu_runner.testing import in_process


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a student's kernel: two runs side by side on two cores then cost each other nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def grade_source(
    source_notebook: Path,
    grader_dir: Path,
    replacements: Mapping[str, str] | None = None,
    *,
    seed: int = 0,
    public_only: bool = False,
    only: Collection[str] = (),
    shown: bool = True,
    collect: dict[str, tuple[list[float], bool]] | None = None,
) -> tuple[TestResult, ...]:
    """Runs a source notebook with some of its code replaced, then the hidden tests.

    Args:
        replacements: grade id of a cell, or name of a function, class or variable defined at the top of a cell -> the
            code in its place. Magics and shell lines are left out; cells that raise are passed over.
        only: names of the test functions to run; all where none is given.
        shown: False leaves out the cells that only show something, whose grade ids begin as in `SHOWN`.
        collect: takes the values of calibrated metrics, which are then not judged.

    Raises:
        GraderFault: ours; a replacement names nothing, or the tests themselves broke.
    """
    notebook = nbformat.read(source_notebook, as_version=4)
    fix_seeds(sub_seed(seed, "kernel", source_notebook.name) % 2**32)
    namespace = run_cells(notebook, replacements or {}, source_notebook.parent, shown=shown)
    with in_process(namespace) as channel:
        code = {"": _answers(notebook, replacements or {})}
        return run_tests(
            grader_dir, lambda name: channel, seed=seed, public_only=public_only, only=only, code=code, collect=collect
        )


def _answers(notebook: NotebookNode, replacements: Mapping[str, str]) -> list[str]:
    """The code of the answer cells, replacements made: what `forbids` looks at."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    named = [(str(cell.metadata.get("nbgrader", {}).get("grade_id", "")), _without_magics(cell.source)) for cell in code]
    texts = replaced(named, replacements)
    return [text for cell, text in zip(code, texts, strict=True) if cell.metadata.get("nbgrader", {}).get("solution")]


@_one_thread()
def run_cells(
    notebook: NotebookNode, replacements: Mapping[str, str], folder: Path, *, shown: bool = True
) -> dict[str, Any]:
    """Runs the code cells in a fresh namespace of this process, inside `folder`, and gives the namespace.

    What a cell raised is kept under '__errors__', cell number -> traceback.
    """
    cells = [
        (str(cell.metadata.get("nbgrader", {}).get("grade_id", "")), _without_magics(cell.source))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    errors: dict[int, str] = {}
    namespace: dict[str, Any] = {"__name__": "__main__", "__errors__": errors}
    with _quiet(), contextlib.chdir(folder):
        for number, source in enumerate(replaced(cells, replacements)):
            if not shown and cells[number][0].startswith(SHOWN):
                continue
            name = f"<cell {number}>"
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
            try:
                exec(compile(source, name, "exec"), namespace)  # noqa: S102  trusted code: see the module's docstring
            except Exception:  # noqa: BLE001  a check that fails on purpose, a mutant that raises
                errors[number] = traceback.format_exc()
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    return namespace


def replaced(cells: list[tuple[str, str]], replacements: Mapping[str, str]) -> list[str]:
    """The cells' sources with replacements made.

    Raises:
        GraderFault: ours; a replacement names neither a cell nor something defined at the top of one.
    """
    sources = [replacements.get(grade_id, source) if grade_id else source for grade_id, source in cells]
    known = {grade_id for grade_id, _ in cells}
    for name, code in replacements.items():
        if name in known:
            continue
        places = [(index, span) for index, source in enumerate(sources) if (span := _span(source, name))]
        if not places:
            raise GraderFault(f"replacement {name!r}: no cell has this grade id and none defines this name")
        for index, (first, last) in places:
            lines = sources[index].splitlines()
            sources[index] = "\n".join([*lines[: first - 1], code, *lines[last:]])
    return sources


def _span(source: str, name: str) -> tuple[int, int] | None:
    """First and last line of the definition of a name at the top of a cell."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return None
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
            first = min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
            return first, statement.end_lineno or first
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in statement.targets
        ):
            return statement.lineno, statement.end_lineno or statement.lineno
    return None


SHOWN = ("check-", "plot-", "train-", "followup-")
_TRANSPARENT = ("%%time", "%%timeit", "%%capture")


def _without_magics(source: str) -> str:
    """The cell as Python; a cell magic that only watches is left out, one that changes the language takes the cell."""
    if source.lstrip().startswith("%%") and not source.lstrip().startswith(_TRANSPARENT):
        return ""
    lines = source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


@contextmanager
def _quiet() -> Iterator[None]:
    """No figures on a screen, no output: what the cells print is of no use here."""
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if before is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = before
