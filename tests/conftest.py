"""Settings of all tests: what hypothesis draws is the same in every run, so that a red run can be repeated.

A run's last lines say with which sandboxes the contract was tested.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

from gpu_runner.sandbox import BACKENDS

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shared out between processes, the tests of a file stay together where they name no group of their own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which backends the sandbox's contract was tested with; why not with the others, pytest's own summary says."""
    contract = [report.nodeid for report in terminalreporter.getreports("passed") if "/sandbox/test_contract" in report.nodeid]
    if contract:
        tried = [name for name in BACKENDS if any(f"[{name}" in test for test in contract)]
        terminalreporter.write_line(f"sandbox contract tested with: {', '.join(tried) or 'none'}")
