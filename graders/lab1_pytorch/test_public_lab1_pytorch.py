"""Public tests of lab 1: you may read and run them: `assessor check lab1_pytorch.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "softmax", "linreg_grad", "logreg_grad", "softreg_grad", "pinv", "truncated_svd", "factorise",
    "standardise",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_softmax_shape(student, rng, dtype):
    """`softmax` should give a tensor of the logits' shape and dtype."""
    answer = student.softmax(torch.randn(3, 4, generator=rng, dtype=dtype))
    assert_shape(answer, (3, 4))
    assert_dtype(answer, dtype)


@pytest.mark.parametrize("name", ["linreg_grad", "logreg_grad"])
def test_gradient_shape(student, rng, name):
    """A gradient should have the shape of the parameters."""
    theta, x = torch.randn(4, generator=rng), torch.randn(6, 4, generator=rng)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    assert_shape(getattr(student, name)(theta, x, y), (4,))


def test_softreg_shape(student, rng):
    """`softreg_grad` should have the shape of the parameters."""
    theta, x = torch.randn(4, 3, generator=rng), torch.randn(5, 4, generator=rng)
    assert_shape(student.softreg_grad(theta, x, torch.tensor([0, 2, 1, 1, 0])), (4, 3))


def test_matrices_shape(student, rng):
    """`pinv`, `truncated_svd` and `factorise` should give matrices of the shapes that their docstrings say."""
    a = torch.randn(5, 3, generator=rng, dtype=torch.float64)
    assert_shape(student.pinv(a), (3, 5))
    assert_shape(student.truncated_svd(a, 2), (5, 3))
    u, v = student.factorise(a, torch.ones(5, 3, dtype=torch.float64), 2, epochs=2)
    assert_shape(u, (5, 2), what="u")
    assert_shape(v, (3, 2), what="v")


def test_standardise_shape(student, rng):
    """`standardise` should give two sets of the shapes that it was given."""
    train, test = student.standardise(torch.randn(7, 2, generator=rng), torch.randn(4, 2, generator=rng))
    assert_shape(train, (7, 2), what="train")
    assert_shape(test, (4, 2), what="test")
