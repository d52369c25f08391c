"""Opening a sandboxed kernel and running a notebook in it, by unmodified nbclient.

Theory of operation. One process of ours, one sandbox. nbclient talks to the kernel over the sockets that the
provisioner made, through the checked client of client.py; the watchdog is told where each cell begins and ends. What
the kernel says over these sockets is what the notebook shows; no mark depends on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from gpu_runner.channel import Channel
from gpu_runner.client import CheckedClient, OutputGauge, clean_text
from gpu_runner.errors import ChannelMisused, SandboxFailed, StudentFault
from gpu_runner.execution import CellRun, CellStatus, Execution, Limits, Outcome, Usage
from gpu_runner.gpus import Lease
from gpu_runner.provisioner import READY_SECONDS, SandboxProvisioner, death_reason
from gpu_runner.sandbox import get_sandbox
from gpu_runner.sandbox.warm import WarmProcess

After = Callable[[str], None]
"""Called between two cells with the grade id of the first, which did not raise; may use `Kernel.asking`."""


class Kernel:
    """A live kernel in its sandbox. Made by `open_kernel`."""

    def __init__(self, limits: Limits, manager: AsyncKernelManager, loop: asyncio.AbstractEventLoop) -> None:
        self._limits, self._manager, self._loop = limits, manager, loop
        self._provisioner: SandboxProvisioner = manager.provisioner
        self._gauge = OutputGauge(limits)
        self._gauge.flooded = lambda: self._provisioner.watchdog.end(Outcome.OUTPUT_EXCEEDED)
        self._client: CheckedClient = manager.client(context=zmq.asyncio.Context())
        self._client.bound(self._gauge, limits)
        self._client.start_channels(stdin=False, hb=False)  # input() raises at once
        self._channel: Channel | None = None
        self._serving = False
        self.manifest: dict[str, Any] = {}

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        process = self._provisioner.process
        return process is not None and process.poll() is None

    @property
    def death_reason(self) -> str:
        """Why it ended, '' while it lives."""
        return "" if self.alive else death_reason(self._provisioner.process, self._provisioner.watchdog.passed)

    def usage(self) -> Usage:
        """What it used so far."""
        return self._provisioner.watchdog.usage(self._gauge.bytes)

    def interrupt(self) -> None:
        """Interrupts its main thread."""
        self._provisioner.interrupt()

    def wait_ready(self) -> None:
        """Waits until the kernel answers.

        Raises:
            SandboxFailed: ours; it ended or did not answer.
        """
        self._loop.run_until_complete(self._ready())

    async def _ready(self) -> None:
        deadline = self._loop.time() + READY_SECONDS
        self._client.kernel_info()
        while self.alive and self._loop.time() < deadline:
            if await self._client.shell_channel.socket.poll(200):
                await self._client.get_shell_msg(timeout=1)
                return
        log = self._provisioner.process.output() if self._provisioner.process else ""
        state = "no answer" if self.alive else f"the kernel ended ({self.death_reason})"
        raise SandboxFailed(self._provisioner.backend, state, log[-2000:])

    def run(self, notebook: NotebookNode, after: After | None = None) -> Execution:
        """Runs every cell, going on past cells that raise. The kernel stays alive after it, where it can.

        Not after `serve`: from then on the main thread answers the channel.

        Args:
            after: see `After`.
        """
        if self._serving:
            raise ChannelMisused("the kernel serves its channel and runs no more cells")
        started = datetime.now(UTC)
        runner = _Runner(self, self._provisioner, clean_notebook(notebook), self._limits, after)
        cells = runner.run(self._loop, self._client)
        self._provisioner.watchdog.check_device()
        outcome = self._outcome(cells)
        usage = self.usage()
        manifest = {
            **self.manifest,
            "notebook_sha256": hashlib.sha256(clean_text(nbformat.writes(notebook)).encode()).hexdigest(),
            "started_at": started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
        }
        return Execution(outcome, tuple(cells), usage, clean_text(nbformat.writes(runner.notebook)), manifest)

    def _outcome(self, cells: list[CellRun]) -> Outcome:
        process, watchdog = self._provisioner.process, self._provisioner.watchdog
        if watchdog.passed:
            return watchdog.passed
        if not self.alive:
            return (process.passed_limit() if process else None) or Outcome.DIED
        if self._gauge.cut:
            return Outcome.OUTPUT_EXCEEDED
        return Outcome.COMPLETED

    def serve(self) -> Channel:
        """Lets the agent answer in the kernel's main thread; the same channel when called again."""
        if not self._serving:
            self._provisioner.watchdog.begin_again()  # what asks has its own deadlines, and the notebook's time is its own
        return self._served()

    @contextmanager
    def asking(self) -> Iterator[Channel]:
        """The channel between two cells of a run; its waiting counts as the notebook's time. Afterwards the run goes on."""
        channel = self._served()
        yield channel
        if not channel.broken:
            self._provisioner.settle()  # no late interrupt may hit the next cell
            with suppress(StudentFault):
                channel.pause()
        if channel.broken:
            channel.close()  # which lets the kernel's main thread go
        self._serving = False

    def _served(self) -> Channel:
        if not self._serving and not (self._channel and self._channel.broken):
            self._client.shell_channel.send(self._client.session.msg("assessor_serve", {}))
            self._serving = True
        if self._channel is None:
            sock = self._provisioner.channel_socket
            if sock is None:
                raise SandboxFailed(self._provisioner.backend, "the kernel is closed")
            self._channel = Channel(
                sock,
                interrupt=self.interrupt,
                death=lambda: self.death_reason or None,
                max_message_bytes=self._limits.message_bytes,
            )
        return self._channel

    def close(self) -> None:
        """Ends it and gives everything back."""
        if self._channel is not None:
            self._channel.close()
        self._loop.run_until_complete(self._provisioner.cleanup())
        self._client.stop_channels()
        self._client.context.destroy(linger=0)


class _Runner:
    """One run of a notebook, cell by cell, with what became of each."""

    def __init__(
        self,
        kernel: Kernel,
        provisioner: SandboxProvisioner,
        notebook: NotebookNode,
        limits: Limits,
        after: After | None,
    ) -> None:
        self._kernel, self._provisioner, self.notebook, self._after = kernel, provisioner, notebook, after
        self._watchdog, self._limits = provisioner.watchdog, limits
        self._runs: dict[int, CellRun] = {}
        self._replies: dict[int, str] = {}
        self._manager = provisioner.parent

    def run(self, loop: asyncio.AbstractEventLoop, client: CheckedClient) -> list[CellRun]:
        """Every code cell's run, in order."""
        notebook_client = NotebookClient(
            self.notebook,
            km=self._manager,
            kernel_name="assessor",
            allow_errors=True,
            timeout=None,
            store_widget_state=False,
            record_timing=False,
            skip_cells_with_tag="",
            iopub_timeout=10,
            raise_on_iopub_timeout=False,
            on_cell_executed=self._replied,
        )
        notebook_client.kc = client
        loop.run_until_complete(self._execute(notebook_client, loop))
        return [
            self._runs.get(index, CellRun(index, CellStatus.NOT_RUN, grade_id=_grade_id(cell)))
            for index, cell in enumerate(self.notebook.cells)
            if cell.cell_type == "code"
        ]

    def _replied(self, *, cell_index: int, execute_reply: dict[str, Any], **_: Any) -> None:
        self._replies[cell_index] = execute_reply["content"].get("status", "ok")

    async def _execute(self, client: NotebookClient, loop: asyncio.AbstractEventLoop) -> None:
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type != "code":
                continue
            if not self._kernel.alive:
                return
            run = self._runs[index] = CellRun(index, CellStatus.OK, grade_id=_grade_id(cell))
            if cell.source.strip():
                run = self._runs[index] = await self._execute_cell(client, loop, index, cell)
            if self._after is not None and run.grade_id and run.status is CellStatus.OK and self._kernel.alive:
                self._after(run.grade_id)

    async def _execute_cell(
        self, client: NotebookClient, loop: asyncio.AbstractEventLoop, index: int, cell: NotebookNode
    ) -> CellRun:
        began = loop.time()
        self._watchdog.cell_begins()
        killed = False
        try:
            await client.async_execute_cell(cell, index)
        except (DeadKernelError, CellTimeoutError):
            killed = True
        timed_out = self._watchdog.cell_ends()
        if timed_out and self._kernel.alive:
            self._provisioner.settle()
        error = _error(cell)
        if timed_out or self._watchdog.passed in (Outcome.CPU_EXCEEDED, Outcome.WALL_EXCEEDED):
            status = CellStatus.TIMED_OUT
        elif killed or not self._kernel.alive:
            status = CellStatus.KILLED
        else:
            raised = error or self._replies.get(index) == "error"
            status = CellStatus.RAISED if raised else CellStatus.OK
        cell.outputs = joined_streams(cell.outputs)
        return CellRun(index, status, loop.time() - began, error, _grade_id(cell))


@contextmanager
def open_kernel(
    limits: Limits,
    *,
    files: Mapping[str, bytes] | None = None,
    public: Path | None = None,
    seed: int = 0,
    backend: str = "bubblewrap",
    python: Path | None = None,
    warm: bool = True,
    lease: Lease | None = None,
) -> Iterator[Kernel]:
    """A kernel in a fresh sandbox, ready to run; ended, with everything it started, when the block ends.

    Args:
        files: what its working directory holds, beside the files of `public`.
        public: a directory of data that students are given; its files appear in the working directory too.
        lease: the GPU that it may use, from `gpu_runner.gpus.leased`; none by default.
        warm: whether it may start from a parent that has done the imports already, where the backend can.

    Raises:
        SandboxUnavailable, SandboxFailed: ours; no mark may follow.
        DeviceUnavailable: ours; the GPU cannot be shown, or (`DeviceLost`, when the block ends) was lost on the way.
    """
    given = {**_public_files(public), **(files or {})}
    loop = asyncio.new_event_loop()
    manager = AsyncKernelManager(kernel_name="assessor", client_factory=CheckedClient)
    manager._kernel_spec = KernelSpec(display_name="assessor", language="python", argv=["assessor"])
    provisioner = SandboxProvisioner(
        parent=manager, kernel_id="", kernel_spec=manager._kernel_spec, backend=backend, seed=seed % 2**32,
        python=str(python or ""), limits=limits, files=given, warm=warm, lease=lease,
    )  # fmt: skip
    manager.provisioner = provisioner
    kernel = None
    try:
        loop.run_until_complete(_launch(provisioner))
        kernel = Kernel(limits, manager, loop)
        kernel.manifest = _manifest(provisioner, limits, given, seed)
        kernel.wait_ready()
        yield kernel
    finally:
        if kernel is not None:
            kernel.close()
        else:
            loop.run_until_complete(provisioner.cleanup())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        if kernel is not None:  # lost while the channel answered: what came of it is no claim of the student's
            provisioner.watchdog.check_device()


async def _launch(provisioner: SandboxProvisioner) -> None:
    await provisioner.pre_launch()
    await provisioner.launch_kernel([])


def run_notebook(notebook: NotebookNode, limits: Limits, **options: Any) -> Execution:
    """Runs a notebook in a fresh sandboxed kernel; options as of `open_kernel`."""
    with open_kernel(limits, **options) as kernel:
        return kernel.run(notebook)


def clean_notebook(notebook: NotebookNode) -> NotebookNode:
    """A copy without what could steer its own execution: kernelspec, tags, old outputs."""
    clean = nbformat.from_dict({**notebook, "metadata": {}, "cells": []})
    for cell in notebook.cells:
        copy = nbformat.from_dict({**cell, "metadata": {}})
        grade = cell.get("metadata", {}).get("nbgrader")
        if grade is not None:
            copy.metadata["nbgrader"] = grade
        copy.source = clean_text(copy.source)
        if copy.cell_type == "code":
            copy.outputs, copy.execution_count = [], None
        clean.cells.append(copy)
    return clean


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream as one output.

    Not by nbclient's `coalesce_streams`: its expressions take quadratic time on a long line.
    """
    joined: list[NotebookNode] = []
    pieces: list[str] = []
    for output in outputs:
        same = joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name
        if same:
            pieces.append(output.text)
            continue
        if pieces:
            joined[-1].text += "".join(pieces)
            pieces = []
        joined.append(output)
    if pieces:
        joined[-1].text += "".join(pieces)
    return joined


def _public_files(public: Path | None) -> dict[str, bytes]:
    if public is None:
        return {}
    return {str(path.relative_to(public)): path.read_bytes() for path in sorted(public.rglob("*")) if path.is_file()}


def _manifest(provisioner: SandboxProvisioner, limits: Limits, files: Mapping[str, bytes], seed: int) -> dict[str, Any]:
    """Everything needed to repeat a run."""
    environment = provisioner.environment
    return {
        "sandbox": get_sandbox(provisioner.backend).describe(limits),
        "limits": asdict(limits),
        "files_sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "python": environment.version,
        "packages": environment.packages,
        "environment_sha256": environment.sha256,
        "machine": platform.machine(),
        "device": provisioner.lease.gpu.name if provisioner.lease else "cpu",
        "start": "warm" if isinstance(provisioner.process, WarmProcess) else "cold",
        "seed": seed,
    }


def _error(cell: NotebookNode) -> str:
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}"[:500]
    return ""


def _grade_id(cell: NotebookNode) -> str:
    data = cell.get("metadata", {}).get("nbgrader", {})
    return str(data.get("grade_id", "")) if isinstance(data, dict) else ""
