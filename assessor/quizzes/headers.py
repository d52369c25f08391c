"""The lines `key: value` and `let ...` under a question's heading."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from assessor.errors import CourseInvalid
from assessor.quizzes.formula import CONSTANTS, WORDS, FormulaError, parse_formula
from assessor.quizzes.questions import DIFFICULTIES, Kind, Let, Tolerance

_KEY = re.compile(r"([A-Za-z][A-Za-z ]*):\s*(.*)")
_LET = re.compile(r"let\s+([^\W\d]\w*)\s*(in\b|=)\s*(.*)")
_RANGE = re.compile(r"(-?\d+)\s*\.\.\s*(-?\d+)(?:\s+step\s+(\d+))?")
_DECIMAL = re.compile(r"\d{1,9}(\.\d+)?([eE]-?\d{1,2})?")
MAX_VALUES = 1000


@dataclass(frozen=True)
class Line:
    """A line of a bank."""

    number: int
    text: str


@dataclass(frozen=True)
class Header:
    """A question's kind and the other fields of `Question` that its header sets."""

    kind: Kind
    fields: dict[str, Any]


def read_header(file: Path, heading: Line, lines: list[Line]) -> Header:
    """Reads a header.

    Raises:
        CourseInvalid: the line, what was found, what is expected.
    """
    fields: dict[str, Any] = {}
    lets: list[Let] = []
    for line in lines:
        text = line.text.strip()

        def refuse(found: str, expected: str, number: int = line.number) -> CourseInvalid:
            return CourseInvalid(file, f"line {number}", found, expected)

        if text.startswith("let "):
            lets.append(_let(text, lets, refuse))
            continue
        match = _KEY.fullmatch(text)
        if match is None:
            raise refuse(text, "a line such as 'kind: single', 'let n in 8, 16' or, before the text, an empty line")
        key, value = match[1].strip().lower(), match[2].strip()
        if key not in _FIELDS:
            near = get_close_matches(key, _FIELDS, n=1)
            raise refuse(key, f"did you mean {near[0]!r}?" if near else f"one of {', '.join(_FIELDS)}, let")
        if key in fields:
            raise refuse(key, "this key once")
        fields[key] = _FIELDS[key](value, refuse)
    if "kind" not in fields:
        raise CourseInvalid(file, f"line {heading.number}", "no kind", f"kind: one of {', '.join(Kind)}, right under the heading")
    kind = fields.pop("kind")
    for key, owner in _ONLY.items():
        if key in fields and kind is not owner:
            raise CourseInvalid(file, f"line {heading.number}", f"{key} in a {kind} question", f"{key} only in {owner}")
    if kind is Kind.SYMBOLIC and "variables" not in fields:
        raise CourseInvalid(file, f"line {heading.number}", "no variables", "variables: x, y or x > 0, of a symbolic answer")
    if "variables" in fields:
        fields["variables"], fields["positive"] = fields["variables"]
    return Header(kind, {**fields, "lets": tuple(lets)})


Refuse = Callable[[str, str], CourseInvalid]


def _kind(value: str, refuse: Refuse) -> Kind:
    if value not in tuple(Kind):
        near = get_close_matches(value, tuple(Kind), n=1)
        raise refuse(value, f"did you mean '{near[0]}'?" if near else f"one of {', '.join(Kind)}")
    return Kind(value)


def _difficulty(value: str, refuse: Refuse) -> str:
    if value not in DIFFICULTIES:
        raise refuse(value, f"one of {', '.join(DIFFICULTIES)}")
    return value


def _marks(value: str, refuse: Refuse) -> Decimal:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,4})?", value) or Decimal(value) == 0:
        raise refuse(value, "marks greater than 0, such as 1 or 2.5")
    return Decimal(value)


def _tolerance(value: str, refuse: Refuse) -> Tolerance:
    """'0.01', '1%', or both: '0.01 or 1%', of which the wider holds."""
    parts = [part.strip() for part in value.split(" or ")]
    found: dict[str, Decimal] = {}
    for part in parts:
        name = "relative" if part.endswith("%") else "absolute"
        number = part.removesuffix("%").strip()
        if not _DECIMAL.fullmatch(number) or name in found:
            raise refuse(value, "a tolerance such as 0.01, 1% or '0.01 or 1%'")
        found[name] = Decimal(number) / 100 if name == "relative" else Decimal(number)
    return Tolerance(**found)


def _unit(value: str, refuse: Refuse) -> str:
    if not value or any(letter.isspace() or letter.isdigit() for letter in value[:1]):
        raise refuse(value, "a unit such as MB or ms")
    return value


def _units(value: str, refuse: Refuse) -> tuple[tuple[str, Decimal], ...]:
    found = []
    for part in value.split(","):
        name, sign, number = (piece.strip() for piece in part.partition("="))
        if not sign or not name or not _DECIMAL.fullmatch(number) or Decimal(number) == 0:
            raise refuse(part.strip(), "other units, each with what one of it is in the question's unit: kB = 0.001, GB = 1000")
        found.append((name, Decimal(number)))
    return tuple(found)


def _variables(value: str, refuse: Refuse) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, positive = [], []
    for part in value.split(","):
        match = re.fullmatch(r"\s*([^\W\d]\w*)\s*(>\s*0)?\s*", part)
        if match is None or match[1] in WORDS or match[1] in CONSTANTS or match[1] in names:
            raise refuse(part.strip(), "names of variables, such as 'x, theta' or 'x > 0', that are no function or constant")
        names.append(match[1])
        if match[2]:
            positive.append(match[1])
    return tuple(names), tuple(positive)


def _case(value: str, refuse: Refuse) -> bool:
    if value not in ("sensitive", "insensitive"):
        raise refuse(value, "sensitive or insensitive")
    return value == "sensitive"


_FIELDS: dict[str, Callable[[str, Refuse], Any]] = {
    "kind": _kind, "difficulty": _difficulty, "marks": _marks, "tolerance": _tolerance, "unit": _unit, "units": _units,
    "variables": _variables, "case": _case,
}  # fmt: skip
_ONLY = {
    "tolerance": Kind.NUMERICAL, "unit": Kind.NUMERICAL, "units": Kind.NUMERICAL, "variables": Kind.SYMBOLIC,
    "case": Kind.SHORT,
}  # fmt: skip


def _let(text: str, earlier: list[Let], refuse: Refuse) -> Let:
    match = _LET.fullmatch(text)
    if match is None:
        raise refuse(text, "'let n in 8, 16, 32', 'let n in 1..9 step 2' or 'let m = 2*n + 1'")
    name, sign, rest = match[1], match[2], match[3].strip()
    if name in WORDS or name in CONSTANTS or name in [let.name for let in earlier]:
        raise refuse(name, "a name of its own, that is no function, constant or earlier let")
    if sign == "=":
        try:
            parse_formula(rest, [let.name for let in earlier])
        except FormulaError as fault:
            raise refuse(f"{rest} ({fault.found!r} at its character {fault.at})", fault.expected) from None
        return Let(name, formula=rest)
    values = _values(rest)
    if not 2 <= len(values) <= MAX_VALUES or "" in values or len(set(values)) != len(values):
        raise refuse(rest, f"from 2 to {MAX_VALUES} different values: 8, 16, 32 or 1..9 step 2")
    return Let(name, values=values)


def _values(text: str) -> tuple[str, ...]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return tuple(part.strip() for part in text.split(","))
    step = int(match[3] or 1)
    if step == 0 or abs(int(match[2]) - int(match[1])) > MAX_VALUES * step:
        return ()
    return tuple(str(value) for value in range(int(match[1]), int(match[2]) + 1, step))
