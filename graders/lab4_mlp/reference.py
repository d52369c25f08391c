"""Reference for lab 4: multilayer perceptrons, their training and their evaluation, written apart from the notebook."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MOMENTUM = 0.9


def mlp(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Logits of a fully connected network with ReLU between its layers.

    Shape:
        x: (N, D_0); weights: (D_l, D_l-1) each; biases: (D_l,) each; result: (N, D_L)
    """
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = x @ weight.T + bias
        if layer < len(weights) - 1:
            x = x.clamp_min(0)
    return x


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy.

    Shape:
        logits: (N, K); target: (N,) int64; result: ()
    """
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_probabilities = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probabilities[torch.arange(len(target)), target].mean()


def cross_entropy_slope(logits: Tensor, target: Tensor) -> Tensor:
    """Derivative of the mean cross-entropy with respect to the logits: (softmax - one-hot) / N.

    Shape:
        logits: (N, K); target: (N,) int64; result: (N, K)
    """
    one_hot = nn.functional.one_hot(target, logits.shape[1])
    return (logits.softmax(dim=1) - one_hot) / len(target)


def train(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], epochs: int, lr: float) -> list[float]:
    """SGD with momentum in train mode, its buffers by hand. Changes the model.

    Returns:
        mean loss over the examples of each epoch, before each step.

    Source:
        Sutskever et al., On the importance of initialization and momentum in deep learning (2013), in PyTorch's form:
        buffer <- 0.9 buffer + gradient; parameter <- parameter - lr buffer.
    """
    parameters = list(model.parameters())
    buffers = [torch.zeros_like(parameter) for parameter in parameters]
    history = []
    batches = list(batches)
    model.train()
    for _ in range(epochs):
        total = 0.0
        for x, target in batches:
            loss = cross_entropy(model(x), target)
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, buffer, gradient in zip(parameters, buffers, gradients, strict=True):
                    buffer.mul_(MOMENTUM).add_(gradient)
                    parameter.sub_(lr * buffer)
            total += loss.item() * len(x)
        history.append(total / sum(len(x) for x, _ in batches))
    return history


def accuracy(logits: Tensor, target: Tensor) -> float:
    """Share of rows whose largest logit is that of the target.

    Shape:
        logits: (N, K); target: (N,) int64
    """
    return int((logits.max(dim=1).indices == target).sum()) / len(target)


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counts of (right class, predicted class).

    Shape:
        predicted, target: (N,) int64; result: (K, K) int64
    """
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for row, column in zip(target.tolist(), predicted.tolist(), strict=True):
        matrix[row, column] += 1
    return matrix


def recall(matrix: Tensor) -> Tensor:
    """Diagonal over the sums of the rows; NaN where a row is empty.

    Shape:
        matrix: (K, K) int64; result: (K,) float64
    """
    return matrix.diagonal().double() / matrix.sum(dim=1)


def spirals(n: int, arms: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points on arms that wind around each other, and which arm each is on.

    Shape:
        (n, 2) float32 and (n,) int64
    """
    label = torch.arange(n) % arms
    radius = torch.rand(n, generator=rng).sqrt()
    angle = 4 * radius + 2 * torch.pi * label / arms
    place = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return place + 0.03 * torch.randn(n, 2, generator=rng), label
