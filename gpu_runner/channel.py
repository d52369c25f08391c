"""The trusted end of the channel: asks a student's kernel for values, believes nothing it says.

Theory of operation. Two processes share one unix stream socket: this one, trusted, and the student's kernel in its
sandbox, whose main thread runs agent.py. Requests and replies alternate strictly, one of each at a time; every request
carries a number and its reply must carry the same. A frame is what tensors.py says: data only, both ways.

The other end is a stranger. It may answer nothing, too late, too much, twice, out of turn, slowly for ever, or with
bytes that no honest encoder writes. So:

- Lengths are checked before memory is taken. A reply larger than `max_message_bytes` is not read.
- Waiting is bounded. Each request, and each budget of requests (one hidden test), has a number of seconds. Where the
  owner gave a clock of the kernel's CPU time it is that clock that counts, and wall time only as a generous backstop,
  so that a busy machine fails nobody; only time spent waiting counts. A slow trickle of bytes obeys the same bound.
- When time is up we interrupt the kernel and wait a grace time for the reply with that number. If it comes, the stream
  is in step and the kernel lives on. If not, the channel is broken.
- A function of this side may stand in for one of the notebook's, for as long as the owner says: then the kernel may ask
  before it replies, data for data. How often and how long is bounded, and what an answer takes is not the kernel's time.
- Whatever comes while no reply is awaited, or does not parse, or carries another number, breaks the channel: after it
  there is no telling which bytes answer what. A broken channel answers every later request with `KernelDied`; its owner
  may open a new kernel. It never guesses, and it never gives a value from a stream that is out of step.
- End of file, or the owner's word (`death`) that the process ended, is `KernelDied`.

This end kills nobody: `interrupt` and `death` are the owner's, and the owner ends the sandbox.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gpu_runner import tensors
from gpu_runner.errors import (
    BadReply,
    ChannelMisused,
    KernelDied,
    NameMissing,
    StudentCodeError,
    StudentFault,
    StudentTimeout,
)
from gpu_runner.tensors import HandleRef, Malformed

DEFAULT_SECONDS = 30.0
GRACE_SECONDS = 5.0
BACKSTOP = 4.0
"""Wall seconds allowed for each CPU second, where CPU time is what counts."""
POLL_SECONDS = 0.1
CHUNK_BYTES = 2**20
MAX_LENGTH = 10**8
MAX_TEXT = 4000
MAX_QUESTIONS = 1000
"""How often functions of this side answer for one budget."""
MAX_RELEASED = 10_000
"""Handles let go with one request; the rest goes with the next."""


class Stopped(Exception):
    """An iterator of the student's is at its end."""


class Budget:
    """Seconds that waiting for the student's process may take in all; each request spends of it."""

    def __init__(self, seconds: float, cpu_clock: Callable[[], float] | None) -> None:
        self.seconds = seconds
        self._cpu_clock = cpu_clock
        self._cpu_start = cpu_clock() if cpu_clock else 0.0
        self._wall_spent = 0.0
        self._waiting_since = math.nan

    def start(self) -> None:
        """Begins a wait."""
        self._waiting_since = time.monotonic()

    def stop(self) -> None:
        """Ends a wait and counts what it took."""
        self._wall_spent += time.monotonic() - self._waiting_since

    def passed(self) -> bool:
        """Whether the waits have taken too long by now. The CPU clock is asked only when wall time is up."""
        wall = self._wall_spent + time.monotonic() - self._waiting_since
        if wall <= self.seconds or self._cpu_clock is None:
            return wall > self.seconds
        return wall > BACKSTOP * self.seconds or self._cpu_clock() - self._cpu_start > self.seconds


class Channel:
    """Requests to one kernel.

    Every method raises the StudentFault tree for what the student's process did, and `ChannelMisused` (ours) when the
    grader asks for what cannot cross.

    Attributes:
        wrap: what a handle becomes on this side; the student proxy sets it.
        unwrap: the handle that an object of this side stands for, when it is sent back.
        raised: makes the exception for what the student's code raised.
        cpu_clock: CPU seconds that the kernel's process tree has used so far; None counts wall time.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        interrupt: Callable[[], None],
        death: Callable[[], str | None],
        max_message_bytes: int,
        cpu_clock: Callable[[], float] | None = None,
    ) -> None:
        self._sock, self._interrupt, self._death = sock, interrupt, death
        self._max_message_bytes = max_message_bytes
        self.cpu_clock = cpu_clock
        self.wrap: Callable[[HandleRef], Any] = lambda named: named
        self.unwrap: Callable[[object], HandleRef] = tensors.refuse
        self.grace_seconds = GRACE_SECONDS
        self._number = 0
        self._broken = ""
        self._released: list[int] = []
        self._budget: Budget | None = None
        self.raised: Callable[[str, str, str], StudentCodeError] = StudentCodeError
        self._stand_ins: dict[str, Callable[..., Any]] = {}
        self._questions = 0
        sock.setblocking(False)
        sock.set_inheritable(False)

    @property
    def broken(self) -> str:
        """Why this channel can no longer be used, or ''."""
        return self._broken

    def begin(self, seconds: float) -> None:
        """Gives all requests from now on one budget of waiting; each new call replaces the last."""
        self._budget = Budget(seconds, self.cpu_clock)
        self._questions = 0

    def names(self) -> list[str]:
        """Global names of the notebook, as claimed."""
        found = self._ask("names")
        if type(found) is not list or any(type(name) is not str for name in found):
            raise BadReply("the list of names is not one")
        return found

    def get(self, name: str) -> Any:
        """A global of the notebook."""
        return self._ask("get", name)

    def put(self, name: str, value: Any) -> None:
        """Sets a global of the notebook to data or to an object of its own."""
        self._ask("put", name, value)

    def library(self, path: str) -> Any:
        """A function or class of torch, numpy or math as the kernel has it, such as 'torch.nn.functional.relu'."""
        return self._ask("library", path)

    def call(
        self,
        target: HandleRef | str,
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Calls an object, or the global of a name."""
        return self._ask("call", target, list(arguments), dict(keywords or {}), timeout=timeout)

    def getattr(self, target: HandleRef, name: str) -> Any:
        """An attribute."""
        return self._ask("getattr", target, name)

    def setattr(self, target: HandleRef, name: str, value: Any) -> None:
        """Sets an attribute."""
        self._ask("setattr", target, name, value)

    def getitem(self, target: HandleRef, key: Any) -> Any:
        """`target[key]`."""
        return self._ask("getitem", target, key)

    def setitem(self, target: HandleRef, key: Any, value: Any) -> None:
        """Sets `target[key]`."""
        self._ask("setitem", target, key, value)

    def operate(self, name: str, *arguments: Any) -> Any:
        """Applies an operator by its name in the `operator` module."""
        return self._ask("operate", name, list(arguments))

    def iterate(self, target: HandleRef) -> Any:
        """A handle of an iterator over the object."""
        return self._ask("iter", target)

    def next(self, iterator: HandleRef) -> Any:
        """The next item.

        Raises:
            Stopped: there is none; neither's fault.
        """
        return self._ask("next", iterator)

    def len(self, target: HandleRef) -> int:
        """The length, as claimed."""
        found = self._ask("len", target)
        if type(found) is not int or not 0 <= found <= MAX_LENGTH:  # list(handle) makes room for as many
            raise BadReply("the length is not one")
        return found

    def checkpoint(self, path: str) -> Any:
        """The content of a file of weights beside the notebook, opened over there. Its name may be the student's word."""
        return self._ask("checkpoint", path, self._max_message_bytes)

    def seed(self, number: int) -> None:
        """Seeds the kernel's random generators."""
        self._ask("seed", number)

    def stand_in(self, name: str, function: Callable[..., Any]) -> None:
        """Lets `function`, of this side, answer for a global of the notebook until `withdraw`: data in, data out.

        It must bound its own time. What it raises is refused to the kernel without a word of why.
        """
        self._stand_ins[name] = function
        self._ask("stand_in", name)

    def withdraw(self) -> None:
        """Gives the notebook its own globals back; no function of this side answers any more."""
        self._stand_ins.clear()
        self._ask("withdraw")

    def pause(self) -> None:
        """Ends the agent's serving for now; the owner makes it serve again."""
        self._ask("pause")

    def release(self, named: HandleRef) -> None:
        """Lets an object go, with the next request. Asks nothing now, so it is safe in a finaliser."""
        self._released.append(named.id)

    def close(self) -> None:
        """Closes the socket; the agent's serving ends."""
        self._broken = self._broken or "the channel was closed"
        self._sock.close()

    def _ask(self, operation: str, *arguments: Any, timeout: float | None = None) -> Any:
        if self._broken:
            raise KernelDied(self._broken)
        self._number += 1
        released, self._released = self._released[:MAX_RELEASED], self._released[MAX_RELEASED:]
        request = [self._number, operation, list(arguments), released, self._max_message_bytes]
        try:
            frame = tensors.encode(request, self.unwrap, self._max_message_bytes)
        except tensors.Refused as exc:
            raise ChannelMisused(f"{operation}: this cannot be sent to the student's process: {exc}") from exc
        budgets = [Budget(timeout, self.cpu_clock)] if timeout is not None else []
        budgets.append(self._budget or Budget(DEFAULT_SECONDS, self.cpu_clock))
        return self._meaning(self._exchange(frame, budgets))

    def _exchange(self, frame: tensors.Frame, budgets: list[Budget]) -> list[Any]:
        """Sends a request and awaits the reply with its number, until a budget is spent and the grace time with it."""
        for budget in budgets:
            budget.start()
        expired: list[Budget] = []
        grace_until = math.inf

        def check() -> None:
            nonlocal grace_until
            if not expired and (spent := [budget for budget in budgets if budget.passed()]):
                expired.extend(spent)
                grace_until = time.monotonic() + self.grace_seconds
                self._interrupt()
            if time.monotonic() > grace_until:
                raise self._break(StudentTimeout(expired[0].seconds), "it did not stop when its time was up")

        try:
            if self._readable():
                raise self._break(BadReply("an answer came before it was asked for"))
            for part in frame.parts:
                self._send(memoryview(part), check)
            reply = self._receive(check)
            while reply[0] == "asks":
                for budget in budgets:
                    budget.stop()
                answer = self._answer(reply)
                for budget in budgets:
                    budget.start()
                for part in answer.parts:
                    self._send(memoryview(part), check)
                reply = self._receive(check)
        finally:
            for budget in budgets:
                budget.stop()
        if expired:
            raise StudentTimeout(expired[0].seconds)
        return reply

    def _answer(self, question: list[Any]) -> tensors.Frame:
        """What a function of this side says to a question of the kernel's."""
        self._questions += 1
        match question:
            case ["asks", str(name), list(arguments), dict(keywords)] if name in self._stand_ins:
                pass
            case _:
                raise self._break(BadReply("a question that nobody may ask"))
        if self._questions > MAX_QUESTIONS:
            return tensors.encode([self._number, "refused", "it was called too often"])
        try:
            value = self._stand_ins[name](*arguments, **keywords)
        except Exception:  # noqa: BLE001  what it makes of a stranger's arguments is nobody's business but the stranger's
            return tensors.encode([self._number, "refused", "these arguments cannot be used"])
        try:
            return tensors.encode([self._number, "answer", value], tensors.refuse, self._max_message_bytes)
        except tensors.Refused as exc:
            raise ChannelMisused(f"{name}: this cannot be sent to the student's process: {exc}") from exc

    def _break(self, fault: StudentFault, reason: str = "") -> StudentFault:
        self._broken = self._broken or reason or str(fault)
        return fault

    def _readable(self) -> bool:
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        events = poller.poll(0)
        return bool(events) and not events[0][1] & (select.POLLHUP | select.POLLERR)

    def _wait(self, events: int, check: Callable[[], None]) -> None:
        """Waits until the socket may be used, at most a moment; then looks at the clock and at the process."""
        poller = select.poll()
        poller.register(self._sock, events)
        if not poller.poll(POLL_SECONDS * 1000):
            self._look_for_death()
        check()

    def _look_for_death(self) -> None:
        if (reason := self._death()) is not None and not self._readable():
            raise self._break(KernelDied(reason), reason)

    def _ended(self) -> StudentFault:
        """End of file: the process is ending or has ended; its owner knows why, perhaps in a moment."""
        until = time.monotonic() + 1.0
        while (reason := self._death()) is None and time.monotonic() < until:
            time.sleep(0.01)
        reason = reason or "it closed the channel"
        return self._break(KernelDied(reason), reason)

    def _send(self, data: memoryview, check: Callable[[], None]) -> None:
        while data:
            try:
                data = data[self._sock.send(data[:CHUNK_BYTES]) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, check)
            except OSError:
                raise self._ended() from None

    def _read(self, size: int, check: Callable[[], None]) -> Any:
        data = tensors.room(size)
        view, done = memoryview(data), 0
        while done < size:
            try:
                count = self._sock.recv_into(view[done:])
            except BlockingIOError:
                self._wait(select.POLLIN, check)
                continue
            except OSError:
                raise self._ended() from None
            if not count:
                raise self._ended()
            done += count
            check()
        return data

    def _receive(self, check: Callable[[], None]) -> list[Any]:
        """Reads one reply and checks its form and number; anything odd breaks the channel."""
        try:
            header_bytes, payload_bytes = tensors.read_prefix(
                self._read(tensors.PREFIX.size, check), self._max_message_bytes
            )
            header, payload = self._read(header_bytes, check), self._read(payload_bytes, check)
            reply = tensors.decode(header, payload, handle=self.wrap, owned=True)
        except Malformed as exc:
            raise self._break(BadReply(f"the answer cannot be read: {exc}")) from exc
        if type(reply) is not list or len(reply) < 2 or type(reply[0]) is not int or type(reply[1]) is not str:
            raise self._break(BadReply("the answer is not one"))
        if reply[0] != self._number:
            raise self._break(BadReply("an answer out of turn"))
        return reply[1:]

    def _meaning(self, reply: list[Any]) -> Any:
        match reply:
            case ["value", value]:
                return value
            case ["raised", str(type_name), str(message), str(traceback)]:
                raise self.raised(type_name[:MAX_TEXT], message[:MAX_TEXT], traceback[:MAX_TEXT])
            case ["missing", str(name)]:
                raise NameMissing(name[:MAX_TEXT])
            case ["refused", str(reason)]:
                raise BadReply(reason[:MAX_TEXT])
            case ["stop"]:
                raise Stopped
        raise self._break(BadReply("an answer of an unknown kind"))
