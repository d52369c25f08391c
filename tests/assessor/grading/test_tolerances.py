"""Right answers pass whatever their rounding, wrong ones fail whatever their kind; no message gives a value away."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.grading.tolerances import (
    WrongAnswer,
    assert_close_to,
    assert_instance,
    assert_shape,
    numerical_gradient,
)


def variants(width: int, seed: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A product in float64, and right ways to compute it in float32."""
    source = torch.Generator().manual_seed(seed)
    w, x = torch.randn(40, width, generator=source), torch.randn(width, generator=source)
    exact = w.double() @ x.double()
    blocks = sum(a @ b for a, b in zip(w.split(7, 1), x.split(7), strict=True))
    assert isinstance(blocks, torch.Tensor)
    return exact, [w @ x, (w * x).sum(1), blocks, (w.flip(1) * x.flip(0)).cumsum(1)[:, -1]]


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("width", [3, 784])
def test_right_variants_in_float32_pass_where_a_fixed_tolerance_would_not(width: int, seed: int) -> None:
    exact, answers = variants(width, seed)
    for answer in answers:
        assert_close_to(answer, exact, reduction=width)


@pytest.mark.parametrize("seed", range(15))
def test_a_float32_answer_off_by_a_thousandth_of_its_scale_fails(seed: int) -> None:
    exact, answers = variants(784, seed)
    with pytest.raises(WrongAnswer):
        assert_close_to(answers[0] + 1e-3 * exact.abs().max(), exact, reduction=784)


def test_float64_is_held_to_seven_digits() -> None:
    expected = torch.tensor([1.0, 1e-3], dtype=torch.float64)
    assert_close_to(expected * (1 + 5e-8), expected)
    with pytest.raises(WrongAnswer):
        assert_close_to(expected * (1 + 5e-7), expected)
    with pytest.raises(WrongAnswer):
        assert_close_to(expected + torch.tensor([0, 1e-9]), expected)
    assert_close_to(torch.full((3,), 1e-17).double(), torch.zeros(3).double())


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e30, 1e30).filter(lambda v: v == 0 or abs(v) > 1e-290), st.floats(1e-6, 1e3))
def test_a_python_float_is_right_only_close_by(value: float, relative: float) -> None:
    assert_close_to(value, value)
    if value:
        with pytest.raises(WrongAnswer):
            assert_close_to(value * (1 + relative), value)


SAME = [
    (3.0, torch.tensor(3.0)),
    (torch.tensor(3.0), 3.0),
    (np.float32(3), 3.0),
    (np.array(3.0), torch.tensor(3.0)),
    (3, 3.0),
    (3, 3),
    (np.int64(3), 3),
    (True, True),
    (np.ones(3), torch.ones(3)),
    (torch.ones(3), np.ones(3)),
    (torch.ones(3, requires_grad=True), torch.ones(3)),
    (torch.ones(3).half(), torch.ones(3)),
    ([1.0, (2.0, 3.0)], (1.0, [2.0, 3.0])),
    ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
    ("abc", "abc"),
    (None, None),
    (math.inf, math.inf),
    (torch.tensor([math.nan, 1.0]), torch.tensor([math.nan, 1.0])),
    (1 + 2j, torch.tensor(1 + 2j)),
    (torch.empty(0), torch.empty(0)),
    (torch.Size([2]), torch.Size([2])),
]


@pytest.mark.parametrize(("actual", "expected"), SAME, ids=range(len(SAME)))
def test_these_are_the_same(actual: Any, expected: Any) -> None:
    assert_close_to(actual, expected)


WRONG = [
    (None, 3.0, "None"),
    ("3.0", 3.0, "a str"),
    (object(), 3.0, "a object"),
    ([3.0], 3.0, "a list"),
    (math.nan, 3.0, "NaN"),
    (math.inf, 3.0, "off"),
    (-math.inf, math.inf, "off"),
    (3.0, math.nan, "NaN"),
    (True, 1.0, "truth values"),
    (1.0, True, "floating-point"),
    (3.0, 3, "floating-point"),
    (torch.ones(1), torch.tensor(1.0), "shape"),
    (torch.ones(2, 1), torch.ones(1, 2), "shape"),
    (torch.ones(2).long(), torch.ones(2), "whole numbers"),
    (torch.tensor([math.nan, 1.0]), torch.ones(2), "NaN"),
    (torch.tensor([math.inf, 1.0]), torch.ones(2), "off"),
    (torch.tensor([1, 2]), torch.tensor([1, 3]), "1 of 2"),
    (np.array(["a"]), torch.ones(1), "ndarray"),
    (np.str_("a"), 1.0, "str_"),
    (2**80, 1, "int"),
    (2**80, 1.0, "int"),
    ([1.0], [1.0, 2.0], "items"),
    (3.0, [3.0], "list or tuple"),
    ({"a": 1}, {"b": 1}, "keys"),
    (3, {"a": 1}, "dict"),
    ({"a": [1.0, 9.0]}, {"a": [1.0, 2.0]}, "item 1 of one entry"),
    ("abd", "abc", "not what"),
    (0, None, "int"),
    (1 + 3j, 1 + 2j, "off"),
    (torch.ones(3, dtype=torch.complex64), torch.ones(3), "complex"),
]


@pytest.mark.parametrize(("actual", "expected", "message"), WRONG, ids=range(len(WRONG)))
def test_these_are_wrong_and_never_an_error_of_the_test(actual: Any, expected: Any, message: str) -> None:
    with pytest.raises(WrongAnswer) as caught:
        assert_close_to(actual, expected)
    assert message in caught.value.for_student


ODD: list[Callable[[], Any]] = [
    lambda: torch.ones(2),
    lambda: np.array(["x"]),
    lambda: {1, 2},
    lambda: b"x",
    lambda: slice(1),
    lambda: torch.float32,
    lambda: torch.zeros(2, 0),
    lambda: np.datetime64("2020-01-01"),
    lambda: torch.tensor(1, dtype=torch.uint64),
    lambda: torch.ones(2, dtype=torch.bfloat16),
    lambda: float("nan"),
    lambda: 10**400,
    lambda: [[[]]],
    lambda: np.float16(1),
    lambda: torch.ones(2).to(torch.float8_e4m3fn),
]


@pytest.mark.parametrize("make", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("expected", [3.5, torch.full((2,), 3.5), [2], {"a": 1}, "text", None, True], ids=repr)
def test_no_answer_of_whatever_kind_makes_the_comparison_raise_anything_else(make: Any, expected: Any) -> None:
    with pytest.raises(WrongAnswer):
        assert_close_to(make(), expected)


def test_the_students_message_holds_no_expected_value() -> None:
    with pytest.raises(WrongAnswer) as caught:
        assert_close_to(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 77.25]), what="the gradient")
    assert "77" not in caught.value.for_student and "77.25" in str(caught.value)
    assert "the gradient is wrong in 1 of 2 elements" in caught.value.for_student


def test_a_given_tolerance_stands() -> None:
    assert_close_to(1.05, 1.0, atol=0.1)
    assert_close_to(105.0, 100.0, rtol=0.1)
    with pytest.raises(WrongAnswer):
        assert_close_to(1.05, 1.0, rtol=0.01)


def test_shape_and_kind_are_asserted() -> None:
    assert_shape(np.ones((2, 3)), (2, 3))
    with pytest.raises(WrongAnswer, match="shape"):
        assert_shape(torch.ones(2), (3,))
    with pytest.raises(WrongAnswer, match="None"):
        assert_shape(None, (3,))
    assert_instance(2, (int, float))
    with pytest.raises(WrongAnswer, match="bool"):
        assert_instance(True, int)


def test_the_numerical_gradient_agrees_with_autograd() -> None:
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    (x.sin() * x).sum().backward()
    assert x.grad is not None
    assert_close_to(numerical_gradient(lambda p: (p.sin() * p).sum(), x.detach()), x.grad, rtol=1e-6, atol=1e-8)
