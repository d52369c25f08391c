"""An executed notebook as HTML that is safe in a marker's browser: no script, no foreign style, no load from anywhere.

Twice sanitised: each of the student's own pieces of HTML by itself, so that what it leaves open cannot swallow the next
cell, and then the whole, so that no hole of a template matters. Outputs are what the student's process claimed: any JSON.
"""

from __future__ import annotations

import html
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import bleach
import nbformat
from bleach.css_sanitizer import CSSSanitizer
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html, strip_ansi
from nbformat import NotebookNode
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

from assessor.notebooks.reading import BASE64, IMAGES, MAX_CELLS, pictures

TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")
"""Kinds of output that are shown, with pictures. Not: SVG, JavaScript, widgets, PDF."""
TAGS = frozenset([
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl",
    "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark",
    "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul", "var", "wbr",
])  # fmt: skip
ATTRIBUTES = {
    "*": ["class", "title", "align", "valign", "style", "dir", "lang"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "ol": ["start"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan"],
}
STYLES = CSSSanitizer(
    allowed_css_properties=["color", "background-color", "font-weight", "font-style", "text-align", "text-decoration"]
)
PLAIN_STYLE = re.compile(r"(?:[\w\s:;#%.,!-]|rgba?\([\d\s.,%]{0,40}\)){0,300}")
PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
WITH_CONTENT = re.compile(r"(?is)<(script|style|template|svg|math|iframe|object|title|textarea|xmp|noscript)\b.*?(</\1\s*>|\Z)")
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
VOID = frozenset(["area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"])
MAX_TAGS, MAX_OPEN = 5_000, 100
"""A piece of HTML beyond these is shown as text: the parser takes minutes over what is nested deeply enough."""
MAX_TEXT, MAX_HTML, MAX_PICTURE = 20_000, 100_000, 4 * 2**20
MAX_SOURCES, MAX_TOTAL, MAX_PICTURES = 300_000, 400_000, 32 * 2**20
"""Characters of HTML that a page's cells and its outputs may become before they are marked up, each for themselves, so that
what is printed pushes no answer off the page; and base64 of all its pictures."""
MAX_OUTPUTS, OUTPUT_COST = 200, 200
"""Outputs of a cell that are shown, and what each costs of the total however short it is: a template costs time too."""
MAX_SPANS = 10_000
"""Coloured pieces of a page, of code and of ANSI escapes; what comes after them is plain. Each costs 0.1 ms and 40 bytes."""
MAX_BRACKETS = 500
"""In a piece of markdown; the parser's time grows with their square."""
CUT = "\n... (cut here)"
FORMATTER = HtmlFormatter(style="default", nobackground=True, cssclass="highlight")
STYLE = FORMATTER.get_style_defs(".notebook .highlight") + """
.notebook .cell { margin: 1em 0; } .notebook .prompt { color: #666; font-size: 85%; font-family: monospace; }
.notebook pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.3em 0; } .notebook img { max-width: 100%; }
.notebook table { border-collapse: collapse; } .notebook td, .notebook th { border: 1px solid #ccc; padding: 0.2em 0.5em; }
.notebook .ansi-bold { font-weight: bold; } .notebook .ansi-red-fg { color: #b00; }
.notebook .ansi-green-fg { color: #070; } .notebook .ansi-yellow-fg { color: #850; }
.notebook .ansi-blue-fg { color: #00b; } .notebook .ansi-magenta-fg { color: #808; } .notebook .ansi-cyan-fg { color: #077; }
"""
"""For a page that holds a fragment in an element of class `notebook`."""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer"><style>{style}</style></head>
<body><div class="notebook">{body}</div></body></html>
"""


def to_html(notebook: NotebookNode | Mapping[str, Any], title: str = "Notebook") -> str:
    """A page of its own that loads nothing and runs nothing."""
    return PAGE.format(title=html.escape(title), style=STYLE, body=to_fragment(notebook))


def to_fragment(notebook: NotebookNode | Mapping[str, Any]) -> str:
    """The notebook's cells and outputs as a fragment of HTML, for an element of class `notebook`."""
    lexer, spans = get_lexer_by_name("ipython3"), MAX_SPANS

    @pass_context
    def markdown(context: Context, source: str) -> str:
        """Each piece by itself; as it was written where the parser gives up or would take long."""
        if source.count("[") > MAX_BRACKETS:
            return f"<pre>{html.escape(source)}</pre>"
        try:
            rendered = str(exporter.markdown2html(context, source))
        except Exception:  # noqa: BLE001 - the parser's own faults on hostile input
            rendered = f"<pre>{html.escape(source)}</pre>"
        return clean(rendered)

    def within_spans(coloured: str, plain: str) -> str:
        nonlocal spans
        count = coloured.count("<span")
        if count > spans:
            return plain
        spans -= count
        return coloured

    def code(source: str, language: str | None = None, metadata: object = None) -> str:
        plain = f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
        return within_spans(highlight(source, lexer, FORMATTER), plain) if spans else plain

    def ansi(source: str) -> str:
        plain = html.escape(str(strip_ansi(source)))
        return within_spans(str(ansi2html(source)), plain) if spans else plain

    filters = {"markdown2html": markdown, "highlight_code": code, "ansi2html": ansi, "strip_files_prefix": _as_it_is}
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True, preprocessors=[], filters=filters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's, about images without alternative text
        body, _ = exporter.from_notebook_node(_Harmless().notebook(notebook))
    return _sanitised(body, classes=True)


def _as_it_is(text: str) -> str:
    """In place of a filter for old notebook servers' links, whose time grows with the square of the text."""
    return text


def clean(text: str) -> str:
    """A student's HTML with only harmless elements and attributes, balanced; as text where it is too tangled."""
    text = WITH_CONTENT.sub("", text)
    if _is_tangled(text):
        return f"<pre>{html.escape(text[:MAX_TEXT])}</pre>"
    try:
        return _sanitised(text, classes=False)
    except Exception:  # noqa: BLE001 - the parser's own faults on hostile input
        return f"<pre>{html.escape(text[:MAX_TEXT])}</pre>"


def _is_tangled(text: str) -> bool:
    found: Counter[str] = Counter()
    for tags, match in enumerate(TAG.finditer(text), 1):
        name = match[2].lower()
        if name not in VOID:
            found[name] = max(0, found[name] + (-1 if match[1] else 1))
        if tags > MAX_TAGS or found.total() > MAX_OPEN:
            return True
    return len(text) > MAX_HTML or text.count("<") > 2 * MAX_TAGS


def _sanitised(text: str, *, classes: bool) -> str:
    def allowed(tag: str, name: str, value: str) -> bool:
        if name not in ATTRIBUTES["*"] and name not in ATTRIBUTES.get(tag, ()):
            return False
        if name == "class":
            return classes or value == "dataframe"
        if name == "style":
            return PLAIN_STYLE.fullmatch(value) is not None
        if name == "src":
            return PICTURE.fullmatch(value) is not None
        if name == "href":
            return re.match(r"(https?://|mailto:|#)", value) is not None
        return True

    return str(
        bleach.clean(
            text, tags=TAGS, attributes=allowed, protocols=["http", "https", "mailto", "data"],
            css_sanitizer=STYLES, strip=True, strip_comments=True,
        )
    )  # fmt: skip


class _Harmless:
    """Rebuilds a notebook from what may be any JSON: only kinds that we show, of bounded length."""

    def __init__(self) -> None:
        self.sources = MAX_SOURCES
        self.left = MAX_TOTAL
        self.pictures = MAX_PICTURES

    def notebook(self, found: Mapping[str, Any]) -> NotebookNode:
        cells = found.get("cells")
        chosen = cells[:MAX_CELLS] if isinstance(cells, list) else ()
        kept = [self.cell(cell) for cell in chosen if isinstance(cell, Mapping)]
        return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": kept})

    def cell(self, found: Mapping[str, Any]) -> dict[str, Any]:
        source, cost = _cut(_joined(found.get("source")), self.sources)
        self.sources -= cost
        if found.get("cell_type") != "code":
            shown = source if found.get("cell_type") == "markdown" else _quoted(source)
            attached = self.attached(found.get("attachments"))
            return {"cell_type": "markdown", "metadata": {}, "source": shown, "attachments": attached}
        count = found.get("execution_count")
        outputs = found.get("outputs")
        return {
            "cell_type": "code",
            "metadata": {},
            "source": source,
            "execution_count": count if isinstance(count, int) and not isinstance(count, bool) else None,
            "outputs": list(self.outputs(outputs)) if isinstance(outputs, list) else [],
        }

    def outputs(self, found: list[Any]) -> Iterator[dict[str, Any]]:
        for place, output in enumerate(found):
            if place == MAX_OUTPUTS or self.left <= 0:
                yield {"output_type": "stream", "name": "stdout", "text": f"... ({len(found) - place} more outputs)"}
                return
            self.left -= OUTPUT_COST
            kept = self.output(output) if isinstance(output, Mapping) else None
            if kept is not None:
                yield kept

    def output(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        kind = found.get("output_type")
        if kind == "stream":
            name = "stderr" if found.get("name") == "stderr" else "stdout"
            return {"output_type": "stream", "name": name, "text": self.text(found.get("text"))}
        if kind == "error":
            lines = found.get("traceback")
            traceback = [self.text("\n".join(map(_joined, lines[:1000])))] if isinstance(lines, list) else []
            said = {key: self.text(found.get(key)) for key in ("ename", "evalue")}
            return {"output_type": "error", **said, "traceback": traceback or [f"{said['ename']}: {said['evalue']}"]}
        data = found.get("data")
        if kind not in ("display_data", "execute_result") or not isinstance(data, Mapping):
            return None
        kept = {key: self.text(data[key]) for key in TEXTS if key in data and key != "text/html"}
        kept |= self.images(data)
        if "text/html" in data and self.left > 0:
            kept["text/html"] = self.html(_joined(data["text/html"]))
        if not kept:
            return None
        return {"output_type": "display_data", "data": kept, "metadata": {}}

    def text(self, found: object) -> str:
        """A text, cut where it or the whole page gets too long."""
        text, cost = _cut(_joined(found), self.left)
        self.left -= cost
        return text

    def html(self, text: str) -> str:
        """A piece of HTML, cleaned; paid for by what the parser must read and by what comes out."""
        shown = clean(text[: MAX_HTML + 1])
        self.left -= max(_cost(text[:MAX_HTML]), len(shown))
        return shown

    def images(self, data: Mapping[str, Any]) -> dict[str, str]:
        """The pictures of an output that are pictures, as far as there is room."""
        kept = {}
        for kind in IMAGES:
            picture = _joined(data.get(kind))
            if picture and len(picture) <= min(MAX_PICTURE, self.pictures) and BASE64.fullmatch(picture) is not None:
                self.pictures -= len(picture)
                kept[kind] = picture
        return kept

    def attached(self, found: object) -> dict[str, dict[str, str]]:
        """The pictures of a text, as far as there is room."""
        kept = {}
        for name, kinds in pictures(found).items():
            size = sum(map(len, kinds.values()))
            if size <= min(MAX_PICTURE, self.pictures):
                self.pictures -= size
                kept[name] = kinds
        return kept


def _cut(text: str, left: int) -> tuple[str, int]:
    """As much of a text as there is room for, and what that costs."""
    room = max(0, min(MAX_TEXT, left))
    shown = text[:room]
    while (cost := _cost(shown)) > room > 0:
        shown = shown[: len(shown) * room // cost]
    return text if len(shown) == len(text) else shown + CUT, cost


def _cost(text: str) -> int:
    """The length of a text as HTML: one that is all `<` is four times as long."""
    return len(html.escape(text, quote=False))


def _joined(found: object) -> str:
    """A text of nbformat: a string, or a list of them; nothing else is one."""
    if isinstance(found, list):
        found = "".join(part for part in found if isinstance(part, str))
    return found.encode("utf-8", "replace").decode("utf-8") if isinstance(found, str) else ""


def _quoted(source: str) -> str:
    """A raw cell's text as an indented block of markdown."""
    return "\n".join("    " + line for line in source.split("\n"))
