"""When a computed answer counts as right: assertions whose failure tells the student the size of the error, no value.

Every one of them looks at the kind of the answer first: whatever a student's code returns, a wrong kind is a wrong
answer, never an error of the test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from assessor.grading.proxy import Handle

UNIT_ROUNDOFF = {
    torch.float16: 2.0**-11,
    torch.bfloat16: 2.0**-8,
    torch.float32: 6e-8,
    torch.complex64: 6e-8,
}
RTOL_DOUBLE = 1e-7
ATOL_DOUBLE = 1e-12
SAFETY = 8.0
REDUCTION = 64
MAX_NESTING = 16


class WrongAnswer(AssertionError):
    """An answer is wrong.

    Attributes:
        for_student: the kind and size of the error, with no expected value.
    """

    def __init__(self, for_student: str, detail: str) -> None:
        self.for_student = for_student
        super().__init__(f"{for_student}\n{detail}")


def assert_close_to(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    reduction: int = REDUCTION,
    reference_error: float = 0.0,
    what: str = "your result",
) -> None:
    """Asserts that an answer equals the reference up to rounding.

    Floating point in float64 is compared by |a - e| <= 1e-7 |e| + 1e-12 max|e|. Lower precision is scale-aware, since
    small outputs arise from cancellation: |a - e| <= max(10 reference_error, 8 u sqrt(reduction) max|e|), u the unit
    round-off of the coarser of the two dtypes. Where max|e| is 0 it counts as 1. Integers and truth values are equal or
    not. NaN is right only where the expected value has it. Lists, tuples and dicts are compared item by item.

    Args:
        actual: the claim. A number, a 0-d tensor and a 0-d array are the same kind; so are a tensor and an array.
        expected: the reference's answer, best computed in float64.
        rtol, atol: given either, |a - e| <= atol + rtol |e| instead.
        reduction: length of the longest sum or product in the computation.
        reference_error: max|ref32 - ref64| over the test's inputs.
        what: how the message calls the answer.

    Raises:
        WrongAnswer: the student's.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
    """
    tolerance = _Tolerance(rtol, atol, reduction, reference_error)
    _compare(actual, expected, tolerance, what, 0)


def assert_shape(actual: Any, shape: Sequence[int], *, what: str = "your result") -> None:
    """Asserts that an answer is a tensor or array of this shape."""
    if not _is_array(actual):
        _wrong(f"{what} is {_kind(actual)}, where a tensor was expected", repr(actual))
    if tuple(actual.shape) != tuple(shape):
        _wrong(f"{what} has shape {tuple(actual.shape)}, where {tuple(shape)} was expected", "")


def assert_instance(actual: Any, kind: type | tuple[type, ...], *, what: str = "your result") -> None:
    """Asserts that an answer is of a kind, before the test goes on to use it as one."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(actual, kinds) or (isinstance(actual, bool) and bool not in kinds):
        names = " or ".join(one.__name__ for one in kinds)
        _wrong(f"{what} is {_kind(actual)}, where {names} was expected", repr(actual))


def assert_dtype(actual: Any, dtype: torch.dtype, *, what: str = "your result") -> None:
    """Asserts that an answer is a tensor of this dtype.

    Raises:
        WrongAnswer: the student's.
    """
    assert_instance(actual, Tensor, what=what)
    if actual.dtype is not dtype:
        text = f"{what} has dtype {actual.dtype} where {dtype} was expected"
        _wrong(text, text)


def require(right: bool, otherwise: str) -> None:
    """An assertion whose text the student reads.

    Raises:
        WrongAnswer: the student's.
    """
    if not right:
        _wrong(otherwise, "")


def numerical_gradient(function: Callable[[Tensor], Any], point: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences of a scalar function, error O(step^2) + rounding/step, about 1e-10 in float64.

    Shape:
        point: any, float64; the result has the same.
    """
    gradient = torch.zeros_like(point, dtype=torch.float64)
    for index in range(point.numel()):
        change = torch.zeros(point.numel(), dtype=torch.float64)
        change[index] = step
        change = change.reshape(point.shape)
        difference = float(function(point + change)) - float(function(point - change))
        gradient.view(-1)[index] = difference / (2 * step)
    return gradient


class _Tolerance:
    """How far apart two numbers may be."""

    def __init__(self, rtol: float | None, atol: float | None, reduction: int, reference_error: float) -> None:
        self.rtol, self.atol, self.reduction, self.reference_error = rtol, atol, reduction, reference_error

    def allowed(self, actual: Tensor, expected: Tensor) -> Tensor:
        """Allowed distance, element by element, float64."""
        size = expected.detach().abs().to(torch.float64)
        if self.rtol is not None or self.atol is not None:
            return (self.atol or 0.0) + (self.rtol or 0.0) * size
        finite = size[size.isfinite()]
        scale = (float(finite.max()) if finite.numel() else 0.0) or 1.0
        roundoff = max(UNIT_ROUNDOFF.get(actual.dtype, 0.0), UNIT_ROUNDOFF.get(expected.dtype, 0.0))
        if roundoff == 0.0:
            allowed = RTOL_DOUBLE * size + ATOL_DOUBLE * scale
            return allowed.clamp_min(10 * self.reference_error)
        bound = max(10 * self.reference_error, SAFETY * roundoff * math.sqrt(self.reduction) * scale)
        return torch.full_like(size, bound)


def _wrong(for_student: str, detail: str) -> NoReturn:
    raise WrongAnswer(for_student, detail[:4000])


def _is_array(value: Any) -> bool:
    return type(value) in (Tensor, np.ndarray)


def _kind(value: Any) -> str:
    if value is None:
        return "None (does the function return something?)"
    return f"a {value._named.type_name if isinstance(value, Handle) else type(value).__name__}"


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() < 64  # more does not fit a tensor, and no answer has more
    return type(value) in (bool, float, complex) or (isinstance(value, np.generic) and value.dtype.kind in "biufc")


def _is_numeric_array(value: Any) -> bool:
    return type(value) is Tensor or (type(value) is np.ndarray and value.dtype.kind in "biufc")


def _compare(actual: Any, expected: Any, tolerance: _Tolerance, what: str, depth: int) -> None:
    if depth > MAX_NESTING:
        raise ValueError("the expected value is nested too deep to compare")
    if isinstance(expected, dict):
        _compare_dicts(actual, expected, tolerance, what, depth)
    elif isinstance(expected, list | tuple) and not isinstance(expected, torch.Size):
        if not isinstance(actual, list | tuple):
            _wrong(f"{what} is {_kind(actual)}, where a list or tuple was expected", repr(actual))
        if len(actual) != len(expected):
            _wrong(f"{what} has {len(actual)} items, where {len(expected)} were expected", "")
        for index, (mine, theirs) in enumerate(zip(actual, expected, strict=True)):
            _compare(mine, theirs, tolerance, f"item {index} of {what}", depth + 1)
    elif _is_array(expected) or isinstance(expected, Tensor) or _is_number(expected):
        _compare_numbers(actual, expected, tolerance, what)
    elif type(actual) is not type(expected):
        _wrong(f"{what} is {_kind(actual)}, where a {type(expected).__name__} was expected", repr(actual))
    elif actual != expected:
        _wrong(f"{what} is not what was expected", f"found {actual!r}, expected {expected!r}")


def _compare_dicts(actual: Any, expected: dict[Any, Any], tolerance: _Tolerance, what: str, depth: int) -> None:
    if not isinstance(actual, dict):
        _wrong(f"{what} is {_kind(actual)}, where a dict was expected", repr(actual))
    if actual.keys() != expected.keys():
        _wrong(f"{what} does not have the right keys", f"found {sorted(map(repr, actual))}")
    for key, theirs in expected.items():
        _compare(actual[key], theirs, tolerance, f"one entry of {what}", depth + 1)


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray | np.generic):
        return torch.from_numpy(np.array(value))
    return torch.tensor(value, dtype={float: torch.float64, complex: torch.complex128}.get(type(value)))


def _number_kind(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "truth values"
    if tensor.is_complex():
        return "complex numbers"
    return "floating-point numbers" if tensor.is_floating_point() else "whole numbers"


def _compare_numbers(actual: Any, expected: Any, tolerance: _Tolerance, what: str) -> None:
    plural = "a number" if _is_number(expected) or expected.ndim == 0 else "a tensor"
    if not (_is_numeric_array(actual) or _is_number(actual)):
        _wrong(f"{what} is {_kind(actual)}, where {plural} was expected", repr(actual))
    mine, theirs = _tensor(actual), _tensor(expected)
    if mine.shape != theirs.shape:
        _wrong(f"{what} has shape {tuple(mine.shape)}, where {tuple(theirs.shape)} was expected", "")
    # A bare Python int is a fine way to write a floating-point number.
    same = _number_kind(mine) == _number_kind(theirs) or (type(actual) is int and theirs.is_floating_point())
    if not same:
        _wrong(f"{what} holds {_number_kind(mine)}, where {_number_kind(theirs)} were expected", str(mine.dtype))
    if theirs.is_floating_point() or theirs.is_complex():
        _compare_floats(mine, theirs, tolerance, what)
    elif wrong := _unequal(mine, theirs):
        _wrong(f"{what} is wrong{_of(wrong, theirs)}", f"found {mine}\nexpected {theirs}")


def _unequal(mine: Tensor, theirs: Tensor) -> int:
    """Number of unequal whole numbers; a uint64 beyond int64 wraps to below 0, where no uint64 is."""
    a, e = mine.to(torch.int64), theirs.to(torch.int64)
    wrapped = ((a < 0) & (mine.dtype == torch.uint64)) != ((e < 0) & (theirs.dtype == torch.uint64))
    return int(((a != e) | wrapped).sum())


def _of(wrong: int, expected: Tensor) -> str:
    return f" in {wrong} of {expected.numel()} elements" if expected.numel() > 1 else ""


def _compare_floats(mine: Tensor, theirs: Tensor, tolerance: _Tolerance, what: str) -> None:
    wide = torch.complex128 if theirs.is_complex() else torch.float64
    a, e, allowed = mine.to(wide), theirs.to(wide), tolerance.allowed(mine, theirs)
    odd_a, odd_e = a.isnan(), e.isnan()
    if not torch.equal(odd_a, odd_e):
        extra = int((odd_a & ~odd_e).sum())
        detail = f"found {mine}\nexpected {theirs}"
        _wrong(f"{what} contains NaN" if extra else f"{what} should contain NaN in some place", detail)
    distance = (a - e).abs()
    right = (distance <= allowed) | (a == e) | odd_e
    right &= a.isfinite() | (a == e) | odd_e
    if bool(right.all()):
        return
    wrong = int((~right).sum())
    ratio = float((distance / allowed.clamp_min(torch.finfo(torch.float64).tiny))[~right].max())
    times = f"off by {ratio:.1e} times the tolerance" if math.isfinite(ratio) else "infinitely far off"
    _wrong(f"{what} is wrong{_of(wrong, theirs)}, at worst {times}", f"found {mine}\nexpected {theirs}")
