"""The static rule: what is forbidden is found under every alias, and nothing else is."""

from __future__ import annotations

import pytest

from assessor.grading.forbids import Use, find_uses
from assessor.grading.results import Verdict

from .conftest import Grade

RULE = "torch.softmax"


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ny = torch.softmax(x, 0)",
        "import torch as t\ny = t.softmax(x, 0)",
        "from torch import softmax\ny = softmax(x, 0)",
        "from torch import softmax as s\ny = s(x, 0)",
        "from torch import *\ny = softmax(x, 0)",
        "import torch\nf = torch.softmax\ny = f(x, 0)",
        "import torch\nt = torch\nu = t\ny = u.softmax(x, 0)",
        "def f(x, s=torch.softmax):\n    return s(x)\nimport torch",
        "def f(x, *, s=torch.softmax):\n    return s(x)\nimport torch",
        "import torch\na, b = 1, torch.softmax",
        "import torch\ny = getattr(torch, 'softmax')(x, 0)",
        "import torch\ny = torch.__dict__['softmax'](x, 0)",
        "import torch\ny = vars(torch)['softmax'](x, 0)",
        "import importlib\ny = importlib.import_module('torch').softmax(x, 0)",
        "y = __import__('torch').softmax(x, 0)",
        "y = x.softmax(0)",
        "class A:\n    def f(self, x):\n        import torch as q\n        return [q.softmax(z, 0) for z in x]",
        "import torch\nif (s := torch.softmax): y = s(x, 0)",
        "import torch\ny = (torch.softmax if True else None)(x, 0)",
        "%matplotlib inline\nimport torch\ny = torch.softmax(x, 0)",
        "import torch\nlambda x, s=torch.softmax: s(x)",
    ],
)
def test_it_is_found_under_every_alias(code: str) -> None:
    assert [use.name for use in find_uses([code], [RULE])][:1] == [RULE]


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ny = torch.exp(x) / torch.exp(x).sum()",
        "def softmax(x):\n    return x.exp() / x.exp().sum()\ny = softmax(x)",
        "# torch.softmax\ny = 'torch.softmax'",
        "import torch\ny = torch.log_softmax(x, 0)",
        "import numpy as torch_like\ny = 1",
        "def broken(:\n    torch.softmax(x)",
        "from scipy.special import softmax as other",
        "",
    ],
)
def test_what_is_not_it_is_left_alone(code: str) -> None:
    assert find_uses([code], [RULE]) == ()


def test_an_alias_of_one_cell_is_known_in_another_and_the_place_is_told() -> None:
    cells = ["y = s(x, 0)\nz = n.LSTM(3, 4)", "import torch\nfrom torch import nn as n\ns = torch.softmax"]
    assert find_uses(cells, [RULE, "torch.nn.LSTM"]) == (
        Use("torch.softmax", 1, 1), Use("torch.nn.LSTM", 1, 2), Use("torch.softmax", 2, 3),
    )  # fmt: skip


@pytest.mark.parametrize("code", ["x" + ".a" * 20_000, "(" * 500 + ")" * 500, "a = b\nb = a\n" * 3000, "-" * 50_000 + "1"])
def test_hostile_code_is_only_code(code: str) -> None:
    assert find_uses([code], [RULE]) == ()


TESTS = """
    @pytest.mark.marks(1)
    @pytest.mark.forbids("torch.softmax", "torch.nn.functional.softmax")
    def test_own_softmax(student):
        '''Your softmax should be your own.'''
        x = torch.tensor([1.0, 2.0])
        assert_close_to(student.softmax(x), torch.softmax(x, 0))
"""


@pytest.mark.parametrize(
    ("notebook", "verdict", "message"),
    [
        ("import torch\ndef softmax(x): return x.exp() / x.exp().sum()", Verdict.PASSED, ""),
        ("import torch.nn.functional as F\ndef softmax(x): return F.softmax(x, 0)", Verdict.FAILED,
         "`torch.nn.functional.softmax` may not be used here (line 2: def softmax(x): return F.softmax(x, 0))"),
    ],
)  # fmt: skip
def test_a_test_that_forbids_fails_with_name_and_line(grade_with: Grade, notebook: str, verdict: Verdict, message: str) -> None:
    (result,) = grade_with(TESTS, notebook, code={"": [notebook]}).values()
    assert (result.verdict, result.message) == (verdict, message)
