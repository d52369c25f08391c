"""Between our Markdown and the HTML of other systems: paragraphs, code, emphasis, line breaks; LaTeX stays as it stands."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_INLINE = re.compile(r"`([^`\n]+)`")
_BLOCKS = frozenset(
    ["p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "table", "ul", "ol", "blockquote", "prompt", "itembody"]
)
_MARKS = {"code": "`", "tt": "`", "strong": "**", "b": "**", "em": "*", "i": "*"}
_QUIET = frozenset(
    ["html", "body", "head", "span", "u", "font", "tbody", "thead", "td", "th", "sup", "sub", "a", "br", "pre", "hr"]
)
_DROPPED = frozenset(["script", "style"])


def to_html(text: str) -> str:
    """Markdown as XHTML that every system shows: <p>, <pre>, <code>, <br/>."""
    blocks, lines = [], text.split("\n")
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence:
            end = next((row for row in range(at + 1, len(lines)) if lines[row].strip() == fence[1]), len(lines))
            blocks.append(f"<pre>{html.escape(chr(10).join(lines[at + 1 : end]), quote=False)}</pre>")
            at = end + 1
            continue
        end = at
        while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end]):
            end += 1
        if end > at:
            blocks.append(f"<p>{'<br/>'.join(_inline(line) for line in lines[at:end])}</p>")
        at = max(end, at + 1) if end == at else end
    return "".join(blocks)


def _inline(line: str) -> str:
    parts = _INLINE.split(line)
    return "".join(
        f"<code>{html.escape(part, quote=False)}</code>" if place % 2 else html.escape(part, quote=False)
        for place, part in enumerate(parts)
    )


def to_markdown(text: str) -> tuple[str, tuple[str, ...]]:
    """HTML as Markdown, and what of it could not be carried: pictures, scripts and the like, each once."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    shown = re.sub(r"[ \t]+\n", "\n", "".join(reader.found))
    shown = re.sub(r"\n{3,}", "\n\n", shown).strip()
    return shown, tuple(dict.fromkeys(reader.lost))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.lost: list[str] = []
        self._pre = 0
        self._dropped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._dropped += 1
            self.lost.append(f"<{tag}>")
        elif tag == "br":
            self.found.append("\n")
        elif tag == "pre":
            self._pre += 1
            self.found.append("\n\n~~~\n")
        elif tag in _BLOCKS:
            self.found.append("\n\n")
        elif tag in _MARKS:
            self.found.append("" if self._pre else _MARKS[tag])
        elif tag == "img":
            alt = dict(attrs).get("alt")
            self.found.append(f"[picture: {alt}]" if alt else "[picture]")
            self.lost.append("a picture")
        elif tag not in _QUIET:
            self.lost.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            self._dropped = max(0, self._dropped - 1)
        elif tag == "pre" and self._pre:
            self._pre -= 1
            if self.found and not self.found[-1].endswith("\n"):
                self.found.append("\n")
            self.found.append("~~~\n\n")
        elif tag in _BLOCKS:
            self.found.append("\n\n")
        elif tag in _MARKS:
            self.found.append("" if self._pre else _MARKS[tag])

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        self.found.append(data if self._pre else re.sub(r"\s+", " ", data))
