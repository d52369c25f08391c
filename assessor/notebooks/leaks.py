"""Does a release show what students must not see? Looked for in every file of it, whatever made it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nbformat import NotebookNode

from assessor.notebooks.regions import HIDDEN_TESTS, MARK_SCHEME, SOLUTION, region_lines, released_cell

MARKERS = (*SOLUTION, *HIDDEN_TESTS, *MARK_SCHEME)
NAMES = {SOLUTION: "a solution", HIDDEN_TESTS: "a hidden test", MARK_SCHEME: "a mark scheme"}
MIN_LINE = 12
"""Shorter lines (`return x`, `y = 0`) stand in too many places to tell anything."""


def find_leaks(
    released: Mapping[str, bytes], sources: Iterable[NotebookNode], grader: Path
) -> tuple[tuple[str, str], ...]:
    """Everything in a release that gives away a solution or a hidden test, as (file, what) pairs.

    Args:
        released: every file of the release, path -> bytes.
        sources: the instructor's notebooks.
        grader: the assignment's secret folder.
    """
    notebooks = list(sources)
    given = {line for notebook in notebooks for cell in notebook.cells for line in _lines(released_cell(cell))}
    secret = {
        line: what
        for what, line in (*_solutions(notebooks), *_grader_lines(grader))
        if line not in given
    }  # fmt: skip
    return tuple(leak for name, data in sorted(released.items()) for leak in _in_file(name, data, secret, grader))


def _in_file(name: str, data: bytes, secret: Mapping[str, str], grader: Path) -> Iterator[tuple[str, str]]:
    text = data.decode("utf-8", "replace")
    if grader.is_dir() and any(path.is_file() and path.read_bytes() == data for path in grader.rglob("*")) and data:
        yield name, "it is a file of the grader"
    for marker in MARKERS:
        if marker in text:
            yield name, f"the marker {marker!r} is still in it"
    for place, block in _blocks(name, text):
        for line in dict.fromkeys(_lines(block)):
            if line in secret:
                yield name, f"{place}: {secret[line]}: {line[:60]!r}"
    if name.endswith(".ipynb") and _has_output(text):
        yield name, "a cell still has outputs"


def _blocks(name: str, text: str) -> Iterator[tuple[str, str]]:
    """The texts of a file: of a notebook every string in it, else the whole."""
    if not name.endswith(".ipynb"):
        yield "text", text
        return
    try:
        loaded = json.loads(text)
    except ValueError:
        yield "text", text
        return
    for place, value in _strings(loaded, ""):
        yield place, value


def _strings(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place.lstrip("."), value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{place}.{key}")
    elif isinstance(value, list):
        if all(isinstance(inner, str) for inner in value):
            yield place.lstrip("."), "".join(value)
        else:
            for number, inner in enumerate(value):
                yield from _strings(inner, f"{place}[{number + 1}]")


def _has_output(text: str) -> bool:
    try:
        cells = json.loads(text).get("cells", [])
    except (ValueError, AttributeError):
        return False
    return any(cell.get("outputs") for cell in cells if isinstance(cell, dict))


def _solutions(notebooks: Iterable[NotebookNode]) -> Iterator[tuple[str, str]]:
    for notebook in notebooks:
        for cell in notebook.cells:
            for markers, what in NAMES.items():
                for line in _lines("\n".join(region_lines(cell.source, markers))):
                    yield what, line
            answer = cell.metadata.get("nbgrader", {}).get("solution")
            if answer and SOLUTION[0] not in cell.source:
                for line in _lines(cell.source):
                    yield NAMES[SOLUTION], line


def _grader_lines(grader: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(grader.rglob("*.py")) if grader.is_dir() else ():
        for line in _lines(path.read_text(encoding="utf-8")):
            if not re.match(r"(import|from) ", line):
                yield f"a line of graders/{path.parent.name}/{path.name}", line


def _lines(text: str) -> list[str]:
    """The telling lines of a text, white space made equal."""
    plain = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in plain if len(line) >= MIN_LINE and re.search(r"[A-Za-z]\w", line) and not line.startswith("#")]
