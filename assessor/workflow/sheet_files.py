"""One mark sheet on disk in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assessor.reports.marksheet_csv import write_csv
from assessor.reports.marksheet_html import write_html
from assessor.reports.marksheet_xlsx import write_xlsx
from assessor.reports.printing import write_pdf
from assessor.reports.sheet import FAIL, PASS, PENDING, Change, Row, Sheet


@dataclass(frozen=True)
class Written:
    """The files that were written, how many students have each outcome, and what differs from the frozen sheet.

    Attributes:
        note: why nothing could be compared with it, '' where all could.
        fonts: which letters could not be printed, '' where all could.
    """

    paths: tuple[Path, ...]
    students: int
    passed: int
    failed: int
    pending: int
    codes: dict[str, int]
    changes: tuple[Change, ...] = ()
    note: str = ""
    fonts: str = ""


def write_sheet(sheet: Sheet, rows: Sequence[Row], stem: Path, printable: bool) -> Written:
    """Writes one sheet as XLSX, CSV, HTML and, where it is to be printed, PDF: STEM.xlsx and so on.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write. Each file is whole or as it was.
    """
    paths = [stem.with_suffix(suffix) for suffix in (".xlsx", ".csv", ".html")]
    write_xlsx(sheet, rows, len(rows), paths[0])
    write_csv(sheet, rows, paths[1])
    write_html(sheet, rows, paths[2])
    fonts = ""
    if printable:
        paths.append(stem.with_suffix(".pdf"))
        fonts = write_pdf(
            paths[2].read_text("utf-8"), paths[3], footer=f"{sheet.code}, {sheet.state}, made {sheet.made}", landscape=True
        )
    outcomes = Counter(row.outcome for row in rows)
    codes = dict(sorted(Counter(row.code for row in rows).items()))
    return Written(tuple(paths), len(rows), outcomes[PASS], outcomes[FAIL], outcomes[PENDING], codes, sheet.changes, fonts=fonts)
