"""Is a course fit to be taught? Its notebooks, its hidden tests, and whether they agree with what it says."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.errors import CourseInvalid, ReleaseLeaks
from assessor.notebooks.regions import HIDDEN_TESTS, MARK_SCHEME, SOLUTION, grade_id
from assessor.workflow.release import read_source, released_files

MARKERS = frozenset({
    "marks", "public", "timeout", "repeats", "depends", "hint", "review", "notebook", "parametrize", "usefixtures",
})  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong ('error') or unwise ('warning')."""

    level: str
    file: str
    place: str
    text: str


def validate(course: Course, names: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Checks notebook assignments; all of them when no names are given.

    Raises:
        UnknownName: there is no such assignment.
    """
    chosen = [course.assignment(name) for name in names] or list(course.assignments)
    return tuple(
        finding
        for assignment in chosen
        if assignment.kind == "notebook"
        for finding in (*_notebooks(assignment), *_grader(assignment), *_release(assignment))
    )


def _notebooks(assignment: Assignment) -> Iterator[Finding]:
    for name in assignment.notebooks:
        try:
            notebook = read_source(assignment.source / name)
        except CourseInvalid as fault:
            yield Finding("error", name, fault.key, str(fault.found))
            continue
        ids = Counter(grade_id(cell) for cell in notebook.cells if grade_id(cell))
        for doubled in [found for found, count in ids.items() if count > 1]:
            yield Finding("error", name, doubled, "this grade_id is there twice")
        for number, cell in enumerate(notebook.cells, 1):
            place = grade_id(cell) or f"cell {number}"
            for begin, end in (SOLUTION, HIDDEN_TESTS, MARK_SCHEME):
                if cell.source.count(begin) != cell.source.count(end):
                    yield Finding("error", name, place, f"{begin!r} and {end!r} do not match")
            if SOLUTION[0] in cell.source and not cell.metadata.get("nbgrader", {}).get("solution"):
                yield Finding("error", name, place, "has a solution but is not marked as an answer cell")


def _grader(assignment: Assignment) -> Iterator[Finding]:
    if assignment.hidden_marks == 0:
        return
    shown = f"graders/{assignment.name}"
    files = sorted(assignment.grader.glob("test_*.py")) if assignment.grader.is_dir() else []
    if not files:
        yield Finding("warning", shown, "", "no hidden tests: nbgrader's own test cells count, inside the kernel")
        return
    if not (assignment.grader / "reference.py").is_file():
        yield Finding("error", shown, "reference.py", "there is no reference model")
    total = Decimal(0)
    for path in files:
        for found in _tests(path):
            yield from found.findings
            total += found.marks
    if total != assignment.hidden_marks:
        text = f"hidden tests are worth {total}, assignment.toml says {assignment.hidden_marks}"
        yield Finding("error", shown, "hidden_marks", text)


@dataclass(frozen=True)
class _Test:
    marks: Decimal
    findings: tuple[Finding, ...]


def _tests(path: Path) -> Iterator[_Test]:
    """The hidden tests of a file, read and never run."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as fault:
        yield _Test(Decimal(0), (Finding("error", path.name, f"line {fault.lineno}", f"not Python: {fault.msg}"),))
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            findings = []
            if not ast.get_docstring(node):
                findings.append(Finding("error", path.name, node.name, "no docstring: the student would read nothing"))
            marks = Decimal(0)
            for mark, arguments in _marks(node):
                if mark not in MARKERS:
                    findings.append(Finding("error", path.name, node.name, f"unknown marker {mark!r}"))
                if mark == "marks" and arguments:
                    marks = _number(arguments[0])
            yield _Test(marks, tuple(findings))


def _marks(node: ast.FunctionDef) -> Iterator[tuple[str, list[ast.expr]]]:
    """A test's pytest markers with their arguments."""
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Attribute) and call.value.attr == "mark":
            yield call.attr, list(decorator.args) if isinstance(decorator, ast.Call) else []


def _number(node: ast.expr) -> Decimal:
    try:
        return Decimal(str(ast.literal_eval(node)))
    except (ValueError, InvalidOperation):
        return Decimal(0)


def _release(assignment: Assignment) -> Iterator[Finding]:
    try:
        released_files(assignment)
    except ReleaseLeaks as leaks:
        for file, what in leaks.leaks:
            yield Finding("error", file, "release", what)
    except CourseInvalid as fault:
        yield Finding("error", str(fault.file), fault.key, str(fault.found))
