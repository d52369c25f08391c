"""Reference for lab 5: convolutional networks, in float64 and by other roads than the notebook's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def output_size(length: int, kernel_size: int, stride: int, padding: int) -> int:
    """Places of a kernel along one side, counted."""
    return len(range(0, length + 2 * padding - kernel_size + 1, stride))


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Cross-correlation as PyTorch has it.

    Shape:
        x: (N, C_in, H, W); weight: (C_out, C_in, kH, kW); bias: (C_out,); result: (N, C_out, H', W')
    """
    return F.conv2d(x, weight, bias, stride, padding)


def trunk(x: Tensor, weights: Mapping[tuple[int, ...], Tensor], channels: int) -> Tensor:
    """Convolution, ReLU, 2x2 max pooling, convolution, ReLU.

    Args:
        weights: parameters by their shape.

    Shape:
        x: (N, channels, H, W); result: (N, 16, H / 2, W / 2)
    """
    x = F.conv2d(x, weights[8, channels, 3, 3], weights[8,], padding=1).relu()
    x = F.max_pool2d(x, 2)
    return F.conv2d(x, weights[16, 8, 3, 3], weights[16,], padding=1).relu()


def digit_shapes(n_classes: int) -> list[tuple[int, ...]]:
    """Shapes of the parameters of the digit network."""
    return [(8, 1, 3, 3), (8,), (16, 8, 3, 3), (16,), (n_classes, 64), (n_classes,)]


def digit_logits(x: Tensor, weights: Mapping[tuple[int, ...], Tensor], n_classes: int) -> Tensor:
    """The network of the notebook's table.

    Shape:
        x: (N, 1, 8, 8); result: (N, n_classes)
    """
    features = F.max_pool2d(trunk(x, weights, 1), 2).flatten(1)
    return features @ weights[n_classes, 64].T + weights[n_classes,]


def line_shapes(kind: str, dim: int) -> list[tuple[int, ...]]:
    """Shapes of the parameters of a network that reads a line."""
    channels, width = (3 if kind == "coords" else 1), (16 * (dim // 4) ** 2 if kind == "plain" else 16)
    return [(8, channels, 3, 3), (8,), (16, 8, 3, 3), (16,), (32, width), (32,), (2, 32), (2,)]


def line_outputs(x: Tensor, weights: Mapping[tuple[int, ...], Tensor], kind: str) -> Tensor:
    """Slope and intercept as the three networks of the follow-up exercise give them.

    Shape:
        x: (N, 1, H, W); result: (N, 2)

    Source:
        Liu et al., An intriguing failing of convolutional neural networks and the CoordConv solution (2018).
    """
    if kind == "coords":
        x = add_coordinates(x)
    x = trunk(x, weights, x.shape[1])
    x = F.max_pool2d(x, 2).flatten(1) if kind == "plain" else global_max_pool(x)
    hidden = (x @ weights[32, x.shape[1]].T + weights[32,]).relu()
    return hidden @ weights[2, 32].T + weights[2,]


def global_max_pool(x: Tensor) -> Tensor:
    """Largest value of each channel: (N, C, H, W) -> (N, C)."""
    return x.flatten(2).max(dim=2).values


def add_coordinates(x: Tensor) -> Tensor:
    """Row and column from 0 to 1 as channels C and C + 1: (N, C, H, W) -> (N, C + 2, H, W)."""
    n, c, h, w = x.shape
    result = torch.zeros(n, c + 2, h, w, dtype=x.dtype)
    result[:, :c] = x
    result[:, c] = torch.arange(h, dtype=x.dtype)[:, None] / (h - 1)
    result[:, c + 1] = torch.arange(w, dtype=x.dtype) / (w - 1)
    return result


def shifts(x: Tensor, max_shift: int) -> Tensor:
    """Every picture moved by every number of rows and columns up to max_shift, zeros moving in.

    Shape:
        x: (N, C, H, W); result: ((2 max_shift + 1)^2, N, C, H, W)
    """
    h, w = x.shape[2:]
    framed = F.pad(x, [max_shift] * 4)
    places = range(2 * max_shift + 1)
    return torch.stack([framed[:, :, i : i + h, j : j + w] for i in places for j in places])


def batch_norm(eps: float, momentum: float, weight: Tensor, bias: Tensor) -> nn.BatchNorm2d:
    """PyTorch's own layer in float64, in train mode.

    Source:
        Ioffe and Szegedy, Batch normalization (2015).
    """
    norm = nn.BatchNorm2d(len(weight), eps=eps, momentum=momentum).double()
    norm.load_state_dict({**norm.state_dict(), "weight": weight, "bias": bias})
    return norm


def fit(
    model: nn.Module, inputs: Tensor, targets: Tensor, epochs: int, lr: float, criterion: Callable[[Tensor, Tensor], Tensor]
) -> list[float]:
    """Adam on the whole data set as one batch, in train mode; the loss before each step."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    losses = []
    for _ in range(epochs):
        loss = criterion(model(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def rms_errors(predictions: Tensor, targets: Tensor) -> Tensor:
    """Root mean squared error of each column: (N, K), (N, K) -> (K,)."""
    return (predictions - targets).square().mean(dim=0).sqrt()
