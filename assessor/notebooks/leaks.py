"""Does a release show what students must not see? Looked for in every file of it, whatever made it.

A telling line of a solution, a hidden test, a mark scheme or a grader's file is secret unless the given cells hold it
too. Given cells themselves must not hold a whole solution: that is what a forgotten copy looks like. What cannot be
looked into (pictures, PDF) is only compared as a whole with the graders' files.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nbformat import NotebookNode

from assessor.notebooks.contents import BINARY, Unreadable, blocks_of, has_outputs, members, text_of
from assessor.notebooks.names import defined
from assessor.notebooks.public import public_tests
from assessor.notebooks.regions import HIDDEN_TESTS, MARK_SCHEME, SOLUTION, is_answer, regions, released_cell

NAMES = {SOLUTION: "a solution", HIDDEN_TESTS: "a hidden test", MARK_SCHEME: "a mark scheme"}
MARKER = re.compile(
    r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)|^\s*#+\s*(?:begin|end)\s+(?:solutions?|hidden tests?|mark scheme)\b",
    re.MULTILINE | re.IGNORECASE,
)
MIN_LINE = 10
"""Characters but spaces; shorter lines (`return x`, `y = 0`) stand in too many places to tell anything."""
MIN_REGION = 32
"""The same for a whole solution that is looked for in given cells."""
MIN_INSIDE = 24
"""Lines of this length are found inside longer lines too."""
SHOWN = 5
CODE = (".py", ".ipynb", ".toml")
"""Of the other assignments' graders, these files must not be in a release either; data may be common to them."""
Leak = tuple[str, str]


def find_leaks(released: Mapping[str, bytes], sources: Iterable[NotebookNode], grader: Path) -> tuple[Leak, ...]:
    """Everything in a release that gives away a solution or a hidden test, as (file, what) pairs.

    Args:
        released: every file of the release, path -> bytes.
        sources: the instructor's notebooks.
        grader: the assignment's secret folder.
    """
    notebooks = list(sources)
    public = public_tests(grader)
    files = {path: path.read_bytes() for path in _secret_files(grader) if not (path.parent == grader and path.name in public)}
    others = {path: path.read_bytes() for path in _secret_files(grader.parent) if path.suffix in CODE}
    others = {path: data for path, data in others.items() if not (path.parent == grader and path.name in public)}
    cells = [_lines(released_cell(cell)) for notebook in notebooks for cell in notebook.cells]
    given = {line for lines in cells for line in lines}
    shown = given.union(*(_lines(text.decode("utf-8", "replace")) for text in public.values()))
    secret = {line: what for what, line in _secret_lines(notebooks) if line not in given}
    secret |= {line: what for what, line in _grader_lines(files) if line not in shown}
    whole = list(_whole_solutions(notebooks, files))
    digests = {
        hashlib.sha256(data).digest(): f"{path.parent.name}/{path.name}"
        for path, data in {**others, **files}.items()
        if data.strip()
    }
    found: list[Leak] = []
    for name, data in sorted(released.items()):
        try:
            for inner, content in members(name, data):
                twin = digests.get(hashlib.sha256(content).digest())
                if twin is not None:
                    found.append((inner, f"it is the grader's file {twin}"))
                else:
                    found += _in_file(inner, content, secret, whole)
        except Unreadable as fault:
            found.append((fault.name, f"{fault.why}: unpack it, so that it can be looked into"))
    return tuple(found)


def _secret_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"]


def _in_file(
    name: str, data: bytes, secret: Mapping[str, str], whole: Iterable[tuple[str, list[str]]]
) -> Iterator[Leak]:
    blocks = list(blocks_of(data))
    for place, block in blocks:
        marker = MARKER.search(block) if place != BINARY else None
        if marker:
            yield name, f"{place}: the marker {marker.group().strip()!r} is still in it"
        lines = _lines(block)
        for what, region in whole:
            if _holds(lines, region):
                yield name, f"{place}: {what}"
    yield from _quoted(name, blocks, secret)
    if name.endswith(".ipynb") and has_outputs(data):
        yield name, "a cell still has outputs"


def _quoted(name: str, blocks: Iterable[tuple[str, str]], secret: Mapping[str, str]) -> Iterator[Leak]:
    """Secret lines in a file: the first few of each kind, and how many more."""
    counts: dict[str, int] = {}
    long = [line for line in secret if len(line) >= MIN_INSIDE]
    for place, block in blocks:
        lines = dict.fromkeys(_lines(block))
        flat = "" if place.endswith(".source") else _flat(block)
        inside = [line for line in long if line in flat]
        for line in dict.fromkeys([*(line for line in lines if line in secret), *inside]):
            what = secret[line]
            counts[what] = counts.get(what, 0) + 1
            if counts[what] <= SHOWN:
                yield name, f"{place}: {what}: {line[:60]!r}"
    for what, count in counts.items():
        if count > SHOWN:
            yield name, f"{what}: {count - SHOWN} more lines"


def _secret_lines(notebooks: Iterable[NotebookNode]) -> Iterator[tuple[str, str]]:
    for notebook in notebooks:
        for what, region in _regions(notebook):
            for line in _lines("\n".join(region)):
                yield what, line


def _regions(notebook: NotebookNode) -> Iterator[tuple[str, list[str]]]:
    """What the given text of a notebook leaves out, piece by piece."""
    for cell in notebook.cells:
        source = str(cell.source)
        for markers, what in NAMES.items():
            for region in regions(source, markers):
                yield what, region
        if is_answer(cell) and SOLUTION[0] not in source:
            yield NAMES[SOLUTION], source.split("\n")


def _grader_lines(files: Mapping[Path, bytes]) -> Iterator[tuple[str, str]]:
    for path, data in files.items():
        text = text_of(data) if path.suffix in (".py", ".md", ".txt", ".ipynb", ".toml") else None
        for line in (text or "").split("\n"):
            if not re.match(r"\s*(import|from)\s", line):
                for telling in _lines(line):
                    yield f"a line of graders/{path.parent.name}/{path.name}", telling


def _whole_solutions(notebooks: list[NotebookNode], files: Mapping[Path, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Pieces that must not stand as a whole even in a given cell: solutions, and the same functions of a reference."""
    asked: set[str] = set()
    for notebook in notebooks:
        for what, region in _regions(notebook):
            lines = _lines("\n".join(region))
            if sum(map(len, lines)) >= MIN_REGION:
                yield f"{what} stands in it as a whole: {lines[0][:60]!r}, ...", lines
        asked |= {name for cell in notebook.cells if is_answer(cell) for name in defined(str(cell.source))}
    for path, data in files.items():
        if path.name == "reference.py":
            for name, lines in _functions(data.decode("utf-8", "replace")):
                if name in asked and sum(map(len, lines)) >= MIN_REGION:
                    yield f"the reference's {name!r} stands in it as a whole", lines


def _functions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The functions of a module with the lines of their bodies, docstrings left out."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    lines = text.split("\n")
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                yield node.name, _lines("\n".join(lines[body[0].lineno - 1 : node.end_lineno]))


def _holds(lines: list[str], region: list[str]) -> bool:
    """Whether the region's lines stand together, in order."""
    if not region or region[0] not in lines:
        return False
    size = len(region)
    return any(lines[start : start + size] == region for start in range(len(lines) - size + 1))


def _lines(text: str) -> list[str]:
    """The telling lines of a text, without spaces and what makes them comments or quotations."""
    found = []
    for line in text.split("\n"):
        flat = _flat(line).strip("#>*`\"',;")
        if len(flat) >= MIN_LINE and re.search(r"[^\W\d]{2}", flat):
            found.append(flat)
    return found


def _flat(text: str) -> str:
    return re.sub(r"\s+", "", text)
