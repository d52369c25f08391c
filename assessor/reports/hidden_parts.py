"""Takes nbgrader's hidden tests and mark schemes out of an executed notebook, before its student sees it.

Classic test cells run in the student's kernel together with their hidden part, so the executed notebook holds it. The
part goes, and with it that cell's outputs, since a traceback quotes the lines that failed. An output of another cell
that quotes a hidden line goes too: a student can print the kernel's own history. Code that disguises what it prints
cannot be seen through; that is why new hidden tests run outside the kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

HIDDEN = re.compile(
    r"^[^\n]*BEGIN (HIDDEN TESTS|MARK SCHEME).*?(?:^[^\n]*END \1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL
)
SHORTEST_TELLING_LINE = 8
_COLOUR = re.compile(r"\\u001b\[[0-9;]*m")
_SAYS_NOTHING = re.compile(r"[^\w=<>.,()\[\]+*/-]|\\n")
"""Spaces, quotes and back-slashes, which differ between a line and a representation of it."""


def without_hidden_tests(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of a notebook (nbformat 4, as JSON) without hidden tests and what quotes them."""
    hidden = {line for cell in notebook["cells"] for line in _hidden_lines(_joined(cell["source"]))}
    if not any(HIDDEN.search(_joined(cell["source"])) for cell in notebook["cells"]):
        return notebook
    return {**notebook, "cells": [_without(cell, hidden) for cell in notebook["cells"]]}


def _hidden_lines(source: str) -> Iterable[str]:
    """The lines that must not be seen, bare; those too short to tell anything are left out."""
    for part in HIDDEN.finditer(source):
        bare = (_bare(json.dumps(line)) for line in part.group().splitlines())
        yield from (line for line in bare if len(line) >= SHORTEST_TELLING_LINE)


def _without(cell: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    source = _joined(cell["source"])
    shown = HIDDEN.sub(_label, source)
    cell = {**cell, "source": shown}
    if "outputs" not in cell:
        return cell
    if shown != source:
        return {**cell, "outputs": []}
    return {**cell, "outputs": [output for output in cell["outputs"] if not _quotes(output, hidden)]}


def _label(part: re.Match[str]) -> str:
    return "# hidden tests" if part[1] == "HIDDEN TESTS" else ""


def _quotes(output: dict[str, Any], hidden: set[str]) -> bool:
    said = _bare(json.dumps(output))
    return any(line in said for line in hidden)


def _bare(text: str) -> str:
    """JSON text with colours, spaces, quotes and back-slashes taken out."""
    return _SAYS_NOTHING.sub("", _COLOUR.sub("", text))


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
