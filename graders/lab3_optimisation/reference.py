"""Reference for lab 3: optimisers as PyTorch has them, losses and schedules written apart from the notebook."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def rastrigin(x: Tensor, a: float = 10.0) -> Tensor:
    """Rastrigin's function of the last axis.

    Shape:
        x: (..., n); result: (...)

    Source:
        Hoffmeister and Baeck, Genetic algorithms and evolution strategies (1991), in n dimensions.
    """
    return (a + x.square() - a * (2 * math.pi * x).cos()).sum(dim=-1)


def trajectory(
    name: str, start: Sequence[Tensor], gradients: Sequence[Sequence[Tensor | None]], *, pile_up: bool = False, **settings: object
) -> list[list[Tensor]]:
    """Values of the parameters after each step of an optimiser of torch.optim, given the gradients.

    Args:
        name: 'SGD', 'Adagrad' or 'Adam'.
        gradients: for each step one for each parameter, None for one that has none.
        pile_up: each step's gradients are added to those before, as without zero_grad().
    """
    parameters = [nn.Parameter(value.clone()) for value in start]
    optimiser = getattr(torch.optim, name)(parameters, foreach=False, **settings)
    found = []
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            if gradient is not None:
                before = parameter.grad if pile_up and parameter.grad is not None else torch.zeros_like(gradient)
                parameter.grad = before + gradient
        optimiser.step()
        found.append([parameter.detach().clone() for parameter in parameters])
    return found


def minimise(loss: Callable[[], Tensor], optimiser: torch.optim.Optimizer, steps: int) -> list[float]:
    """Losses before each step. Changes the parameters."""
    history = []
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        history.append(float(value))
        optimiser.step()
    return history


def cosine_rate(epoch: int, epochs: int, lr: float, warmup: int = 0) -> float:
    """Linear warm-up, then half a cosine.

    Source:
        Loshchilov and Hutter, SGDR (2017), equation 5 with one period; Goyal et al., Accurate, large minibatch SGD
        (2017), section 2.2.
    """
    if epoch < warmup:
        return lr * (epoch + 1) / warmup
    share = (epoch - warmup) / (epochs - warmup)
    return lr * math.cos(math.pi * share / 2) ** 2


def hinge(scores: Tensor, y: Tensor) -> Tensor:
    """Mean hinge loss.

    Shape:
        scores: (N,); y: (N,) of -1 and +1; result: ()
    """
    return torch.relu(1 - y * scores).mean()


def hinge_slope(scores: Tensor, y: Tensor) -> Tensor:
    """Derivative of the mean hinge loss with respect to the scores: -y / N inside the margin, else 0.

    Shape:
        scores, y, result: (N,)
    """
    return torch.where(y * scores < 1, -y / len(y), torch.zeros_like(scores))


def fit_svm(x: Tensor, y: Tensor, lam: float, lr: float, steps: int) -> tuple[Tensor, Tensor]:
    """Subgradient descent on the regularised hinge loss of all examples, from zero, gradients by hand.

    Shape:
        x: (N, D); y: (N,); result: (D,) and ()

    Source:
        Shalev-Shwartz et al., Pegasos (2011), section 2, with a bias and a constant rate.
    """
    w, b = torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    for _ in range(steps):
        slope = hinge_slope(x @ w + b, y)
        w, b = w - lr * (slope @ x + lam * w), b - lr * slope.sum()
    return w, b


def valley(x: Tensor, kappa: float, alpha: float) -> Tensor:
    """Half of x^T H x, H with eigenvalue 1 along (cos alpha, sin alpha) and kappa across.

    Shape:
        x: (2,); result: ()
    """
    return x @ hessian(kappa, alpha) @ x / 2


def hessian(kappa: float, alpha: float) -> Tensor:
    """H of `valley`.

    Shape:
        (2, 2) float64
    """
    along = torch.tensor([math.cos(alpha), math.sin(alpha)], dtype=torch.float64)
    across = torch.tensor([-math.sin(alpha), math.cos(alpha)], dtype=torch.float64)
    return torch.outer(along, along) + kappa * torch.outer(across, across)


def losses_of_descent(start: Tensor, target: Tensor, lr: float, steps: int) -> list[float]:
    """Mean squared distance to the target before each step of gradient descent on it, and after the last.

    Shape:
        start, target: (D,)
    """
    return [float((start - target).square().mean()) * (1 - 2 * lr / len(start)) ** (2 * step) for step in range(steps + 1)]
