"""Reference for lab 1: tensors, gradients by hand, singular values."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax(logits: Tensor) -> Tensor:
    """Row-wise softmax, shifted by the row's maximum.

    Shape:
        logits: (N, K); result: (N, K)
    """
    exponentials = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def linreg_grad(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of 0.5 * sum((x theta - y)^2).

    Shape:
        theta: (D,); x: (N, D); y: (N,) or (N, 1); result: (D,)
    """
    return x.T @ (x @ theta - y.reshape(-1))


def logreg_grad(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the summed cross-entropy of logistic regression.

    Shape:
        theta: (D,); x: (N, D); y: (N,); result: (D,)
    """
    return x.T @ (torch.sigmoid(x @ theta) - y)


def softreg_grad(theta: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """Gradient of the summed cross-entropy of softmax regression.

    Shape:
        theta: (D, K); x: (N, D); labels: (N,) int64; result: (D, K)
    """
    target = torch.nn.functional.one_hot(labels, theta.shape[1]).to(theta.dtype)
    return x.T @ (softmax(x @ theta) - target)


def softreg_loss(theta: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy of softmax regression, whose gradient `softreg_grad` is."""
    return torch.nn.functional.cross_entropy(x @ theta, labels, reduction="sum")


def pinv(x: Tensor, tau: float = 1e-5) -> Tensor:
    """Moore-Penrose pseudo-inverse with a relative cut-off.

    Shape:
        x: (N, D); result: (D, N)

    Source:
        Golub and Van Loan, Matrix Computations, section 5.5.2.
    """
    return torch.linalg.pinv(x, rtol=tau)


def linreg_loss(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Half the summed squared error, whose gradient `linreg_grad` is."""
    return (x @ theta - y).square().sum() / 2


def logreg_loss(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Summed cross-entropy of logistic regression, whose gradient `logreg_grad` is."""
    return torch.nn.functional.binary_cross_entropy_with_logits(x @ theta, y, reduction="sum")


def truncated_svd(a: Tensor, rank: int) -> Tensor:
    """Nearest matrix of a rank.

    Source:
        Eckart and Young, Psychometrika 1 (1936).
    """
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:rank]


def factorise(
    a: Tensor, mask: Tensor, start: tuple[Tensor, Tensor], epochs: int, lr: float, *, old: bool
) -> tuple[Tensor, Tensor]:
    """Stochastic gradient descent on the known entries, row by row, from given factors.

    Args:
        old: V_c moves by the U_r of before its update, as the gradient has it, and not by the new one.

    Shape:
        a, mask: (M, N); start and result: (M, R) and (N, R)

    Source:
        Funk, Netflix update: try this at home (2006).
    """
    u, v = (factor.clone() for factor in start)
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e, before = a[r, c] - u[r] @ v[c], u[r].clone()
            u[r] += lr * e * v[c]
            v[c] += lr * e * (before if old else u[r])
    return u, v


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets by the training set's statistics."""
    mean, std = train.mean(dim=0), train.std(dim=0)
    return (train - mean) / std, (test - mean) / std
