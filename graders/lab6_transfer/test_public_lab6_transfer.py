"""Public tests of lab 6: you may read and run them: `assessor check lab6_transfer.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_instance, assert_shape, require

pytestmark = pytest.mark.public
ASKED_FOR = (
    "class_index", "split", "normalise", "build", "extract", "svm_predict", "head_optimiser", "train",
    "finetune_optimiser",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


def test_index_kind(student):
    """`class_index` should give a dict of numbers."""
    found = student.class_index(["b", "a", "b"])
    assert_instance(found, dict)
    require(len(found) == 2, f"two names occur, not {len(found)}")


def test_split_kind(student):
    """`split` should give two tensors of places."""
    learn, rest = student.split(torch.tensor([0, 1, 0, 1, 0, 1]), 2, 0)
    assert_shape(learn, (4,), what="to learn from")
    assert_shape(rest, (2,), what="the others")
    assert_dtype(learn, torch.int64, what="to learn from")


def test_svm_shape(student, rng):
    """`svm_predict` should give a class number for each row."""
    features = torch.randn(8, 3, generator=rng)
    answer = student.svm_predict(features, torch.tensor([0, 1, 0, 1, 0, 1, 0, 1]), torch.randn(5, 3, generator=rng))
    assert_shape(answer, (5,))
    assert_dtype(answer, torch.int64)
