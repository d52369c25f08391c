"""Softmax through its logarithm, a sigmoid by cases, the best low rank from the eigenvectors of a.T @ a."""

import torch


def softmax(logits):
    return torch.nn.functional.log_softmax(logits, dim=-1).exp()


def linreg_grad(theta, x, y):
    y = y if y.ndim == 1 else y[:, 0]
    return torch.matmul(x.transpose(0, 1), torch.matmul(x, theta).sub(y))


def logreg_grad(theta, x, y):
    z = x @ theta
    p = torch.where(z >= 0, 1 / (1 + torch.exp(-z.abs())), torch.exp(-z.abs()) / (1 + torch.exp(-z.abs())))
    return ((p - y)[:, None] * x).sum(dim=0)


def softreg_grad(theta, x, labels):
    log_p = torch.nn.functional.log_softmax(x @ theta, dim=1)
    p = log_p.exp()
    p[torch.arange(len(labels)), labels] -= 1
    return x.t().mm(p)


def truncated_svd(a, rank):
    values, vectors = torch.linalg.eigh(a.T @ a)
    leading = vectors[:, values.argsort(descending=True)[:rank]]
    return a @ leading @ leading.T


def factorise(a, mask, rank, epochs=200, lr=0.05):
    m, n = a.shape
    u, v = torch.rand(m, rank).to(a), torch.rand(n, rank).to(a)
    known = [(r, c) for r in range(m) for c in range(n) if mask[r, c] == 1]
    for _ in range(epochs):
        for r, c in known:
            e = a[r, c] - (u[r] * v[c]).sum()
            u[r] += lr * e * v[c]
            v[c] += lr * e * u[r]
    return u, v


def standardise(train, test):
    mean = train.sum(dim=0) / len(train)
    std = ((train - mean).square().sum(dim=0) / (len(train) - 1)).sqrt()
    return [(part - mean) / std for part in (train, test)]
