"""Is a course fit to be taught? Its notebooks, its hidden tests, and whether they agree with what it says.

Everything is read and nothing is run; `assessor power` runs it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from nbformat import NotebookNode

from assessor.course import Assignment, Course
from assessor.errors import CourseInvalid, ReleaseLeaks
from assessor.notebooks.regions import HIDDEN_TESTS, MARK_SCHEME, SOLUTION, flag, grade_id, is_test
from assessor.notebooks.release import metadata_faults, read_source
from assessor.workflow.release import released_files

OWN_MARKERS = frozenset(["marks", "public", "timeout", "repeats", "depends", "hint", "review", "notebook"])
MARKERS = OWN_MARKERS | {"parametrize", "usefixtures", "skip", "skipif", "xfail", "filterwarnings"}


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
        for finding in _assignment(assignment)
    )  # fmt: skip


def _assignment(assignment: Assignment) -> Iterator[Finding]:
    sources: list[NotebookNode] = []
    found = list(_notebooks(assignment, sources))
    yield from found
    yield from _grader(assignment, sources)
    if not any(finding.level == "error" for finding in found):  # it would say the same again, less well
        yield from _release(assignment)


def _notebooks(assignment: Assignment, sources: list[NotebookNode]) -> Iterator[Finding]:
    """What is wrong with the notebooks; those that can be read are put into `sources`."""
    for name in assignment.notebooks:
        shown = f"{assignment.name}/{name}"
        try:
            notebook = read_source(assignment.source / name)
        except CourseInvalid as fault:
            yield Finding("error", shown, fault.key, str(fault.found))
            continue
        sources.append(notebook)
        language = notebook.metadata.get("kernelspec", {}).get("language", "python")
        if language != "python":
            yield Finding("error", shown, "kernelspec", f"language {language!r}; only python is marked")
        for place, text in metadata_faults(notebook):
            yield Finding("error", shown, place, text)
        for number, cell in enumerate(notebook.cells, 1):
            for text in _region_faults(cell):
                yield Finding("error", shown, grade_id(cell) or f"cell {number}", text)


def _region_faults(cell: NotebookNode) -> Iterator[str]:
    """Markers that do not pair, and regions in cells where nbgrader refuses them."""
    for markers in (SOLUTION, HIDDEN_TESTS, MARK_SCHEME):
        inside = False
        for line in cell.source.split("\n"):
            if markers[0] in line or markers[1] in line:
                if inside is (markers[0] in line):
                    yield f"{line.strip()!r} without its other half"
                inside = markers[0] in line
        if inside:
            yield f"{markers[0]!r} is never closed"
    for markers, allowed, what in (
        (SOLUTION, flag(cell, "solution"), "an answer cell"),
        (HIDDEN_TESTS, flag(cell, "grade"), "a test cell"),
        (MARK_SCHEME, flag(cell, "task"), "a task cell"),
    ):
        if markers[0] in cell.source and not allowed:
            yield f"has {markers[0]!r} but is not marked as {what}"


def _grader(assignment: Assignment, sources: list[NotebookNode]) -> Iterator[Finding]:
    shown = f"graders/{assignment.name}"
    files = sorted(assignment.grader.glob("test_*.py")) if assignment.grader.is_dir() else []
    classic = sum((_points(cell) for notebook in sources for cell in notebook.cells if is_test(cell)), Decimal(0))
    if files:
        yield from _hidden_tests(assignment, files)
        if classic:
            text = f"test cells in the notebook are worth {classic}, which counts for nothing beside {shown}/test_*.py"
            yield Finding("warning", assignment.name, "points", text)
    elif assignment.hidden_marks:
        yield Finding("warning", shown, "", "no hidden tests: nbgrader's own test cells count, inside the kernel")
        if classic != assignment.hidden_marks:
            text = f"test cells are worth {classic}, assignment.toml says {assignment.hidden_marks}"
            yield Finding("error", assignment.name, "hidden_marks", text)


def _hidden_tests(assignment: Assignment, files: Sequence[Path]) -> Iterator[Finding]:
    shown = f"graders/{assignment.name}"
    if not (assignment.grader / "reference.py").is_file():
        yield Finding("error", shown, "reference.py", "there is no reference model")
    tests = [test for path in files for test in _tests(path)]
    for test in tests:
        yield from (Finding("error", f"{shown}/{test.file}", test.name, text) for text in test.faults)
    for (file, name), count in Counter((test.file, test.name) for test in tests).items():
        if count > 1:
            yield Finding("error", f"{shown}/{file}", name, f"defined {count} times: only the last would run")
    names = {test.name for test in tests}
    for test in tests:
        for name in sorted(test.depends - names):
            yield Finding("error", f"{shown}/{test.file}", test.name, f"depends on {name!r}, which is no test")
    total = sum((test.marks for test in tests), Decimal(0))
    if total != assignment.hidden_marks:
        text = f"hidden tests are worth {total}, assignment.toml says {assignment.hidden_marks}"
        yield Finding("error", shown, "hidden_marks", text)


@dataclass(frozen=True)
class _Test:
    file: str
    name: str
    marks: Decimal = Decimal(0)
    depends: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()


def _tests(path: Path) -> Iterator[_Test]:
    """The hidden tests of a file, in classes too; a file that is not Python is one with a fault."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as fault:
        place = f"line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
        yield _Test(path.name, place, faults=(f"not Python: {fault}",))
        return
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test"))
    for node in (*tree.body, *(inner for group in classes for inner in group.body)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            yield _test(path.name, node)


def _test(file: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> _Test:
    faults = [] if ast.get_docstring(node) else ["no docstring: the student would read nothing"]
    if isinstance(node, ast.AsyncFunctionDef):
        faults.append("is async: pytest would not run it")
    marks, depends = Decimal(0), frozenset[str]()
    for marker, arguments in _markers(node):
        if marker not in MARKERS:
            faults.append(f"unknown marker {marker!r}")
        elif marker == "marks":
            value = _number(arguments)
            if value is None:
                faults.append("marks() takes one number of 0 or more, written out")
            marks += value or 0
        elif marker == "depends":
            depends |= {str(each.value) for each in arguments if isinstance(each, ast.Constant)}
    return _Test(file, node.name, marks, depends, tuple(faults))


def _markers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, list[ast.expr]]]:
    """A test's pytest markers with their arguments: @pytest.mark.NAME(...) or @mark.NAME(...)."""
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not isinstance(call, ast.Attribute):
            continue
        owner = call.value
        if (isinstance(owner, ast.Attribute) and owner.attr == "mark") or (
            isinstance(owner, ast.Name) and owner.id == "mark"
        ):
            yield call.attr, list(decorator.args) if isinstance(decorator, ast.Call) else []


def _number(arguments: Sequence[ast.expr]) -> Decimal | None:
    try:
        value = Decimal(str(ast.literal_eval(arguments[0]))) if len(arguments) == 1 else None
    except (ValueError, InvalidOperation):
        return None
    return value if value is not None and value.is_finite() and value >= 0 else None


def _points(cell: NotebookNode) -> Decimal:
    try:
        points = Decimal(str(cell.metadata["nbgrader"].get("points") or 0))
    except InvalidOperation:
        return Decimal(0)
    return points if points.is_finite() else Decimal(0)


def _release(assignment: Assignment) -> Iterator[Finding]:
    try:
        released_files(assignment)
    except ReleaseLeaks as leaks:
        for file, what in leaks.leaks:
            yield Finding("error", f"{assignment.name}/{file}", "release", what)
    except CourseInvalid as fault:
        yield Finding("error", f"{assignment.name}/{Path(str(fault.file)).name}", fault.key, str(fault.found))
