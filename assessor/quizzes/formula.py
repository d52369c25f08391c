"""Formulas as people write them at a prompt, read by a parser of our own and worked out number by number.

Both sides use it: a question's computed answers and parameters, and what a student answers. Text never reaches `eval`, nor
sympy's `sympify`, which is `eval`. What a formula may hold is listed in `FUNCTIONS`; its length, its depth and with them
the time it takes are bounded, and arithmetic is in floating point, so that 9^9^9^9 is an overflow and not an afternoon.

Two formulas are the same if they agree at many random points. That is no weaker than asking a computer algebra system,
whose `simplify` may answer "I do not know" or not at all: two different small formulas that agree at twelve random points
to nine digits do not come up by chance.
"""

from __future__ import annotations

import cmath
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

MAX_LETTERS = 300
MAX_DEPTH = 40
POINTS = 12
AGREE = 1e-9
CONSTANTS = {"pi": math.pi, "e": math.e}
_TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|//|[-+*/^%(),]))")
_SAME = {"−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "²": "^2", "³": "^3", "[": "(", "]": ")"}

Value = complex
"""A float too, wherever nothing made it complex."""


class FormulaError(ValueError):
    """A text that is no formula of ours; `at` counts characters from 1."""

    def __init__(self, at: int, found: str, expected: str) -> None:
        self.at, self.found, self.expected = at, found, expected
        super().__init__(f"character {at}: found {found!r}; expected {expected}")


class Undefined(ArithmeticError):
    """A formula has no value at these numbers: division by zero, overflow, a complex number where a real one is due."""


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Name:
    """A variable or parameter."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of FUNCTIONS, operators included, and what it is applied to."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Name | Call


def _real(value: Value) -> float:
    if isinstance(value, complex):
        if value.imag != 0:
            raise Undefined("a complex number where a real one is due")
        return value.real
    return value


def _lifted(real: Callable[[float], float], plane: Callable[[complex], complex]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        if isinstance(value, complex):
            return plane(value)
        try:
            return real(value)
        except ValueError:
            return plane(complex(value))

    return apply


def _power(base: Value, exponent: Value) -> Value:
    return base**exponent


def _sigmoid(value: Value) -> Value:
    if isinstance(value, complex):
        return 1 / (1 + cmath.exp(-value))
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "+": (2, lambda a, b: a + b),
    "-": (2, lambda a, b: a - b),
    "*": (2, lambda a, b: a * b),
    "/": (2, lambda a, b: a / b),
    "//": (2, lambda a, b: _real(a) // _real(b)),
    "%": (2, lambda a, b: _real(a) % _real(b)),
    "^": (2, _power),
    "negative": (1, lambda a: -a),
    "sqrt": (1, _lifted(math.sqrt, cmath.sqrt)),
    "exp": (1, _lifted(math.exp, cmath.exp)),
    "log": (1, _lifted(math.log, cmath.log)),
    "ln": (1, _lifted(math.log, cmath.log)),
    "log2": (1, lambda a: math.log2(_real(a))),
    "log10": (1, _lifted(math.log10, cmath.log10)),
    "sin": (1, _lifted(math.sin, cmath.sin)),
    "cos": (1, _lifted(math.cos, cmath.cos)),
    "tan": (1, _lifted(math.tan, cmath.tan)),
    "sinh": (1, _lifted(math.sinh, cmath.sinh)),
    "cosh": (1, _lifted(math.cosh, cmath.cosh)),
    "tanh": (1, _lifted(math.tanh, cmath.tanh)),
    "sigmoid": (1, _sigmoid),
    "relu": (1, lambda a: max(0.0, _real(a))),
    "abs": (1, abs),
    "floor": (1, lambda a: float(math.floor(_real(a)))),
    "ceil": (1, lambda a: float(math.ceil(_real(a)))),
    "round": (1, lambda a: float(round(_real(a)))),
    "min": (2, lambda a, b: min(_real(a), _real(b))),
    "max": (2, lambda a, b: max(_real(a), _real(b))),
}
_OPERATORS = frozenset("+ - * / // % ^ negative".split())
WORDS = tuple(name for name in FUNCTIONS if name not in _OPERATORS)
"""The functions that are written as words."""


def parse_formula(text: str, names: Iterable[str] = ()) -> Tree:
    """The tree of a formula in which only `names` stand for something.

    `^` and `**` are powers; `2x` and `2(x + 1)` are products, `x(x + 1)` too; Greek letters are their names.

    Raises:
        FormulaError: whoever wrote it; with the place.
    """
    if len(text) > MAX_LETTERS:
        raise FormulaError(MAX_LETTERS + 1, f"{len(text)} characters", f"at most {MAX_LETTERS}")
    reader = _Reader(list(_tokens(text)), frozenset(names), len(text) + 1)
    tree = reader.sum(0)
    if reader.here[0]:
        raise reader.refuse("an operator or the end")
    return tree


def evaluate(tree: Tree, values: Mapping[str, float]) -> Value:
    """The value of a formula.

    Raises:
        Undefined: there is none at these values.
    """
    try:
        value = _value(tree, values)
    except (ZeroDivisionError, OverflowError, ValueError) as fault:
        raise Undefined(str(fault)) from None
    if not cmath.isfinite(value):
        raise Undefined("not a finite number")
    return value


def evaluate_real(tree: Tree, values: Mapping[str, float]) -> float:
    """The real value of a formula.

    Raises:
        Undefined: there is none at these values.
    """
    return _real(evaluate(tree, values))


def same(one: Tree, other: Tree, variables: Iterable[str], positive: Iterable[str] = ()) -> bool:
    """Whether two formulas agree wherever both have a value, the `positive` variables being greater than 0."""
    random, above = Random(6258), frozenset(positive)  # noqa: S311 - points, not secrets
    names, compared = sorted(variables), 0
    for _ in range(POINTS):
        point = {name: random.uniform(0.3, 2.7) * (1 if name in above or random.random() < 0.5 else -1) for name in names}
        found = [_or_none(tree, point) for tree in (one, other)]
        if found[0] is None and found[1] is None:
            continue
        if found[0] is None or found[1] is None:
            return False
        if abs(found[0] - found[1]) > AGREE * max(1.0, abs(found[0]), abs(found[1])):
            return False
        compared += 1
    return compared >= 3


def _or_none(tree: Tree, point: Mapping[str, float]) -> Value | None:
    try:
        return evaluate(tree, point)
    except Undefined:
        return None


def _value(tree: Tree, values: Mapping[str, float]) -> Value:
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        return values[tree.name] if tree.name in values else CONSTANTS[tree.name]
    return FUNCTIONS[tree.function][1](*[_value(argument, values) for argument in tree.arguments])


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, place) of each token; signs of print become those of the keyboard, Greek letters their names."""
    at = 0
    clean = "".join(_keyboard(text, place) for place in range(len(text)))
    while clean[at:].strip():
        match = _TOKEN.match(clean, at)
        if match is None:
            stripped = clean[at:].lstrip()
            raise FormulaError(len(clean) - len(stripped) + 1, stripped[0], "a number, a name, an operator or a bracket")
        kind = match.lastgroup or ""
        word = match[kind]
        yield kind, "^" if word == "**" else word, match.start(kind) + 1
        at = match.end()


def _keyboard(text: str, place: int) -> str:
    letter = text[place]
    if letter in _SAME or letter.isascii():
        return _SAME.get(letter, letter)
    words = unicodedata.name(letter, "").split()
    if words[:3] != ["GREEK", "SMALL", "LETTER"] or len(words) != 4:
        return letter
    name = "sigmoid" if words[3] == "SIGMA" else words[3].replace("LAMDA", "lambda").lower()
    before, after = text[place - 1 : place].isalpha(), text[place + 1 : place + 2].isalpha()
    return f"{' ' * before}{name}{' ' * after}"


class _Reader:
    """Reads sums of products of powers; each level calls the one that binds closer."""

    def __init__(self, tokens: list[tuple[str, str, int]], names: frozenset[str], end: int) -> None:
        self.tokens, self.names, self.end, self.at = tokens, names, end, 0

    @property
    def here(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "", self.end)

    def refuse(self, expected: str) -> FormulaError:
        _, word, place = self.here
        return FormulaError(place, word or "the end", expected)

    def take(self, *words: str) -> str:
        word = self.here[1]
        if self.here[0] == "sign" and word in words:
            self.at += 1
            return word
        return ""

    def sum(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self.refuse(f"at most {MAX_DEPTH} brackets within one another")
        tree = self.product(depth)
        while sign := self.take("+", "-"):
            tree = Call(sign, (tree, self.product(depth)))
        return tree

    def product(self, depth: int) -> Tree:
        tree = self.signed(depth)
        while True:
            if sign := self.take("*", "/", "//", "%"):
                tree = Call(sign, (tree, self.signed(depth)))
            elif self.here[0] in ("name", "number") or self.here[1] == "(":
                tree = Call("*", (tree, self.power(depth)))
            else:
                return tree

    def signed(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self.refuse(f"at most {MAX_DEPTH} signs and brackets within one another")
        if self.take("-"):
            return Call("negative", (self.signed(depth + 1),))
        if self.take("+"):
            return self.signed(depth + 1)
        return self.power(depth)

    def power(self, depth: int) -> Tree:
        base = self.atom(depth)
        if self.take("^"):
            return Call("^", (base, self.signed(depth + 1)))
        return base

    def atom(self, depth: int) -> Tree:
        kind, word, _ = self.here
        if kind == "number":
            self.at += 1
            return Number(float(word))
        if kind == "name":
            if word in self.names or word in CONSTANTS:
                self.at += 1
                return Name(word)
            if word in WORDS:
                self.at += 1
                return Call(word, self.arguments(word, depth))
            known = ", ".join([*sorted(self.names), *CONSTANTS])
            raise self.refuse(f"one of {known}, or a function: {', '.join(WORDS)}")
        if self.take("("):
            tree = self.sum(depth + 1)
            if not self.take(")"):
                raise self.refuse("')'")
            return tree
        raise self.refuse("a number, a name or '('")

    def arguments(self, word: str, depth: int) -> tuple[Tree, ...]:
        if not self.take("("):
            raise self.refuse(f"'(' after {word}")
        found = [self.sum(depth + 1)]
        while self.take(","):
            found.append(self.sum(depth + 1))
        if len(found) != FUNCTIONS[word][0]:
            raise self.refuse(f"{FUNCTIONS[word][0]} argument(s) of {word}, not {len(found)}")
        if not self.take(")"):
            raise self.refuse("')'")
        return tuple(found)
