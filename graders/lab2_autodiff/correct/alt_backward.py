"""Gradients by .backward() and .grad, an optimiser for the descent, vmap-free Jacobian rows."""

import torch


def descend(a, u, v, steps, lr):
    u = torch.nn.Parameter(u.clone())
    v = torch.nn.Parameter(v.clone())
    optimiser = torch.optim.SGD([u, v], lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(u @ v.T, a, reduction="sum").backward()
        optimiser.step()
    return u.data, v.data


def jacobian(w, x):
    x = x.clone().requires_grad_()
    rows = []
    for i in range(w.shape[0]):
        x.grad = None
        torch.tanh(w[i] @ x).backward()
        rows.append(x.grad.clone())
    return torch.stack(rows)


def second_moment_gradient(mu, sigma, samples):
    mu = torch.tensor(mu, requires_grad=True)
    sigma = torch.tensor(sigma, requires_grad=True)
    loss = torch.distributions.Normal(mu, sigma).rsample((samples,)).pow(2).mean()
    loss.backward()
    return float(mu.grad), float(sigma.grad)
