"""Every confining backend that this machine has, as the contract tests' parameter, and what each is known not to keep."""

from __future__ import annotations

import pytest

from gpu_runner.sandbox import BACKENDS, get_sandbox

CONFINING = [name for name in BACKENDS if name != "unconfined"]
KNOWN_FAILURES = {
    ("docker", "test_its_namespaces_are_its_own"): "docker gives a container no user namespace of its own",
    ("docker", "test_on_the_host_it_is_nobody_else"): "without a user namespace the student is the host's user 1000",
    ("gvisor", "test_a_process_too_many_is_refused"): "gVisor's kernel keeps no RLIMIT_NPROC; the host's cgroup ends the sandbox",
}
"""(backend, test) -> the reason. Strict: the day that a backend keeps the promise, its entry must go."""


@pytest.fixture(autouse=True)
def known_failures(request: pytest.FixtureRequest) -> None:
    """Marks what a backend is known not to keep."""
    backend = request.node.callspec.params.get("backend") if hasattr(request.node, "callspec") else None
    reason = KNOWN_FAILURES.get((str(backend), request.node.originalname))
    if reason:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture(scope="module", params=CONFINING)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend, which this machine has."""
    name: str = request.param
    missing = get_sandbox(name).unavailable()
    if missing is not None:
        pytest.skip(f"this machine has no {name}: {missing[0]}")
    return name
