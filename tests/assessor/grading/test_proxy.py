"""A hidden test's view of the notebook: convenient for what is data, unmoved by objects that lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from assessor.grading.proxy import Handle, Student, library, with_operators
from gpu_runner.errors import BadReply, ChannelMisused, KernelDied, NameMissing, StudentCodeError
from gpu_runner.testing import in_process

NOTEBOOK = """
import torch
x = torch.ones(2)
def double(a): return 2 * a
def apply(f, a): return f(a)
class Dual:
    def __init__(self, value, derivative=0.0): self.value, self.derivative = value, derivative
    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.derivative + other.derivative)
    __radd__ = __add__
    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value * other.value, self.value * other.derivative + self.derivative * other.value)
    __rmul__ = __mul__
    def __neg__(self): return Dual(-self.value, -self.derivative)
    def __lt__(self, other): return self.value < other.value
seen = []
class Liar:
    def agree(self, *others):
        seen.extend(others)
        return True
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = agree
    def zero(self, *others):
        seen.extend(others)
        return 0.0
    __sub__ = __rsub__ = __abs__ = __float__ = __add__ = __radd__ = __matmul__ = __rmatmul__ = zero
    def __bool__(self): return True
    def __len__(self): return 10**9
    def __hash__(self): return 0
    def __array__(self, *a, **k): raise ValueError
    @classmethod
    def __torch_function__(cls, *a, **k): return True
liar = Liar()
def count():
    yield from range(3)
class Bag:
    def __init__(self): self.items = {}
    def __getitem__(self, key): return self.items[key]
    def __setitem__(self, key, value): self.items[key] = value
    def __len__(self): return len(self.items)
"""


@pytest.fixture
def student() -> Iterator[Student]:
    namespace: dict[str, Any] = {}
    exec(compile(NOTEBOOK, "<cell 1>", "exec"), namespace)
    with in_process(namespace) as channel:
        yield Student(channel)


def test_names_are_read_called_set_and_looked_for(student: Student) -> None:
    assert torch.equal(student.x, torch.ones(2))
    assert student.double(4) == 8
    assert student["double"](a="ab") == "abab"
    assert "double" in student and "nothing" not in student
    student.x = 3
    assert student.x == 3
    with pytest.raises(NameMissing):
        _ = student.nothing


def test_handles_and_library_functions_can_be_given_back(student: Student) -> None:
    assert student.apply(student.double, 3) == 6
    rectified = student.apply(library(student, "torch.relu"), torch.tensor([-1.0, 2.0]))
    assert torch.equal(rectified, torch.tensor([0.0, 2.0]))
    with pytest.raises(ChannelMisused):
        student.apply(lambda a: a, 3)


def test_a_handle_has_attributes_items_length_and_iteration(student: Student) -> None:
    bag = student.Bag()
    bag["a"] = 5
    assert (bag["a"], len(bag), bag.items) == (5, 1, {"a": 5})
    bag.mark = 2
    assert bag.mark == 2
    assert hasattr(bag, "mark") and not hasattr(bag, "nothing")
    assert list(student.count()) == [0, 1, 2]
    with pytest.raises(StudentCodeError, match="KeyError"):
        bag["b"]


def test_overloaded_operators_work_where_the_test_asks_for_them(student: Student) -> None:
    dual = with_operators(student.Dual)
    product = dual(2.0, 1.0) * dual(3.0, 0.0) + 1.0
    assert (product.value, product.derivative) == (7.0, 3.0)
    assert (2.0 * dual(1.0, 1.0)).derivative == 2.0
    assert (-dual(1.0, 1.0)).value == -1.0
    assert (dual(1.0) < dual(2.0)) is True


TRICKS: list[Callable[[Any], Any]] = [
    lambda h: h > 0.5,
    lambda h: h < 0.5,
    lambda h: torch.tensor(0.5) < h,
    lambda h: h >= 0,
    lambda h: h - 3.0,
    lambda h: 3.0 - h,
    lambda h: abs(h),
    lambda h: h + torch.ones(2),
    lambda h: torch.ones(2) + h,
    lambda h: torch.ones(2) @ h,
    lambda h: np.ones(2) - h,
    lambda h: bool(h),
    lambda h: not h,
    lambda h: float(h),
    lambda h: int(h),
    lambda h: math.isclose(h, 3.0),
    lambda h: [1, 2][h],
    lambda h: torch.allclose(h, torch.ones(2)),
    lambda h: torch.allclose(torch.ones(2), h),
    lambda h: torch.equal(torch.ones(2), h),
    lambda h: np.allclose(h, np.ones(2)),
    lambda h: np.asarray(h),
    lambda h: np.isclose(np.ones(2), h),
    lambda h: len(h),
    lambda h: list(h),
]


@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_an_object_that_always_agrees_is_not_a_value_and_learns_nothing(student: Student, trick: Any) -> None:
    with pytest.raises((BadReply, StudentCodeError)):
        trick(student.liar)
    assert student.seen == []


def test_equality_with_an_object_is_decided_on_this_side(student: Student) -> None:
    liar = student.liar
    assert liar == student.liar and hash(liar) == hash(student.liar)
    for value in (3, None, "x", True, student.double):
        assert (liar == value) is False and (value == liar) is False and liar != value
    assert student.seen == []
    assert 3 not in [liar]


def test_a_handle_prints_without_asking_and_pretends_no_dunder(student: Student) -> None:
    assert repr(student.double) == "<function in the student's notebook>"
    with pytest.raises(AttributeError):
        _ = student.double.__code__
    with pytest.raises(AttributeError):
        _ = student.__wrapped__


def test_a_handle_of_an_ended_process_is_not_used_in_another(student: Student) -> None:
    with in_process({"f": lambda a: a}) as other:
        old, new = student.double, Student(other)
        with pytest.raises(KernelDied):
            new.f(old)
        with pytest.raises(BadReply):
            with_operators(3)  # type: ignore[arg-type]


def test_handles_that_are_no_longer_used_are_let_go() -> None:
    alive: set[int] = set()

    class Thing:
        def __init__(self) -> None:
            alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    with in_process({"Thing": Thing, "x": 1}) as channel:
        student = Student(channel)
        for _ in range(50):
            handle = student.Thing()
        assert isinstance(handle, Handle)
        assert student.x == student.x == 1
        assert len(alive) < 5
