from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient

from gpu_runner.execution import Limits
from gpu_runner.provisioner import SandboxProvisioner, determinism
from gpu_runner.sandbox.bubblewrap import exit_reason


def test_jupyter_finds_it_by_its_entry_point() -> None:
    entries = KernelProvisionerFactory.instance().get_provisioner_entries()
    assert entries["assessor-sandbox"] == "gpu_runner.provisioner:SandboxProvisioner"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stock_manager_and_a_stock_client_run_in_the_sandbox(notebook: Callable[..., Any]) -> None:
    written = notebook("import os, socket\nprint(socket.gethostname(), os.getuid())")
    manager = AsyncKernelManager(kernel_name="assessor")
    manager._kernel_spec = KernelSpec(
        argv=["assessor"],
        display_name="assessor",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "assessor-sandbox", "config": {}}},
    )

    async def run(client: NotebookClient) -> None:
        await client.async_execute()

    asyncio.run(run(NotebookClient(written, km=manager, timeout=60)))
    del manager
    gc.collect()  # a stock client leaves its sockets to the collector
    assert written.cells[0].outputs[0].text == "sandbox 1000\n"


def test_the_environment_inside_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    monkeypatch.setenv("SECRET", "x")
    env = determinism(Limits(threads=3), Path("/env/bin/python"))
    assert env["PYTHONHASHSEED"] == "0"
    assert env["OMP_NUM_THREADS"] == "3"
    assert env["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert env["PATH"].split(":")[0] == "/env/bin"
    assert "SECRET" not in env


def test_a_signal_it_does_not_know_ends_nothing() -> None:
    provisioner = SandboxProvisioner()
    assert not provisioner.has_process
    asyncio.run(provisioner.send_signal(signal.SIGUSR1))
    assert asyncio.run(provisioner.poll()) == 0
    asyncio.run(provisioner.cleanup())


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit status 0"), (139, "killed by SIGSEGV"), (-9, "killed by SIGKILL"), (255, "exit status 255")],
)
def test_an_exit_status_in_words(status: int, words: str) -> None:
    assert exit_reason(status) == words
