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


def truncated_svd(a: Tensor, rank: int) -> Tensor:
    """Nearest matrix of a rank.

    Source:
        Eckart and Young, Psychometrika 1 (1936).
    """
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:rank]


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets by the training set's statistics."""
    mean, std = train.mean(dim=0), train.std(dim=0)
    return (train - mean) / std, (test - mean) / std
