"""The fuzzer of benchmarks/fuzz_decoder.py, in a short form: it ends with status 1 on whatever it finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FUZZER = Path(__file__).parents[2] / "benchmarks" / "fuzz_decoder.py"
INPUTS = 20_000
MAX_GROWTH_MB = 512
"""Resident memory that no input may add; the fullest header has a million bytes."""


def test_twenty_thousand_odd_messages_are_values_or_malformed() -> None:
    command = [sys.executable, str(FUZZER), "--inputs", str(INPUTS), "--seed", "20260309"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["malformed"] + result["decoded"] == result["inputs"] == INPUTS
    assert result["decoded"] > INPUTS / 20  # it reached the readers, and they refused
    assert result["malformed"] > INPUTS / 2
    assert result["rss_growth_mb"] < MAX_GROWTH_MB


def test_a_finding_ends_the_fuzzer_and_names_the_input(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import runpy, sys\nfrom gpu_runner import tensors\n"
        "def decode(*arguments, **options): raise KeyError('slipped through')\n"
        f"tensors.decode = decode\nsys.argv = [{str(FUZZER)!r}, '--inputs', '50']\n"
        f"runpy.run_path({str(FUZZER)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, str(broken)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "KeyError" in done.stderr and "--only" in done.stderr
