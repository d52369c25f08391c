from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor

import psutil
import pytest

from gpu_runner.executor import InlineExecutor, make_executor


def fail() -> None:
    raise ValueError("ours")


@pytest.fixture(scope="module", params=[0, 2])
def executor(request: pytest.FixtureRequest) -> Executor:
    executor = make_executor(request.param)
    request.addfinalizer(executor.shutdown)
    return executor


def test_a_call_gives_its_result(executor: Executor) -> None:
    assert [executor.submit(pow, 2, n).result(60) for n in range(4)] == [1, 2, 4, 8]
    assert list(executor.map(abs, [-1, -2])) == [1, 2]


def test_what_a_call_raises_belongs_to_its_future(executor: Executor) -> None:
    assert isinstance(executor.submit(fail).exception(60), ValueError)


def test_workers_are_other_processes_and_inline_is_this_one(executor: Executor) -> None:
    inline = isinstance(executor, InlineExecutor)
    assert (executor.submit(os.getpid).result(60) == os.getpid()) is inline


PARENT = """
import os, time
from gpu_runner.executor import make_executor
if __name__ == "__main__":
    executor = make_executor(1)
    print(executor.submit(os.getpid).result(), flush=True)
    executor.submit(time.sleep, 600)
    time.sleep(600)
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: object) -> None:
    script = f"{tmp_path}/parent.py"
    with open(script, "w") as file:
        file.write(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.2)
        os.kill(parent.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs([worker], timeout=20)
    assert alive == []
