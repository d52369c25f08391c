"""GPUs of this host: which there are, who may use which, what a run uses of one, and what its sandbox must show.

    discovery.py   the devices, by NVML
    devices.py     nodes, binds and variables by which a sandbox shows one device and no other
    ledger.py      locks and records on disk: what holds across processes and outlives its holder
    queue.py       who waits, first come first served
    leases.py      a device for a run
    watch.py       what the run uses of it
"""

from gpu_runner.gpus.devices import Devices, devices_of
from gpu_runner.gpus.discovery import DeviceLost, Discovery, Gpu, Nvml, discover
from gpu_runner.gpus.leases import Decision, Lease, LeaseCancelled, Waiting, decide, leased
from gpu_runner.gpus.watch import GpuWatch

__all__ = [
    "Decision",
    "DeviceLost",
    "Devices",
    "Discovery",
    "Gpu",
    "GpuWatch",
    "Lease",
    "LeaseCancelled",
    "Nvml",
    "Waiting",
    "decide",
    "devices_of",
    "discover",
    "leased",
]
