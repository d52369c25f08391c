"""An executed notebook as HTML that is safe in a marker's browser: no script, no style, no load from anywhere."""

from __future__ import annotations

import re

import bleach
import nbformat
from bleach.css_sanitizer import CSSSanitizer
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

SHOWN = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg")
"""Kinds of output that are shown. Not: SVG, JavaScript, widgets, PDF."""
TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr "
    "i img ins kbd li main mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th thead "
    "tr u ul var wbr".split()
)
ATTRIBUTES = {
    "*": ["class", "title", "colspan", "rowspan", "align", "valign", "style", "dir", "lang"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "ol": ["start"],
}
STYLES = CSSSanitizer(
    allowed_css_properties=["color", "background-color", "font-weight", "font-style", "text-align", "text-decoration"]
)
PNG_OR_JPEG = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
MAX_SOURCE = 200_000


def to_fragment(notebook: NotebookNode | dict[str, object]) -> str:
    """The notebook's cells and outputs as a fragment of HTML."""
    config = Config()
    config.HTMLExporter.preprocessors = []
    exporter = HTMLExporter(config=config, template_name="basic", exclude_anchor_links=True, sanitize_html=False)
    body, _ = exporter.from_notebook_node(_harmless(nbformat.from_dict(notebook)))
    return clean(body)


def clean(html: str) -> str:
    """Only harmless elements and attributes; links and images only where they load nothing by themselves."""
    html = re.sub(r"(?is)<(script|style|template|svg|math|iframe|object)\b.*?(</\1\s*>|\Z)", "", html)
    return str(
        bleach.clean(
            html, tags=TAGS, attributes=_allowed, protocols=["http", "https", "mailto", "data"],
            css_sanitizer=STYLES, strip=True, strip_comments=True,
        )
    )  # fmt: skip


def _allowed(tag: str, name: str, value: str) -> bool:
    if name not in ATTRIBUTES["*"] and name not in ATTRIBUTES.get(tag, []):
        return False
    if name == "src":
        return PNG_OR_JPEG.fullmatch(value) is not None
    if name == "href":
        return re.match(r"(https?://|mailto:|#)", value) is not None
    return True


def _harmless(notebook: NotebookNode) -> NotebookNode:
    """Only outputs of kinds that we show; texts of bounded length; no attachments."""
    for cell in notebook.cells:
        cell.pop("attachments", None)
        cell.source = cell.source[:MAX_SOURCE]
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_shown, cell.get("outputs", [])) if output is not None]
    notebook.metadata = nbformat.from_dict({})
    return notebook


def _shown(output: NotebookNode) -> NotebookNode | None:
    data = output.get("data")
    if data is None:
        return output
    kept = {kind: data[kind] for kind in SHOWN if kind in data}
    return nbformat.from_dict({**output, "data": kept, "metadata": {}}) if kept else None
