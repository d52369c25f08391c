"""How soon a kernel is ready with torch imported: ours warm and cold in the sandbox, and a stock kernel without one.

A stock kernel, and ours from cold, is timed from its start to the end of `import torch` in its first cell. A warm one has
torch when it answers that it is ready, and is timed to there; a cell then makes sure of it, and `first_cell_ms` is the
time to its end. All take turns, so that a busy moment hits all of them.
The last line is JSON: {"warm_ms", "first_cell_ms", "cold_ms", "stock_ms", "ratio"}; medians, ratio = stock / warm.
"""

from __future__ import annotations

import json
import time
from statistics import median

from jupyter_client.manager import start_new_kernel
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.execution import CellStatus, Limits
from gpu_runner.notebook import open_kernel

ROUNDS = 15
IMPORT: NotebookNode = new_notebook(cells=[new_code_cell("import torch")])
PROOF: NotebookNode = new_notebook(cells=[new_code_cell("import sys\nassert 'torch' in sys.modules\nimport torch")])


def warm() -> tuple[float, float]:
    """Seconds to ready, and to the end of the first cell."""
    start = time.perf_counter()
    with open_kernel(Limits()) as kernel:
        ready = time.perf_counter() - start
        (cell,) = kernel.run(PROOF).cells
        first_cell = time.perf_counter() - start
    assert cell.status is CellStatus.OK
    return ready, first_cell


def cold() -> float:
    start = time.perf_counter()
    with open_kernel(Limits(), warm=False) as kernel:
        (cell,) = kernel.run(IMPORT).cells
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
    warm()  # starts the fork-server
    samples: dict[str, list[float]] = {name: [] for name in ("warm", "first_cell", "cold", "stock")}
    for _ in range(ROUNDS):
        ready, first_cell = warm()
        for name, seconds in (("warm", ready), ("first_cell", first_cell), ("cold", cold()), ("stock", stock())):
            samples[name].append(1000 * seconds)
    for name, values in samples.items():
        print(f"{name:10} median {median(values):7.0f} ms, best {min(values):7.0f}, worst {max(values):7.0f}")
    result = {f"{name}_ms": round(median(values)) for name, values in samples.items()}
    print(json.dumps({**result, "ratio": round(median(samples["stock"]) / median(samples["warm"]), 1)}))


if __name__ == "__main__":
    main()
