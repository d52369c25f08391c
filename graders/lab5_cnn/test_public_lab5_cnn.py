"""Public tests of lab 5: you may read and run them: `assessor check lab5_cnn.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_instance, assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "output_size", "convolve", "preprocess", "augment", "DigitCNN", "fit", "BatchNorm", "global_max_pool",
    "add_coordinates", "regression_loss", "rms_errors", "LineNet",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


def test_output_size_kind(student):
    """`output_size` should give an int."""
    assert_instance(student.output_size(8, 3, 2, 1), int)


def test_convolve_shape(student, rng):
    """`convolve` should give a map for each kernel."""
    x, weight = torch.randn(2, 3, 6, 7, generator=rng), torch.randn(4, 3, 3, 3, generator=rng)
    assert_shape(student.convolve(x, weight), (2, 4, 4, 5))


def test_pictures_shape(student):
    """`preprocess` and `augment` should give float pictures with a channel."""
    ready = student.preprocess(torch.zeros(3, 8, 8, dtype=torch.uint8))
    assert_shape(ready, (3, 1, 8, 8))
    assert_dtype(ready, torch.float32)
    assert_shape(student.augment(torch.rand(3, 1, 8, 8), 2, True), (3, 1, 8, 8))


def test_digits_shape(student, rng):
    """`DigitCNN` should give a row of logits for each picture."""
    assert_shape(student.DigitCNN()(torch.rand(2, 1, 8, 8, generator=rng)), (2, 10))


@pytest.mark.parametrize("kind", ["plain", "gmp", "coords"])
def test_lines_shape(student, rng, kind):
    """`LineNet` should give slope and intercept for each picture, whatever its kind."""
    assert_shape(student.LineNet(kind, 16)(torch.rand(2, 1, 16, 16, generator=rng)), (2, 2))


def test_parts_shape(student, rng):
    """`BatchNorm`, `global_max_pool` and `add_coordinates` should give what their docstrings say."""
    x = torch.randn(4, 2, 5, 6, generator=rng)
    assert_shape(student.BatchNorm(2)(x), (4, 2, 5, 6), what="BatchNorm")
    assert_shape(student.global_max_pool(x), (4, 2), what="global_max_pool")
    assert_shape(student.add_coordinates(x), (4, 4, 5, 6), what="add_coordinates")
