"""Opening a sandboxed kernel and running a notebook in it, by unmodified nbclient.

Theory of operation. One process of ours, one sandbox. nbclient talks to the kernel over the sockets that the provisioner
made. Two things are added, both on this side: the client's iopub channel counts bytes and messages while they arrive and
drops what is over the limit before anybody stores it, and the watchdog is told where each cell begins and ends. What the
kernel says over these sockets is what the notebook shows; no mark depends on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets import Type

from gpu_runner.channel import Channel
from gpu_runner.errors import SandboxFailed
from gpu_runner.execution import CellRun, CellStatus, Execution, Limits, Outcome, Usage
from gpu_runner.provisioner import READY_SECONDS, SandboxProvisioner, death_reason
from gpu_runner.sandbox import get_sandbox

MAX_MESSAGES = 10_000
FLOOD = 4
"""A run whose output passes its limit this many times over is ended; below that it is only cut."""
CUT = "\n[output cut here: the limit of this run is passed]\n"
DATA_MESSAGES = ("stream", "display_data", "update_display_data", "execute_result", "error")


class OutputGauge:
    """Counts a run's output as it arrives, and says what may still be kept."""

    def __init__(self, limits: Limits) -> None:
        self._limit, self.bytes, self.messages = limits.output_bytes, 0, 0
        self.flooded: Callable[[], None] = lambda: None
        self.cut = False

    def admit(self, message: dict[str, Any], size: int) -> bool:
        """Whether this message is kept. The first that is not is turned into a notice."""
        if message["header"]["msg_type"] not in DATA_MESSAGES:
            return True
        self.bytes, self.messages = self.bytes + size, self.messages + 1
        if self.bytes <= self._limit and self.messages <= MAX_MESSAGES:
            return True
        if self.bytes > FLOOD * self._limit or self.messages > FLOOD * MAX_MESSAGES:
            self.flooded()
        if self.cut:
            return False
        self.cut = True
        message["header"]["msg_type"] = message["msg_type"] = "stream"
        message["content"] = {"name": "stderr", "text": CUT}
        return True


class CountingChannel(AsyncZMQSocketChannel):  # type: ignore[misc]
    """An iopub channel that drops output over the limit before anybody stores it."""

    gauge: OutputGauge | None = None

    async def _recv(self, **kwargs: Any) -> dict[str, Any]:
        while True:
            parts = await self.socket.recv_multipart(**kwargs)
            size = sum(map(len, parts))
            _, parts = self.session.feed_identities(parts)
            message: dict[str, Any] = self.session.deserialize(parts)
            if self.gauge is None or self.gauge.admit(message, size):
                return message


class CountingClient(AsyncKernelClient):  # type: ignore[misc]
    """A kernel client whose iopub is counted and bounded."""

    iopub_channel_class = Type(CountingChannel)

    def bound(self, gauge: OutputGauge, limits: Limits) -> None:
        """Sets the bounds; before the channels start."""
        self.gauge, self.max_bytes = gauge, limits.output_bytes + 2**20

    def connect_iopub(self, identity: bytes | None = None) -> zmq.Socket[bytes]:
        """The iopub socket: messages over the size limit and queues over their length are the kernel's loss."""
        sock: zmq.Socket[bytes] = self.context.socket(zmq.SUB)
        sock.linger = 1000
        sock.setsockopt(zmq.MAXMSGSIZE, self.max_bytes)
        sock.setsockopt(zmq.RCVHWM, 1000)
        sock.connect(self._make_url("iopub"))
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        return sock

    @property
    def iopub_channel(self) -> Any:
        """The counted channel."""
        channel = super().iopub_channel
        channel.gauge = self.gauge
        return channel


class Kernel:
    """A live kernel in its sandbox. Made by `open_kernel`."""

    def __init__(self, limits: Limits, manager: AsyncKernelManager, loop: asyncio.AbstractEventLoop) -> None:
        self._limits, self._manager, self._loop = limits, manager, loop
        self._provisioner: SandboxProvisioner = manager.provisioner
        self._gauge = OutputGauge(limits)
        self._gauge.flooded = lambda: self._provisioner.watchdog.end(Outcome.OUTPUT_EXCEEDED)
        self._client: CountingClient = manager.client(context=zmq.asyncio.Context())
        self._client.bound(self._gauge, limits)
        self._client.allow_stdin = False
        self._client.start_channels()
        self._channel: Channel | None = None
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

    def run(self, notebook: NotebookNode) -> Execution:
        """Runs every cell, going on past cells that raise. The kernel stays alive after it, where it can."""
        started = datetime.now(UTC)
        runner = _Runner(self, self._provisioner, clean_notebook(notebook), self._limits)
        cells = runner.run(self._loop, self._client)
        outcome = self._outcome(cells)
        usage = self.usage()
        manifest = {
            **self.manifest,
            "notebook_sha256": hashlib.sha256(nbformat.writes(notebook).encode()).hexdigest(),
            "started_at": started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
        }
        return Execution(outcome, tuple(cells), usage, nbformat.writes(runner.notebook), manifest)

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
        if self._channel is None:
            sock = self._provisioner.channel_socket
            if sock is None:
                raise SandboxFailed(self._provisioner.backend, "the kernel is closed")
            self._client.shell_channel.send(self._client.session.msg("assessor_serve", {}))
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
        self._client.stop_channels()
        self._loop.run_until_complete(self._provisioner.cleanup())
        self._client.context.destroy(linger=0)


class _Runner:
    """One run of a notebook, cell by cell, with what became of each."""

    def __init__(self, kernel: Kernel, provisioner: SandboxProvisioner, notebook: NotebookNode, limits: Limits) -> None:
        self._kernel, self._watchdog, self.notebook = kernel, provisioner.watchdog, notebook
        self._limits = limits
        self._runs: dict[int, CellRun] = {}
        self._began = 0.0
        self._manager = provisioner.parent

    def run(self, loop: asyncio.AbstractEventLoop, client: CountingClient) -> list[CellRun]:
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
        )
        notebook_client.kc = client
        loop.run_until_complete(self._execute(notebook_client, loop))
        return [
            self._runs.get(index, CellRun(index, CellStatus.NOT_RUN, grade_id=_grade_id(cell)))
            for index, cell in enumerate(self.notebook.cells)
            if cell.cell_type == "code"
        ]

    async def _execute(self, client: NotebookClient, loop: asyncio.AbstractEventLoop) -> None:
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                if cell.cell_type == "code":
                    self._runs[index] = CellRun(index, CellStatus.OK, grade_id=_grade_id(cell))
                continue
            if not self._kernel.alive:
                return
            began = loop.time()
            self._watchdog.cell_begins()
            killed = False
            try:
                await client.async_execute_cell(cell, index)
            except (DeadKernelError, CellTimeoutError):
                killed = True
            timed_out = self._watchdog.cell_ends()
            killed = killed or not self._kernel.alive
            error = _error(cell)
            if timed_out or self._watchdog.passed in (Outcome.CPU_EXCEEDED, Outcome.WALL_EXCEEDED):
                status = CellStatus.TIMED_OUT
            elif killed:
                status = CellStatus.KILLED
            else:
                status = CellStatus.RAISED if error else CellStatus.OK
            self._runs[index] = CellRun(index, status, loop.time() - began, error, _grade_id(cell))


@contextmanager
def open_kernel(
    limits: Limits,
    *,
    files: Mapping[str, bytes] | None = None,
    public: Path | None = None,
    seed: int = 0,
    backend: str = "bubblewrap",
    python: Path | None = None,
) -> Iterator[Kernel]:
    """A kernel in a fresh sandbox, ready to run; ended, with everything it started, when the block ends.

    Args:
        files: what its working directory holds, beside the files of `public`.
        public: a directory of data that students are given; its files appear in the working directory too.

    Raises:
        SandboxUnavailable, SandboxFailed: ours; no mark may follow.
    """
    given = {**_public_files(public), **(files or {})}
    loop = asyncio.new_event_loop()
    manager = AsyncKernelManager(kernel_name="assessor", client_factory=CountingClient)
    manager._kernel_spec = KernelSpec(display_name="assessor", language="python", argv=["assessor"])
    provisioner = SandboxProvisioner(
        parent=manager, kernel_id="", kernel_spec=manager._kernel_spec, backend=backend, seed=seed % 2**32,
        python=str(python or ""), limits=limits, files=given,
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
        if copy.cell_type == "code":
            copy.outputs, copy.execution_count = [], None
        clean.cells.append(copy)
    return clean


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
        "machine": platform.machine(),
        "device": "cpu",
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
