"""A rubric: a tree of parts whose leaves people score from 0 to 100, and what their scores come to.

A node's score is the weighted mean of its parts' scores. A leaf that a marker says does not apply, with a reason, is left out,
and so is a node that has nothing left: the weights of the rest are renormalised.

Sources:
    The tree: PaperBench (2025). Krippendorff, Computing Krippendorff's alpha-reliability (2011).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from assessor.csvfile import CsvRow, exact, read_csv
from assessor.errors import CourseInvalid, ImportRefused
from assessor.marking.exact import EXACT, HUNDRED, ZERO
from assessor.policy import Name
from assessor.validation import Number, Strict, parse, read_toml

LEVELS = (40, 50, 60, 70, 85)
"""The scores that a leaf's descriptors describe."""
NOT_APPLICABLE = "NA"
MAX_COMMENT = 2000
Text = Annotated[str, Field(min_length=1, max_length=300)]


class Node(Strict):
    """A part of the rubric: of further parts, or a leaf with a descriptor for each of `LEVELS`."""

    name: Name
    weight: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4), Number]
    text: Text
    levels: tuple[Text, ...] = ()
    part: tuple[Node, ...] = ()

    @model_validator(mode="after")
    def _leaf_or_not(self) -> Node:
        if self.part and self.levels:
            raise ValueError("levels, or parts, not both")
        if not self.part and len(self.levels) != len(LEVELS):
            raise ValueError(f"levels: a descriptor for each of {', '.join(map(str, LEVELS))}")
        return self

    def leaves(self) -> Iterator[Node]:
        """The leaves below, in order; itself where it is one."""
        for part in self.part:
            yield from part.leaves()
        if not self.part:
            yield self


class RubricFile(Strict):
    """The whole of rubric.toml: the criteria."""

    part: Annotated[tuple[Node, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Rubric:
    """A rubric; `sha256` names this version of it."""

    criteria: tuple[Node, ...]
    sha256: str

    def leaves(self) -> tuple[Node, ...]:
        """All leaves, in order."""
        return tuple(leaf for criterion in self.criteria for leaf in criterion.leaves())


@dataclass(frozen=True)
class Score:
    """What one marker gives one leaf; None where it does not apply, for the reason in `comment`."""

    points: Decimal | None
    comment: str = ""


Sheet = Mapping[str, Score]
"""One marker's scores of one team's work: leaf -> score."""


def read_rubric(file: Path) -> Rubric:
    """Reads a rubric.

    Raises:
        CourseInvalid: the key, what was found, what is allowed.
    """
    criteria = parse(RubricFile, file, read_toml(file)).part
    total = sum((criterion.weight for criterion in criteria), ZERO)
    if total != HUNDRED:
        raise CourseInvalid(file, "part", f"weights that sum to {total}", "criteria whose weights sum to 100")
    names = [node.name for criterion in criteria for node in _nodes(criterion)]
    for name in names:
        if names.count(name) > 1:
            raise CourseInvalid(file, f"part[{name}].name", name, "each name once in the whole rubric")
    return Rubric(criteria, hashlib.sha256(file.read_bytes()).hexdigest())


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for part in node.part:
        yield from _nodes(part)


def score_of(node: Node, sheet: Sheet) -> Decimal | None:
    """A node's score from 0 to 100, exact; None where nothing of it applies."""
    if not node.part:
        return sheet[node.name].points
    with localcontext(EXACT):
        found = [(part.weight, score) for part in node.part if (score := score_of(part, sheet)) is not None]
        return sum((weight * score for weight, score in found), ZERO) / sum(weight for weight, _ in found) if found else None


def total_of(rubric: Rubric, sheet: Sheet) -> Decimal:
    """The whole work's score in percent.

    Raises:
        ValueError: nothing applies.
    """
    with localcontext(EXACT):
        found = [(each.weight, score) for each in rubric.criteria if (score := score_of(each, sheet)) is not None]
        if not found:
            raise ValueError("every leaf is said not to apply")
        return sum((weight * score for weight, score in found), ZERO) / sum(weight for weight, _ in found)


def form(rubric: Rubric, sheet: Sheet | None = None) -> str:
    """A marking form as CSV, empty or with what was given so far: score from 0 to 100, or NA with a reason in `comment`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["leaf", "score", "comment", "criterion", "question", *map(str, LEVELS)])
    for criterion in rubric.criteria:
        for leaf in criterion.leaves():
            given = sheet.get(leaf.name) if sheet else None
            score = "" if given is None else NOT_APPLICABLE if given.points is None else str(given.points)
            comment = given.comment if given else ""
            writer.writerow([leaf.name, score, comment, f"{criterion.name} {criterion.weight}", leaf.text, *leaf.levels])
    return text.getvalue()


def read_form(file: Path, rubric: Rubric, *, encoding: str | None = None) -> dict[str, Score]:
    """A form as it was filled in, all of it or nothing.

    Raises:
        ImportRefused: the row, what was found, what is expected.
    """
    leaves = {leaf.name for leaf in rubric.leaves()}
    sheet: dict[str, Score] = {}
    for row in read_csv(file, ["leaf", "score", "comment"], encoding=encoding):
        name = row.text("leaf")
        if name not in leaves or name in sheet:
            raise row.refuse("leaf", name, "each leaf of the rubric once")
        sheet[name] = _score(row)
    missing = [leaf.name for leaf in rubric.leaves() if leaf.name not in sheet]
    if missing:
        raise ImportRefused(file, None, "leaf", f"nothing of {', '.join(missing[:5])}", "a row for every leaf")
    return sheet


def _score(row: CsvRow) -> Score:
    comment = row.values["comment"].strip()
    if len(comment) > MAX_COMMENT:
        raise row.refuse("comment", f"{len(comment)} characters", f"at most {MAX_COMMENT}")
    given = row.text("score")
    if given.upper() == NOT_APPLICABLE:
        if not comment:
            raise row.refuse("comment", "nothing", "why it does not apply")
        return Score(None, comment)
    expected = f"0 to 100, or {NOT_APPLICABLE} with a reason in `comment`"
    return Score(exact(given, ZERO, HUNDRED, lambda found, _: row.refuse("score", found, expected)), comment)


def krippendorff(units: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha for numbers; None where fewer than two were given by several, or all are alike.

    Args:
        units: for each thing that was scored, its scores by however many markers.
    """
    several = [unit for unit in units if len(unit) > 1]
    values = [value for unit in several for value in unit]
    if len(values) < 2:
        return None
    within = sum(_differences(unit) / (len(unit) - 1) for unit in several)
    between = _differences(values) / (len(values) - 1)
    return 1 - within / between if between else None


def _differences(values: Sequence[float]) -> float:
    """The sum of squared differences over all ordered pairs."""
    return 2 * (len(values) * sum(value**2 for value in values) - sum(values) ** 2)
