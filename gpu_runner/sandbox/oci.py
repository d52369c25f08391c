"""What container engines and runtimes are told, in the forms of the Open Container Initiative."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from gpu_runner.sandbox import rootfs, seccomp
from gpu_runner.sandbox.bubblewrap import INSIDE_ID
from gpu_runner.sandbox.contract import Launch


def seccomp_profile() -> dict[str, Any]:
    """The allow-list in the engines' own form; like bubblewrap's first filter."""

    def rule(names: list[str], action: str, error: int | None = None, **args: Any) -> dict[str, Any]:
        answer = {} if error is None else {"errnoRet": error}
        return {"names": names, "action": action, **answer, "args": [{"index": 0, **args}] if args else []}

    allow, refuse = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
    families = (seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_INET6)
    return {
        "defaultAction": refuse,
        "defaultErrnoRet": errno.ENOSYS,
        "syscalls": [
            rule([name for name in seccomp.ALLOWED if name != "clone"], allow),
            rule(list(seccomp.REFUSED), refuse, errno.EPERM),
            rule(["clone3"], refuse, errno.ENOSYS),  # older engines know no default error, and answer with EPERM
            rule(["clone"], allow, value=seccomp.CLONE_NEW, valueTwo=0, op="SCMP_CMP_MASKED_EQ"),
            *(rule(["socket"], allow, value=family, op="SCMP_CMP_EQ") for family in families),
            rule(["socket"], refuse, errno.EAFNOSUPPORT, value=seccomp.AF_NETLINK, op="SCMP_CMP_GT"),
            rule(["socket"], refuse, errno.EOPNOTSUPP, value=seccomp.AF_NETLINK, op="SCMP_CMP_EQ"),
        ],
    }


def configuration(launch: Launch, binds: list[rootfs.Bind], staged: dict[Path, Path]) -> dict[str, Any]:
    """The bundle's config.json.

    Args:
        staged: where this machine's directories lie for runsc.

    Source:
        OCI Runtime Specification 1.0.2, config.md and config-linux.md.
    """

    def mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
        return {"destination": destination, "type": kind, "source": source, "options": list(options)}

    size = f"size={launch.limits.disk_bytes}"
    mounts = [mount("/proc", "proc", "proc", "nosuid", "nodev", "noexec"), mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755")]
    mounts += [mount(place, "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777", size) for place in rootfs.SIZED]
    mounts += [mount(bind.destination, "bind", str(_moved(bind.source, staged)), "rbind", "ro") for bind in binds]
    inside = ("-I", "-S", f"{rootfs.HANDOVER_FOLDER}/init.py", "-")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": int(INSIDE_ID), "gid": int(INSIDE_ID)},
            "args": [str(launch.python.executable), *inside],
            "env": ["PATH=/usr/bin"],
            "cwd": "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": "root", "readonly": True},
        "hostname": "sandbox",
        "mounts": sorted(mounts, key=lambda entry: entry["destination"].count("/")),
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }


def _moved(source: Path, staged: dict[Path, Path]) -> Path:
    """Where a path of this machine lies for runsc."""
    for origin, place in staged.items():
        if source.is_relative_to(origin):
            return place / source.relative_to(origin)
    return source
