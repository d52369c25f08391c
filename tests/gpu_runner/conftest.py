"""What the tests of running notebooks share: notebooks from a few lines, and what came out of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.execution import Execution


@pytest.fixture(scope="session")
def notebook() -> Callable[..., NotebookNode]:
    """Makes a notebook of code cells."""
    return lambda *sources: new_notebook(cells=[new_code_cell(source) for source in sources])


@pytest.fixture(scope="session")
def printed() -> Callable[[Execution], str]:
    """All that a run printed and raised."""

    def text(execution: Execution) -> str:
        outputs = [output for cell in json.loads(execution.notebook)["cells"] for output in cell.get("outputs", [])]
        parts = [("".join(output.get("text", "")) or output.get("evalue", "")) for output in outputs]
        return "\n".join(parts)

    return text
