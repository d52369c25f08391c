from __future__ import annotations

import ast
import math
import random
import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from types import SimpleNamespace

import pytest
from openpyxl.utils.cell import range_boundaries

from assessor.reports.sheet import (
    FAIL,
    MARKED,
    MISSING,
    NOT_SUBMITTED,
    PASS,
    PENDING,
    REVIEW,
    Cell,
    Component,
    Item,
    Row,
    Sheet,
)

NAMES = [
    "=1+1",
    "O'Neill, Ann",
    "李小龍",
    "محمد",
    "@SUM(A1)",
    "-2+3",
    "+44",
    "<script>alert(1)</script>",
    "{=A1}",
    "https://x.org",
    "007",
]


def mean(values: list[Decimal | None], weights: list[Decimal]) -> Decimal | None:
    if any(value is None for value in values):
        return None
    return sum((v * w for v, w in zip(values, weights, strict=True)), Decimal(0)) / sum(weights)


def make_cell(points: Decimal | None, out_of: Decimal, status: str, days: int = 0) -> Cell:
    factor = max(Decimal(0), 1 - Decimal("0.1") * days) if days <= 5 else Decimal(0)
    percent = None if points is None else points / out_of * 100
    penalised = Decimal(0) if status == NOT_SUBMITTED else None if percent is None else percent * factor
    return Cell(points, out_of, percent, days, factor, penalised, None if points is None else 1, status)


def make_row(sheet: Sheet, number: int, name: str, cells: tuple[tuple[Cell, ...], ...]) -> Row:
    components = tuple(
        mean([cell.penalised for cell in group], [item.weight for item in part.items])
        for part, group in zip(sheet.components, cells, strict=True)
    )
    total = mean(list(components), [part.weight for part in sheet.components])
    rounded = None if total is None else total.quantize(Decimal(1), rounding=ROUND_HALF_UP)
    outcome = PENDING if rounded is None else PASS if rounded >= sheet.pass_mark else FAIL
    return Row(f"s{number:05d}", name, f"M{number * 7919 % 99991:05d}", cells, components, total, rounded, outcome)


def make_rows(sheet: Sheet, students: int, seed: int = 1) -> list[Row]:
    draw = random.Random(seed)
    rows = []
    for number in range(1, students + 1):
        cells = tuple(tuple(random_cell(draw) for _ in part.items) for part in sheet.components)
        rows.append(make_row(sheet, number, NAMES[number % len(NAMES)], cells))
    return rows


def random_cell(draw: random.Random) -> Cell:
    out_of = Decimal(draw.choice([8, 30, 100, 7]))
    fate = draw.random()
    if fate < 0.04:
        return make_cell(None, out_of, NOT_SUBMITTED)
    if fate < 0.06:
        return make_cell(None, out_of, draw.choice([REVIEW, MISSING]))
    points = out_of * draw.randrange(0, 5) / 4
    return make_cell(points, out_of, MARKED, draw.choice([0] * 8 + [1, 3, 6]))


@pytest.fixture
def sheet() -> Sheet:
    items = [Item(name, title, Decimal(weight)) for name, title, weight in
             [("lab1", "Introducing PyTorch", 1), ("lab2", "Autodiff", 3)]]  # fmt: skip
    return Sheet(
        code="COMP6258",
        title="Deep Learning & more",
        made="2021-05-20 12:00:00 BST",
        pass_mark=Decimal(50),
        rounding="half_up",
        decimals=0,
        components=(
            Component("labs", Decimal(40), tuple(items)),
            Component("project", Decimal(40), (Item("project", "Project", Decimal(1)),)),
            Component(
                "quizzes", Decimal(20), (Item("quiz1", "Quiz 1", Decimal(1)), Item("quiz2", "Quiz 2", Decimal(1)))
            ),
        ),
        provenance=(("Course", "COMP6258"), ("Made", "2021-05-20"), ("Note", "=cmd|' /C calc'!A0")),
    )


@pytest.fixture
def rows(sheet: Sheet) -> list[Row]:
    return make_rows(sheet, 40)


@pytest.fixture
def half_way(sheet: Sheet) -> Row:
    """41.75, 82.25 and 49.5: exactly 59.5, in binary 59.49999999999999."""
    labs, project, quiz = (make_cell(Decimal(v), Decimal(100), MARKED) for v in ("41.75", "82.25", "49.5"))
    return make_row(sheet, 99, "Half Way", ((labs, labs), (project,), (quiz, quiz)))


@pytest.fixture
def make() -> SimpleNamespace:
    """What a test needs to make rows of its own."""
    return SimpleNamespace(cell=make_cell, row=make_row, rows=make_rows)


TOKEN = re.compile(
    r"""(?P<text>"[^"]*")|(?P<ref>(?:'(?P<sheet>(?:[^']|'')+)'!)?(?P<cells>\$?[A-Z]{1,3}\$?\d+(?::\$?[A-Z]{1,3}\$?\d+)?)(?![\w(]))"""
    r"""|(?P<operator><=|>=|<>|=|\^)"""
)
OPERATORS = {"=": "==", "^": "**", "<>": "!="}


class Sums:
    """A small spreadsheet: evaluates a workbook's formulas without looking at the values that stand beside them."""

    def __init__(self, book) -> None:
        self.book = book
        self.known: dict[tuple[str, str], object] = {}

    def value(self, sheet: str, cell: str):
        key = (sheet, cell)
        if key not in self.known:
            found = self.book[sheet][cell].value
            self.known[key] = self.formula(sheet, found) if isinstance(found, str) and found.startswith("=") and (
                self.book[sheet][cell].data_type == "f") else found  # fmt: skip
        return self.known[key]

    def formula(self, sheet: str, text: str):
        def python(match: re.Match[str]) -> str:
            if match["text"] is not None:
                return match["text"]
            if match["ref"]:
                place = (match["sheet"] or sheet).replace("''", "'")
                return f"CELLS({place!r}, {match['cells'].replace('$', '')!r})"
            return OPERATORS.get(match["operator"], match["operator"])

        return self.node(ast.parse(TOKEN.sub(python, text[1:]), mode="eval").body)

    def node(self, node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp):
            left, right = self.node(node.left), self.node(node.right)
            left, right = (0 if operand is None else operand for operand in (left, right))
            assert not isinstance(left, str) and not isinstance(right, str), "#VALUE!"
            return {ast.Add: lambda: left + right, ast.Mult: lambda: left * right, ast.Div: lambda: left / right,
                    ast.Pow: lambda: left**right}[type(node.op)]()  # fmt: skip
        if isinstance(node, ast.Compare):
            left, right = self.node(node.left), self.node(node.comparators[0])
            if "" in (left, right):  # an empty cell equals ""
                left, right = ("" if side is None else side for side in (left, right))
            return {ast.Eq: lambda: left == right, ast.Lt: lambda: left < right, ast.GtE: lambda: left >= right}[
                type(node.ops[0])
            ]()
        assert isinstance(node, ast.Call), ast.dump(node)
        return self.call(node.func.id, node.args)

    def call(self, name: str, arguments):
        if name == "IF":
            return self.node(arguments[1] if self.node(arguments[0]) else arguments[2])
        if name == "CELLS":
            cells = self.cells(arguments)
            return cells[0] if len(cells) == 1 else cells
        given = [self.node(argument) for argument in arguments]
        if name == "COUNT":
            return sum(isinstance(value, int | float) for value in given)
        if name in ("ROUND", "ROUNDDOWN"):
            mode = ROUND_HALF_UP if name == "ROUND" else ROUND_DOWN
            return float(Decimal(given[0]).quantize(Decimal(1).scaleb(-int(given[1])), rounding=mode))
        if name == "MOD":
            return math.fmod(*given)
        if name == "MATCH":
            cells = given[1] if isinstance(given[1], list) else [given[1]]
            return cells.index(given[0]) + 1
        assert name == "INDEX", name
        cells = given[0] if isinstance(given[0], list) else [given[0]]
        return cells[int(given[1]) - 1]

    def cells(self, arguments):
        sheet, cells = (argument.value for argument in arguments)
        if ":" not in cells:
            return [self.value(sheet, cells)]
        first_column, first_row, last_column, last_row = range_boundaries(cells)
        assert first_column == last_column
        letters = re.match("[A-Z]+", cells)[0]
        return [self.value(sheet, f"{letters}{row}") for row in range(first_row, last_row + 1)]


@pytest.fixture
def recompute() -> type[Sums]:
    return Sums
