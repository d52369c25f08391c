"""Which cell of a submission stands for which cell of the source.

By grade id first, unless a cell plainly is another answer (ids get swapped); then given cells by their text; then
answers by the names that they define and by likeness to the stub; then what is left of the given cells by likeness;
last, answers by their place between matched neighbours. Likeness is the share of word pairs in common, which takes
linear time: a submission may be made to be slow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from nbformat import NotebookNode

from assessor.notebooks.names import bound, program
from assessor.notebooks.reading import RawCell, flattened
from assessor.notebooks.regions import grade_id, is_answer, is_test, released_cell

LIKE = 0.5
"""Cells at least so alike are taken for the same cell where nothing better tells."""
MAX_COMPARED = 20_000
"""Characters of a cell that are compared."""
Pairs = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Target:
    """A cell of the source, as a submission should hold it."""

    cell: NotebookNode
    number: int

    @cached_property
    def stub(self) -> str:
        """Its released text."""
        return released_cell(self.cell)

    @cached_property
    def flat(self) -> str:
        """Its released text, white space made equal."""
        return flattened(self.stub)

    @cached_property
    def name(self) -> str:
        """Its grade id, '' where it has none."""
        return grade_id(self.cell)

    @property
    def kind(self) -> str:
        """Code, markdown or raw."""
        return str(self.cell.cell_type)

    @cached_property
    def answer(self) -> bool:
        """Whether the student writes it."""
        return is_answer(self.cell)

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The names that an answer should define: those of the stub, else those of the solution."""
        if not self.answer or self.kind != "code":
            return frozenset()
        return bound(self.stub) or bound(str(self.cell.source))

    @cached_property
    def pairs(self) -> Pairs:
        """Pairs of neighbouring words of its released text."""
        return word_pairs(self.stub)

    @cached_property
    def program(self) -> str | None:
        """A digest of what its released text computes."""
        return program(self.stub) if self.kind == "code" else None

    @property
    def label(self) -> str:
        """What people read: the kind of cell and its name."""
        what = "answer" if self.answer else "test cell" if is_test(self.cell) else "given cell"
        return f"{what} {self.name!r}" if self.name else f"{what} {self.number}"

    def is_stub(self, cell: RawCell) -> bool:
        """Whether a cell is still what was given, or empty: this year's stub, another year's, or it with comments."""
        if not cell.flat or cell.flat == self.flat or cell.untouched:
            return True
        return self.program is not None and cell.program == self.program


@dataclass
class Match:
    """The cells of a submission by the cells of the source, both by index; `notes` says what was odd."""

    of_source: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def match_cells(cells: Sequence[RawCell], targets: Sequence[Target]) -> Match:
    """Finds each source cell's counterpart."""
    return _Matcher(cells, targets).run()


class _Matcher:
    def __init__(self, cells: Sequence[RawCell], targets: Sequence[Target]) -> None:
        self.cells, self.targets, self.match = cells, targets, Match()
        self.taken: set[int] = set()
        self.pairs: dict[int, Pairs] = {}
        counts = Counter(name for target in targets for name in target.wanted)
        self.owner = {name: i for i, target in enumerate(targets) for name in target.wanted if counts[name] == 1}

    def run(self) -> Match:
        self.by_id()
        self.by_text(lambda target: not target.answer)
        self.answers_by_content()
        self.given_by_likeness()
        self.answers_by_place()
        self.by_text(lambda target: target.answer)
        return self.match

    def take(self, index: int, place: int, note: str = "") -> None:
        self.match.of_source[index] = place
        self.taken.add(place)
        if note:
            self.match.notes.append(f"{self.targets[index].label}: {note}")

    def unmatched(self, wanted: Callable[[Target], bool]) -> list[int]:
        """The source cells that have no counterpart yet."""
        return [i for i, target in enumerate(self.targets) if i not in self.match.of_source and wanted(target)]

    def free(self, target: Target, start: int = 0, end: int | None = None) -> list[int]:
        """The places of cells of a target's kind that stand for nothing yet."""
        places = range(start, len(self.cells) if end is None else end)
        return [place for place in places if place not in self.taken and self.cells[place].kind == target.kind]

    def by_id(self) -> None:
        places: dict[str, list[int]] = {}
        for place, cell in enumerate(self.cells):
            if cell.grade_id is not None:
                places.setdefault(cell.grade_id, []).append(place)
        for index, target in enumerate(self.targets):
            found = [place for place in places.get(target.name, []) if place not in self.taken]
            if target.answer:
                found = [place for place in found if not self._is_another(place, index)]
            if found and target.name:
                # The last answer that was filled in; the given cell that was left alone.
                good = [place for place in found if target.is_stub(self.cells[place]) is not target.answer]
                used = "the last that was filled in was used" if target.answer else "the original was used, once"
                note = f"was there {len(found)} times; {used}" if len(found) > 1 else ""
                self.take(index, (good or found)[-1], note)

    def _is_another(self, place: int, index: int) -> bool:
        """Whether a cell defines nothing of this answer, but what another answer should define."""
        found = self.cells[place].bound
        if found & self.targets[index].wanted:
            return False
        return any(self.owner.get(name, index) != index for name in found)

    def by_text(self, wanted: Callable[[Target], bool]) -> None:
        """Source cells whose very text is there, in order."""
        places: dict[tuple[str, str], list[int]] = {}
        for place in reversed(range(len(self.cells))):
            if place not in self.taken:
                places.setdefault((self.cells[place].kind, self.cells[place].flat), []).append(place)
        for index in self.unmatched(wanted):
            found = places.get((self.targets[index].kind, self.targets[index].flat))
            if found:
                self.take(index, found.pop())

    def answers_by_content(self) -> None:
        """The best pairs first; of equal ones the later cell, which is where a student went on working."""
        scored = []
        for index in self.unmatched(lambda target: target.answer):
            target = self.targets[index]
            for place in self.free(target):
                cell = self.cells[place]
                named = len(cell.bound & target.wanted) / len(target.wanted) if target.wanted else 0.0
                like = self._likeness(index, place)
                if (named or like >= LIKE) and not self._is_another(place, index) and not target.is_stub(cell):
                    how = "by what it defines" if named else "by likeness"
                    scored.append((named + like / 4, place, index, how))
        for _, place, index, how in sorted(scored, reverse=True):
            if index not in self.match.of_source and place not in self.taken:
                self.take(index, place, f"its id was lost; found {how}")

    def given_by_likeness(self) -> None:
        for index in self.unmatched(lambda target: not target.answer):
            scored = [(self._likeness(index, place), -place) for place in self.free(self.targets[index])]
            best, place = max(scored, default=(0.0, 0))
            if best >= LIKE:
                self.take(index, -place)

    def answers_by_place(self) -> None:
        """An answer that is like nothing is the first free cell of its kind between its neighbours."""
        for index in self.unmatched(lambda target: target.answer):
            target, known = self.targets[index], self.match.of_source
            before = next((known[i] for i in range(index - 1, -1, -1) if i in known), -1)
            after = next((known[i] for i in range(index + 1, len(self.targets)) if i in known), len(self.cells))
            for place in self.free(target, before + 1, after):
                if not self._is_another(place, index) and not target.is_stub(self.cells[place]):
                    self.take(index, place, "its id was lost; found by its place")
                    break

    def _likeness(self, index: int, place: int) -> float:
        """0 to 1: Dice's coefficient of the two cells' word pairs."""
        mine, given = self.pairs.get(place), self.targets[index].pairs
        if mine is None:
            mine = self.pairs[place] = word_pairs(self.cells[place].source)
        few, many = (mine, given) if len(mine) < len(given) else (given, mine)
        common = sum(min(count, many[pair]) for pair, count in few.items() if pair in many)
        return 2 * common / (mine.total() + given.total())


def word_pairs(text: str) -> Pairs:
    """How often each pair of neighbouring words or signs stands in a text, its ends included."""
    words = ["", *re.findall(r"\w+|[^\w\s]", text[:MAX_COMPARED]), ""]
    return Counter(pairwise(words))
