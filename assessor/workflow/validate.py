"""Is a course fit to be taught? Its notebooks, its hidden tests, and whether they agree with what it says.

Everything is read and nothing is run; `assessor power` runs it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from nbformat import NotebookNode

from assessor.course import Assignment, Course
from assessor.errors import CourseInvalid, ReleaseLeaks
from assessor.notebooks.public import is_public
from assessor.notebooks.regions import HIDDEN_TESTS, MARK_SCHEME, SOLUTION, flag, grade_id, is_test
from assessor.notebooks.release import metadata_faults, read_source
from assessor.workflow.release import released_files

OWN_MARKERS = frozenset(["marks", "public", "timeout", "repeats", "depends", "hint", "review", "notebook", "forbids"])
_Markers = list[tuple[str, list[ast.expr]]]
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
        for key, name in (("kernelspec", "language"), ("language_info", "name")):
            language = notebook.metadata.get(key, {}).get(name, "python")
            if language != "python":
                yield Finding("error", shown, key, f"language {language!r}; only python is marked")
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
    given = {path.name for path in files if is_public(path.read_bytes())}
    for test in tests:
        if test.public and test.file not in given:
            text = "public, in a file that is not: students get no copy; public tests belong in a file with `pytestmark`"
            yield Finding("warning", f"{shown}/{test.file}", test.name, text)
        yield from (Finding("error", f"{shown}/{test.file}", test.name, text) for text in test.faults)
    for name, count in Counter(test.name for test in tests).items():
        if count > 1:
            where = list(dict.fromkeys(test.file for test in tests if test.name == name))
            text = f"defined {count} times ({', '.join(where)}): each test needs a name of its own"
            yield Finding("error", f"{shown}/{where[-1]}", name, text)
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
    public: bool = False
    faults: tuple[str, ...] = ()


def _tests(path: Path) -> Iterator[_Test]:
    """The hidden tests of a file, in classes too; a file that is not Python is one with a fault."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as fault:
        line = fault.lineno if isinstance(fault, SyntaxError) else None
        place = f"line {line}" if line else ""
        yield _Test(path.name, place, faults=(f"not Python: {fault}",))
        return
    yield from _group(path.name, tree, [])


def _group(file: str, owner: ast.Module | ast.ClassDef, above: _Markers) -> Iterator[_Test]:
    """The tests of a module or class. Their markers hold for all in it; the closest one counts, as pytest has it."""
    around = [*_markers(_set_for_all(owner)), *above]
    for node in owner.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _group(file, node, [*_markers(node.decorator_list), *around])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            yield _test(file, node, around)


def _set_for_all(owner: ast.Module | ast.ClassDef) -> Iterator[ast.expr]:
    """What stands in a module's or class's `pytestmark`."""
    for node in owner.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets):
            yield from node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]


def _test(file: str, node: ast.FunctionDef | ast.AsyncFunctionDef, around: _Markers) -> _Test:
    faults = [] if ast.get_docstring(node) else ["no docstring: the student would read nothing"]
    if isinstance(node, ast.AsyncFunctionDef):
        faults.append("is async: pytest would not run it")
    own = list(_markers(node.decorator_list))
    faults += [f"unknown marker {marker!r}" for marker, _ in [*own, *around] if marker not in MARKERS]
    if sum(marker == "marks" for marker, _ in own) > 1:
        faults.append("has marks() twice: only one of them would count")
    closest = next((arguments for marker, arguments in [*reversed(own), *around] if marker == "marks"), None)
    marks = Decimal(0) if closest is None else _number(closest)
    if marks is None:
        faults.append("marks() takes one number of 0 or more, written out")
    names = [argument for marker, arguments in [*own, *around] if marker == "depends" for argument in arguments]
    depends = frozenset(str(name.value) for name in names if isinstance(name, ast.Constant))
    public = any(marker == "public" for marker, _ in [*own, *around])
    return _Test(file, node.name, marks or Decimal(0), depends, public, tuple(faults))


def _markers(decorators: Iterable[ast.expr]) -> Iterator[tuple[str, list[ast.expr]]]:
    """pytest's markers with their arguments: pytest.mark.NAME(...) or mark.NAME(...)."""
    for decorator in decorators:
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
