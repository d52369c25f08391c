"""GPUs of this host and their leases.

Theory of operation. NVML names the devices. A lease is an exclusive lock (flock) on a file named by device and slot, in a
directory of this user: it holds across processes, and the kernel of the system gives it back when its holder ends, however
it ends. A device has one slot unless the course shares its devices; then each slot has its share of the memory. A lease is
given back only when NVML sees the memory of its run given back; a device that keeps it is held until this process ends,
so that nobody gets a device that is not free.

Sharing isolates nothing: who shares a device may slow, starve or, by a fault, end the other's run.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gpu_runner.errors import DeviceUnavailable

log = logging.getLogger(__name__)
NEEDS = ("required", "preferred", "none")
COMMON_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
POLL_SECONDS = 0.2
RETURN_SECONDS = 20.0
SLACK_BYTES = 64 * 2**20
"""What a driver may keep of a context for a moment longer."""
_kept: list[int] = []
"""Locks of devices whose memory was not given back."""


@dataclass(frozen=True)
class Gpu:
    """One device, or one MIG slice of one.

    Attributes:
        minor: number of its device node, /dev/nvidiaN.
        nodes: further device nodes that it needs (MIG capabilities).
    """

    uuid: str
    name: str
    memory_bytes: int
    minor: int
    nodes: tuple[Path, ...] = ()


class Nvml(Protocol):
    """What is asked of NVML."""

    def gpus(self) -> tuple[Gpu, ...]:
        """The devices; where MIG is on, its slices in place of their device."""

    def used_bytes(self, uuid: str) -> int:
        """Memory in use on a device, whoever uses it."""

    def processes(self, uuid: str) -> Mapping[int, int]:
        """Memory in use by process id."""


class SystemNvml:
    """The real one.

    Raises:
        DeviceUnavailable: there is no driver.
    """

    def __init__(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception as fault:  # noqa: BLE001 - no library, no driver, no permission: all the same here
            raise DeviceUnavailable(f"no NVIDIA driver answers: {fault}") from None
        self._nvml: Any = pynvml

    def gpus(self) -> tuple[Gpu, ...]:
        """As `Nvml` says."""
        nvml, found = self._nvml, []
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            minor = nvml.nvmlDeviceGetMinorNumber(handle)
            slices = list(self._slices(handle))
            found += [self._gpu(one, minor) for one in slices or [handle]]
        return tuple(found)

    def _slices(self, handle: Any) -> Iterator[Any]:
        nvml = self._nvml
        with contextlib.suppress(nvml.NVMLError):
            if nvml.nvmlDeviceGetMigMode(handle)[0]:
                for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
                    with contextlib.suppress(nvml.NVMLError):
                        yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)

    def _gpu(self, handle: Any, minor: int) -> Gpu:
        nvml = self._nvml
        uuid, name = _text(nvml.nvmlDeviceGetUUID(handle)), _text(nvml.nvmlDeviceGetName(handle))
        caps = tuple(sorted(Path("/dev/nvidia-caps").glob("nvidia-cap*"))) if uuid.startswith("MIG") else ()
        return Gpu(uuid, name, int(nvml.nvmlDeviceGetMemoryInfo(handle).total), minor, caps)

    def used_bytes(self, uuid: str) -> int:
        """As `Nvml` says."""
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle(uuid)).used)

    def processes(self, uuid: str) -> Mapping[int, int]:
        """As `Nvml` says."""
        running = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle(uuid))
        return {int(process.pid): int(process.usedGpuMemory or 0) for process in running}

    def _handle(self, uuid: str) -> Any:
        return self._nvml.nvmlDeviceGetHandleByUUID(uuid)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True)
class Lease:
    """A device, or a share of one, for one run."""

    gpu: Gpu
    memory_bytes: int
    nvml: Nvml

    @property
    def nodes(self) -> tuple[Path, ...]:
        """The device nodes that its sandbox must show, and no other device's."""
        wanted = [Path("/dev", name) for name in (f"nvidia{self.gpu.minor}", *COMMON_NODES)]
        return tuple(node for node in (*wanted, *self.gpu.nodes) if node.exists())

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it the only device of a process."""
        return {"CUDA_VISIBLE_DEVICES": self.gpu.uuid, "NVIDIA_VISIBLE_DEVICES": self.gpu.uuid}

    def used_by(self, pids: set[int]) -> int:
        """Bytes that these processes use on it; 0 where the driver does not say."""
        try:
            return sum(size for pid, size in self.nvml.processes(self.gpu.uuid).items() if pid in pids)
        except Exception as fault:  # noqa: BLE001 - a device that fell off the bus must not end the watchdog
            log.warning("%s: %s", self.gpu.uuid, fault)
            return 0


def discover(nvml: Nvml | None = None) -> tuple[tuple[Gpu, ...], str]:
    """The devices of this host, and, where there are none, why."""
    try:
        found = (nvml or SystemNvml()).gpus()
    except Exception as fault:  # noqa: BLE001 - for doctor: whatever is wrong with the driver is the answer
        return (), str(fault)
    return found, "" if found else "the driver names no device"


@contextmanager
def leased(
    need: str,
    *,
    share: int = 1,
    nvml: Nvml | None = None,
    folder: Path | None = None,
    timeout_seconds: float = 3600.0,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[Lease | None]:
    """Leases a device for a run, waiting for one to be free.

    Args:
        need: 'required', 'preferred' (None where this host has none) or 'none'.
        share: how many runs may have one device at the same time.
        folder: where the locks lie; every process that shares devices must name the same.
        waiting: called once, when it must wait.

    Raises:
        DeviceUnavailable: ours; it is required and this host has none, or none was free in time.
    """
    if need not in NEEDS:
        raise DeviceUnavailable(f"gpu = {need!r}: expected one of {', '.join(NEEDS)}")
    if need == "none":
        yield None
        return
    try:
        nvml = nvml or SystemNvml()
        gpus = nvml.gpus()
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with the driver
        if need == "required":
            raise DeviceUnavailable(f"a GPU is required: {fault}") from None
        gpus = ()
    if nvml is None or not gpus:
        if need == "required":
            raise DeviceUnavailable("a GPU is required, and this host has none")
        yield None
        return
    handle, gpu = _lock(gpus, share, folder or _home(), timeout_seconds, waiting)
    before = _used(nvml, gpu)
    try:
        yield Lease(gpu, gpu.memory_bytes // share, nvml)
    finally:
        if _given_back(nvml, gpu, before, alone=share == 1):
            os.close(handle)
        else:
            _kept.append(handle)
            log.error("%s (%s): its memory was not given back; it is held back until this process ends", gpu.name, gpu.uuid)


def _home() -> Path:
    """A directory of this user alone."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(runtime, f"assessor-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or state.st_uid != os.getuid():
        raise DeviceUnavailable(f"{folder} is not a directory of ours")
    return folder


def _lock(
    gpus: tuple[Gpu, ...], share: int, folder: Path, timeout_seconds: float, waiting: Callable[[], None]
) -> tuple[int, Gpu]:
    """The first free slot: every device once before any twice."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline, told = time.monotonic() + timeout_seconds, False
    while True:
        for slot in range(share):
            for gpu in gpus:
                handle = os.open(folder / f"{gpu.uuid.replace('/', '_')}.{slot}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(handle)
                    continue
                return handle, gpu
        if time.monotonic() > deadline:
            raise DeviceUnavailable(f"none of {len(gpus)} GPUs was free within {timeout_seconds:.0f} s")
        if not told:
            told = True
            waiting()
        time.sleep(POLL_SECONDS)


def _used(nvml: Nvml, gpu: Gpu) -> int:
    try:
        return nvml.used_bytes(gpu.uuid)
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with the device
        raise DeviceUnavailable(f"{gpu.name} ({gpu.uuid}) does not answer: {fault}") from None


def _given_back(nvml: Nvml, gpu: Gpu, before: int, *, alone: bool) -> bool:
    """Waits until a device holds no more than before the lease; where it is shared, nobody can tell whose memory it is."""
    if not alone:
        return True
    deadline = time.monotonic() + RETURN_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if nvml.used_bytes(gpu.uuid) <= before + SLACK_BYTES:
                return True
        time.sleep(POLL_SECONDS)
    return False
