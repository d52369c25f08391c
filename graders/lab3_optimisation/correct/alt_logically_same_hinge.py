"""The hinge by cases, and other roads to the same: loops over examples, half-angle formulas, algebra."""

import math

import torch


def rastrigin(x, a=10.0):
    total = 0.0
    for i in range(x.shape[-1]):
        coordinate = x[..., i]
        total = total + coordinate**2 + 2 * a * torch.sin(math.pi * coordinate) ** 2
    return total


def hinge(scores, y):
    scores = scores.squeeze(1) if scores.ndim == 2 else scores
    margin = scores * y.to(scores.dtype)
    return torch.where(margin >= 1, torch.zeros_like(margin), 1 - margin).mean()


def batches(n, batch_size):
    left, found = torch.randperm(n).tolist(), []
    while left:
        found.append(torch.tensor(left[:batch_size]))
        left = left[batch_size:]
    return tuple(found)


def cosine_rate(epoch, epochs, lr, warmup=0):
    rates = [lr * (e + 1) / warmup for e in range(warmup)]
    rates += [lr * (1 - math.sin(math.pi * e / (2 * (epochs - warmup))) ** 2) for e in range(epochs - warmup)]
    return rates[epoch]


def fit_svm(x, y, lam, lr, epochs, batch_size):
    w = torch.nn.Parameter(torch.zeros(x.shape[1], 1, dtype=x.dtype))
    b = torch.nn.Parameter(torch.zeros(1, dtype=x.dtype))
    optimiser = SGD([w], lr, weight_decay=lam), SGD([b], lr)
    for _ in range(epochs):
        for index in batches(len(x), batch_size):
            for one in optimiser:
                one.zero_grad()
            hinge(x[index] @ w + b, y[index]).backward()
            for one in optimiser:
                one.step()
    with torch.no_grad():
        return w[:, 0].clone(), b[0].clone()


def quadratic(kappa, alpha=0.0):
    c, s = math.cos(alpha), math.sin(alpha)
    h = torch.tensor([[c * c + kappa * s * s, (1 - kappa) * c * s], [(1 - kappa) * c * s, s * s + kappa * c * c]], dtype=torch.float64)

    def f(x):
        return 0.5 * torch.dot(x, h.to(x) @ x)

    return f


def steps_needed(start, loss, make_optimiser, tolerance, limit=20_000):
    x = start.detach().clone().requires_grad_(True)
    optimiser = make_optimiser([x])
    step = 0
    while step < limit:
        value = loss(x)
        if value <= tolerance:
            break
        (gradient,) = torch.autograd.grad(value, x)
        x.grad = gradient
        optimiser.step()
        step += 1
    return step
