"""A kernel in every backend that this machine has: a notebook runs in it, and each limit is kept and has its outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gpu_runner.execution import GIB, MIB, CellStatus, Execution, Limits, Outcome
from gpu_runner.notebook import open_kernel, run_notebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small() -> Limits:
    return Limits(
        cell_cpu_seconds=4, cell_wall_seconds=20, memory_bytes=GIB, processes=40, open_files=200, file_bytes=4 * MIB,
        disk_bytes=24 * MIB, output_bytes=MIB, wall_seconds=300,
    )  # fmt: skip


CELLS = {
    "before": "earned = 1\nimport errno, os, resource, time",
    "loop": "while True: pass",
    "sleep": "time.sleep(600)",
    "files": "hoard = []\ntry:\n    while True: hoard.append(open('/dev/null'))\nexcept OSError as fault:\n"
    "    print(errno.errorcode[fault.errno])\nhoard.clear()",
    "large": "import signal\ntry:\n    with open('large', 'wb') as file:\n        for _ in range(8): file.write(bytes(2**20))\n"
    "except OSError as fault: print(errno.errorcode[fault.errno], os.path.getsize('large') <= 4 * 2**20)",
    "picture": "import matplotlib.pyplot as plt, multiprocessing, numpy, torch\n"
    "with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))\n"
    "plt.plot([1, 2]); plt.show()\nweights = torch.arange(1_000_000.)",
    "after": "print('after', earned)",
    "flood": "while True: print('x' * 10_000)",
    "last": "earned",
}


@pytest.fixture(scope="module")
def ran(backend: str, small: Limits, notebook: Callable[..., Any]) -> Iterator[tuple[Execution, Any]]:
    limits = Limits(**{**small.__dict__, "cell_wall_seconds": 6})
    with open_kernel(limits, backend=backend, files={"data/points.csv": b"1"}) as kernel:
        execution = kernel.run(notebook(*CELLS.values()))
        yield execution, kernel.serve().get("weights") if kernel.alive else None


def of(ran: tuple[Execution, Any], name: str) -> tuple[str, str]:
    """Status and text of a cell."""
    number = list(CELLS).index(name)
    outputs = json.loads(ran[0].notebook)["cells"][number]["outputs"]
    return ran[0].cells[number].status.value, "".join("".join(output.get("text", "")) for output in outputs)


def test_it_runs_a_notebook_to_the_end(ran: tuple[Execution, Any]) -> None:
    assert of(ran, "before")[0] == "ok"
    assert of(ran, "after") == ("ok", "after 1\n")
    assert of(ran, "last")[0] == "ok"


def test_the_libraries_of_a_lab_work(ran: tuple[Execution, Any]) -> None:
    status, text = of(ran, "picture")
    assert (status, text) == ("ok", "[1, 2]\n"), ran[0].notebook[-3000:]
    assert "image/png" in ran[0].notebook


def test_the_channel_carries_values(ran: tuple[Execution, Any]) -> None:
    assert ran[1].shape == (1_000_000,)
    assert float(ran[1][-1]) == 999_999.0


def test_a_cell_over_its_cpu_time_is_interrupted(ran: tuple[Execution, Any]) -> None:
    assert of(ran, "loop")[0] == CellStatus.TIMED_OUT


def test_a_cell_over_its_wall_time_is_interrupted(ran: tuple[Execution, Any]) -> None:
    assert of(ran, "sleep")[0] == CellStatus.TIMED_OUT


def test_an_open_file_too_many_is_refused(ran: tuple[Execution, Any]) -> None:
    assert of(ran, "files") == ("ok", "EMFILE\n")


def test_a_file_too_large_is_refused(ran: tuple[Execution, Any]) -> None:
    assert of(ran, "large") == ("ok", "EFBIG True\n")


def test_endless_output_is_cut(ran: tuple[Execution, Any]) -> None:
    assert ran[0].outcome is Outcome.OUTPUT_EXCEEDED
    assert of(ran, "flood")[0] == CellStatus.TIMED_OUT
    assert len(ran[0].notebook) < 2 * MIB


def test_the_manifest_names_the_backend(ran: tuple[Execution, Any], backend: str) -> None:
    assert ran[0].manifest["sandbox"]["backend"] == backend


def test_too_much_memory_is_known_as_such(backend: str, small: Limits, notebook: Callable[..., Any]) -> None:
    hog = "hoard = []\nwhile True: hoard.append(bytearray(10**7))"
    execution = run_notebook(notebook("earned = 1", hog, "2"), Limits(memory_bytes=GIB, cell_cpu_seconds=60), backend=backend)
    assert execution.outcome is Outcome.MEMORY_EXCEEDED
    assert [cell.status.value for cell in execution.cells] == ["ok", "killed", "not run"]
    assert execution.usage.peak_memory_bytes <= 1.2 * GIB


def test_cpu_time_of_the_whole_run_is_kept(backend: str, notebook: Callable[..., Any]) -> None:
    burn = "import time\nend = time.process_time() + 3\nwhile time.process_time() < end: pass"
    limits = Limits(cpu_seconds=20 if backend == "gvisor" else 8, cell_cpu_seconds=15)
    execution = run_notebook(notebook(*[burn] * 8), limits, backend=backend)
    assert execution.outcome is Outcome.CPU_EXCEEDED
    assert execution.cells[0].status is CellStatus.OK
    assert execution.cells[-1].status is CellStatus.NOT_RUN


def test_a_process_too_many_is_refused(backend: str, small: Limits, notebook: Callable[..., Any]) -> None:
    bomb = "import os\nfor _ in range(500):\n    if os.fork() == 0: os.read(os.pipe()[0], 1)"
    execution = run_notebook(notebook("earned = 1", bomb, "2"), small, backend=backend)
    assert execution.outcome is Outcome.COMPLETED
    assert execution.cells[1].error.startswith("BlockingIOError")


def test_a_fork_bomb_stays_in_it(backend: str, small: Limits, notebook: Callable[..., Any]) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    execution = run_notebook(notebook("earned = 1", bomb), small, backend=backend)
    assert execution.outcome in (Outcome.CPU_EXCEEDED, Outcome.MEMORY_EXCEEDED, Outcome.DIED)
    assert execution.cells[0].status is CellStatus.OK


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os.kill(1, 9); os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
)
def test_a_kernel_that_ends_is_a_result(
    backend: str, small: Limits, notebook: Callable[..., Any], source: str, reason: str
) -> None:
    with open_kernel(small, backend=backend) as kernel:
        execution = kernel.run(notebook("x = 1", source, "x"))
        assert kernel.death_reason == reason
    assert execution.outcome is Outcome.DIED
