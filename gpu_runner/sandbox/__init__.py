"""Sandbox backends: one contract, one file a backend, found by name."""

from __future__ import annotations

from gpu_runner.errors import SandboxUnavailable
from gpu_runner.sandbox.bubblewrap import Bubblewrap
from gpu_runner.sandbox.contract import Check, Launch, Sandbox, SandboxProcess
from gpu_runner.sandbox.docker import Docker
from gpu_runner.sandbox.gvisor import Gvisor
from gpu_runner.sandbox.podman import Podman
from gpu_runner.sandbox.unconfined import Unconfined

BACKENDS: dict[str, type[Sandbox]] = {backend.name: backend for backend in (Bubblewrap, Podman, Docker, Gvisor, Unconfined)}

__all__ = ["BACKENDS", "Check", "Launch", "Sandbox", "SandboxProcess", "check_backend", "get_sandbox"]


def get_sandbox(name: str) -> Sandbox:
    """The backend of this name.

    Raises:
        SandboxUnavailable: ours; there is no such backend.
    """
    if name not in BACKENDS:
        raise SandboxUnavailable(name, "no such backend", f"use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()


def check_backend(name: str) -> list[Check]:
    """What doctor reports of a backend."""
    return get_sandbox(name).checks()
