"""The hidden tests of the suite's assignment. Some compare with plain `==` and `<`, which is what a liar would like."""

from __future__ import annotations

import pytest
import torch

from assessor.grading.tolerances import assert_close_to, assert_shape

WORDS = "loss epoch batch layer weight bias logit".split()


@pytest.mark.marks(1)
@pytest.mark.timeout(1)
def test_double(student, rng):
    """`double` gives twice a number."""
    for number in torch.randint(10, 10**6, (3,), generator=rng).tolist():
        assert student.double(number) == 2 * number


@pytest.mark.marks(1)
@pytest.mark.timeout(1)
def test_tally(student, rng):
    """`tally` counts words."""
    words = [WORDS[index] for index in torch.randint(len(WORDS), (40,), generator=rng).tolist()]
    assert student.tally(" ".join(words)) == {word: words.count(word) for word in words}


@pytest.mark.marks(2)
@pytest.mark.timeout(1)
def test_softmax(student, reference, rng):
    """`softmax` is that of each row."""
    logits = 4 * torch.randn(5, 7, generator=rng)
    assert_close_to(student.softmax(logits), reference.softmax(logits))


@pytest.mark.marks(2)
@pytest.mark.timeout(1)
def test_scale(student, rng):
    """`Scale` multiplies by its parameter."""
    factor, x = torch.randn(3, generator=rng), torch.randn(4, 3, generator=rng)
    net = student.Scale(3)
    net.load_state_dict({"factor": factor})
    assert_close_to(net(x), x * factor)


@pytest.mark.marks(2)
@pytest.mark.timeout(1)
def test_fit(student, rng):
    """`fit` finds weights of a small error."""
    x, truth = torch.randn(30, 3, generator=rng), torch.randn(3, generator=rng)
    y = x @ truth
    weight = student.fit(x, y)
    assert_shape(weight, (3,))
    assert float(((x @ weight.to(torch.float32) - y) ** 2).mean()) < 1e-4
