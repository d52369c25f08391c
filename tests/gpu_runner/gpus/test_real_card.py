"""A real card: what a sandbox shows of it, and what one run may do to another. Skipped where CUDA is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB, CellStatus, Execution, Limits, Outcome
from gpu_runner.gpus.discovery import Nvml, discover
from gpu_runner.gpus.leases import Lease, leased
from gpu_runner.notebook import open_kernel, run_notebook

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]
LIMITS = Limits(cell_wall_seconds=90, cell_cpu_seconds=60, gpu_memory_bytes=4 * GIB)
TRAIN = """
import torch
torch.manual_seed(0)
x = torch.randn(4096, 256, device='cuda'); w = torch.zeros(256, 1, device='cuda', requires_grad=True)
y = x @ torch.ones(256, 1, device='cuda')
for _ in range(300):
    loss = ((x @ w - y) ** 2).mean(); loss.backward()
    with torch.no_grad(): w -= 0.05 * w.grad; w.grad = None
print(f'{loss.item():.6g}')
"""
Printed = Callable[[Execution], str]
Notebook = Callable[..., Any]


@pytest.fixture
def card() -> Iterator[Lease]:
    """A whole card."""
    with leased("required", label="a test of a real card", timeout_seconds=120) as lease:
        assert lease is not None
        yield lease


def run(cells: Any, share: int, limits: Limits = LIMITS) -> Execution:
    """One student's run on a share of a card."""
    with leased("required", share=share, label="a test of a shared card", timeout_seconds=300) as lease:
        return run_notebook(cells, limits, lease=lease)


def test_the_driver_names_its_cards() -> None:
    found, reason = discover()
    assert found and not reason
    assert all(gpu.memory_bytes > GIB and gpu.name and gpu.driver for gpu in found)


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_sandbox_shows_the_leased_card_and_no_other(card: Lease, notebook: Notebook, printed: Printed, warm: bool) -> None:
    source = """import torch, glob
print(torch.cuda.device_count(), torch.ones(3, device='cuda').sum().item(), glob.glob('/dev/nvidia[0-9]*'))"""
    execution = run_notebook(notebook(source), LIMITS, lease=card, warm=warm)
    assert printed(execution).strip() == f"1 3.0 ['/dev/nvidia{card.gpu.minor}']"
    assert execution.manifest["device"] == card.gpu.name


def test_without_a_lease_no_card_is_seen_even_after_one_with(card: Lease, notebook: Notebook, printed: Printed) -> None:
    """The warm parent of both is the same."""
    look = notebook("import torch, glob\nprint(torch.cuda.is_available(), glob.glob('/dev/nvidia*'))")
    assert printed(run_notebook(look, LIMITS, lease=card)).startswith("True")
    assert printed(run_notebook(look, LIMITS)).strip() == "False []"


def test_a_run_over_its_share_is_ended_and_keeps_what_it_did_before(card: Lease, notebook: Notebook) -> None:
    source = "import torch, time\nhog = torch.empty(6 * 2**30, dtype=torch.uint8, device='cuda').fill_(1)\ntime.sleep(60)"
    execution = run_notebook(notebook("kept = 1", source), LIMITS, lease=card)
    assert execution.outcome is Outcome.GPU_MEMORY_EXCEEDED
    assert execution.cells[0].status is CellStatus.OK
    assert execution.usage.peak_gpu_memory_bytes > 4 * GIB


def test_a_share_set_in_the_students_own_process_is_no_way_round(card: Lease, notebook: Notebook) -> None:
    source = """import torch, time
torch.cuda.set_per_process_memory_fraction(1.0)
hog = torch.empty(6 * 2**30, dtype=torch.uint8, device='cuda').fill_(1)
time.sleep(60)"""
    assert run_notebook(notebook(source), LIMITS, lease=card).outcome is Outcome.GPU_MEMORY_EXCEEDED


def test_two_processes_of_a_run_count_together(card: Lease, notebook: Notebook) -> None:
    source = """import torch, time, multiprocessing
def take(_):
    kept = torch.empty(5 * 2**29, dtype=torch.uint8, device='cuda').fill_(1)
    time.sleep(60)
pool = multiprocessing.get_context('fork').Pool(2)
pool.map(take, range(2))"""
    assert run_notebook(notebook(source), LIMITS, lease=card).outcome is Outcome.GPU_MEMORY_EXCEEDED


def test_memory_of_a_run_is_back_when_the_next_has_the_card(notebook: Notebook) -> None:
    nvml, before, taken = Nvml(), {}, []
    for _ in range(4):
        with leased("required", label="a test of a real card", timeout_seconds=120) as lease:
            assert lease is not None
            taken.append(lease.gpu.uuid)
            before.setdefault(lease.gpu.uuid, lease.before.used_bytes)
            assert nvml.read(lease.gpu.uuid).used_bytes < before[lease.gpu.uuid] + GIB // 2
            run_notebook(notebook("import torch\nkept = torch.ones(2**28, device='cuda')"), LIMITS, lease=lease)
    assert taken


def test_a_kernel_that_hangs_on_the_card_is_ended_and_the_card_goes_on(notebook: Notebook, printed: Printed) -> None:
    """One launch that would run for many minutes: no interrupt reaches it, only the end of its process."""
    hang = "import torch\ntorch.cuda._sleep(10**13)\ntorch.cuda.synchronize()"
    limits = Limits(cell_cpu_seconds=8, cell_wall_seconds=8)
    execution = run(notebook(hang), share=1, limits=limits)
    assert execution.cells[0].status is CellStatus.TIMED_OUT
    after = run(notebook(TRAIN), share=1)
    assert after.outcome is Outcome.COMPLETED and not after.raised, printed(after)


def test_two_students_on_one_card_read_nothing_of_each_other(notebook: Notebook, printed: Printed) -> None:
    secret = "import torch\nsecret = torch.full((2**24,), 7.25, device='cuda'); torch.cuda.synchronize(); print('there')"
    search = """import torch
blocks = [torch.empty(2**24, device='cuda') for _ in range(16)]
print(sum(int((block == 7.25).sum()) for block in blocks))"""
    with leased("required", share=2, timeout_seconds=120) as lease, open_kernel(LIMITS, lease=lease) as first:
        assert printed(first.run(notebook(secret))).strip() == "there"
        assert printed(run(notebook(search), share=2)).strip() == "0"


@pytest.mark.parametrize(
    ("hog", "outcome"),
    [
        ("kept = []\nwhile True: kept.append(torch.ones(2**28, device='cuda')); time.sleep(0.05)", Outcome.GPU_MEMORY_EXCEEDED),
        ("torch.zeros(2, device='cuda')[torch.tensor([9], device='cuda')].sum().item()", Outcome.COMPLETED),
    ],
    ids=["out of memory", "an assertion on the device"],
)
def test_what_one_does_to_the_card_is_laid_at_its_own_door(
    notebook: Notebook, printed: Printed, hog: str, outcome: Outcome
) -> None:
    alone = printed(run(notebook(TRAIN), share=2))
    ended: list[Execution] = []
    beside = threading.Thread(target=lambda: ended.append(run(notebook(f"import torch, time\n{hog}"), share=2)))
    beside.start()
    trained = run(notebook(TRAIN), share=2)
    beside.join(180)
    assert ended[0].outcome is outcome
    assert ended[0].raised, "the cell itself did not end well"
    assert trained.outcome is Outcome.COMPLETED and printed(trained) == alone


def test_four_at_once_get_what_each_gets_alone(notebook: Notebook, printed: Printed) -> None:
    alone = printed(run(notebook(TRAIN), share=1))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: printed(run(notebook(TRAIN), share=4)), range(4)))
    assert together == [alone] * 4


def test_a_whole_card_is_not_given_to_two(notebook: Notebook, tmp_path: Path) -> None:
    (cards, _), held = discover(), []
    try:
        for _ in cards:
            held.append(leased("required", folder=tmp_path / "leases", timeout_seconds=0))
            assert held[-1].__enter__() is not None
        with pytest.raises(DeviceUnavailable, match="held by"):
            leased("required", folder=tmp_path / "leases", timeout_seconds=0).__enter__()
    finally:
        for one in reversed(held):
            one.__exit__(None, None, None)
