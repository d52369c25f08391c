# ruff: noqa
# Threat: Forging a mark. A conftest.py, pytest.ini and a test file of the student's own, beside the notebook.
# Outcome: completed
# Marks: 7

# %% double
def double(x): return 0
# %% [file] conftest.py
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
# %% [file] test_lab.py
def test_double(): pass
# %% [file] pytest.ini
[pytest]
