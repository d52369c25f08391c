"""Plain loops, and a factorisation that uses the old U_r in both updates."""

import torch


def softmax(logits):
    rows = []
    for row in logits:
        e = torch.exp(row - row.max())
        rows.append(e / e.sum())
    return torch.stack(rows)


def linreg_grad(theta, x, y):
    total = torch.zeros_like(theta)
    for row, target in zip(x, y.reshape(-1)):
        total = total + (torch.dot(row, theta) - target) * row
    return total


def softreg_grad(theta, x, labels):
    gradient = torch.zeros_like(theta)
    for row, label in zip(x, labels):
        p = softmax((row @ theta)[None])[0]
        p = p - torch.nn.functional.one_hot(label, theta.shape[1])
        gradient = gradient + torch.outer(row, p)
    return gradient


def pinv(x, tau=1e-5):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    total = torch.zeros(x.shape[1], x.shape[0], dtype=x.dtype)
    for i in range(len(s)):
        if s[i] > tau * s[0]:
            total += torch.outer(vh[i], u[:, i]) / s[i]
    return total


def factorise(a, mask, rank, epochs=200, lr=0.05):
    u = torch.rand(a.shape[0], rank)
    v = torch.rand(a.shape[1], rank)
    a = a.float()
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e = a[r, c] - torch.dot(u[r], v[c])
            old = u[r].clone()
            u[r] += lr * e * v[c]
            v[c] += lr * e * old
    return u, v
