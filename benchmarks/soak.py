"""Many kernels opened and closed: does anything stay behind?

Every kernel runs a cell that leaves a process, a thread and files; each tenth is killed in its middle, each twentieth
starts a flood of output. Counted before and after: processes of these sandboxes on the whole host, mounts, cgroups,
files in /tmp, and this process's and the fork-server's descriptors and threads.
The last line is JSON: {"kernels", "leaks", "rss_growth_mb", "seconds"}.

    python benchmarks/soak.py [KERNELS]
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from nbformat.v4 import new_code_cell, new_notebook

from gpu_runner.environment import python_environment
from gpu_runner.execution import MIB, Limits
from gpu_runner.notebook import open_kernel
from gpu_runner.provisioner import determinism
from gpu_runner.sandbox.warm import fork_server

AT_ONCE = 2
SLEEP = "613"
"""Seconds: a number that no other process of this host is likely to sleep."""
LIMITS = Limits(memory_bytes=512 * MIB, output_bytes=MIB, cell_cpu_seconds=1)
LITTER = """
import os, subprocess, threading, time
open('left.txt', 'w').write('x' * 100_000); open('/tmp/left', 'w').write('x'); open('/dev/shm/left', 'w').write('x')
subprocess.Popen(['sleep', 'SLEEP'], start_new_session=True)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
""".replace("SLEEP", SLEEP)
FLOOD = "for _ in range(300): print('x' * 10_000)"


def one(number: int) -> None:
    with open_kernel(LIMITS) as kernel:
        if number % 10 == 3:
            threading.Timer(0.05, kernel._provisioner.process.kill).start()
            kernel.run(new_notebook(cells=[new_code_cell("import time; time.sleep(5)")]))
        elif number % 20 == 7:
            kernel.run(new_notebook(cells=[new_code_cell(FLOOD)]))
        else:
            kernel.run(new_notebook(cells=[new_code_cell(LITTER)]))


def server() -> psutil.Process:
    python = python_environment()
    return psutil.Process(fork_server(python, LIMITS.threads, determinism(LIMITS, python.executable)).pid)


def counted() -> dict[str, int]:
    """All that could stay behind."""
    me, parent = psutil.Process(), server()
    return {
        "processes": len(me.children(recursive=True)),
        "sleepers": sum(p.info["cmdline"] == ["sleep", SLEEP] for p in psutil.process_iter(["cmdline"])),
        "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
        "cgroups": sum(1 for _ in Path("/sys/fs/cgroup").rglob(f"assessor-{os.getpid()}-*")),
        "files": sum(1 for _ in Path("/tmp").glob(f"assessor-{os.getpid()}-*")),
        "descriptors": me.num_fds(),
        "threads": me.num_threads(),
        "server descriptors": parent.num_fds(),
        "server threads": parent.num_threads(),
    }


def rss_mb() -> float:
    """Private memory of the fork-server: pages that it does not share with a child."""
    return float(server().memory_full_info().uss / MIB)


def main() -> None:
    kernels = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(40)))  # caches, threads of the pool
        time.sleep(2)
        before, memory = counted(), rss_mb()
        start = time.monotonic()
        for done, _ in enumerate(pool.map(one, range(kernels)), 1):
            if done % 200 == 0:
                rate = done / (time.monotonic() - start)
                print(f"{done} kernels, {rate:.1f} a second, fork-server {rss_mb():.0f} MB", flush=True)
        seconds = time.monotonic() - start
        time.sleep(2)
        after = counted()
    leaks = {name: after[name] - before[name] for name in before if after[name] > before[name]}
    print("left behind:", leaks or "nothing")
    growth = round(rss_mb() - memory, 1)
    print(json.dumps({"kernels": kernels, "leaks": sum(leaks.values()), "rss_growth_mb": growth, "seconds": round(seconds)}))
    sys.exit(bool(leaks))


if __name__ == "__main__":
    main()
