"""Work on a Dask cluster, behind the interface of `concurrent.futures`.

Theory of operation. The scheduler and its workers are the user's (Slurm, Kubernetes, `dask-worker` by hand; docs/scale.md).
Calls go there as the names of importable functions with data; what a student wrote travels as bytes in them and runs in
the worker's sandboxes. Whoever can reach a scheduler can run code on its workers, so connections are mutual TLS, set up
by Dask's own configuration (distributed.comm.tls); without it only this machine's loopback is accepted.

A worker that ends takes its calls with it; Dask gives them to another, and blames all of them: also one that only waited
there behind the culprit. So a call that Dask gives up is a suspect, not a culprit. Nothing new is sent then; what is out
comes back, and the suspects run one at a time with the cluster to themselves. One that ends its workers there too fails
with `WorkerEnded`; the others have their results, and the rest goes on.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from gpu_runner.errors import RunnerError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
ALLOWED_FAILURES = 1
"""How many workers a call may end before Dask gives it up at the next; the scheduler's setting `allowed-failures`."""
CONNECT_SECONDS = 30
MAX_LOST = 5
"""How often a result may be lost with its worker before that is a fault."""


class ClusterUnavailable(RunnerError):
    """The cluster cannot be reached, has no worker, or is not protected."""


class WorkerEnded(RunnerError):
    """A call ended its worker again and again: it is set aside, and what it worked on is for a person to look at."""


@dataclass(eq=False)
class _Call:
    """A call on its way; `alone` once it is a suspect that has the cluster to itself; `lost` so often has its result been."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    future: Future[Any] = field(default_factory=Future)
    alone: bool = False
    lost: int = 0


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
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)  # those that just ended are on their way back
        except TimeoutError:
            self._client.close()
            raise ClusterUnavailable(f"{address}: the scheduler has no worker after {CONNECT_SECONDS} s") from None
        self.workers = sum(worker["nthreads"] for worker in self._client.scheduler_info(n_workers=-1)["workers"].values())
        self._lock = threading.RLock()
        self._out: set[_Call] = set()
        self._suspects: deque[_Call] = deque()
        self._waiting: deque[_Call] = deque()

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Sends a call; never the same one's earlier result."""
        call = _Call(fn, args, kwargs)
        call.future.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.append(call)
            self._send()
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets go of the cluster; calls that have not begun are cancelled with it."""
        with self._lock:
            left = [*self._suspects, *self._waiting]
            self._suspects.clear()
            self._waiting.clear()
        self._client.close()
        for call in left:
            call.future.set_exception(RunnerError("cancelled: the executor was shut down"))

    def _send(self) -> None:
        """Sends what may go out now: everything that waits or, when there are suspects, one of them to an empty cluster."""
        if self._suspects:
            if not self._out:
                self._send_one(self._suspects.popleft(), alone=True)
        elif not any(call.alone for call in self._out):
            while self._waiting:
                self._send_one(self._waiting.popleft())

    def _send_one(self, call: _Call, *, alone: bool = False) -> None:
        call.alone = alone
        self._out.add(call)
        remote = self._client.submit(call.fn, *call.args, pure=False, retries=0, **call.kwargs)
        remote.add_done_callback(lambda done: self._back(done, call))

    def _back(self, remote: Any, call: _Call) -> None:
        """Takes in a call that came back. Called in Dask's own thread."""
        from distributed import KilledWorker

        suspect = lost = False
        try:
            result = remote.result(timeout=CONNECT_SECONDS)
        except TimeoutError as fault:
            # It had come back, and its result went with the worker that held it, behind a call that ended that worker.
            lost = remote.status != "error" and call.lost < MAX_LOST
            if not lost:
                call.future.set_exception(fault)
        except KilledWorker as fault:
            suspect = not call.alone
            if not suspect:
                reason = f"it ended {ALLOWED_FAILURES + 1} workers that did nothing else, the last {fault.last_worker.address}"
                call.future.set_exception(WorkerEnded(reason))
        except BaseException as fault:  # noqa: BLE001 - it belongs to the future, cancellation included
            call.future.set_exception(fault if isinstance(fault, Exception) else RunnerError(f"cancelled: {fault!r}"))
        else:
            call.future.set_result(result)
        with self._lock:
            self._out.discard(call)
            if suspect:
                self._suspects.append(call)
            if lost:
                call.lost += 1
                self._waiting.append(call)
            self._send()


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
