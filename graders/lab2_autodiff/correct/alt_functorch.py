"""torch.func for Jacobian and descent; gradients of the moment by autograd.grad."""

import torch


def descend(a, u, v, steps, lr):
    def loss(u, v):
        return ((a - u @ v.T) ** 2).sum()

    for _ in range(steps):
        du, dv = torch.func.grad(loss, argnums=(0, 1))(u, v)
        u, v = u - lr * du, v - lr * dv
    return u, v


def jacobian(w, x):
    return torch.func.jacrev(lambda p: torch.tanh(w @ p))(x)


def second_moment_gradient(mu, sigma, samples):
    p = torch.tensor([mu, sigma], requires_grad=True)
    z = p[0] + p[1] * torch.randn(samples)
    g = torch.autograd.grad((z * z).mean(), p)[0]
    return g[0].item(), g[1].item()
