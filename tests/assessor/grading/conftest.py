"""Tiny graders written where the test can see them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assessor.grading.plugin import run_tests
from assessor.grading.results import TestResult
from gpu_runner.testing import in_process, in_subprocess

HEAD = """
import math
import pytest
import torch
from assessor.grading.proxy import library, with_operators
from assessor.grading.tolerances import assert_close_to, assert_instance, assert_shape
"""
Grade = Callable[..., dict[str, TestResult]]


def write_grader(folder: Path, tests: str, reference: str | None = None) -> Path:
    """Writes graders/NAME with these tests."""
    folder.mkdir(exist_ok=True)
    (folder / "test_tiny.py").write_text(HEAD + textwrap.dedent(tests))
    if reference is not None:
        (folder / "reference.py").write_text(textwrap.dedent(reference))
    return folder


@pytest.fixture
def grade_with(tmp_path: Path) -> Grade:
    """Runs hidden tests against a notebook given as text, by default in this process; results by name."""

    def run(tests: str, notebook: str, *, reference: str | None = None, apart: bool = False, **options: Any) -> Any:
        grader = write_grader(tmp_path / "grader", tests, reference)
        source = textwrap.dedent(notebook)
        if apart:
            with in_subprocess(source) as channel:
                channel.grace_seconds = 0.5
                results = run_tests(grader, lambda name: channel, **{"seed": 1, **options})
        else:
            namespace: dict[str, Any] = {"__name__": "__main__"}
            exec(compile(source, "<cell 1>", "exec"), namespace)
            with in_process(namespace) as channel:
                results = run_tests(grader, lambda name: channel, **{"seed": 1, **options})
        return {result.name: result for result in results}

    return run
