"""Pages on paper: a report's HTML as PDF, by WeasyPrint, which lays out what a browser would print and runs nothing."""

from __future__ import annotations

from pathlib import Path

from assessor.files import replacing

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


def write_pdf(page: str, path: Path, *, footer: str = "", landscape: bool = False) -> None:
    """Writes a page's PDF, wholly or not at all: A4, heads of tables repeated, a footer and 'page n of m'.

    Nothing is fetched: pictures must stand in the page.

    Raises:
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    from weasyprint import CSS, HTML  # a second to import; only who prints needs it
    from weasyprint.urls import URLFetcher

    quoted = footer.replace("\\", "").replace('"', "'").replace("\n", " ")
    style = CSS(string=SHEET.format(orientation="landscape" if landscape else "portrait", footer=quoted))
    with replacing(path) as temporary:
        HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf(str(temporary), stylesheets=[style])
