"""Running a stranger's plain commands, such as those that reproduce a paper, in a fresh sandbox.

Theory of operation. The sandbox starts commander.py, which gets two descriptors: one for what the commands print, one on
which it tells how they ended and what their result files hold. This side reads both while the commands run, never more
than it is ready to hold, and a watchdog ends the sandbox at a limit. No directory of the host is shared; results come over
the descriptor as bytes, and whoever reads them treats them as a claim.

Whose fault an end is: without the first word of commander.py nothing of the stranger's was run, so it is ours and raises.
After it, whatever happens inside is the stranger's and is told in the result.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import selectors
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_runner.commander import BEGUN
from gpu_runner.environment import python_environment
from gpu_runner.errors import DeviceUnavailable, SandboxFailed
from gpu_runner.execution import Limits, Outcome, Usage
from gpu_runner.gpus import Devices, Lease
from gpu_runner.provisioner import Watchdog, death_reason, determinism
from gpu_runner.sandbox import get_sandbox
from gpu_runner.sandbox.contract import Launch, Sandbox, SandboxProcess

RESULT_BYTES = 2**20
"""The most that one result file may hold."""
KEPT_BYTES = 2**18
"""Of what is printed, so much of the beginning and so much of the end are kept."""
CUT = b"\n[... left out here ...]\n"
LINE_BYTES, MAX_LINES = 4096, 20_000
"""Of a longer line so much, and of a run so many lines, are said while it runs."""
FOR_EVER = 1e9

Say = Callable[[str], None]


@dataclass(frozen=True)
class CommandEnd:
    """How one command ended: exit status (of a pipeline the last that failed; 128 + n for a signal n) and seconds."""

    status: int
    seconds: float


@dataclass(frozen=True)
class CommandRun:
    """What came of a run.

    Attributes:
        outcome: how the run as a whole ended; all but COMPLETED are the stranger's doing.
        ended: the commands that were run, up to the first that failed.
        results: file -> its bytes; faults: file -> why it could not be read.
        fault: why nothing was run or told, in words, or ''.
        log: beginning and end of what was printed.
    """

    outcome: Outcome
    ended: tuple[CommandEnd, ...] = ()
    results: Mapping[str, bytes] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    log: bytes = b""
    usage: Usage = field(default_factory=Usage)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def succeeded(self, commands: int) -> bool:
        """Whether all of so many commands were run and ended with 0."""
        return self.outcome is Outcome.COMPLETED and [end.status for end in self.ended] == [0] * commands


def run_commands(
    commands: Sequence[str],
    limits: Limits,
    *,
    files: Mapping[str, bytes],
    unpack: str = "",
    results: Sequence[str] = (),
    result_bytes: int = RESULT_BYTES,
    env: Mapping[str, str] | None = None,
    backend: str = "bubblewrap",
    python: Path | None = None,
    lease: Lease | None = None,
    say: Say = lambda line: None,
) -> CommandRun:
    """Runs commands one after the other in one fresh sandbox, until one fails.

    Args:
        files: what the working directory holds; `unpack` names one of them, a .zip or a git bundle, that is unpacked.
        results: files, relative to where the commands run, that are handed back.
        say: gets each line as it is printed.

    Raises:
        SandboxUnavailable, SandboxFailed: ours; nothing of it was run.
        DeviceUnavailable, DeviceLost: ours; no GPU can be shown, or it stopped answering.
    """
    sandbox, environment = get_sandbox(backend), python_environment(python)
    devices = _devices(sandbox, lease)
    source = Path(__file__).with_name("commander.py").read_bytes()
    ears = _Ears(limits.output_bytes, 2 * result_bytes * max(1, len(results)) + 2**16, say)
    config = {
        "commands": list(commands), "unpack": unpack, "results": list(results), "result_bytes": result_bytes,
        "tell": ears.tell, "log": ears.log,
        "limits": {
            "open_files": limits.open_files, "file_bytes": limits.file_bytes,
            "processes": limits.processes if sandbox.own_users else None,
        },
    }  # fmt: skip
    launch = Launch(
        argv=(str(environment.executable), "-I", "{agent}/commander.py"),
        python=environment,
        limits=limits,
        files=files,
        agent_files={"commander.py": source, "commands.json": json.dumps(config).encode()},
        env={**determinism(limits, environment.executable), "MPLBACKEND": "Agg", **devices.env, **(env or {})},
        pass_fds=(ears.tell, ears.log),
        devices=devices.nodes,
        read_only=devices.read_only,
    )
    try:
        process = sandbox.start(launch)
    except BaseException:
        ears.close()
        raise
    try:
        passed, usage = _attend(process, limits, lease, ears)
        told = _understood(ears.told, len(commands), results)
        if not ears.told.startswith(BEGUN):
            raise SandboxFailed(backend, death_reason(process, passed), process.output())
        if told is None:
            why = death_reason(process, passed)
            outcome, told = passed or process.passed_limit() or Outcome.DIED, CommandRun(Outcome.DIED, fault=why)
        else:
            outcome = passed or process.passed_limit() or Outcome.COMPLETED
    finally:
        process.close()
        ears.close()
    manifest = {"sandbox": sandbox.describe(limits), "python": environment.version, "environment": environment.sha256}
    device = {"device": lease.gpu.name if lease else "cpu"}
    return CommandRun(
        outcome, told.ended, told.results, told.faults, told.fault, ears.printed, usage, {**manifest, **device}
    )


def _devices(sandbox: Sandbox, lease: Lease | None) -> Devices:
    if lease is None:
        return Devices()
    if not sandbox.shows_gpus:
        raise DeviceUnavailable(f"sandbox {sandbox.name!r} shows no GPU; use bubblewrap, or gpu = 'none'")
    return lease.devices


def _attend(
    process: SandboxProcess, limits: Limits, lease: Lease | None, ears: _Ears
) -> tuple[Outcome | None, Usage]:
    """Listens until the sandbox has ended; the limit that was passed, if one was, and what was used."""
    watchdog = Watchdog(process, limits, lambda: None, lease)
    try:
        ears.listen(process, lambda: watchdog.end(Outcome.OUTPUT_EXCEEDED))
    finally:
        process.kill()  # whatever was left behind in there
        process.wait(30)
        watchdog.stop()
    watchdog.check_device()
    return watchdog.passed, watchdog.usage(ears.heard)


class _Ears:
    """Both descriptors' reading ends, and what was heard on them, within bounds."""

    def __init__(self, output_bytes: int, told_bytes: int, say: Say) -> None:
        self._log, self.log = os.pipe2(os.O_CLOEXEC)
        self._tell, self.tell = os.pipe2(os.O_CLOEXEC)
        self._bounds = {self._log: output_bytes, self._tell: told_bytes}
        self._say, self._line, self._lines = say, b"", 0
        self._head, self._tail = b"", b""
        self.heard, self.told = 0, bytearray()

    def listen(self, process: SandboxProcess, too_much: Callable[[], None]) -> None:
        """Until both ends are closed or the sandbox has ended. Our copies of the writing ends are closed first."""
        self._hang_up()
        gone = False
        with selectors.DefaultSelector() as selector:
            for end in (self._log, self._tell):
                selector.register(end, selectors.EVENT_READ)
            while selector.get_map():
                ready = [key.fd for key, _ in selector.select(0.05)]
                for end in ready:
                    chunk = os.read(end, 65_536)
                    if not chunk:
                        selector.unregister(end)
                    elif not self._hear(end, chunk):
                        too_much()
                        return
                if not ready and gone:
                    return
                gone = gone or process.poll() is not None  # one more look, for what was written last

    def _hear(self, end: int, chunk: bytes) -> bool:
        """Takes a chunk in; whether it was within bounds."""
        if end == self._tell:
            self.told += chunk
            return len(self.told) <= self._bounds[end]
        self.heard += len(chunk)
        room = max(0, KEPT_BYTES - len(self._head))
        self._head += chunk[:room]
        self._tail = (self._tail + chunk[room:])[-KEPT_BYTES:]
        *lines, rest = (self._line + chunk).split(b"\n")
        for line in lines[: MAX_LINES - self._lines]:
            self._say(line[:LINE_BYTES].decode("utf-8", "replace"))
        self._lines = min(MAX_LINES, self._lines + len(lines))
        self._line = rest[-LINE_BYTES:]
        return self.heard <= self._bounds[end]

    @property
    def printed(self) -> bytes:
        """Beginning and end of what was printed."""
        cut = CUT if self.heard > len(self._head) + len(self._tail) else b""
        return self._head + cut + self._tail

    def _hang_up(self) -> None:
        for name in ("log", "tell"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)

    def close(self) -> None:
        """Closes what is open."""
        self._hang_up()
        for end in (self._log, self._tell):
            if end >= 0:
                os.close(end)
        self._log = self._tell = -1


def _understood(told: bytes | bytearray, commands: int, results: Sequence[str]) -> CommandRun | None:
    """What commander.py told; None where it is no whole, well-formed account of these commands and results."""
    try:
        account = json.loads(told.removeprefix(BEGUN))
        ended = tuple(CommandEnd(int(each["status"]), float(each["seconds"])) for each in account["commands"])
        sound = all(0 <= end.status <= 255 and 0 <= end.seconds < FOR_EVER for end in ended)
        if not sound or len(ended) > commands:
            return None
        found = {name: account["results"][name] for name in results} if account["results"] else {}
        data = {name: base64.b64decode(each["data"], validate=True) for name, each in found.items() if "data" in each}
        faults = {name: _words(each["fault"]) for name, each in found.items() if "data" not in each}
        return CommandRun(Outcome.COMPLETED, ended, data, faults, _words(account["unpacked"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, binascii.Error):
        return None


def _words(told: object) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(told)[:200])
