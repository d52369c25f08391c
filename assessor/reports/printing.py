"""Pages on paper: a report's HTML as PDF, by WeasyPrint, which lays out what a browser would print and runs nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assessor.files import replacing

SHOWN = 8

SHEET = """
@page {{
  size: A4 {orientation} !important;
  margin: 12mm 12mm 16mm !important;
  @bottom-left {{ content: "{footer}"; font: 7.5pt sans-serif; color: #5a6675; }}
  @bottom-right {{ content: "page " counter(page) " of " counter(pages); font: 7.5pt sans-serif; color: #5a6675; }}
}}
section, .scroll {{ overflow: visible !important; }}
body {{ font-size: 8.5pt !important; }}
table {{ width: 100%; font-size: 7.5pt; }}
th, td {{ padding: 1.5pt 3pt !important; }}
thead th {{ white-space: normal !important; }}
"""


def write_pdf(page: str, path: Path, *, footer: str = "", landscape: bool = False) -> str:
    """Writes a page's PDF, wholly or not at all: A4, heads of tables repeated, a footer and 'page n of m'.

    Nothing is fetched: pictures must stand in the page.

    Returns:
        '', or which letters stand as empty boxes for want of a font, and what to do.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    from weasyprint import CSS, HTML  # a second to import; only who prints needs it
    from weasyprint.urls import URLFetcher

    quoted = footer.replace("\\", "").replace('"', "'").replace("\n", " ")
    style = CSS(string=SHEET.format(orientation="landscape" if landscape else "portrait", footer=quoted))
    with replacing(path) as temporary, _missing_letters() as missing:
        HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf(str(temporary), stylesheets=[style])
    if not missing:
        return ""
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return (
        f"{path.name}: no font of this machine has {' '.join(list(missing)[:SHOWN])}{more}, which stand as boxes; install fonts "
        "(Debian: fonts-noto-core fonts-noto-cjk) and write it again"
    )


@contextmanager
def _missing_letters() -> Iterator[dict[str, None]]:
    """Letters that WeasyPrint says it has no glyph for, each once, in the order of the page."""
    found: dict[str, None] = {}

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if str(record.msg).startswith(".notdef") and isinstance(record.args, tuple):
                found[str(record.args[0])] = None

    log, listener = logging.getLogger("weasyprint"), Listener(logging.WARNING)
    log.addHandler(listener)
    try:
        yield found
    finally:
        log.removeHandler(listener)
