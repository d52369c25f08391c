"""What the tests of GPUs share: a simulated host, and places for its locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_runner.gpus import leases
from gpu_runner.gpus.discovery import Nvml

from .simulated import SimulatedLibrary, card


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedLibrary:
    """Two idle cards."""
    monkeypatch.setattr(leases, "POLL_SECONDS", 0.01)
    return SimulatedLibrary(tmp_path / "nvml.json", [card(0), card(1)])


@pytest.fixture
def nvml(library: SimulatedLibrary) -> Nvml:
    return Nvml(library)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the locks lie."""
    return tmp_path / "leases"
