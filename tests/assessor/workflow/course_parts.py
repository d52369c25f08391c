"""What several tests of courses share: prints of folders, and a real full disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""A PATH on which nbgrader and what it starts are found."""


def fingerprint(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file: path -> content, time of change, mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(folder).as_posix()] = (digest, state.st_mtime_ns, state.st_mode)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file: path -> content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def script(code: str, *arguments: object, prefix: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own, below `prefix` if one is given."""
    command = [*(prefix or []), sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PATH": TOOLS, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def small_disk(place: Path, size_bytes: int) -> list[str]:
    """What to put before a command so that it finds an empty disk of this size at `place`."""
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("no bubblewrap here to make a small disk")
    place.mkdir()
    prefix = [program, "--dev-bind", "/", "/", "--size", str(size_bytes), "--tmpfs", str(place)]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("bubblewrap may not mount a disk here")
    return prefix
