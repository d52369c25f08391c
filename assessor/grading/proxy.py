"""The student's notebook as a hidden test sees it: `student.name`, and handles for what is not data.

Data comes by value and is plain. Anything else (a function, a module, an instance) stays in the student's process; here
it is a `Handle` with attributes, calls, indexing, iteration and length, each of them a request over the channel.

What a handle will not do is take part in a *comparison or in arithmetic*: an object of the student's could agree with
everything, or be told the expected value by the very test that hides it (`answer - expected` would send it there).
So `handle == anything` is decided here, by identity; every other operator, truth, `float()`, and a handle given to
torch or numpy are `BadReply`: the answer is not a value. Where an overloaded operator *is* the exercise, the test says:

    Dual = with_operators(student.DualNumber)     # what it makes, and what operators on that make, has operators too
    product = Dual(2.0, 1.0) * Dual(3.0, 0.0)
    assert_close_to(product.derivative, 3.0)      # data by value, compared on this side
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from gpu_runner.channel import Channel, Stopped
from gpu_runner.errors import BadReply, KernelDied, StudentCodeError
from gpu_runner.tensors import HandleRef, refuse


class StudentAttributeError(StudentCodeError, AttributeError):
    """The student's object has no such attribute; also an AttributeError, so that `hasattr` works on handles."""


class StudentTypeError(StudentCodeError, TypeError):
    """The student's object has no length; also a TypeError, which is how `list(handle)` finds that out."""


class Student:
    """The notebook's globals. `student.name` reads, `student.name = value` sets, `"name" in student` asks."""

    __slots__ = ("_channel", "_data")

    def __init__(self, channel: Channel) -> None:
        object.__setattr__(self, "_channel", channel)
        object.__setattr__(self, "_data", {})
        channel.wrap = lambda named: Handle(channel, named)
        channel.unwrap = lambda value: _ref(value, channel)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        value = self._channel.get(name)
        if not isinstance(value, Handle):
            self._data[name] = type(value).__name__
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self._channel.put(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._channel.names()

    def __repr__(self) -> str:
        return "<the student's notebook>"


def names_of_data(student: Student) -> dict[str, str]:
    """Names that were read and turned out to be data: name -> kind. Says why a call of one of them failed."""
    return dict(student._data)


def library(student: Student, path: str) -> Any:
    """A library's function as the student's process has it: `library(student, "torch.nn.functional.relu")`."""
    return student._channel.library(path)


def checkpoint(student: Student, path: Any) -> dict[Any, Any]:
    """A file of weights that was handed in, or that the notebook wrote: `checkpoint(student, "weights.pth")`.

    The student's process opens it, inside its sandbox, and tells what it holds; nothing is unpickled on this side.

    Args:
        path: relative to the notebook's folder: *.safetensors, or anything else that `torch.load` reads. May come from
            the student.

    Returns:
        Plain tensors on the CPU without gradients, arrays, numbers and texts in (nested) dicts, lists and tuples. A
        module, whole or in a dict, is its state_dict; other objects are left out.

    Raises:
        BadReply: the student's; no such file, a link, outside the folder, too large, damaged, or no tensor in it.
        StudentTimeout, KernelDied: the student's; opening it took too long or ended the process.
    """
    if not isinstance(path, str) or not 0 < len(path) < 256 or "\0" in path:
        raise BadReply("the name of a checkpoint is not a text")
    found = _data_of(student._channel.checkpoint(path))
    if type(found) is not dict or not any(_holds_tensor(item) for item in found.values()):
        raise BadReply(f"{path!r} holds no dict of tensors; save `net.state_dict()`")
    return found


def _data_of(value: Any) -> Any:
    """A nested value without the objects in it."""
    if isinstance(value, dict):
        return {key: _data_of(item) for key, item in value.items() if not isinstance(item, Handle)}
    if isinstance(value, (list, tuple)) and type(value) is not torch.Size:
        return type(value)(_data_of(item) for item in value if not isinstance(item, Handle))
    return value.detach() if isinstance(value, torch.Tensor) else value


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    return isinstance(value, torch.Tensor)


def with_operators(handle: Handle) -> OperableHandle:
    """The same object with Python's operators. They run in the student's process: never give them an expected value."""
    if not isinstance(handle, Handle):
        raise BadReply(f"a {type(handle).__name__}, where an object was expected")
    return OperableHandle(handle._channel, handle._named, owner=handle)


def _ref(value: object, channel: Channel) -> HandleRef:
    if not isinstance(value, Handle):
        return refuse(value)
    if value._channel is not channel:
        raise KernelDied("the object was in a process that has ended")
    named: HandleRef = value._named
    return named


def _refused(name: str) -> Any:
    def operator(self: Handle, *others: object) -> Any:
        raise BadReply(f"a {self._named.type_name}, where a value was expected")

    operator.__name__ = name
    return operator


class Handle:
    """An object in the student's process."""

    __slots__ = ("_channel", "_named", "_owner")

    def __init__(self, channel: Channel, named: HandleRef, owner: Handle | None = None) -> None:
        for slot, value in (("_channel", channel), ("_named", named), ("_owner", owner)):
            object.__setattr__(self, slot, value)

    def __del__(self) -> None:
        if self._owner is None:
            self._channel.release(self._named)

    def __repr__(self) -> str:
        return f"<{self._named.type_name} in the student's notebook>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self._channel is other._channel and self._named.id == other._named.id

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((id(self._channel), self._named.id))

    def _given(self, value: Any) -> Any:
        """What a request on this handle gave."""
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._given(self._channel.getattr(self._named, name))
        except StudentCodeError as exc:
            if exc.type_name == "AttributeError":
                raise StudentAttributeError(exc.type_name, exc.message, exc.traceback) from None
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        self._channel.setattr(self._named, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the object with data and handles of its own process."""
        return self._given(self._channel.call(self._named, args, kwargs))

    def __getitem__(self, key: Any) -> Any:
        return self._given(self._channel.getitem(self._named, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._channel.setitem(self._named, key, value)

    def __len__(self) -> int:
        try:
            return int(self._channel.len(self._named))
        except StudentCodeError as exc:
            if exc.type_name == "TypeError":
                raise StudentTypeError(exc.type_name, exc.message, exc.traceback) from None
            raise

    def __iter__(self) -> Iterator[Any]:
        iterator = self._channel.iterate(self._named)
        if not isinstance(iterator, Handle):
            raise BadReply("the iterator is not one")
        while True:
            try:
                item = self._channel.next(iterator._named)
            except Stopped:
                return
            yield self._given(item)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise BadReply("an object, where a tensor was expected")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise BadReply(f"a {self._named.type_name}, where an array was expected")

    __bool__ = _refused("__bool__")
    __int__ = _refused("__int__")
    __index__ = _refused("__index__")
    __float__ = _refused("__float__")
    __complex__ = _refused("__complex__")
    __array__ = _refused("__array__")
    __array_ufunc__ = _refused("__array_ufunc__")


class OperableHandle(Handle):
    """A handle whose operators run in the student's process, and so do those of what it gives."""

    __slots__ = ()

    def _given(self, value: Any) -> Any:
        return with_operators(value) if isinstance(value, Handle) else value


def _operated(name: str, *, reflected: bool = False) -> Any:
    def operator(self: OperableHandle, *others: Any) -> Any:
        operands = (*others, self) if reflected else (self, *others)
        return self._given(self._channel.operate(name + "_" * (name in ("and", "or")), *operands))

    operator.__name__ = name
    return operator


def _add_operators() -> None:
    """Gives Handle the refusals, OperableHandle the operators."""
    unary, ordering = ("neg", "pos", "abs", "invert"), ("lt", "le", "gt", "ge")
    binary: tuple[str, ...] = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
    binary += ("and", "or", "xor", "lshift", "rshift")
    for name in (*unary, *ordering, *binary):
        method = f"__{name}__"
        setattr(Handle, method, _refused(method))
        setattr(OperableHandle, method, _operated(name))
    for name in binary:
        method = f"__r{name}__"
        setattr(Handle, method, _refused(method))
        setattr(OperableHandle, method, _operated(name, reflected=True))


_add_operators()
