"""Public tests of lab 7: you may read and run them: `assessor check lab7_sequences.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_dtype, assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "markov_matrix", "stationary", "entropy_rate", "shift", "lstm_step", "gru_step", "LSTM", "sequence_loss",
    "perplexity", "train_epoch", "padding_mask", "last_output", "masked_mean", "Embedding", "encode",
    "cosine", "nearest", "causal_mask", "attention", "SelfAttention", "positional_encoding", "temper",
    "greedy_decode",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


def test_steps_shape(student, rng):
    """`lstm_step` and `gru_step` should give a row of the hidden width for each item."""

    def draw(*shape):
        return torch.randn(*shape, generator=rng)

    h, c = student.lstm_step(draw(2, 3), draw(2, 4), draw(2, 4), draw(16, 3), draw(16, 4), draw(16))
    assert_shape(h, (2, 4), what="h")
    assert_shape(c, (2, 4), what="c")
    assert_shape(student.gru_step(draw(2, 3), draw(2, 4), draw(12, 3), draw(12, 4), draw(12), draw(12)), (2, 4))


def test_layer_shape(student, rng):
    """`LSTM` should give an output for each step, and its last state."""
    outputs, state = student.LSTM(3, 4)(torch.randn(2, 5, 3, generator=rng))
    assert_shape(outputs, (2, 5, 4), what="the outputs")
    for part, what in zip(state, ("h", "c"), strict=True):
        assert_shape(part, (2, 4), what=what)


def test_masks_kind(student):
    """`padding_mask` and `causal_mask` should be true or false."""
    for mask, shape in ((student.padding_mask(torch.tensor([1, 3]), 4), (2, 4)), (student.causal_mask(3), (3, 3))):
        assert_shape(mask, shape)
        assert_dtype(mask, torch.bool)


def test_attention_shape(student, rng):
    """`attention` should give a value and weights for each query, `SelfAttention` a row for each step."""
    q, k, v = (torch.randn(2, *shape, generator=rng) for shape in ((3, 4), (5, 4), (5, 6)))
    y, weights = student.attention(q, k, v)
    assert_shape(y, (2, 3, 6), what="y")
    assert_shape(weights, (2, 3, 5), what="the weights")
    assert_shape(student.SelfAttention(8, 2)(torch.randn(2, 3, 8, generator=rng)), (2, 3, 8), what="SelfAttention")


def test_tokens_shape(student, rng):
    """`Embedding`, `shift` and `sequence_loss` should give what their docstrings say."""
    tokens = torch.tensor([[1, 2, 3, 0], [4, 1, 2, 3]])
    assert_shape(student.Embedding(5, 6)(tokens), (2, 4, 6), what="Embedding")
    inputs, target = student.shift(tokens)
    assert_shape(inputs, (2, 3), what="the inputs")
    assert_shape(target, (2, 3), what="the target")
    assert_shape(student.sequence_loss(torch.randn(2, 4, 5, generator=rng), tokens), (), what="sequence_loss")
