from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from gpu_runner.environment import python_environment
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import Limits
from gpu_runner.sandbox import check_backend, docker, gvisor, oci, podman, rootfs
from gpu_runner.sandbox.contract import Launch, Sandbox
from gpu_runner.sandbox.docker import Docker
from gpu_runner.sandbox.gvisor import Gvisor
from gpu_runner.sandbox.podman import Podman
from gpu_runner.sandbox.rootfs import Bind
from gpu_runner.sandbox.seccomp import ALLOWED, REFUSED

LAUNCH = Launch(("/usr/bin/true",), python_environment(), Limits())


def test_an_ordinary_user_on_cgroup_v1_is_refused_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman.os, "geteuid", lambda: 54321)
    monkeypatch.setattr(podman, "_has_cgroup_v2", lambda: False)
    monkeypatch.delenv(podman.UNMETERED, raising=False)
    refused = Podman()._refused()
    assert refused is not None
    assert "no limits on cgroup v1" in refused[0]
    assert podman.UNMETERED in refused[1]
    monkeypatch.setenv(podman.UNMETERED, "1")
    assert Podman()._refused() is None
    assert "watchdog" in Podman().describe(Limits())["enforced_by"]["memory, processes, cpu"]


@pytest.mark.parametrize("v2", [True, False])
def test_an_engines_own_limits_stand_behind_a_watchdog_where_they_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, v2: bool
) -> None:
    monkeypatch.setattr(podman.os, "geteuid", lambda: 54321)
    monkeypatch.setattr(podman, "_has_cgroup_v2", lambda: v2)
    options = Podman()._arguments(LAUNCH, tmp_path, "box", [], (1, 2))
    assert ("--memory" in options) is v2
    if v2:
        assert int(options[options.index("--memory") + 1]) == LAUNCH.limits.memory_bytes * 5 // 4


@pytest.mark.parametrize(("backend", "module"), [(Podman, podman), (Docker, podman), (Gvisor, gvisor)])
def test_a_missing_program_is_said_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, backend: type[Sandbox], module: object
) -> None:
    monkeypatch.setattr(backend, "_worked", False)
    monkeypatch.setattr(module, "PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match=r"is missing; .*(install|podman)"):
        backend().start(LAUNCH)
    assert not check_backend(backend.name)[0].ok


def test_a_docker_engine_that_does_not_run_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not docker.shutil.which("docker", path=podman.PATH):
        pytest.skip("this machine has no docker")
    monkeypatch.setattr(Docker, "_worked", False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxUnavailable, match=r"Cannot connect to the Docker daemon.*; start docker's engine"):
        Docker().start(LAUNCH)


def test_an_image_that_is_not_there_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    if Podman().unavailable() is not None:
        pytest.skip("this machine has no podman")
    monkeypatch.setattr(Podman, "_worked", False)
    monkeypatch.setenv("ASSESSOR_IMAGE", "localhost/no-such-image:1")
    missing = Podman().unavailable()
    assert missing is not None
    assert "no-such-image" in missing[0]
    assert Podman().describe(Limits())["image"].startswith("localhost/no-such-image:1")


def test_a_path_that_an_engine_would_misread_is_refused() -> None:
    with pytest.raises(SandboxFailed, match="without comma and quote"):
        podman._mount(Bind(Path("/srv/a,b"), "/srv/a"))


def test_the_engines_profile_says_what_the_filters_say() -> None:
    profile = oci.seccomp_profile()
    rules = profile["syscalls"]
    free = {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and not rule["args"] for name in rule["names"]}
    refused = {name: rule["errnoRet"] for rule in rules if "errnoRet" in rule and not rule["args"] for name in rule["names"]}
    assert profile["defaultErrnoRet"] == errno.ENOSYS
    assert free == set(ALLOWED) - {"clone"}
    assert refused == {**dict.fromkeys(REFUSED, errno.EPERM), "clone3": errno.ENOSYS}
    assert not free & set(refused)


def test_gvisors_bundle_shows_no_place_of_the_host_twice_and_nothing_writable_of_it() -> None:
    binds = [Bind(Path("/usr"), "/usr"), Bind(Path("/tmp/x/agent"), "/opt/agent")]
    mounts = oci.configuration(LAUNCH, binds, {Path("/tmp/x"): Path("/mnt/0")})["mounts"]
    bound = {mount["destination"]: mount for mount in mounts if mount["type"] == "bind"}
    assert bound["/opt/agent"]["source"] == "/mnt/0/agent"
    assert all("ro" in mount["options"] for mount in bound.values())
    assert len({mount["destination"] for mount in mounts}) == len(mounts)
    assert all(f"size={LAUNCH.limits.disk_bytes}" in m["options"] for m in mounts if m["destination"] in ("/tmp", "/dev/shm"))


def test_folders_of_killed_owners_are_swept_and_live_ones_stay() -> None:
    stale, live = Path("/tmp/assessor-4194999-box-x"), Path(f"/tmp/assessor-{os.getppid()}-box-x")
    for folder in (stale, live):
        (folder / "root").mkdir(parents=True)
    try:
        rootfs._sweep.cache_clear()
        rootfs.make_folder().rmdir()
        assert not stale.exists()
        assert live.exists()
    finally:
        shutil.rmtree(live)
