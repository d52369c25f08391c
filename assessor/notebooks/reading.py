"""Reading a student's notebook, however damaged, into plain cells. Never raises for what is in the file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 32 * 2**20
MAX_CELLS = 5_000
MAX_DEPTH = 200
KINDS = ("code", "markdown", "raw")


@dataclass(frozen=True)
class RawCell:
    """One cell as found: its kind, source and nbgrader id, if it has one."""

    kind: str
    source: str
    grade_id: str | None = None


@dataclass(frozen=True)
class RawNotebook:
    """A notebook as found. `fault` says what kept it from being read, '' where nothing did."""

    cells: tuple[RawCell, ...] = ()
    fault: str = ""
    remarks: tuple[str, ...] = field(default=())


def read_raw(data: bytes) -> RawNotebook:
    """Reads nbformat 3 and 4 alike, and what is nearly one of them."""
    if not data:
        return RawNotebook(fault="the notebook is missing or empty")
    if len(data) > MAX_BYTES:
        return RawNotebook(fault=f"the notebook is larger than {MAX_BYTES // 2**20} MiB")
    remarks = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        remarks.append("the notebook is not UTF-8; what could not be read was replaced")
    if _too_deep(text):
        return RawNotebook(fault="the notebook's JSON is nested beyond all reason")
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as fault:
        return RawNotebook(fault=f"the notebook is not JSON ({str(fault)[:80]})")
    found = _cells(loaded)
    if found is None:
        return RawNotebook(fault="the file holds no notebook: it has no list of cells")
    if len(found) > MAX_CELLS:
        remarks.append(f"only the first {MAX_CELLS} of {len(found)} cells were read")
    cells = [cell for item in found[:MAX_CELLS] if (cell := _cell(item)) is not None]
    lost = len(found[:MAX_CELLS]) - len(cells)
    if lost:
        remarks.append(f"{lost} cells could not be read and were left out")
    return RawNotebook(tuple(cells), "", tuple(remarks))


def _too_deep(text: str) -> bool:
    """Whether brackets outside of strings nest deeper than any notebook's; json's own recursion never sees it then."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text, re.DOTALL):
        mark = token.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _cells(loaded: object) -> list[Any] | None:
    """The list of cells of nbformat 4, or of nbformat 3's worksheets."""
    if not isinstance(loaded, dict):
        return None
    if isinstance(loaded.get("cells"), list):
        return list(loaded["cells"])
    sheets = loaded.get("worksheets")
    if isinstance(sheets, list):
        return [
            cell
            for sheet in sheets
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
            for cell in sheet["cells"]
        ]
    return None


def _cell(item: object) -> RawCell | None:
    if not isinstance(item, dict):
        return None
    source = item.get("source", item.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    kind = item.get("cell_type")
    kind = "markdown" if kind in ("heading", "html") else kind
    if kind not in KINDS:
        return None
    return RawCell(kind, source, _grade_id(item.get("metadata")))


def _grade_id(metadata: object) -> str | None:
    data = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    found = data.get("grade_id") if isinstance(data, dict) else None
    return found if isinstance(found, str) and found else None
