"""What a cell's code defines and does, as far as can be told without running it. Never raises for what is in it."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from typing import cast

MAX_PARSED = 20_000
"""Characters of a cell that are parsed; beyond, and where it does not parse, names are found by pattern."""
_DEFINED = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)
_ASSIGNED = re.compile(r"^([A-Za-z_]\w*)\s*(?::[^=\n]{1,80})?=(?!=)", re.MULTILINE)
_MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)\w[\w.]*\?{1,2}[ \t]*$", re.MULTILINE)
_KINDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def defined(source: str, *, parse: bool = True) -> frozenset[str]:
    """The functions and classes that a cell defines at its top."""
    tree = _parsed(source) if parse else None
    if tree is None:
        return frozenset(_DEFINED.findall(source))
    return frozenset(node.name for node in tree.body if isinstance(node, _KINDS))


def bound(source: str, *, parse: bool = True) -> frozenset[str]:
    """All names that a cell gives a value at its top: functions, classes, variables."""
    tree = _parsed(source) if parse else None
    if tree is None:
        return frozenset(_DEFINED.findall(source)) | frozenset(_ASSIGNED.findall(source))
    found = {node.name for node in tree.body if isinstance(node, _KINDS)}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
            found |= {part.id for part in parts if isinstance(part, ast.Name)}
    return frozenset(found)


def program(source: str) -> str | None:
    """A digest that cells share when they are the same program, comments, docstrings and layout aside; None where it
    does not parse."""
    tree = _parsed(source)
    if tree is None:
        return None
    try:
        return hashlib.sha256(ast.dump(_bare(tree)).encode("utf-8", "replace")).hexdigest()
    except RecursionError:
        return None


def added_statements(mine: str, given: str) -> str:
    """The statements of `mine` that are not in `given`, in order. All of `mine` where one of them does not parse."""
    one, other = _parsed(mine), _parsed(given)
    if one is None or other is None:
        return mine
    lines = mine.split("\n")
    try:
        known = {ast.dump(node) for node in other.body}
        new = [node for node in one.body if ast.dump(node) not in known and not isinstance(node, ast.Pass)]
    except RecursionError:
        return mine
    kept: dict[int, str] = {}  # by line: two statements may share one
    for node in new:
        kept.update(enumerate(lines[_first(node) - 1 : node.end_lineno], _first(node)))
    return "\n".join(kept.values())


def _first(node: ast.stmt) -> int:
    """A statement's first line, decorators included."""
    decorators = cast("list[ast.expr]", getattr(node, "decorator_list", []))
    return min([node.lineno, *(each.lineno for each in decorators)])


def _parsed(source: str) -> ast.Module | None:
    if len(source) > MAX_PARSED:
        return None
    # str.splitlines and Python's own tokeniser differ on form feeds and the like; added_statements counts lines.
    plain = re.sub(r"[\f\v\x1c-\x1e\x85\u2028\u2029]", " ", source.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(_MAGIC.sub(r"\1\2pass", plain))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bare(tree: ast.Module) -> ast.Module:
    """The tree without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (*_KINDS, ast.Module)) and node.body:
            first = node.body[0]
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = node.body[1:]
    return tree
