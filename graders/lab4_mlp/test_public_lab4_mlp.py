"""Public tests of lab 4: you may read and run them: `assessor check lab4_mlp.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "dropout", "MLP", "cross_entropy", "train", "accuracy", "confusion", "recall", "fit_trial", "corrupt",
    "width_experiment",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_shape(student, rng, training):
    """`dropout` should keep shape and dtype."""
    answer = student.dropout(torch.randn(4, 3, generator=rng, dtype=torch.float64), 0.5, training)
    assert_shape(answer, (4, 3))
    assert_dtype(answer, torch.float64)


def test_mlp_shape(student, rng):
    """An `MLP` should give a row of logits for each example."""
    assert_shape(student.MLP([5, 8, 3], 0.1)(torch.randn(7, 5, generator=rng)), (7, 3))


def test_loss_shape(student, rng):
    """`cross_entropy` should give one number."""
    assert_shape(student.cross_entropy(torch.randn(6, 4, generator=rng), torch.tensor([0, 3, 1, 2, 2, 0])), ())


def test_confusion_shape(student):
    """`confusion` should count in a square of whole numbers, and `recall` give a number for each class."""
    matrix = student.confusion(torch.tensor([0, 1, 2, 1]), torch.tensor([0, 1, 1, 2]), 3)
    assert_shape(matrix, (3, 3))
    assert_dtype(matrix, torch.int64)
    assert_shape(student.recall(torch.tensor([[2, 0], [1, 3]])), (2,))


def test_corrupt_shape(student):
    """`corrupt` should give whole-number labels, as many as there were."""
    answer = student.corrupt(torch.tensor([0, 1, 2, 0, 1]), 0.4, 3)
    assert_shape(answer, (5,))
    assert_dtype(answer, torch.int64)
