"""What is read of a grader's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from assessor.errors import GraderFault
from assessor.grading.power import replacements

VARIANT = '''"""Another way."""

import torch


@torch.no_grad()
@staticmethod
def double(x):
    return x + x


class Half:
    pass
'''


def test_a_variant_keeps_its_imports_and_decorators(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text(VARIANT)
    found = replacements(path)
    assert found["double"] == "import torch\n\n@torch.no_grad()\n@staticmethod\ndef double(x):\n    return x + x"
    assert found["Half"] == "import torch\n\nclass Half:\n    pass"


@pytest.mark.parametrize(("text", "said"), [("def f(:", "not Python"), ("x = 1", "replaces nothing")])
def test_a_variant_that_is_none_is_our_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "other.py"
    path.write_text(text)
    with pytest.raises(GraderFault, match=said):
        replacements(path)
