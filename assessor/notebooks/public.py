"""Public tests: the files of a grader that students are given, to run them on their own machines.

A test file is public as a whole, where it says so at its top: `pytestmark = pytest.mark.public`. A release holds it as
checks/FILE; everything else of a grader stays secret.
"""

from __future__ import annotations

import ast
from pathlib import Path

from assessor.errors import CourseInvalid

FOLDER = "checks"
NOT_THERE = ("reference", "calibrated")
"""Fixtures that stand on secret files."""


def public_tests(grader: Path) -> dict[str, bytes]:
    """The public test files of a grader, name -> bytes.

    Raises:
        CourseInvalid: one of them needs what students do not have.
    """
    found = {path.name: path.read_bytes() for path in sorted(grader.glob("test_*.py")) if is_public(path.read_bytes())}
    for name, text in found.items():
        for line, what in _secret_needs(text, {path.stem for path in grader.glob("*.py")}):
            raise CourseInvalid(
                grader / name, f"line {line}", f"{what}, which students do not have", "public tests that stand by themselves"
            )
    return found


def is_public(text: bytes) -> bool:
    """Whether a test file says that all of it is public."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets):
            marks = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
            return any(ast.unparse(mark) == "pytest.mark.public" for mark in marks)
    return False


def _secret_needs(text: bytes, secret: set[str]) -> list[tuple[int, str]]:
    """Lines that ask for a fixture or a module of the grader's."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.arg) and node.arg in NOT_THERE:
            found.append((node.lineno, f"the fixture {node.arg!r}"))
        elif isinstance(node, ast.Import):
            found += [(node.lineno, f"the module {name.name!r}") for name in node.names if name.name.split(".")[0] in secret]
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in secret):
            found.append((node.lineno, f"the module {node.module!r}"))
    return found
