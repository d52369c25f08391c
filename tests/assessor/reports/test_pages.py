from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from assessor.reports.pages import environment, prose


def test_a_value_that_a_template_lacks_is_a_fault():
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nothing }}").render()


def test_every_value_is_escaped():
    assert environment().from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"


def test_backticks_become_code_and_nothing_else_becomes_markup():
    assert prose("`a<b` and <i>") == "<code>a&lt;b</code> and &lt;i&gt;"
    assert prose("`<script>alert(1)</script>`") == "<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>"
    assert prose("one ` only") == "one ` only"
