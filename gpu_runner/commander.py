"""The first program in the sandbox of plain commands: fixed, readable by the stranger, holding no secret.

It runs as a plain file beside commands.json. It sets the limits that a process can only set itself, unpacks the code,
says that it has begun, runs the commands one after the other by `bash -eo pipefail` until one fails, and tells on one
descriptor how each ended and what the result files hold. With its end everything in the sandbox ends.

Nothing here resists the stranger: all that it tells is a claim, of someone who could as well have written other numbers
into the result files. What protects the host is the sandbox, and that the reader of the descriptor bounds what it reads.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import resource
import stat
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

BASH = ("/bin/bash", "-e", "-o", "pipefail", "-c")
BEGUN = b"begun\n"
PR_SET_DUMPABLE = 4


def main() -> None:
    """Reads commands.json beside this file, and does what it says."""
    config = json.loads((Path(__file__).parent / "commands.json").read_text())
    tell, log = config["tell"], config["log"]
    for descriptor in (tell, log):
        os.set_inheritable(descriptor, False)
    set_limits(config["limits"])
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)  # the commands have our user id, but may not open our descriptors
    os.write(tell, BEGUN)
    told: dict[str, Any] = {"unpacked": "", "commands": [], "results": {}}
    told["unpacked"] = unpack(config["unpack"], log)
    if not told["unpacked"]:
        told["commands"] = run_all(config["commands"], log)
        told["results"] = {name: read_result(name, config["result_bytes"]) for name in config["results"]}
    with os.fdopen(tell, "wb") as line:
        line.write(json.dumps(told).encode())


def set_limits(limits: dict[str, int | None]) -> None:
    """Per-process limits, hard ones. `processes` is None where it would count others'."""
    wanted = {
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        if value is not None:
            _, hard = resource.getrlimit(kind)
            least = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (least, least))


def unpack(archive: str, log: int) -> str:
    """Unpacks a zip archive or clones a git bundle into the current directory; why that failed, or ''."""
    if archive.endswith(".zip"):
        try:
            with zipfile.ZipFile(archive) as opened:
                opened.extractall()
        except (OSError, zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError) as fault:
            return f"{type(fault).__name__}: {fault}"[:200]
        Path(archive).unlink()
    elif archive:
        done = run(["git", "-c", "advice.detachedHead=false", "clone", "--quiet", archive, "code"], log)
        if done["status"] != 0:
            return "git cannot clone this bundle"
        os.chdir("code")
    folders = [entry for entry in Path().iterdir() if not entry.name.startswith(".")]
    if archive and len(folders) == 1 and folders[0].is_dir():  # everything lies in one folder, as many pack it
        os.chdir(folders[0])
    return ""


def run_all(commands: list[str], log: int) -> list[dict[str, Any]]:
    """Runs commands until one fails."""
    done = []
    for command in commands:
        done.append(run([*BASH, command], log))
        if done[-1]["status"] != 0:
            break
    return done


def run(argv: list[str], log: int) -> dict[str, Any]:
    """One program: its exit status (128 + n for a signal n), and how long it took."""
    started = time.monotonic()
    try:
        status = subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    except OSError as fault:
        os.write(log, f"{argv[0]}: {fault.strerror}\n".encode())
        status = 126
    return {"status": status if status >= 0 else 128 - status, "seconds": time.monotonic() - started}


def read_result(name: str, limit: int) -> dict[str, str]:
    """What a result file holds (base64), or why it cannot be read."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as fault:
        return {"fault": "a symbolic link" if Path(name).is_symlink() else (fault.strerror or "cannot be read").lower()}
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return {"fault": "not an ordinary file"}
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        return {"fault": f"more than {limit} bytes"}
    return {"data": base64.b64encode(data).decode()}


if __name__ == "__main__":
    main()
