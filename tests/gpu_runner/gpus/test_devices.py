"""What a sandbox must show for a device: on a made-up /dev, /proc and /etc."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB
from gpu_runner.gpus.devices import devices_of, library_folder
from gpu_runner.gpus.discovery import Gpu, Slice

NODES = ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"]
MINORS = "config 1\nmonitor 2\n" + "".join(
    f"gpu{gpu}/gi{gi}/access {100 * gpu + 10 * gi}\ngpu{gpu}/gi{gi}/ci0/access {100 * gpu + 10 * gi + 1}\n"
    for gpu in (0, 1)
    for gi in (1, 2)
)
MAPS = "7f00 r-xp 0000 fd:01 42    {folder}/libnvidia-ml.so.580.1\n7f01 rw-p 0000 00:00 0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*NODES, *(f"nvidia-caps/nvidia-cap{number}" for number in (1, 2, 10, 11, 20, 21, 110, 111, 120, 121))):
        node = tmp_path / "dev" / name
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch()
        node.chmod(0o444 if "cap" in name else 0o666)
    for name, text in {
        "proc/driver/nvidia-caps/mig-minors": MINORS,
        "proc/self/maps": MAPS.format(folder="/usr/lib/x86_64-linux-gnu"),
        "etc/ld.so.cache": "glibc-ld.so.cache1.1 libcuda.so.1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(root: Path, nodes: tuple[Path, ...]) -> list[str]:
    return [str(node.relative_to(root / "dev")) for node in nodes]


def test_only_the_leased_card_is_shown(root: Path) -> None:
    shown = devices_of(Gpu("GPU-1", "x", GIB, minor=1), root)
    assert names(root, shown.nodes) == ["nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]
    assert shown.read_only == (root / "sys",)
    assert shown.env == {"CUDA_VISIBLE_DEVICES": "GPU-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_of_a_mig_card_only_the_leased_slice_and_never_what_configures_it(root: Path) -> None:
    shown = devices_of(Gpu("MIG-a", "x", GIB, minor=1, mig=Slice(2, 0)), root)
    assert names(root, shown.nodes)[4:] == ["nvidia-caps/nvidia-cap120", "nvidia-caps/nvidia-cap121"]
    assert shown.env["CUDA_VISIBLE_DEVICES"] == "MIG-a"


def test_a_slice_that_was_removed_is_our_fault(root: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="no line for gpu1/gi9/access"):
        devices_of(Gpu("MIG-a", "x", GIB, minor=1, mig=Slice(9, 0)), root)
    (root / "proc/driver/nvidia-caps/mig-minors").unlink()
    with pytest.raises(DeviceUnavailable, match="mig-minors: No such file"):
        devices_of(Gpu("MIG-a", "x", GIB, minor=1, mig=Slice(1, 0)), root)


@pytest.mark.parametrize("name", ["nvidia1", "nvidiactl", "nvidia-uvm"])
def test_a_missing_node_is_named_with_its_remedy(root: Path, name: str) -> None:
    (root / "dev" / name).unlink()
    with pytest.raises(DeviceUnavailable, match=f"{name}: No such file.*nvidia-modprobe"):
        devices_of(Gpu("GPU-1", "x", GIB, minor=1), root)


def test_an_old_driver_has_no_tools_node(root: Path) -> None:
    (root / "dev/nvidia-uvm-tools").unlink()
    assert "nvidia-uvm-tools" not in names(root, devices_of(Gpu("GPU-1", "x", GIB, minor=1), root).nodes)


@pytest.mark.parametrize("mode", [0o660, 0o664])
def test_a_node_that_an_ordinary_user_may_not_open_is_said_before_a_student_pays_for_it(root: Path, mode: int) -> None:
    (root / "dev/nvidia1").chmod(mode)
    with pytest.raises(DeviceUnavailable, match=rf"nvidia1: mode {mode:04o}.*NVreg_DeviceFileMode=0666"):
        devices_of(Gpu("GPU-1", "x", GIB, minor=1), root)
    devices_of(Gpu("GPU-0", "x", GIB, minor=0), root)


def test_a_driver_outside_the_system_folders_comes_along(root: Path) -> None:
    (root / "etc/ld.so.cache").write_text("nothing of the driver")
    (root / "proc/self/maps").write_text(MAPS.format(folder="/opt/driver/lib64"))
    shown = devices_of(Gpu("GPU-0", "x", GIB, minor=0), root)
    assert Path("/opt/driver/lib64") in shown.read_only
    assert shown.env["LD_LIBRARY_PATH"] == "/opt/driver/lib64"


def test_a_driver_below_usr_that_the_loader_does_not_know_needs_only_the_variable(root: Path) -> None:
    (root / "etc/ld.so.cache").unlink()
    (root / "proc/self/maps").write_text(MAPS.format(folder="/usr/local/nvidia/lib64"))
    shown = devices_of(Gpu("GPU-0", "x", GIB, minor=0), root)
    assert shown.read_only == (root / "sys",)
    assert shown.env["LD_LIBRARY_PATH"] == "/usr/local/nvidia/lib64"


def test_the_folder_of_the_driver_is_read_from_this_process() -> None:
    assert library_folder("") is None
    assert library_folder(MAPS.format(folder="/a b")) == Path("/a b")
    assert library_folder("7f00 r-xp 0000 fd:01 42    libnvidia-ml.so.1\n") is None
