"""Work on a Dask cluster, behind the interface of `concurrent.futures`.

Theory of operation. The scheduler and its workers are the user's (Slurm, Kubernetes, `dask-worker` by hand; docs/scale.md).
Calls go there as the names of importable functions with data; what a student wrote travels as bytes in them and runs in
the worker's sandboxes. Whoever can reach a scheduler can run code on its workers, so connections are mutual TLS, set up
by Dask's own configuration (distributed.comm.tls); without it only this machine's loopback is accepted.

A worker that ends takes its calls with it; Dask gives them to another. A call that ends its worker twice fails with
`WorkerEnded` and the rest goes on.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from gpu_runner.errors import RunnerError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
ALLOWED_FAILURES = 1
"""How many workers a call may end before it is set aside at the next; the scheduler's setting `allowed-failures`."""
CONNECT_SECONDS = 30


class ClusterUnavailable(RunnerError):
    """The cluster cannot be reached, has no worker, or is not protected."""


class WorkerEnded(RunnerError):
    """A call ended its worker again and again: it is set aside, and what it worked on is for a person to look at."""


class ClusterExecutor(Executor):
    """Runs calls on a Dask cluster.

    Args:
        address: the scheduler's, such as 'tls://scheduler:8786'.
        security: TLS files as a `distributed.Security`; Dask's configuration by default.

    Raises:
        ClusterUnavailable: ours; see there.
    """

    def __init__(self, address: str, security: Any = None) -> None:
        from distributed import Client, Security

        _check_protected(address)
        try:
            self._client = Client(
                address, security=security or Security(), timeout=CONNECT_SECONDS, set_as_default=False, name="assessor"
            )
        except Exception as fault:
            raise ClusterUnavailable(f"{address}: {fault}") from fault
        self.workers = sum(worker["nthreads"] for worker in self._client.scheduler_info(n_workers=-1)["workers"].values())
        if not self.workers:
            self._client.close()
            raise ClusterUnavailable(f"{address}: the scheduler has no worker yet")

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Sends a call; never the same one's earlier result."""
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()
        remote = self._client.submit(fn, *args, pure=False, retries=0, **kwargs)
        remote.add_done_callback(lambda done: _settle(done, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets go of the cluster; calls that have not begun are cancelled with it."""
        self._client.close()


def _settle(remote: Any, future: Future[Any]) -> None:
    """Carries a result over. Called in Dask's own thread."""
    from distributed import KilledWorker

    try:
        result = remote.result(timeout=CONNECT_SECONDS)
    except KilledWorker as fault:
        future.set_exception(WorkerEnded(f"it ended {ALLOWED_FAILURES + 1} workers, the last {fault.last_worker.address}"))
    except BaseException as fault:  # noqa: BLE001 - it belongs to the future, cancellation included
        future.set_exception(fault if isinstance(fault, Exception) else RunnerError(f"cancelled: {fault!r}"))
    else:
        future.set_result(result)


def _check_protected(address: str) -> None:
    """Refuses a scheduler that anybody else could reach without a certificate."""
    parts = urlsplit(address)
    if parts.scheme == "tls":
        return
    try:
        host = socket.gethostbyname(parts.hostname or "")
    except OSError as fault:
        raise ClusterUnavailable(f"{address}: {fault}") from None
    if not ipaddress.ip_address(host).is_loopback:
        raise ClusterUnavailable(f"{address}: without TLS anybody who reaches it could run code there; use tls://")
