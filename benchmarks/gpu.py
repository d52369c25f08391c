"""One card: what a lease costs, how soon a sandboxed kernel computes on it, and four runs at once against one at a time.

The four do the same training, so what they print must be the same as alone. The last line is JSON: {"device", "driver",
"lease_ms", "first_cuda_s", "first_cpu_s", "one_at_a_time_s", "four_at_once_s", "ratio", "same"}; it is also kept in
results/, under the name of the device. A host without a card says so: {"device": null, "reason"}.

    python benchmarks/gpu.py
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.execution import Execution, Limits, Outcome
from gpu_runner.gpus import discover, leased
from gpu_runner.notebook import run_notebook

RESULTS = Path(__file__).parent / "results"
ROUNDS, AT_ONCE = 5, 4
LIMITS = Limits(gpu_memory_bytes=16 * 2**30)
TRAIN = """
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(784, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 10)).cuda()
x, target = torch.randn(512, 784, device='cuda'), torch.randint(10, (512,), device='cuda')
optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3000):
    optimiser.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), target)
    loss.backward()
    optimiser.step()
print(f'{loss.item():.6g}')
"""


def notebook(source: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source)])


def said(execution: Execution) -> str:
    if execution.outcome is not Outcome.COMPLETED or execution.raised:
        sys.exit(f"a run did not end well: {execution.outcome}, {[cell.error for cell in execution.raised]}")
    outputs = [output for cell in json.loads(execution.notebook)["cells"] for output in cell["outputs"]]
    return "".join("".join(output.get("text", "")) for output in outputs)


def on_a_share(source: str, share: int) -> str:
    with leased("required", share=share, label="benchmark") as lease:
        return said(run_notebook(notebook(source), LIMITS, lease=lease))


def seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def lease_ms(folder: Path) -> float:
    def once() -> None:
        with leased("required", folder=folder):
            pass

    once()  # the driver answers later the first time
    return 1000 * median(seconds(once) for _ in range(50))


def main() -> None:
    found, reason = discover()
    if not found:
        print(json.dumps({"device": None, "reason": reason}))
        return
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {"lease_ms": round(lease_ms(Path(folder, "leases")), 2)}
    touch = "import torch\nprint(torch.ones(3, device='{}').sum().item())"
    on_a_share(touch.format("cuda"), 1)  # starts the fork-server
    cuda, cpu, alone, together, words = [], [], [], [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment hits all of them
        cuda.append(seconds(lambda: on_a_share(touch.format("cuda"), 1)))
        cpu.append(seconds(lambda: said(run_notebook(notebook(touch.format("cpu")), LIMITS))))
        alone.append(seconds(lambda: words.extend(on_a_share(TRAIN, 1) for _ in range(AT_ONCE))))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            together.append(seconds(lambda: words.extend(pool.map(on_a_share, [TRAIN] * AT_ONCE, [AT_ONCE] * AT_ONCE))))
    result |= {
        "first_cuda_s": round(median(cuda), 2),
        "first_cpu_s": round(median(cpu), 2),
        "one_at_a_time_s": round(median(alone), 2),
        "four_at_once_s": round(median(together), 2),
        "ratio": round(median(alone) / median(together), 2),
        "same": len(set(words)) == 1,
    }
    result = {"device": found[0].name, "driver": found[0].driver, **result}
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", found[0].name.lower()).strip("-")
    (RESULTS / f"gpu-{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
