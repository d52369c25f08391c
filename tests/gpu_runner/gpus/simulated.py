"""A simulated NVML: answers as the module nvidia-ml-py does, from a file that several processes may share.

Its errors are the real module's, and test_discovery.py checks that every function here is one of the real module.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml

from gpu_runner.execution import GIB

NVMLError = pynvml.NVMLError
DRIVER_BYTES = GIB // 2
"""What the simulated driver keeps for itself of each device."""


def card(number: int, **changes: Any) -> dict[str, Any]:
    """A card of 80 GiB as it is found: idle, MIG off, default compute mode."""
    return {
        "uuid": f"GPU-{number}", "name": "Simulated H1", "total": 80 * GIB, "minor": number, "mode": 0, "lost": False,
        "processes": {}, "leaked": 0, "mig": None, "instance": None, "samples": [], "tells_sizes": True, **changes,
    }  # fmt: skip


def mig_slice(uuid: str, gpu_instance: int, compute_instance: int, **changes: Any) -> dict[str, Any]:
    """A MIG device of 10 GiB."""
    instance = [gpu_instance, compute_instance]
    return card(0, uuid=uuid, name="Simulated H1 MIG 1g.10gb", total=10 * GIB, instance=instance, samples=None, **changes)


class SimulatedLibrary:
    """The module. A handle is a device's uuid."""

    def __init__(self, state: Path, cards: list[dict[str, Any]] | None = None) -> None:
        self._state = state
        if cards is not None:
            self._write({"cards": cards, "driver": "580.1"})

    def __getattr__(self, name: str) -> Any:
        """Its constants and errors are the real ones; what else is not here does not exist in an old driver's library."""
        if name.startswith("NVML"):
            return getattr(pynvml, name)
        if hasattr(pynvml, name):
            return lambda *_: self._raise(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        raise AttributeError(name)

    def _raise(self, error: int) -> None:
        raise NVMLError(error)

    def _write(self, content: dict[str, Any]) -> None:
        scratch = self._state.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(content))
        scratch.rename(self._state)

    def _all(self) -> dict[str, dict[str, Any]]:
        cards = json.loads(self._state.read_text())["cards"]
        return {one["uuid"]: one for found in cards for one in (found, *(found["mig"] or []))}

    def _one(self, handle: str) -> dict[str, Any]:
        found = self._all().get(handle)
        if found is None:
            raise NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        if found["lost"]:
            raise NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return found

    def change(self, uuid: str, **changes: Any) -> None:
        """Changes a device for every process that looks at the file. Not for two writers at once."""
        content = json.loads(self._state.read_text())
        for found in content["cards"]:
            for one in (found, *(found["mig"] or [])):
                if one["uuid"] == uuid:
                    one.update(changes)
        self._write(content)

    def nvmlInit(self) -> None:
        pass

    def nvmlSystemGetDriverVersion(self) -> str:
        return str(json.loads(self._state.read_text())["driver"])

    def nvmlDeviceGetCount(self) -> int:
        return len(json.loads(self._state.read_text())["cards"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        uuid = str(json.loads(self._state.read_text())["cards"][index]["uuid"])
        self._one(uuid)
        return uuid

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self._one(uuid)
        return uuid

    def nvmlDeviceGetMinorNumber(self, handle: str) -> int:
        return int(self._one(handle)["minor"])

    def nvmlDeviceGetComputeMode(self, handle: str) -> int:
        return int(self._one(handle)["mode"])

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return str(self._one(handle)["uuid"])

    def nvmlDeviceGetName(self, handle: str) -> str:
        return str(self._one(handle)["name"])

    def nvmlDeviceGetMigMode(self, device: str) -> list[int]:
        slices = self._one(device)["mig"]
        return [int(slices is not None), 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: str) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: str, index: int) -> str:
        slices = self._one(device)["mig"]
        if index >= len(slices):
            raise NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return str(slices[index]["uuid"])

    def nvmlDeviceGetGpuInstanceId(self, device: str) -> int:
        return int(self._one(device)["instance"][0])

    def nvmlDeviceGetComputeInstanceId(self, device: str) -> int:
        return int(self._one(device)["instance"][1])

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        one = self._one(handle)
        used = DRIVER_BYTES + one["leaked"] + sum(one["processes"].values())
        return SimpleNamespace(total=one["total"], used=used, free=one["total"] - used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:
        one = self._one(handle)
        return [
            SimpleNamespace(pid=int(pid), usedGpuMemory=size if one["tells_sizes"] else None)
            for pid, size in one["processes"].items()
        ]

    def nvmlDeviceGetProcessUtilization(self, handle: str, timeStamp: int) -> list[SimpleNamespace]:
        samples = self._one(handle)["samples"]
        if samples is None:
            raise NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        newer = [SimpleNamespace(pid=pid, timeStamp=at, smUtil=busy) for pid, at, busy in samples if at > timeStamp]
        if not newer:
            raise NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return newer
