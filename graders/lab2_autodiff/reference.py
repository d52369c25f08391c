"""Reference for lab 2: automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor


def derivative(function: object, point: float) -> tuple[float, float]:
    """Value and derivative of a scalar function of torch operations, in float64."""
    x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    y = function(x)  # type: ignore[operator]
    (slope,) = torch.autograd.grad(y, x)
    return y.item(), slope.item()


def descend(a: Tensor, u: Tensor, v: Tensor, steps: int, lr: float) -> tuple[Tensor, Tensor]:
    """Gradient descent on sum((a - u v^T)^2), gradients by hand.

    Shape:
        a: (M, N); u: (M, R); v: (N, R)
    """
    for _ in range(steps):
        residual = a - u @ v.T
        u, v = u + 2 * lr * residual @ v, v + 2 * lr * residual.T @ u
    return u, v


def swish(x: Tensor) -> Tensor:
    """x * sigmoid(x).

    Source:
        Ramachandran, Zoph and Le, Searching for activation functions (2017).
    """
    return torch.nn.functional.silu(x)


def swish_slope(x: Tensor) -> Tensor:
    """Derivative of swish."""
    s = torch.sigmoid(x)
    return s + x * s * (1 - s)


def jacobian(w: Tensor, x: Tensor) -> Tensor:
    """Jacobian of tanh(w x): (1 - tanh^2) on the rows of w.

    Shape:
        w: (O, I); x: (I,); result: (O, I)
    """
    return (1 - torch.tanh(w @ x).square())[:, None] * w
