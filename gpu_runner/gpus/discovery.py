"""The GPUs of this host, by NVML.

NVML is the driver's own library; nvidia-ml-py loads it by name. Every answer of it can be an error, one card's and not
the next one's, so each card is asked by itself, and what is wrong with one is said and costs only that one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpu_runner.errors import DeviceUnavailable

COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
PROCESS_LISTS = (
    "nvmlDeviceGetComputeRunningProcesses",
    "nvmlDeviceGetGraphicsRunningProcesses",
    "nvmlDeviceGetMPSComputeRunningProcesses",
)
"""A process that takes its memory through Vulkan or EGL is in the second only."""


class DeviceLost(DeviceUnavailable):
    """A device that was there does not answer any more. Ours: no mark follows from a run on it."""


@dataclass(frozen=True)
class Slice:
    """Where a MIG device lies: its instances' numbers on its card."""

    gpu_instance: int
    compute_instance: int


@dataclass(frozen=True)
class Gpu:
    """One device that can be leased: a card, or one MIG slice of a card.

    Attributes:
        minor: number of the card's device node, /dev/nvidiaN.
        compute_mode: one of `COMPUTE_MODES`; only in 'default' can two processes share it.
    """

    uuid: str
    name: str
    memory_bytes: int
    minor: int
    driver: str = ""
    compute_mode: str = "default"
    mig: Slice | None = None

    @property
    def sharable(self) -> bool:
        """Whether two runs can be on it at the same time."""
        return self.compute_mode == "default"


class Discovery(NamedTuple):
    """The devices that can be leased, and what is wrong with those that cannot, or why there are none."""

    gpus: tuple[Gpu, ...]
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a device holds at one moment.

    Attributes:
        used_bytes: memory in use, whoever uses it, the driver's own included.
        processes: memory by process id; None where the driver does not say.
    """

    used_bytes: int
    processes: Mapping[int, int | None]

    @property
    def residue_bytes(self) -> int | None:
        """What no process accounts for: the driver's own, and what a process that just ended has not given back yet."""
        sizes = list(self.processes.values())
        if None in sizes:
            return None
        return max(0, self.used_bytes - sum(size or 0 for size in sizes))


class Utilization(NamedTuple):
    """How busy a process kept a device until a moment, since the driver's sample before it."""

    pid: int
    timestamp_us: int
    percent: int


class Nvml:
    """NVML, as far as it is asked here.

    Args:
        library: the module nvidia-ml-py, or something that answers like it.

    Raises:
        DeviceUnavailable: ours; there is no driver, or it does not answer.
    """

    def __init__(self, library: Any = None) -> None:
        try:
            if library is None:
                import pynvml as library  # type: ignore[no-redef]
            library.nvmlInit()
        except Exception as fault:  # noqa: BLE001 - no library, no driver, no permission: all the same here
            raise DeviceUnavailable(f"no NVIDIA driver answers: {fault}") from None
        self._library = library
        self._handles: dict[str, Any] = {}

    def discover(self) -> Discovery:
        """The devices; where MIG is on, a card's slices in its place."""
        nvml, found, faults = self._library, [], []
        try:
            count, driver = nvml.nvmlDeviceGetCount(), nvml.nvmlSystemGetDriverVersion()
        except nvml.NVMLError as fault:
            return Discovery((), f"the driver does not answer: {fault}")
        for index in range(count):
            try:
                found += list(self._card(nvml.nvmlDeviceGetHandleByIndex(index), driver))
            except (nvml.NVMLError, DeviceUnavailable) as fault:
                faults.append(f"GPU {index}: {fault}")
        if not count:
            faults.append("the driver names no device")
        return Discovery(tuple(found), "; ".join(faults))

    def _card(self, handle: Any, driver: str) -> Iterator[Gpu]:
        nvml = self._library
        minor = nvml.nvmlDeviceGetMinorNumber(handle)
        mode = COMPUTE_MODES.get(nvml.nvmlDeviceGetComputeMode(handle), "unknown")
        if mode == "prohibited":
            raise DeviceUnavailable("its owner prohibits computing on it (compute mode 'prohibited')")
        if not self._mig_is_on(handle):
            yield self._gpu(handle, minor, driver, mode, None)
            return
        slices = list(self._slices(handle))
        if not slices:  # CUDA does not run on a card in this state
            raise DeviceUnavailable("MIG is on, and the card has no MIG device")
        for mig in slices:
            numbers = Slice(nvml.nvmlDeviceGetGpuInstanceId(mig), nvml.nvmlDeviceGetComputeInstanceId(mig))
            yield self._gpu(mig, minor, driver, mode, numbers)

    def _mig_is_on(self, handle: Any) -> bool:
        try:
            return bool(self._library.nvmlDeviceGetMigMode(handle)[0])
        except self._library.NVMLError as fault:
            if _is(fault, self._library, "NVML_ERROR_NOT_SUPPORTED", "NVML_ERROR_FUNCTION_NOT_FOUND"):
                return False
            raise

    def _slices(self, handle: Any) -> Iterator[Any]:
        nvml = self._library
        for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            with contextlib.suppress(nvml.NVMLError):  # not every number is taken
                yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)

    def _gpu(self, handle: Any, minor: int, driver: str, mode: str, mig: Slice | None) -> Gpu:
        nvml = self._library
        memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
        return Gpu(nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle), memory, minor, driver, mode, mig)

    def read(self, uuid: str) -> Reading:
        """What a device holds now.

        Raises:
            DeviceLost: ours; it does not answer.
        """
        nvml = self._library
        try:
            handle = self._handle(uuid)
            processes: dict[int, int | None] = {}
            for name in PROCESS_LISTS:
                for process in self._listed(name, handle):
                    size, known = process.usedGpuMemory, processes.get(int(process.pid), 0)
                    processes[int(process.pid)] = None if size is None or known is None else max(int(size), known)
            return Reading(int(nvml.nvmlDeviceGetMemoryInfo(handle).used), processes)
        except nvml.NVMLError as fault:
            self._handles.pop(uuid, None)
            raise DeviceLost(f"{uuid} does not answer: {fault}") from None

    def _listed(self, name: str, handle: Any) -> list[Any]:
        try:
            return list(getattr(self._library, name)(handle))
        except self._library.NVMLError as fault:
            if name != PROCESS_LISTS[0] and _is(
                fault, self._library, "NVML_ERROR_NOT_SUPPORTED", "NVML_ERROR_FUNCTION_NOT_FOUND"
            ):
                return []
            raise

    def utilization(self, uuid: str, since_us: int) -> list[Utilization] | None:
        """How busy its processes kept a device after a moment; None where the driver does not say (MIG, old cards)."""
        nvml = self._library
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(self._handle(uuid), since_us)
        except nvml.NVMLError as fault:
            return [] if _is(fault, nvml, "NVML_ERROR_NOT_FOUND") else None
        # a percentage over 100 is an empty entry of the driver's buffer
        return [Utilization(int(one.pid), int(one.timeStamp), int(one.smUtil)) for one in samples if one.smUtil <= 100]

    def _handle(self, uuid: str) -> Any:
        if uuid not in self._handles:
            self._handles[uuid] = self._library.nvmlDeviceGetHandleByUUID(uuid)
        return self._handles[uuid]


def _is(fault: Any, library: Any, *names: str) -> bool:
    return fault.value in {getattr(library, name) for name in names}


_of_process: dict[int, Nvml] = {}


def system_nvml() -> Nvml:
    """This host's NVML, opened once a process; a forked child opens its own.

    Raises:
        DeviceUnavailable: ours; there is no driver.
    """
    pid = os.getpid()
    if pid not in _of_process:
        opened = Nvml()
        _of_process.clear()
        _of_process[pid] = opened
    return _of_process[pid]


def discover(nvml: Nvml | None = None) -> Discovery:
    """The devices of this host. Never raises: what is wrong is the reason, for doctor."""
    try:
        return (nvml or system_nvml()).discover()
    except DeviceUnavailable as fault:
        return Discovery((), str(fault))
