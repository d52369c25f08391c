from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gpu_runner.channel import Channel
from gpu_runner.errors import ChannelMisused, KernelDied, SandboxFailed, SandboxUnavailable, StudentTimeout
from gpu_runner.execution import MIB, CellStatus, Limits, Outcome
from gpu_runner.notebook import Kernel, clean_notebook, joined_streams, open_kernel, run_notebook

LIMITS = Limits(cell_cpu_seconds=1)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    public = tmp_path_factory.mktemp("public")
    (public / "data").mkdir()
    (public / "data" / "train.csv").write_text("1\n")
    with open_kernel(LIMITS, files={"essay.txt": b"mine"}, public=public, seed=7) as kernel:
        yield kernel


def test_cells_run_in_order_past_those_that_raise(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    execution = kernel.run(notebook("x = 2", "", "1 / 0", "x * 21"))
    assert [cell.status.value for cell in execution.cells] == ["ok", "ok", "raised", "ok"]
    assert execution.cells[2].error == "ZeroDivisionError: division by zero"
    assert [cell.index for cell in execution.raised] == [2]
    assert execution.outcome is Outcome.COMPLETED
    assert json.loads(execution.notebook)["cells"][3]["outputs"][0]["data"]["text/plain"] == ["42"]


def test_a_cell_is_known_by_its_grade_id(kernel: Kernel) -> None:
    cell = new_code_cell("pass", metadata={"nbgrader": {"grade_id": "task1", "solution": True}})
    odd = new_code_cell("pass", metadata={"nbgrader": "odd"})
    execution = kernel.run(new_notebook(cells=[new_markdown_cell("text"), cell, odd]))
    assert [(run.index, run.grade_id) for run in execution.cells] == [(1, "task1"), (2, "")]


def test_nothing_in_the_notebook_steers_its_own_run(kernel: Kernel) -> None:
    tags = {"tags": ["skip-execution", "raises-exception"]}
    claimed = new_output("execute_result", {"text/plain": "forged"})
    notebook = new_notebook(
        cells=[new_code_cell("print('run')", metadata=tags, outputs=[claimed])],
        metadata={"kernelspec": {"name": "python3", "display_name": "x"}, "language_info": {"name": "x"}},
    )
    execution = kernel.run(notebook)
    assert "forged" not in execution.notebook
    assert "kernelspec" not in execution.notebook
    assert json.loads(execution.notebook)["cells"][0]["outputs"][0]["text"] == ["run\n"]
    assert notebook.cells[0].outputs == [claimed]


def test_files_and_public_data_lie_in_the_working_directory(
    kernel: Kernel, notebook: Callable[..., Any], printed: Callable[..., str]
) -> None:
    execution = kernel.run(notebook("print(open('essay.txt').read(), open('data/train.csv').read())"))
    assert printed(execution) == "mine 1\n\n"
    assert set(execution.manifest["files_sha256"]) == {"essay.txt", "data/train.csv"}


def test_input_raises_at_once(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    execution = kernel.run(notebook("input()"))
    assert execution.cells[0].error.startswith("StdinNotImplementedError")


def test_what_is_no_unicode_crosses_both_ways(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    lone = notebook("x = '\ud800'", "print(chr(0xdfff))", "raise Exception(chr(0xd800))")
    execution = kernel.run(lone)
    execution.notebook.encode("utf-8")
    execution.cells[2].error.encode("utf-8")
    assert [cell.status.value for cell in execution.cells][1:] == ["ok", "raised"]


def test_the_manifest_says_all_that_repeats_the_run(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    manifest = kernel.run(notebook("1")).manifest
    json.dumps(manifest)
    assert manifest["sandbox"]["backend"] == "bubblewrap"
    assert manifest["sandbox"]["version"].startswith("bubblewrap ")
    assert manifest["sandbox"]["enforced_by"]["memory, processes, cpu"]
    assert manifest["seed"] == 7
    assert manifest["limits"]["cell_cpu_seconds"] == LIMITS.cell_cpu_seconds
    assert {"torch", "numpy", "ipykernel"} <= set(manifest["packages"])
    assert manifest["started_at"] <= manifest["finished_at"]
    assert len(manifest["notebook_sha256"]) == 64


def test_a_late_interrupt_does_not_hit_the_next_cell(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    execution = kernel.run(notebook("while True: pass", busy, busy))
    assert [cell.status.value for cell in execution.cells] == ["timed out", "ok", "ok"]


def test_usage_grows_with_what_runs(kernel: Kernel, notebook: Callable[..., Any]) -> None:
    before = kernel.usage()
    kernel.run(notebook("import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"))
    after = kernel.usage()
    assert after.cpu_seconds - before.cpu_seconds >= 0.3
    assert after.peak_memory_bytes >= 50 * MIB
    assert after.output_bytes > before.output_bytes


def test_the_seed_decides_every_generator(notebook: Callable[..., Any], printed: Callable[..., str]) -> None:
    source = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1).item(), hash('x'))"
    settings = "import time\nprint(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), time.tzname)"
    first, second = printed(run_notebook(notebook(source, settings), LIMITS, seed=5)).split("\n\n")
    ask = [sys.executable, "-c", "print(hash('x'))"]
    hashed = subprocess.run(ask, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True).stdout.strip()
    drawn = torch.rand(1, generator=torch.Generator().manual_seed(5)).item()
    assert first == f"{random.Random(5).random()} {numpy.random.RandomState(5).rand()} {drawn} {hashed}"
    assert second == "True 1 ('UTC', 'UTC')\n"


def test_the_agent_serves_what_the_notebook_left(notebook: Callable[..., Any]) -> None:
    names = "import os, time, torch\nweight = torch.ones(3)\ndef double(x): return 2 * x"
    ends = "def slow(): time.sleep(60)\ndef end(): os._exit(4)"
    with open_kernel(LIMITS) as kernel:
        kernel.run(notebook(names, ends))
        channel = kernel.serve()
        assert isinstance(channel, Channel)
        assert kernel.serve() is channel
        assert channel.call("double", [channel.get("weight")]).tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(StudentTimeout):
            channel.call("slow", [], {}, timeout=0.5)
        assert channel.call("double", [4]) == 8  # the interrupt left it alive
        with pytest.raises(ChannelMisused):
            kernel.run(notebook("1"))
        with pytest.raises(KernelDied, match="exit status 4"):
            channel.call("end")
        assert kernel.death_reason == "exit status 4"


def test_serving_a_dead_kernel_says_why(notebook: Callable[..., Any]) -> None:
    with open_kernel(LIMITS) as kernel:
        execution = kernel.run(notebook("import os; os._exit(5)", "1"))
        assert execution.cells[1].status is CellStatus.NOT_RUN
        with pytest.raises(KernelDied, match="exit status 5"):
            kernel.serve().get("x")


def test_a_kernel_that_cannot_start_is_our_fault() -> None:
    with pytest.raises(SandboxFailed, match="did not start"), open_kernel(Limits(memory_bytes=20 * MIB)):
        pass


def test_an_unknown_backend_or_python_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no such backend"), open_kernel(LIMITS, backend="paper"):
        pass
    with pytest.raises(SandboxUnavailable, match="does not run"), open_kernel(LIMITS, python=tmp_path / "python"):
        pass


def test_cleaning_leaves_the_original_alone() -> None:
    original = new_notebook(cells=[new_code_cell("1", outputs=[new_output("stream", text="x")])], metadata={"a": 1})
    clean = clean_notebook(original)
    assert (clean.metadata, clean.cells[0].outputs) == ({}, [])
    assert original.metadata == {"a": 1}
    assert original.cells[0].outputs[0].text == "x"


def test_joining_streams_keeps_order_and_takes_linear_time() -> None:
    pieces = [new_output("stream", name="stdout", text="ab" * 5) for _ in range(3)]
    other = new_output("stream", name="stderr", text="!")
    joined = joined_streams([*pieces, other, *pieces[:1]])
    assert [(one.name, one.text) for one in joined] == [("stdout", "ab" * 15), ("stderr", "!"), ("stdout", pieces[0].text)]
    started = time.monotonic()
    joined_streams([new_output("stream", text="x" * 10**6), *(new_output("stream", text="y" * 1000) for _ in range(5000))])
    assert time.monotonic() - started < 30
