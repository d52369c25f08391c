"""The mark sheet as one HTML page that needs nothing else: to read, to print, to hand round a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assessor.files import replacing
from assessor.reports.pages import stream
from assessor.reports.sheet import FAIL, PASS, PENDING, STATES, Row, Sheet, notes, summarise

OUTCOMES = {PASS: ("pass", "good"), FAIL: ("fail", "bad"), PENDING: ("pending", "wait")}
"""For each outcome its word and the class of its tag."""


def write_html(sheet: Sheet, rows: Sequence[Row], path: Path) -> None:
    """Writes the page, wholly or not at all.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    page = stream(
        "marksheet.html",
        sheet=sheet,
        rows=rows,
        summary=summarise(rows),
        states=STATES,
        outcomes=OUTCOMES,
        notes=notes,
    )
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page)
