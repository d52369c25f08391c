"""The untrusted end of the channel: answers requests from inside the student's kernel.

It runs in the kernel's main thread after the notebook, as a plain file beside tensors.py, with the standard library
and whatever the student imported. It holds nothing secret: no test, no expected value, no code of the grader's. The
student's code can read it, patch it and answer in its stead; the trusted end takes every answer for a claim. So this
file need not resist an attack. It needs to survive clumsiness: exceptions of any kind, odd objects, interrupts, a
closed socket.

A request is a list `[number, operation, arguments, released handles, bytes that a reply may have]`, a reply one of

    [number, "value", value]
    [number, "raised", type name, message, traceback]       the student's code raised
    [number, "missing", name]                               the notebook defines no such name
    [number, "refused", reason]                             the result is data of a kind that does not cross
    [number, "stop"]                                        an iterator is at its end

What is not data becomes a handle: the object stays here in a table, counted, until the trusted end releases it.
"""

from __future__ import annotations

import importlib
import linecache
import operator
import random
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

try:
    from gpu_runner import tensors
except ImportError:  # inside the sandbox this is a plain file beside tensors.py
    import tensors  # type: ignore[import-not-found, no-redef]

_BINARY = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift lt le gt ge"
OPERATORS = frozenset(f"{_BINARY} neg pos abs invert".split())
LIBRARIES = frozenset({"torch", "numpy", "math", "operator", "random"})
"""Whose functions the grader may hand to the student's code: those, and nothing of the student's directory."""
MAX_TEXT = 4000


class _Missing(Exception):
    """The notebook defines no such name."""


class _Stop(Exception):
    """An iterator is at its end."""


class Session:
    """One serving of one namespace. `working` is true only while the student's code may be interrupted."""

    def __init__(self, sock: socket.socket, namespace: dict[str, Any]) -> None:
        self.sock, self.namespace = sock, namespace
        self.working = False
        self.objects: dict[int, list[Any]] = {}
        self.numbers: dict[int, int] = {}
        self.last = 0

    def serve(self) -> None:
        """Answers until the other end closes."""
        sock = self.sock
        sock.setblocking(True)
        sock.set_inheritable(False)
        before = signal.getsignal(signal.SIGINT)
        try:
            self._serve(sock)
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, before)

    def _serve(self, sock: socket.socket) -> None:
        while True:
            self._catch_interrupts()
            prefix = self._receive(tensors.PREFIX.size)
            if prefix is None:
                return
            header_bytes, payload_bytes = tensors.read_prefix(prefix, tensors.MAX_MESSAGE_BYTES)
            header, payload = self._receive(header_bytes), self._receive(payload_bytes)
            if header is None or payload is None:
                return
            try:
                for part in self._answer(header, payload).parts:
                    sock.sendall(part)
            except OSError:
                return

    def _receive(self, size: int) -> bytearray | None:
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            try:
                count = self.sock.recv_into(view[done:])
            except OSError:
                return None
            if not count:
                return None
            done += count
        return data

    def _catch_interrupts(self) -> None:
        """Lets an interrupt raise while the student's code works, once; at other times no byte may be lost to it.

        Done before each request, since the student's code may set a handler of its own.
        """
        if threading.current_thread() is not threading.main_thread():
            return

        def interrupted(number: int, frame: object) -> None:
            if self.working:
                self.working = False
                raise KeyboardInterrupt("time is up")

        signal.signal(signal.SIGINT, interrupted)

    def _answer(self, header: bytearray, payload: bytearray) -> Any:
        """The reply's frame. Whatever happens in here, there is one."""
        number, reply, frame = -1, [], None
        try:
            request = tensors.decode(header, payload, handle=self._object, place=True)
            number, name, arguments, released, max_message_bytes = request
            self.release(*released)
            self.working = True
            value = _OPERATIONS[name](self, *arguments)
            frame = tensors.encode([number, "value", value], self._handle, max_message_bytes)
            self.working = False
        except BaseException as exc:  # noqa: BLE001  the student's code may raise anything, exit included
            self.working = False
            reply = _reply_to(exc)
        return frame if frame is not None else tensors.encode([number, *reply])

    def _handle(self, value: Any) -> Any:
        number = self.numbers.get(id(value))
        if number is None:
            self.last += 1
            number = self.numbers[id(value)] = self.last
            self.objects[number] = [value, 0]
        self.objects[number][1] += 1
        return tensors.HandleRef(number, type(value).__qualname__, callable(value))

    def _object(self, named: Any) -> Any:
        if named.id not in self.objects:
            raise LookupError("the object is no longer there")
        return self.objects[named.id][0]

    def release(self, *numbers: int) -> None:
        """Lets go of handles that the trusted end no longer holds."""
        for number in numbers:
            entry = self.objects.get(number)
            if entry is not None:
                entry[1] -= 1
                if entry[1] <= 0:
                    self.numbers.pop(id(entry[0]), None)
                    del self.objects[number]

    def names(self) -> list[str]:
        """Lists the notebook's own names."""
        return [name for name in self.namespace if type(name) is str and not name.startswith("_")]

    def get(self, name: str) -> Any:
        """Looks a global up."""
        if name not in self.namespace:
            raise _Missing(name)
        return self.namespace[name]

    def put(self, name: str, value: Any) -> None:
        """Sets a global."""
        self.namespace[name] = value

    def library(self, path: str) -> Any:
        """Finds a library's function or class by its dotted path."""
        parts = path.split(".")
        if parts[0] not in LIBRARIES:
            raise LookupError(f"{parts[0]} is not offered")
        found = importlib.import_module(parts[0])
        for part in parts[1:]:
            found = getattr(found, part)
        return found

    def call(self, target: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Calls an object, or the global of a name."""
        return (self.get(target) if type(target) is str else target)(*arguments, **keywords)

    def operate(self, name: str, arguments: list[Any]) -> Any:
        """Applies one of Python's operators."""
        if name not in OPERATORS:
            raise LookupError(f"no operator {name}")
        return getattr(operator, name)(*arguments)

    def iterate(self, value: Any) -> Any:
        """Always a handle, also for an iterator that claims to be data."""
        return self._handle(iter(value))

    def next(self, iterator: Any) -> Any:
        """Takes an iterator's next item."""
        try:
            return next(iterator)
        except StopIteration:
            raise _Stop from None

    def seed(self, number: int) -> None:
        """Seeds every generator that the notebook may use, and undoes global settings that it left behind."""
        random.seed(number)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(number % 2**32)
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            torch.manual_seed(number)
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
            torch.set_grad_enabled(True)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "names": Session.names,
    "get": Session.get,
    "put": Session.put,
    "library": Session.library,
    "call": Session.call,
    "getattr": lambda _, value, name: getattr(value, name),
    "setattr": lambda _, value, name, new: setattr(value, name, new),
    "getitem": lambda _, value, key: value[key],
    "setitem": lambda _, value, key, new: operator.setitem(value, key, new),
    "operate": Session.operate,
    "iter": Session.iterate,
    "next": Session.next,
    "len": lambda _, value: len(value),
    "seed": Session.seed,
    "release": Session.release,
}


def _reply_to(exc: BaseException) -> list[Any]:
    """What an exception becomes; describing it may itself go wrong, since its methods are the student's."""
    try:
        if isinstance(exc, _Missing):
            return ["missing", str(exc)[:MAX_TEXT]]
        if isinstance(exc, _Stop):
            return ["stop"]
        if isinstance(exc, tensors.Refused):
            return ["refused", str(exc)[:MAX_TEXT]]
        name = str(type(exc).__qualname__)[:MAX_TEXT]
    except BaseException:  # noqa: BLE001
        name = "Exception"
    return ["raised", name, _text(lambda: str(exc)), _text(lambda: _student_lines(exc))]


def _text(make: Callable[[], str]) -> str:
    try:
        text = make()[:MAX_TEXT]
        return str.__str__(text)
    except BaseException:  # noqa: BLE001  a `__str__` of the student's
        return "(no text: describing the error failed)"


def _student_lines(exc: BaseException) -> str:
    """The traceback, only frames of the notebook's own cells."""
    lines: list[str] = []
    for frame, number in traceback.walk_tb(exc.__traceback__):
        code = frame.f_code
        if "ipykernel_" in code.co_filename or code.co_filename.startswith("<"):
            source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
            lines.append(f"in {code.co_name}, line {number}: {source}"[:300])
    return "\n".join(lines[-20:])


def serve(sock: socket.socket, namespace: dict[str, Any]) -> None:
    """Answers requests about `namespace` until the other end of `sock` closes."""
    Session(sock, namespace).serve()
