"""A real card: what the sandbox shows of it, and what a run may do to another. Skipped where CUDA is not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from gpu_runner.devices import Lease, SystemNvml, leased
from gpu_runner.execution import CellStatus, Execution, Limits, Outcome
from gpu_runner.notebook import open_kernel, run_notebook

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]
LIMITS = Limits(cell_wall_seconds=60, cell_cpu_seconds=60, gpu_memory_bytes=4 * 2**30)
TRAIN = """
import torch
torch.manual_seed(0)
x = torch.randn(4096, 256, device='cuda'); w = torch.zeros(256, 1, device='cuda', requires_grad=True)
y = x @ torch.ones(256, 1, device='cuda')
for _ in range(300):
    loss = ((x @ w - y) ** 2).mean(); loss.backward()
    with torch.no_grad(): w -= 0.05 * w.grad; w.grad = None
print(round(loss.item(), 6))
"""


@pytest.fixture
def lease() -> Iterator[Lease]:
    with leased("required") as held:
        assert held is not None
        yield held


def printed(execution: Execution) -> str:
    outputs = [output for cell in json.loads(execution.notebook)["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) or output.get("evalue", "") for output in outputs)


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_cuda_works_in_the_sandbox_and_shows_one_card(lease: Lease, notebook: Callable[..., Any], warm: bool) -> None:
    source = """import torch, glob
print(torch.cuda.device_count(), torch.ones(3, device='cuda').sum().item(), glob.glob('/dev/nvidia[0-9]*'))"""
    execution = run_notebook(notebook(source), LIMITS, lease=lease, warm=warm)
    assert printed(execution) == f"1 3.0 ['/dev/nvidia{lease.gpu.minor}']\n"
    assert execution.manifest["device"] == lease.gpu.name


def test_without_a_lease_no_card_is_seen(notebook: Callable[..., Any]) -> None:
    execution = run_notebook(notebook("import torch, glob\nprint(torch.cuda.is_available(), glob.glob('/dev/nvidia*'))"), LIMITS)
    assert printed(execution) == "False []\n"


def test_a_run_over_its_share_is_ended_and_its_memory_comes_back(lease: Lease, notebook: Callable[..., Any]) -> None:
    before = SystemNvml().used_bytes(lease.gpu.uuid)
    source = "import torch, time\nhog = torch.empty(6 * 2**30, dtype=torch.uint8, device='cuda').fill_(1)\ntime.sleep(30)"
    execution = run_notebook(notebook("kept = 1", source), LIMITS, lease=lease)
    assert execution.outcome is Outcome.GPU_MEMORY_EXCEEDED
    assert execution.cells[0].status is CellStatus.OK
    assert execution.usage.peak_gpu_memory_bytes > 4 * 2**30
    deadline = time.monotonic() + 20
    while SystemNvml().used_bytes(lease.gpu.uuid) > before + 64 * 2**20 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert SystemNvml().used_bytes(lease.gpu.uuid) <= before + 64 * 2**20


def test_a_kernel_that_hangs_on_the_card_is_ended(lease: Lease, notebook: Callable[..., Any]) -> None:
    hang = "import torch\na = torch.randn(8192, 8192, device='cuda')\nfor _ in range(10**9): a = a @ a.T"
    execution = run_notebook(notebook(hang), Limits(cell_cpu_seconds=5, cell_wall_seconds=15), lease=lease)
    assert execution.cells[0].status is CellStatus.TIMED_OUT
    after = run_notebook(notebook(TRAIN), LIMITS, lease=lease)
    assert after.outcome is Outcome.COMPLETED and not after.raised


def test_out_of_memory_is_laid_at_its_own_door(lease: Lease, notebook: Callable[..., Any]) -> None:
    """Two on one card: the hog is ended, the other's training goes on and gives the same."""
    alone = printed(run_notebook(notebook(TRAIN), LIMITS, lease=lease))
    hog = "import torch, time\nkept = []\nwhile True: kept.append(torch.ones(2**28, device='cuda')); time.sleep(0.05)"
    ended: list[Execution] = []
    thread = threading.Thread(target=lambda: ended.append(run_notebook(notebook(hog), LIMITS, lease=lease)))
    thread.start()
    beside = printed(run_notebook(notebook(TRAIN), LIMITS, lease=lease))
    thread.join(120)
    assert ended[0].outcome is Outcome.GPU_MEMORY_EXCEEDED
    assert beside == alone


def test_two_students_on_one_card_see_nothing_of_each_other(lease: Lease, notebook: Callable[..., Any]) -> None:
    secret = "import torch\nsecret = torch.full((2**24,), 7.25, device='cuda'); torch.cuda.synchronize(); print('there')"
    search = """
import torch
blocks = [torch.empty(2**24, device='cuda') for _ in range(16)]
print(sum(int((block == 7.25).sum()) for block in blocks))"""
    with open_kernel(LIMITS, lease=lease) as first:
        assert printed(first.run(notebook(secret))) == "there\n"
        assert printed(run_notebook(notebook(search), LIMITS, lease=lease)) == "0\n"


def test_four_at_once_get_what_each_gets_alone(lease: Lease, notebook: Callable[..., Any]) -> None:
    alone = printed(run_notebook(notebook(TRAIN), LIMITS, lease=lease))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: printed(run_notebook(notebook(TRAIN), LIMITS, lease=lease)), range(4)))
    assert together == [alone] * 4
