"""How soon a kernel is ready with torch imported: ours warm and cold in the sandbox, and a stock kernel without one.

A stock kernel is timed from its start to the end of `import torch` in its first cell; ours to the end of the same cell. All three
take turns, so that a busy moment hits all of them. The last line is JSON: {"warm_ms", "cold_ms", "stock_ms", "ratio"}; medians.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median

from jupyter_client.manager import start_new_kernel
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.execution import CellStatus, Limits
from gpu_runner.notebook import open_kernel

ROUNDS = 15
NOTEBOOK: NotebookNode = new_notebook(cells=[new_code_cell("import torch")])


def ours(warm: bool) -> float:
    start = time.perf_counter()
    with open_kernel(Limits(), warm=warm) as kernel:
        (cell,) = kernel.run(NOTEBOOK).cells
        elapsed = time.perf_counter() - start
    assert cell.status is CellStatus.OK
    return elapsed


def stock() -> float:
    start = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    reply = client.execute_interactive("import torch", output_hook=lambda message: None, timeout=120)
    elapsed = time.perf_counter() - start
    assert reply["content"]["status"] == "ok"
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return elapsed


def main() -> None:
    ways: dict[str, Callable[[], float]] = {"warm": lambda: ours(True), "cold": lambda: ours(False), "stock": stock}
    ours(True)  # starts the fork-server
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            samples[name].append(1000 * way())
    for name, values in samples.items():
        print(f"{name:6} median {median(values):7.0f} ms, best {min(values):7.0f}, worst {max(values):7.0f}")
    result = {f"{name}_ms": round(median(values)) for name, values in samples.items()}
    print(json.dumps({**result, "ratio": round(median(samples["stock"]) / median(samples["warm"]), 1)}))


if __name__ == "__main__":
    main()
