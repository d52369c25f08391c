"""Public tests of lab 2: you may read and run them: `assessor check lab2_autodiff.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_instance, assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "Dual", "Var", "descend", "Swish", "swish", "second_moment_gradient", "jacobian",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


def test_dual_parts(student):
    """A `Dual` should keep a value and a derivative, under these names."""
    number = student.Dual(2.0, 1.0)
    assert_instance(number.real, float, what=".real")
    assert_instance(number.dual, float, what=".dual")


def test_var_parts(student):
    """A `Var` should keep a value and a gradient, under these names."""
    number = student.Var(2.0)
    assert_instance(number.value, float, what=".value")
    assert_instance(number.grad, float, what=".grad")


def test_descend_shape(student, rng):
    """`descend` should give two factors of the shapes that it was given."""
    a, u, v = (torch.randn(*shape, generator=rng) for shape in ((4, 3), (4, 2), (3, 2)))
    left, right = student.descend(a, u, v, 1, 0.01)
    assert_shape(left, (4, 2), what="u")
    assert_shape(right, (3, 2), what="v")


def test_swish_shape(student, rng):
    """`swish` should keep shape and dtype."""
    answer = student.swish(torch.randn(2, 3, generator=rng, dtype=torch.float64))
    assert_shape(answer, (2, 3))
    assert_dtype(answer, torch.float64)


def test_moment_parts(student):
    """`second_moment_gradient` should give two floats."""
    for part, what in zip(student.second_moment_gradient(0.5, 1.0, 10), ("d/dmu", "d/dsigma"), strict=True):
        assert_instance(part, float, what=what)


def test_jacobian_shape(student, rng):
    """`jacobian` should have a row for each output and a column for each input."""
    assert_shape(student.jacobian(torch.randn(3, 2, generator=rng), torch.randn(2, generator=rng)), (3, 2))
