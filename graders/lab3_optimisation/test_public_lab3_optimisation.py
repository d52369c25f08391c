"""Public tests of lab 3: you may read and run them: `assessor check lab3_optimisation.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_instance, assert_shape, require

pytestmark = pytest.mark.public
ASKED_FOR = (
    "rastrigin", "SGD", "Adagrad", "Adam", "minimise", "batches", "cosine_rate", "train", "hinge", "fit_svm",
    "quadratic", "steps_needed",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2)], ids=["point", "points", "grid"])
def test_rastrigin_shape(student, rng, shape):
    """`rastrigin` should give one value for each point."""
    assert_shape(student.rastrigin(torch.randn(*shape, generator=rng)), shape[:-1])


def test_batches_kind(student):
    """`batches` should give whole-number tensors."""
    parts = list(student.batches(5, 2))
    require(len(parts) == 3, f"5 examples in batches of 2 are 3 batches, not {len(parts)}")
    for part in parts:
        assert_dtype(part, torch.int64, what="a batch")


def test_rate_kind(student):
    """`cosine_rate` should give a float."""
    assert_instance(student.cosine_rate(3, 10, 0.1, 2), float)


def test_hinge_shape(student, rng):
    """`hinge` should give one number, for scores of shape (N,) and of shape (N, 1)."""
    y = torch.tensor([1, -1, 1, -1])
    for shape in ((4,), (4, 1)):
        assert_shape(student.hinge(torch.randn(*shape, generator=rng), y), ())


def test_svm_shape(student, rng):
    """`fit_svm` should give a weight for each column and one bias."""
    w, b = student.fit_svm(torch.randn(6, 3, generator=rng), torch.tensor([1, -1, 1, -1, 1, -1]), 0.1, 0.1, 1, 3)
    assert_shape(w, (3,), what="w")
    assert_shape(b, (), what="b")
