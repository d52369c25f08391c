"""Putting a student's answers into the current notebook.

What runs is never the student's file, but the current release with the student's answer cells in it: given and test cells
come from the source, whatever the student did to theirs. An answer cell is found by its grade id; where ids are lost,
doubled or swapped, by what it defines and by likeness. Cells that the student added are kept, each after the cell that it
followed. Everything found on the way is told, to staff and student. Nothing in a student's file can make this fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import nbformat
from nbformat import NotebookNode

from assessor.notebooks.reading import RawCell, read_raw
from assessor.notebooks.regions import released_cell

LIKE = 0.6
"""Cells at least so alike are taken for the same cell where nothing better tells."""
MAX_COMPARED = 4_000
"""Characters of a cell that are compared: likeness costs quadratic time."""
SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Rebased:
    """The notebook to run, and what was found.

    Attributes:
        changes: lines for staff and student.
        attempted: grade ids of answer cells that are no longer the stub.
    """

    notebook: NotebookNode
    changes: tuple[str, ...]
    attempted: frozenset[str]


@dataclass
class _Match:
    """Which cell of the submission stands for which cell of the source, by index."""

    of_source: dict[int, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    @property
    def used(self) -> set[int]:
        return set(self.of_source.values())


def rebase(submitted: bytes, source: NotebookNode, *, hidden_tests: bool = True) -> Rebased:
    """Puts the answers of `submitted` into `source`.

    Args:
        source: the instructor's notebook, with solutions.
        hidden_tests: whether test cells keep nbgrader's hidden regions, for classic cells that run in the kernel.
    """
    raw = read_raw(submitted)
    cells = list(raw.cells)
    stubs = [released_cell(cell) for cell in source.cells]
    match = _match(cells, source, stubs)
    after = _extras(cells, match)
    built: list[NotebookNode] = [_extra(cell) for cell in after.get(-1, [])]
    changes = [raw.fault] if raw.fault else [*raw.remarks, *match.changes]
    attempted: set[str] = set()
    for index, given in enumerate(source.cells):
        name = grade_id(given)
        place = match.of_source.get(index)
        mine = cells[place] if place is not None else None
        if is_answer(given):
            text = mine.source if mine is not None else stubs[index]
            if _same(text, stubs[index]):
                if not raw.fault:
                    changes.append(f"answer {name!r}: not attempted" if mine else f"answer {name!r}: deleted")
            else:
                attempted.add(name)
        else:
            text = given.source if hidden_tests else stubs[index]
            if not raw.fault and name:
                changes += _given_changed(name, mine, stubs[index], given)
        built.append(_built(given, text))
        built += [_extra(cell) for cell in after.get(index, [])]
    notebook = nbformat.v4.new_notebook(cells=built)
    return Rebased(notebook, tuple(changes), frozenset(attempted))


def grade_id(cell: NotebookNode) -> str:
    """A source cell's nbgrader id, '' where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _match(cells: Sequence[RawCell], source: NotebookNode, stubs: Sequence[str]) -> _Match:
    """By id, then by names defined, then by likeness."""
    match = _Match()
    _by_id(cells, source, stubs, match)
    _by_definition(cells, source, stubs, match)
    _by_likeness(cells, source, stubs, match)
    return match


def _by_id(cells: Sequence[RawCell], source: NotebookNode, stubs: Sequence[str], match: _Match) -> None:
    for index, given in enumerate(source.cells):
        name = grade_id(given)
        places = [place for place, cell in enumerate(cells) if name and cell.grade_id == name]
        if is_answer(given):
            places = [place for place in places if _may_be(cells[place], given, stubs[index])]
        if len(places) > 1:
            filled = [place for place in places if not _same(cells[place].source, stubs[index])]
            chosen = (filled or places)[-1]
            match.changes.append(f"cell {name!r}: there {len(places)} times; the last that was filled in was used")
            places = [chosen]
        if places:
            match.of_source[index] = places[0]


def _may_be(cell: RawCell, given: NotebookNode, stub: str) -> bool:
    """Whether a cell with the right id can be the answer: ids get swapped, and a cell that defines none of the names
    that it should, but some that others should, is not it."""
    if cell.kind != given.cell_type:
        return False
    wanted, found = defined(stub), defined(cell.source)
    return not wanted or not found or bool(wanted & found)


def _by_definition(cells: Sequence[RawCell], source: NotebookNode, stubs: Sequence[str], match: _Match) -> None:
    names = [defined(cell.source) if cell.kind == "code" else frozenset[str]() for cell in cells]
    for index, given in enumerate(source.cells):
        if index in match.of_source or not is_answer(given) or given.cell_type != "code":
            continue
        wanted = defined(stubs[index])
        used = match.used
        places = [place for place in range(len(cells)) if place not in used and wanted & names[place]]
        filled = [place for place in places if not _same(cells[place].source, stubs[index])]
        if places:
            match.of_source[index] = (filled or places)[-1]
            match.changes.append(f"answer {grade_id(given)!r}: its id was lost; found by what it defines")


def _by_likeness(cells: Sequence[RawCell], source: NotebookNode, stubs: Sequence[str], match: _Match) -> None:
    for index, given in enumerate(source.cells):
        if index in match.of_source:
            continue
        used = match.used
        best, where = LIKE, -1
        for place, cell in enumerate(cells):
            if place in used or cell.kind != given.cell_type:
                continue
            ratio = _likeness(cell.source, stubs[index], best)
            if ratio > best or (ratio == best == 1.0 and where < 0):
                best, where = ratio, place
        if where >= 0:
            match.of_source[index] = where
            if is_answer(given):
                match.changes.append(f"answer {grade_id(given)!r}: its id was lost; found by likeness")


def _likeness(left: str, right: str, at_least: float) -> float:
    """0 to 1; stops early where it cannot reach `at_least`."""
    if left == right:
        return 1.0
    matcher = SequenceMatcher(None, left[:MAX_COMPARED], right[:MAX_COMPARED], autojunk=False)
    if matcher.real_quick_ratio() <= at_least or matcher.quick_ratio() <= at_least:
        return 0.0
    return matcher.ratio()


def defined(source: str) -> frozenset[str]:
    """The functions and classes that a cell defines at its top; found by pattern where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset(re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", source, re.MULTILINE))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def _extras(cells: Sequence[RawCell], match: _Match) -> dict[int, list[RawCell]]:
    """The student's own cells, by the source cell that each followed (-1: before all)."""
    back = {place: index for index, place in match.of_source.items()}
    following, extras = -1, dict[int, list[RawCell]]()
    for place, cell in enumerate(cells):
        if place in back:
            following = back[place]
        elif cell.source.strip():
            extras.setdefault(following, []).append(cell)
    return extras


def _given_changed(name: str, mine: RawCell | None, stub: str, given: NotebookNode) -> list[str]:
    what = "test cell" if given.metadata.get("nbgrader", {}).get("grade") else "given cell"
    if mine is None:
        return [f"{what} {name!r}: had been deleted; the original was used"]
    if not _same(mine.source, stub):
        return [f"{what} {name!r}: had been edited; the original was used"]
    return []


def _same(left: str, right: str) -> bool:
    """Equal but for white space."""
    return SPACE.sub(" ", left).strip() == SPACE.sub(" ", right).strip()


def _built(given: NotebookNode, text: str) -> NotebookNode:
    """A clean cell of the source's kind with this text; of the metadata only nbgrader's."""
    cell = _new(given.cell_type, text)
    data = given.metadata.get("nbgrader")
    if data is not None:
        cell.metadata["nbgrader"] = dict(data)
    return cell


def _extra(cell: RawCell) -> NotebookNode:
    return _new(cell.kind, cell.source)


def _new(kind: str, text: str) -> NotebookNode:
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return make.get(kind, nbformat.v4.new_raw_cell)(text.encode("utf-8", "replace").decode("utf-8"))
