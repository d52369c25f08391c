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

or, before the reply, any number of times, a question from a function that the trusted end has put in the place of one
of the notebook's:

    [number, "asks", name, arguments, keywords]             answered with [number, "answer", value] or
                                                            [number, "refused", reason]


What is not data becomes a handle: the object stays here in a table, counted, until the trusted end releases it.
A file of weights is opened here too, since opening a pickle is running it.
"""

from __future__ import annotations

import importlib
import json
import linecache
import math
import operator
import os
import random
import signal
import socket
import stat
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

try:
    from gpu_runner import tensors
except ImportError:  # inside the sandbox this is a plain file beside tensors.py
    import tensors  # type: ignore[import-not-found, no-redef]

_BINARY = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift lt le gt ge"
OPERATORS = frozenset(f"{_BINARY} neg pos abs invert".split())
LIBRARIES = frozenset({"torch", "numpy", "math", "operator", "random"})
"""Whose functions the grader may hand to the student's code: those, and nothing of the student's directory."""
MAX_TEXT = 4000
SAFETENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64",
    "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip


class _Missing(Exception):
    """The notebook defines no such name."""


class _Stop(Exception):
    """An iterator is at its end."""


_ABSENT = object()


class Session:
    """One serving of one namespace. `working` is true only while the student's code may be interrupted."""

    def __init__(self, sock: socket.socket, namespace: dict[str, Any]) -> None:
        self.sock, self.namespace = sock, namespace
        self.working = False
        self.objects: dict[int, list[Any]] = {}
        self.numbers: dict[int, int] = {}
        self.last = 0
        self.paused = False
        self.number, self.place = -1, (0, 0)
        self.replaced: dict[str, Any] = {}

    def serve(self) -> None:
        """Answers until the other end closes, or asks for a pause; what handles stand for stays."""
        sock = self.sock
        self.paused, self.place = False, (os.getpid(), threading.get_ident())
        sock.setblocking(True)
        sock.set_inheritable(False)
        before = signal.getsignal(signal.SIGINT)
        try:
            self._serve(sock)
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, before)

    def _serve(self, sock: socket.socket) -> None:
        while not self.paused:
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

    def _receive(self, size: int) -> Any:
        data = tensors.room(size)
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

    def _answer(self, header: bytearray, payload: Any) -> Any:
        """The reply's frame. Whatever happens in here, there is one."""
        number, reply, frame = -1, [], None
        try:
            request = tensors.decode(header, payload, handle=self._object, place=True, owned=True)
            number, name, arguments, released, max_message_bytes = request
            self.number = number
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

    def checkpoint(self, path: str, max_bytes: int) -> Any:
        """Opens a file of weights beside the notebook; modules in it become their state."""
        try:
            with _opened(path, max_bytes) as file:
                return _states(_safetensors(file) if path.endswith(".safetensors") else _unpickled(file))
        except tensors.Refused:
            raise
        except (Exception, SystemExit) as exc:  # noqa: BLE001  opening a pickle runs code
            raise tensors.Refused(f"{path!r} cannot be opened: {_line(exc)}") from None

    def stand_in(self, name: str) -> None:
        """Puts a function in the place of a global; calls of it are answered by the trusted end."""
        self.replaced.setdefault(name, self.namespace.get(name, _ABSENT))
        self.namespace[name] = lambda *arguments, **keywords: self._ask(name, list(arguments), keywords)

    def withdraw(self) -> None:
        """Puts the notebook's own globals back."""
        for name, value in self.replaced.items():
            if value is _ABSENT:
                self.namespace.pop(name, None)
            else:
                self.namespace[name] = value
        self.replaced.clear()

    def _ask(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        if not self.working or self.place != (os.getpid(), threading.get_ident()):
            raise RuntimeError(f"{name} can be called from the notebook's main thread alone, while it is asked something")
        question = tensors.encode([self.number, "asks", name, arguments, keywords], self._handle)
        self.working = False  # no byte may be lost to an interrupt
        try:
            for part in question.parts:
                self.sock.sendall(part)
            prefix = self._receive(tensors.PREFIX.size)
            sizes = tensors.read_prefix(prefix, tensors.MAX_MESSAGE_BYTES) if prefix is not None else ()
            header, payload = [self._receive(size) for size in sizes] or (None, None)
            if header is None or payload is None:
                raise RuntimeError("the channel was closed")
            _, kind, value = tensors.decode(header, payload, handle=self._object, place=True, owned=True)
        finally:
            self.working = True
        if kind != "answer":
            raise RuntimeError(f"{name}: {value}")
        return value

    def pause(self) -> None:
        """Lets the notebook go on after this reply."""
        self.paused = True

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
    "checkpoint": Session.checkpoint,
    "seed": Session.seed,
    "pause": Session.pause,
    "stand_in": Session.stand_in,
    "withdraw": Session.withdraw,
    "release": Session.release,
}


def _opened(path: str, max_bytes: int) -> BinaryIO:
    """A file below the notebook's folder, which may not be where its last cell has gone to."""
    for folder in (Path.cwd().resolve(), Path.home().resolve()):
        place = Path(os.path.normpath(folder / path))
        if not place.exists() and not place.is_symlink():
            continue
        if place.resolve() != place or folder not in place.parents:
            raise tensors.Refused(f"{path!r} is a link or lies outside the notebook's folder")
        found = place.stat()
        if not stat.S_ISREG(found.st_mode):  # to open a pipe is to wait
            raise tensors.Refused(f"{path!r} is not a file")
        if found.st_size > max_bytes:
            raise tensors.Refused(f"{path!r} has {found.st_size} bytes; {max_bytes} may cross")
        return place.open("rb")
    raise tensors.Refused(f"there is no file {path!r}")


def _unpickled(file: BinaryIO) -> Any:
    """What torch.save or pickle wrote, any object included."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001  whole modules, old formats; what is no checkpoint fails again
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=False)


def _safetensors(file: BinaryIO) -> dict[str, Any]:
    """Header length (uint64), JSON header, raw data; the students' Python may lack the package."""
    import torch

    length = int.from_bytes(file.read(8), "little")
    if length > min(os.fstat(file.fileno()).st_size, tensors.MAX_HEADER_BYTES):
        raise ValueError("its header is longer than the file or too long")
    header, data, found = json.loads(file.read(length)), bytearray(file.read()), {}
    header.pop("__metadata__", None)
    for name, entry in header.items():
        dtype, shape, (start, end) = getattr(torch, SAFETENSORS[entry["dtype"]]), entry["shape"], entry["data_offsets"]
        count = math.prod(shape)
        if min(shape, default=0) < 0 or not 0 <= start <= end <= len(data) or end - start != count * dtype.itemsize:
            raise ValueError(f"{name} has other bytes than its shape says")
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=start) if count else torch.empty(0, dtype=dtype)
        found[name] = flat.reshape(shape)
    return found


def _states(value: Any) -> Any:
    """Nested dicts with each module replaced by its state."""
    import torch

    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    return {key: _states(item) for key, item in value.items()} if isinstance(value, dict) else value


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


def _line(exc: BaseException) -> str:
    return " ".join(_text(lambda: f"{type(exc).__name__}: {exc}").split())[:200]


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
