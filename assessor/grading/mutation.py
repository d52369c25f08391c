"""Known wrong answers, to prove that the hidden tests find them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nbformat

from assessor.errors import GraderFault


@dataclass(frozen=True)
class Mutant:
    """One wrong way to write an answer.

    Attributes:
        name: what it is called in the kill matrix.
        bug: what is wrong, in a few words.
        replaces: the function, class or cell that it takes the place of.
        source: the wrong code, whole.
        killed_by: hidden tests of which at least one must fail; parameters of a test are left out.
    """

    name: str
    bug: str
    replaces: str
    source: str
    killed_by: tuple[str, ...]


def solution(notebook: Path, grade_id: str) -> str:
    """The text of an answer cell of a source notebook, solution included: mutants are small changes of it.

    Raises:
        GraderFault: ours; there is no such cell.
    """
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            return str(cell.source)
    raise GraderFault(f"{notebook.name}: no cell with grade_id {grade_id!r}")


def edited(source: str, *changes: tuple[str, str]) -> str:
    """A text with each (old, new) replaced once.

    Raises:
        GraderFault: ours; an old text is not there exactly once, so the mutant would not be what its author meant.
    """
    for old, new in changes:
        if source.count(old) != 1:
            raise GraderFault(f"{old!r} is there {source.count(old)} times, expected once")
        source = source.replace(old, new)
    return source
