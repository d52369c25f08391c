"""Reading a student's notebook, however damaged, into plain cells. Never raises for what is in the file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from assessor.notebooks.names import bound, defined, program

MAX_BYTES = 32 * 2**20
MAX_CELLS = 2_000
MAX_CONTAINERS = 1_000_000
"""Lists and objects in a file. Empty ones cost 60 bytes of memory for two of file; no real notebook comes near."""
MAX_PARSED = 1_000_000
"""Characters of a notebook's code that are parsed: parsing costs a second each."""
KINDS = ("code", "markdown", "raw")
IMAGES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class RawCell:
    """One cell as found.

    Attributes:
        grade_id: its nbgrader id, if it has one.
        untouched: whether its nbgrader checksum says that it is as it was released, in whichever year.
        attachments: pictures that were pasted into its text, name -> kind -> base64.
        parsed: whether its code may be parsed, which costs time; else names are found by pattern.
    """

    kind: str
    source: str
    grade_id: str | None = None
    untouched: bool = False
    attachments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parsed: bool = True

    @cached_property
    def flat(self) -> str:
        """Its text, white space made equal."""
        return flattened(self.source)

    @cached_property
    def defined(self) -> frozenset[str]:
        """The functions and classes that it defines."""
        return defined(self.source, parse=self.parsed) if self.kind == "code" else frozenset()

    @cached_property
    def bound(self) -> frozenset[str]:
        """All the names that it gives a value."""
        return bound(self.source, parse=self.parsed) if self.kind == "code" else frozenset()

    @cached_property
    def program(self) -> str | None:
        """A digest of what it computes; None where that cannot be told."""
        return program(self.source) if self.kind == "code" and self.parsed else None


def flattened(text: str) -> str:
    """A text with its white space made equal."""
    return SPACE.sub(" ", text).strip()


@dataclass(frozen=True)
class RawNotebook:
    """A notebook as found. `fault` says what kept it from being read, '' where nothing did."""

    cells: tuple[RawCell, ...] = ()
    fault: str = ""
    remarks: tuple[str, ...] = ()


def read_raw(data: bytes) -> RawNotebook:
    """Reads nbformat 3 and 4 alike, what is nearly one of them, and the sound beginning of a damaged file."""
    if not data.strip():
        return RawNotebook(fault="the notebook is missing or empty")
    if len(data) > MAX_BYTES:
        return RawNotebook(fault=f"the notebook is larger than {MAX_BYTES // 2**20} MiB")
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        return RawNotebook(fault="the notebook holds more lists and objects than any notebook should")
    remarks = []
    text, intact = _decoded(data)
    if not intact:
        remarks.append("the notebook is not valid UTF-8; what could not be read was replaced")
    try:
        found = _cells(_DECODER.decode(text))
    except (ValueError, RecursionError) as fault:
        found = _salvaged(text)
        if not found:
            return RawNotebook(fault=f"the notebook is not JSON ({str(fault)[:80]})")
        remarks.append(f"the file is damaged ({str(fault)[:80]}); its first {len(found)} cells could be read")
    if found is None:
        return RawNotebook(fault="the file holds no notebook: it has no list of cells")
    if len(found) > MAX_CELLS:
        remarks.append(f"only the first {MAX_CELLS} of {len(found)} cells were read")
    cells = [cell for item in found[:MAX_CELLS] if (cell := _cell(item)) is not None]
    lost = len(found[:MAX_CELLS]) - len(cells)
    if lost:
        remarks.append(f"{lost} cells could not be read and were left out")
    return RawNotebook(_within_budget(cells), "", tuple(remarks))


def _within_budget(cells: list[RawCell]) -> tuple[RawCell, ...]:
    """The cells, those after the first million characters not to be parsed."""
    kept, characters = [], 0
    for cell in cells:
        characters += len(cell.source) if cell.kind == "code" else 0
        kept.append(cell if characters <= MAX_PARSED else replace(cell, parsed=False))
    return tuple(kept)


def _integer(digits: str) -> int:
    """A number; one of a million digits matters to nobody and would raise."""
    return int(digits) if len(digits) < 20 else 0


_DECODER = json.JSONDecoder(parse_int=_integer, strict=False)


def _decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether all of it could be read. UTF-16 is what some Windows editors make of a notebook."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding), True
    except UnicodeDecodeError:
        return data.decode(encoding, "replace"), False


def _salvaged(text: str) -> list[Any]:
    """The cells before the place where a file is cut off or damaged."""
    start = re.search(r'"cells"\s*:\s*\[', text)
    cells: list[Any] = []
    place = start.end() if start else -1
    gap = re.compile(r"[\s,]*")
    while place >= 0 and len(cells) < MAX_CELLS:
        skipped = gap.match(text, place)
        place = skipped.end() if skipped else place
        if text[place : place + 1] != "{":
            break
        try:
            cell, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        cells.append(cell)
    return cells


def _cells(loaded: object) -> list[Any] | None:
    """The list of cells: nbformat 4's, nbformat 3's worksheets', or a bare one."""
    if isinstance(loaded, list) and any(isinstance(item, dict) and "cell_type" in item for item in loaded):
        return loaded
    if not isinstance(loaded, dict):
        return None
    if isinstance(loaded.get("cells"), list):
        return list(loaded["cells"])
    sheets = loaded.get("worksheets")
    if not isinstance(sheets, list):
        return None
    inner = (sheet.get("cells") for sheet in sheets if isinstance(sheet, dict))
    return [cell for cells in inner if isinstance(cells, list) for cell in cells]


def _cell(item: object) -> RawCell | None:
    if not isinstance(item, dict):
        return None
    source = item.get("source", item.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    # A lone surrogate is valid JSON and no text: nothing after this line could encode it.
    source = source.encode("utf-8", "replace").decode("utf-8")
    metadata = item.get("metadata")
    data = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    found = data.get("grade_id") if isinstance(data, dict) else None
    name = found if isinstance(found, str) and found else None
    kind = _kind(item)
    untouched = name is not None and isinstance(data, dict) and _is_untouched(kind, source, name, data)
    return RawCell(kind, source, name, untouched, pictures(item.get("attachments")))


def _kind(item: Mapping[str, Any]) -> str:
    """A cell's kind; what lost it is code when it has what only code has."""
    kind = item.get("cell_type")
    if isinstance(kind, str) and kind in KINDS:
        return kind
    return "code" if {"outputs", "execution_count", "input", "prompt_number"} & item.keys() else "markdown"


def _is_untouched(kind: str, source: str, name: str, data: Mapping[str, Any]) -> bool:
    """Whether nbgrader's checksum in a cell's metadata is that of the cell.

    Source:
        nbgrader.utils.compute_checksum, which is not called since importing it costs seconds.
    """
    grade, solution = bool(data.get("grade")), bool(data.get("solution"))
    locked = not solution and (grade or bool(data.get("locked")))
    parts = [source, kind, str(grade), str(solution), str(locked), name]
    if grade:
        points = data.get("points")
        if isinstance(points, bool) or not isinstance(points, (int, float)):
            return False
        parts.append(str(float(points)))
    digest = hashlib.md5("".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return bool(data.get("checksum") == digest)


def pictures(found: object) -> dict[str, dict[str, str]]:
    """A cell's attachments that are PNG or JPEG; anything else is left behind."""
    kept: dict[str, dict[str, str]] = {}
    for name, kinds in found.items() if isinstance(found, dict) else ():
        if isinstance(kinds, dict) and name.isprintable():
            images = {
                kind: data
                for kind in IMAGES
                if isinstance(data := kinds.get(kind), str) and BASE64.fullmatch(data) is not None
            }
            if images:
                kept[name] = images
    return kept
