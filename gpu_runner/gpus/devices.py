"""What a sandbox must show for a leased device, and no more.

A CUDA program opens /dev/nvidiactl, /dev/nvidia-uvm, /dev/nvidia-uvm-tools and its card's /dev/nvidiaN; on a MIG slice
also two capability nodes, those of its own GPU and compute instance. The nodes of other slices stay out, and so do
nvidia-cap1 and -cap2, which configure and monitor every slice of the machine. The driver also reads /sys, without which
its initialisation fails with error 304 (operating system).
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.gpus.discovery import Gpu

CONTROL = "nvidiactl"
MEMORY = "nvidia-uvm"
TOOLS = "nvidia-uvm-tools"
"""Opened by newer drivers while they start; older hosts do not have it."""
MIG_MINORS = "proc/driver/nvidia-caps/mig-minors"
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib32", "/lib64")
"""Every sandbox shows them."""
OPEN_TO_ALL = stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True)
class Devices:
    """What lets a sandbox use one device.

    Attributes:
        nodes: device nodes, for bubblewrap `--dev-bind`, the same path inside.
        read_only: folders of the host that the driver reads, for `--ro-bind`, the same path inside.
        env: variables that make it the one device of CUDA.
    """

    nodes: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def devices_of(gpu: Gpu, root: Path = Path("/")) -> Devices:
    """What a sandbox must show for a device.

    Args:
        root: where /dev, /proc, /etc and /sys lie.

    Raises:
        DeviceUnavailable: ours; a node is missing, or closed to the ordinary user that a sandbox runs as.
    """
    nodes = [_node(root, name, OPEN_TO_ALL) for name in (f"nvidia{gpu.minor}", CONTROL, MEMORY)]
    if (root / "dev" / TOOLS).exists():
        nodes.append(_node(root, TOOLS, OPEN_TO_ALL))
    nodes += _capabilities(gpu, root)
    folder = library_folder((root / "proc/self/maps").read_text())
    env = {"CUDA_VISIBLE_DEVICES": gpu.uuid, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    read_only = [root / "sys"]
    if folder is not None:
        if not any(folder.is_relative_to(shown) for shown in SYSTEM_FOLDERS):
            read_only.append(folder)
        if not _is_known_to_the_loader(root):
            env["LD_LIBRARY_PATH"] = str(folder)
    return Devices(tuple(nodes), tuple(read_only), env)


def _node(root: Path, name: str, wanted: int) -> Path:
    node = root / "dev" / name
    try:
        mode = node.stat().st_mode
    except OSError as fault:
        raise DeviceUnavailable(
            f"{node}: {fault.strerror}; let the driver make it: nvidia-modprobe -c 0 -u, or start nvidia-persistenced"
        ) from None
    if mode & wanted != wanted:
        raise DeviceUnavailable(
            f"{node}: mode {stat.S_IMODE(mode):04o}, and a sandbox runs as an ordinary user in no group; "
            "set the module's option NVreg_DeviceFileMode=0666"
        )
    return node


def _capabilities(gpu: Gpu, root: Path) -> list[Path]:
    """The nodes of a slice's own GPU instance and compute instance."""
    if gpu.mig is None:
        return []
    try:
        lines = (root / MIG_MINORS).read_text().splitlines()
    except OSError as fault:
        raise DeviceUnavailable(f"{root / MIG_MINORS}: {fault.strerror}; it names the nodes of MIG slices") from None
    minors = dict(line.split(" ", 1) for line in lines if " " in line)
    instance = f"gpu{gpu.minor}/gi{gpu.mig.gpu_instance}"
    nodes = []
    for name in (f"{instance}/access", f"{instance}/ci{gpu.mig.compute_instance}/access"):
        if name not in minors:
            raise DeviceUnavailable(f"{root / MIG_MINORS}: no line for {name}; has the slice {gpu.uuid} been removed?")
        nodes.append(_node(root, f"nvidia-caps/nvidia-cap{minors[name].strip()}", stat.S_IROTH))
    return nodes


def library_folder(maps: str) -> Path | None:
    """The folder of the driver's libraries, from a process's map of its memory; None where NVML is not loaded in it."""
    for line in maps.splitlines():
        path = Path(line.split(maxsplit=5)[-1])
        if path.name.startswith("libnvidia-ml.so") and path.is_absolute():
            return path.parent
    return None


def _is_known_to_the_loader(root: Path) -> bool:
    cache = root / "etc/ld.so.cache"
    return cache.is_file() and b"libcuda.so.1" in cache.read_bytes()
