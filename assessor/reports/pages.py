"""HTML pages that hold one file: escaped, styled from within, unable to run a script or to fetch anything.

Theory of defence. Names, messages and outputs come from students. Three walls stand one behind the other: Jinja2
escapes every value (`autoescape`, and undefined names are errors); a Content-Security-Policy in the page's head
allows our own style sheet by its hash and images by data URL, nothing else, so that a script or an inline event handler
that got through would still not run; and a notebook's fragment stands in a box whose layout and paint are contained.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from assessor.reports.text import clean, fixed, one_line, plain


@cache
def style() -> str:
    """The style sheet of every page, with the colours of highlighted code."""
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # only needed for pages

    sheet = files("assessor.reports").joinpath("templates/style.css").read_text(encoding="utf-8")
    code = "\n".join(
        line for line in HtmlFormatter(style="default").get_style_defs(".highlight").splitlines() if "{" in line
    )
    return f"{code}\n{sheet}\n"


@cache
def content_security_policy() -> str:
    """The policy of every page: nothing runs, nothing is fetched; only our style sheet and images within the page."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "script-src 'none'; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def prose(text: object) -> Markup:
    """Escaped text in which words between `backticks` are set as code. It escapes first: nothing else can be markup."""
    marked = re.sub(r"`([^`\n]{1,200})`", r"<code>\1</code>", str(escape(clean(text))))
    return Markup(marked)  # noqa: S704 - escaped in the line above; only our own <code> was added


@cache
def environment() -> Environment:
    """The templates' environment: everything escaped, nothing undefined."""
    made = Environment(
        loader=PackageLoader("assessor.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(said=clean, line=one_line, plain=plain, fixed=fixed, prose=prose)
    # The sheet is our own file and its hash stands in the policy: it must reach the page byte for byte.
    made.globals.update(zip=zip, style=Markup(style()), policy=content_security_policy())  # noqa: S704
    return made


def render(template: str, **values: Any) -> str:
    """One whole page."""
    return environment().get_template(template).render(**values)


def stream(template: str, **values: Any) -> Iterator[str]:
    """A page in pieces, for tables that grow with the cohort."""
    pieces = environment().get_template(template).stream(**values)
    pieces.enable_buffering(64)
    return iter(pieces)
