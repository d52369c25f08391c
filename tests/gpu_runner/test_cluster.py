"""The Dask executor on a real cluster: a scheduler and two workers on loopback, TLS on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

from distributed import Security

from gpu_runner.cluster import ClusterExecutor, ClusterUnavailable, WorkerEnded
from gpu_runner.execution import CellStatus, Limits
from gpu_runner.notebook import run_notebook

from .cluster import Cluster, make_authority, running
from .test_executor import fail

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[ClusterExecutor]:
    security = Security(
        tls_ca_file=str(cluster.ca), tls_client_cert=str(cluster.certificate), tls_client_key=str(cluster.key)
    )
    executor = ClusterExecutor(cluster.address, security)
    yield executor
    executor.shutdown()


def test_calls_give_results_in_two_other_processes(executor: ClusterExecutor) -> None:
    assert executor.workers == 2
    assert [executor.submit(pow, 2, n).result(60) for n in range(4)] == [1, 2, 4, 8]
    assert list(executor.map(abs, [-1, -2])) == [1, 2]
    slow = [executor.submit(time.sleep, 0.2) for _ in range(2)]
    pids = {executor.submit(os.getpid).result(60) for _ in range(8)}
    wait(slow)
    assert os.getpid() not in pids and 1 <= len(pids) <= 2


def test_what_a_call_raises_belongs_to_its_future(executor: ClusterExecutor) -> None:
    assert isinstance(executor.submit(int, "ours").exception(60), ValueError)
    assert fail.__name__ == "fail"


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(executor: ClusterExecutor, tmp_path: Path) -> None:
    """The first try kills its worker; the second finds the mark it left and ends well."""
    assert executor.submit(die_once, str(tmp_path / "mark")).result(120) == "second try"
    assert executor.submit(pow, 2, 3).result(60) == 8


def test_what_ends_its_worker_twice_is_set_aside_and_the_rest_goes_on(executor: ClusterExecutor) -> None:
    """Nobody is blamed who only waited behind it, on whichever workers and however often."""
    calls = [executor.submit(os.abort) if n in (0, 3) else executor.submit(pow, 2, n) for n in range(12)]
    assert isinstance(calls[0].exception(120), WorkerEnded) and isinstance(calls[3].exception(120), WorkerEnded)
    assert [call.result(120) for n, call in enumerate(calls) if n not in (0, 3)] == [2**n for n in range(12) if n not in (0, 3)]


def test_a_notebook_runs_the_same_as_here(executor: ClusterExecutor, notebook: object) -> None:
    written = notebook("import torch\nprint(torch.rand(1).item())", "1 / 0")  # type: ignore[operator]
    there = executor.submit(run_notebook, written, Limits(), seed=4).result(120)
    here = run_notebook(written, Limits(), seed=4)
    assert [cell.status for cell in there.cells] == [CellStatus.OK, CellStatus.RAISED]
    assert there.notebook == here.notebook


def test_a_stranger_without_the_certificate_is_turned_away(cluster: Cluster, tmp_path: Path) -> None:
    ca, certificate, key = make_authority(tmp_path)
    security = Security(tls_ca_file=str(ca), tls_client_cert=str(certificate), tls_client_key=str(key))
    with pytest.raises(ClusterUnavailable):
        ClusterExecutor(cluster.address, security)


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "tcp://0.0.0.0:8786"])
def test_a_cluster_that_anybody_could_use_is_refused(address: str) -> None:
    with pytest.raises(ClusterUnavailable, match="use tls://"):
        ClusterExecutor(address)


def die_once(mark: str) -> str:
    if Path(mark).exists():
        return "second try"
    Path(mark).touch()
    os.abort()
