"""Putting a student's answers into the current notebook.

What runs is never the student's file, but the current release with the student's answer cells in it: given and test
cells come from the source, whatever the student did to theirs. Cells that the student added are kept, each after the
cell that it followed; so is what they added to a given cell, after it. No metadata, tag or output of theirs is.
Everything found on the way is told, to staff and student. Nothing in a student's file can make this fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from assessor.notebooks.matching import Match, Target, match_cells
from assessor.notebooks.names import added_statements, defined
from assessor.notebooks.reading import RawCell, flattened, read_raw
from assessor.notebooks.regions import is_test


@dataclass(frozen=True)
class Rebased:
    """The notebook to run, and what was found.

    Attributes:
        changes: lines for staff and student.
        attempted: grade ids of answer cells that are no longer the stub.
        code: the student's own code, cell by cell: answers and the cells that they added.
    """

    notebook: NotebookNode
    changes: tuple[str, ...]
    attempted: frozenset[str]
    code: tuple[str, ...] = ()


def rebase(submitted: bytes, source: NotebookNode, *, hidden_tests: bool = True) -> Rebased:
    """Puts the answers of `submitted` into `source`.

    Args:
        source: the instructor's notebook, with solutions.
        hidden_tests: whether classic test cells keep nbgrader's hidden regions, to run in the kernel.
    """
    raw = read_raw(submitted)
    targets = [Target(cell, number) for number, cell in enumerate(source.cells, 1)]
    return _Building(raw.cells, targets, hidden_tests).build(raw.fault, raw.remarks)


def as_it_is(submitted: bytes) -> Rebased:
    """A student's own notebook, where there is no source to put its answers into; `changes` says what could not be read."""
    raw = read_raw(submitted)
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell, "raw": nbformat.v4.new_raw_cell}
    cells = [
        new[cell.kind](cell.source, metadata={"nbgrader": {"grade_id": cell.grade_id}} if cell.grade_id else {})
        for cell in raw.cells
    ]
    own = tuple(cell.source for cell in raw.cells if cell.kind == "code" and not cell.untouched)
    found = (raw.fault, *raw.remarks) if raw.fault else raw.remarks
    return Rebased(nbformat.v4.new_notebook(cells=cells), found, frozenset(), own)


class _Building:
    def __init__(self, cells: Sequence[RawCell], targets: Sequence[Target], hidden_tests: bool) -> None:
        self.cells, self.targets, self.hidden_tests = cells, targets, hidden_tests
        self.match: Match = match_cells(cells, targets)
        self.extras = self._extras()
        self.built: list[NotebookNode] = []
        self.changes: list[str] = []
        self.attempted: set[str] = set()
        self.code: list[str] = []

    def build(self, fault: str, remarks: tuple[str, ...]) -> Rebased:
        """The notebook, cell by cell in the source's order."""
        self.changes += [f"{fault}; nothing of it could be used"] if fault else [*remarks, *self.match.notes]
        elsewhere = self._defined_elsewhere()
        self._add_extras(-1)
        for index, target in enumerate(self.targets):
            place = self.match.of_source.get(index)
            mine = self.cells[place] if place is not None else None
            if fault:
                self._add(target.kind, self._given(target), target.cell)
            elif target.answer:
                self._answer(target, mine, elsewhere)
            else:
                self._add(target.kind, self._given(target), target.cell)
                self._compare(target, mine)
            self._add_extras(index)
        notebook = nbformat.v4.new_notebook(cells=self.built)
        return Rebased(notebook, tuple(self.changes), frozenset(self.attempted), tuple(self.code))

    def _answer(self, target: Target, mine: RawCell | None, elsewhere: frozenset[str]) -> None:
        if mine is not None and not target.is_stub(mine):
            self.attempted.add(target.name)
            if mine.kind != target.kind:
                self.changes.append(f"{target.label}: had been made a {mine.kind} cell; was used as {target.kind}")
            self._add(target.kind, mine.source, target.cell, mine)
            return
        needed = defined(target.stub) if target.kind == "code" else frozenset[str]()
        if needed and needed <= elsewhere:
            # The stub, run after the cell that holds the answer, would define it away.
            self.attempted.add(target.name)
            names = ", ".join(sorted(needed))
            self.changes.append(f"{target.label}: not in its own cell, but another cell defines {names}")
            self._add(target.kind, "", target.cell)
            return
        self.changes.append(f"{target.label}: {'deleted' if mine is None else 'not attempted'}")
        self._add(target.kind, target.stub if mine is None or mine.untouched else mine.source, target.cell)

    def _compare(self, target: Target, mine: RawCell | None) -> None:
        """Tells what was done to a given cell, and keeps what was added to it."""
        if mine is None:
            self.changes.append(f"{target.label}: had been deleted; the original was used")
            return
        if mine.untouched or mine.flat == target.flat:
            return
        added = "" if is_test(target.cell) else _added(mine, target.stub)
        then = ", then what was added" if added else ""
        self.changes.append(f"{target.label}: had been edited; the original was used{then}")
        if added:
            self._add(mine.kind, added, None, mine)

    def _given(self, target: Target) -> str:
        return str(target.cell.source) if self.hidden_tests and is_test(target.cell) else target.stub

    def _extras(self) -> dict[int, list[RawCell]]:
        """The student's own cells, by the source cell that each followed (-1: before all)."""
        back = {place: index for index, place in self.match.of_source.items()}
        following, extras = -1, dict[int, list[RawCell]]()
        for place, cell in enumerate(self.cells):
            if place in back:
                following = back[place]
            elif cell.source.strip():
                extras.setdefault(following, []).append(cell)
        return extras

    def _defined_elsewhere(self) -> frozenset[str]:
        """What the student's filled answers and own cells define."""
        own = [cell for cells in self.extras.values() for cell in cells]
        for index, place in self.match.of_source.items():
            if self.targets[index].answer and not self.targets[index].is_stub(self.cells[place]):
                own.append(self.cells[place])
        return frozenset(name for cell in own for name in cell.defined)

    def _add_extras(self, index: int) -> None:
        for cell in self.extras.get(index, ()):
            self._add(cell.kind, cell.source, None, cell)

    def _add(self, kind: str, text: str, given: NotebookNode | None, mine: RawCell | None = None) -> None:
        """Appends a clean cell; of metadata only the source's nbgrader part, and ids that are the same every time."""
        make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
        cell = make.get(kind, nbformat.v4.new_raw_cell)(text, id=f"cell-{len(self.built) + 1}")
        data = given.metadata.get("nbgrader") if given is not None else None
        if data is not None:
            cell.metadata["nbgrader"] = nbformat.from_dict(dict(data))
        if mine is not None and kind == "code":
            self.code.append(text)
        if mine is not None and mine.attachments and kind == "markdown":
            cell["attachments"] = nbformat.from_dict({name: dict(kinds) for name, kinds in mine.attachments.items()})
        self.built.append(cell)


def _added(mine: RawCell, given: str) -> str:
    """What a student wrote into a given cell: statements of code, lines of text."""
    if mine.kind == "code":
        return added_statements(mine.source, given) if mine.parsed else mine.source
    known = {flattened(line) for line in given.split("\n")}
    return "\n".join(line for line in mine.source.split("\n") if flattened(line) not in known).strip()
