"""Settings of all tests: what hypothesis draws is the same in every run, so that a red run can be repeated.

A run's last lines say with which sandboxes the contract was tested.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from gpu_runner.sandbox import BACKENDS

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


LAB, BACKEND = r"lab\d", "|".join(BACKENDS)
PARTS = {
    "tests/labs/test_labs.py": LAB,
    "tests/submissions/test_notebooks.py": LAB,
    "tests/gpu_runner/sandbox/test_contract_kernels.py": BACKEND,
}
"""Files that take long: they begin first, and are shared out by what is found in a test's name."""


class InParts(LoadScopeScheduling):
    """The tests of a file share what is costly (a database server, a proof, a kernel), so one process runs them all."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        part = re.search(PARTS[file], test) if file in PARTS else None
        return f"{file} {part.group()}" if part else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InParts:
    """How a parallel run shares tests out. xdist's groups by marker are of no effect with this pytest."""
    config.option.loadscopereorder = False
    return InParts(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no process is left alone with them at the end."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in PARTS)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which backends the sandbox's contract was tested with; why not with the others, pytest's own summary says."""
    contract = [report.nodeid for report in terminalreporter.getreports("passed") if "/sandbox/test_contract" in report.nodeid]
    if contract:
        tried = [name for name in BACKENDS if any(f"[{name}" in test for test in contract)]
        terminalreporter.write_line(f"sandbox contract tested with: {', '.join(tried) or 'none'}")
