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
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from assessor.notebooks.reading import BASE64, IMAGES, pictures

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
MAX_TEXT, MAX_HTML, MAX_PICTURE = 20_000, 200_000, 4 * 2**20
MAX_TOTAL, MAX_OUTPUTS = 2_000_000, 200
CUT = "\n... (cut here)"
STYLE = HtmlFormatter(style="default", nobackground=True).get_style_defs(".notebook .highlight") + """
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
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True, preprocessors=[])

    @pass_context
    def markdown(context: Context, source: str) -> str:
        """Each piece by itself; as it was written where the parser gives up."""
        try:
            rendered = str(exporter.markdown2html(context, source))
        except Exception:  # noqa: BLE001 - the parser's own faults on hostile input
            rendered = f"<pre>{html.escape(source)}</pre>"
        return clean(rendered)

    exporter.register_filter("markdown2html", markdown)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's, about images without alternative text
        body, _ = exporter.from_notebook_node(_Harmless().notebook(notebook))
    return _sanitised(body, classes=True)


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
        self.left = MAX_TOTAL

    def notebook(self, found: Mapping[str, Any]) -> NotebookNode:
        cells = found.get("cells")
        kept = [self.cell(cell) for cell in cells if isinstance(cell, Mapping)] if isinstance(cells, list) else []
        return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": kept})

    def cell(self, found: Mapping[str, Any]) -> dict[str, Any]:
        source = self.text(found.get("source"))
        if found.get("cell_type") != "code":
            shown = source if found.get("cell_type") == "markdown" else _quoted(source)
            attached = pictures(found.get("attachments"))
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
        for output in found[:MAX_OUTPUTS]:
            if isinstance(output, Mapping):
                kept = self.output(output)
                if kept is not None:
                    yield kept
        if len(found) > MAX_OUTPUTS:
            yield {"output_type": "stream", "name": "stdout", "text": f"... ({len(found) - MAX_OUTPUTS} more outputs)"}

    def output(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        kind = found.get("output_type")
        if kind == "stream":
            name = "stderr" if found.get("name") == "stderr" else "stdout"
            return {"output_type": "stream", "name": name, "text": self.text(found.get("text"))}
        if kind == "error":
            lines = found.get("traceback")
            traceback = [self.text(line) for line in lines[:100]] if isinstance(lines, list) else []
            said = {key: self.text(found.get(key)) for key in ("ename", "evalue")}
            return {"output_type": "error", **said, "traceback": traceback or [f"{said['ename']}: {said['evalue']}"]}
        data = found.get("data")
        if kind not in ("display_data", "execute_result") or not isinstance(data, Mapping):
            return None
        kept = {**{key: self.text(data[key]) for key in TEXTS if key in data}, **dict(_pictures(data))}
        if "text/html" in kept:
            kept["text/html"] = clean(_joined(data["text/html"])[: MAX_HTML + 1])
            self.left -= len(kept["text/html"])
        if not kept:
            return None
        return {"output_type": "display_data", "data": kept, "metadata": {}}

    def text(self, found: object) -> str:
        """A text, cut where it or the whole page gets too long."""
        text = _joined(found)
        room = max(0, min(MAX_TEXT, self.left))
        self.left -= min(len(text), room)
        return text if len(text) <= room else text[:room] + CUT


def _joined(found: object) -> str:
    """A text of nbformat: a string, or a list of them; nothing else is one."""
    if isinstance(found, list):
        found = "".join(part for part in found if isinstance(part, str))
    return found.encode("utf-8", "replace").decode("utf-8") if isinstance(found, str) else ""


def _pictures(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in IMAGES:
        picture = _joined(data.get(kind))
        if picture and len(picture) <= MAX_PICTURE and BASE64.fullmatch(picture) is not None:
            yield kind, picture


def _quoted(source: str) -> str:
    """A raw cell's text as an indented block of markdown."""
    return "\n".join("    " + line for line in source.split("\n"))
