"""Twenty notebooks of a short training each, two at once: ours in the sandbox, a stock nbclient, and the floor.

The floor is the same code in children that are forked from a process which has imported torch, its memory frozen for that:
no sandbox, no Jupyter.
Ours runs in two worker processes as `autograde` does, whose fork-servers are up before the clock starts, as the floor's
parent is; a stock kernel has nothing to warm.
The last line is JSON: {"floor_s", "ours_s", "stock_s", "ours_over_floor", "stock_over_ours"}.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.execution import Limits, Outcome
from gpu_runner.executor import make_executor
from gpu_runner.notebook import run_notebook

NOTEBOOKS, AT_ONCE = 20, 2
SETUP = "import torch\nfrom torch import nn\ntorch.set_num_threads(1)\ntorch.manual_seed(0)"
MODEL = """
x = torch.randn(2048, 64)
y = (x[:, :8].sum(1) > 0).long()
model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2))
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
"""
TRAIN = """
for epoch in range(EPOCHS):
    for rows in torch.randperm(len(x)).split(256):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimiser.step()
"""
CHECK = "accuracy = (model(x).argmax(1) == y).float().mean().item()\nassert accuracy > 0.9, accuracy"


def cells(epochs: int) -> list[str]:
    return [SETUP, MODEL, TRAIN.replace("EPOCHS", str(epochs)), CHECK]


def plain(epochs: int) -> float:
    """The code itself, in this process."""
    start = time.perf_counter()
    space: dict[str, Any] = {}
    for source in cells(epochs):
        exec(source, space)
    return time.perf_counter() - start


def written(epochs: int) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in cells(epochs)])


def ours(epochs: int) -> None:
    execution = run_notebook(written(epochs), Limits())
    assert execution.outcome is Outcome.COMPLETED and not execution.raised


def stock(epochs: int) -> None:
    NotebookClient(written(epochs), kernel_name="python3", timeout=120).execute()


def fork_parent(epochs: int, count: int, pipe: Any) -> None:
    """The floor: a process that has imported torch, started no thread, and forks, two children at once."""
    import torch

    torch.set_num_threads(1)
    plain(20)  # what torch imports late
    gc.collect()
    gc.freeze()
    pipe.send("ready")
    pipe.recv()
    start = time.perf_counter()
    running: set[int] = set()
    for _ in range(count):
        if len(running) == AT_ONCE:
            pid, status = os.wait()
            assert status == 0
            running.discard(pid)
        pid = os.fork()
        if pid == 0:
            try:
                plain(epochs)
                os._exit(0)
            finally:
                os._exit(1)
        running.add(pid)
    for _ in range(len(running)):
        assert os.wait()[1] == 0
    pipe.send(time.perf_counter() - start)


def floor(epochs: int) -> float:
    near, far = multiprocessing.Pipe()
    parent = multiprocessing.get_context("spawn").Process(target=fork_parent, args=(epochs, NOTEBOOKS, far))
    parent.start()
    near.recv()
    near.send("go")
    seconds: float = near.recv()
    parent.join()
    return seconds


def timed(executor: Executor, work: Callable[[int], None], epochs: int) -> float:
    start = time.perf_counter()
    for future in [executor.submit(work, epochs) for _ in range(NOTEBOOKS)]:
        future.result()
    return time.perf_counter() - start


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    plain(20)
    epochs = max(1, round(1.3 * 20 / plain(20)))
    print(f"{epochs} epochs, {plain(epochs):.2f} s each by itself")
    floors = [floor(epochs)]
    with make_executor(AT_ONCE) as executor:
        for future in [executor.submit(ours, 30) for _ in range(AT_ONCE * 2)]:
            future.result()
        ours_s = timed(executor, ours, epochs)
    with ThreadPoolExecutor(AT_ONCE) as executor:
        stock_s = timed(executor, stock, epochs)
    floors.append(floor(epochs))
    floor_s = sum(floors) / len(floors)
    for name, seconds in (("floor", floor_s), ("ours", ours_s), ("stock", stock_s)):
        print(f"{name:6} {seconds:6.2f} s")
    print(json.dumps({
        "floor_s": round(floor_s, 2), "ours_s": round(ours_s, 2), "stock_s": round(stock_s, 2),
        "ours_over_floor": round(ours_s / floor_s, 3), "stock_over_ours": round(stock_s / ours_s, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
