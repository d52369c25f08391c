"""What the channel to a sandboxed kernel costs: a small call, a large tensor each way, and pytest on top of direct calls.

`call_ms` is the median round trip of a call with a tensor of four numbers to a function that returns it. `gb_per_s` is
for one tensor of 256 MB, the slower of the two directions, request and reply included. `pytest_overhead_ms` is what twenty
hidden tests of a small notebook take through the plugin, less what the same calls and comparisons take by themselves.
The last line is JSON: {"call_ms", "gb_per_s", "pytest_overhead_ms"}.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from nbformat.v4 import new_code_cell, new_notebook

from assessor.grading.plugin import run_tests
from assessor.grading.proxy import Student
from assessor.grading.results import Verdict
from assessor.grading.tolerances import assert_close_to
from gpu_runner.channel import Channel
from gpu_runner.execution import Limits
from gpu_runner.notebook import open_kernel

CALLS, COPIES, RUNS, TESTS = 3000, 9, 15, 20
BIG = 256 * 10**6 // 4
NOTEBOOK = f"""
import torch
kept = torch.ones({BIG})
def give(): return kept
def take(x): return None
def same(x): return x
def double(x): return 2 * x
"""
HEAD = "import torch\nfrom assessor.grading.tolerances import assert_close_to\n"
TEST = '''
def test_{number}(student, rng):
    """double doubles."""
    x = torch.randn(8, generator=rng)
    assert_close_to(student.double(x), 2 * x)
'''


def seconds(work: Callable[[], Any], times: int) -> list[float]:
    samples = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        samples.append(time.perf_counter() - start)
    return samples


def direct(channel: Channel) -> None:
    """What the hidden tests do, without pytest."""
    student = Student(channel)
    for number in range(TESTS):
        channel.seed(number)
        x = torch.randn(8)
        assert_close_to(student.double(x), 2 * x)


def through_pytest(grader: Path, channel: Channel) -> None:
    results = run_tests(grader, lambda name: channel, seed=1)
    assert [result.verdict for result in results] == [Verdict.PASSED] * TESTS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, open_kernel(Limits(cpu_seconds=3600, wall_seconds=7200)) as kernel:
        assert not kernel.run(new_notebook(cells=[new_code_cell(NOTEBOOK)])).raised
        grader = Path(folder)
        (grader / "test_small.py").write_text(HEAD + "".join(TEST.format(number=number) for number in range(TESTS)))
        channel = kernel.serve()
        channel.begin(3600)
        same, small, big = channel.get("same"), torch.ones(4), torch.ones(BIG)
        calls = seconds(lambda: channel.call(same, [small]), CALLS)
        print(f"small call: median {1000 * median(calls):.3f} ms, best {1000 * min(calls):.3f}, worst {1000 * max(calls):.1f}")
        there, back = [], []
        for _ in range(COPIES):  # in turns, so that a busy moment hits both
            there += seconds(lambda: channel.call("take", [big]), 1)
            back += seconds(lambda: channel.call("give"), 1)
        speeds = [4 * BIG / 1e9 / median(times) for times in (there, back)]
        print(f"256 MB tensor: there {speeds[0]:.2f} GB/s, back {speeds[1]:.2f}")
        with_pytest, without = [], []
        for _ in range(RUNS):
            with_pytest += seconds(lambda: through_pytest(grader, channel), 1)
            channel.begin(3600)
            without += seconds(lambda: direct(channel), 1)
        print(f"{TESTS} hidden tests: {1000 * median(with_pytest):.1f} ms, {1000 * median(without):.1f} as direct calls")
    result = {
        "call_ms": round(1000 * median(calls), 3),
        "gb_per_s": round(min(speeds), 2),
        "pytest_overhead_ms": round(1000 * (median(with_pytest) - median(without)), 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
