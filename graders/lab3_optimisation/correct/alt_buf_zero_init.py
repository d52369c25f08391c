"""Memories made when a gradient first comes (b_1 = g), parameters without a base class, history as a comprehension."""

import torch


class SGD:
    def __init__(self, params, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        self.params, self.lr = [*params], lr
        self.mu, self.nesterov, self.wd = momentum, nesterov, weight_decay
        self.b = [None] * len(self.params)

    def zero_grad(self):
        for p in self.params:
            if p.grad is not None:
                p.grad = torch.zeros_like(p.grad)

    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad.detach().clone()
                if self.wd != 0:
                    g = g + self.wd * p.detach()
                if self.mu != 0:
                    self.b[i] = g if self.b[i] is None else self.mu * self.b[i] + g
                    g = g + self.mu * self.b[i] if self.nesterov else self.b[i]
                p.data = p.data - self.lr * g


class Adagrad(SGD):
    def __init__(self, params, lr, eps=1e-10, weight_decay=0.0):
        super().__init__(params, lr, weight_decay=weight_decay)
        self.eps, self.v = eps, {}

    def step(self):
        for p in self.params:
            if p.grad is None:
                continue
            g = p.grad + self.wd * p.data
            self.v[id(p)] = self.v.get(id(p), 0) + g.pow(2)
            p.data.addcdiv_(g, torch.sqrt(self.v[id(p)]) + self.eps, value=-self.lr)


class Adam(SGD):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr, weight_decay=weight_decay)
        self.beta1, self.beta2 = betas
        self.eps, self.state = eps, {}

    def step(self):
        for p in self.params:
            if p.grad is None:
                continue
            g = p.grad + self.wd * p.data
            t, m, v = self.state.get(p, (0, torch.zeros_like(p.data), torch.zeros_like(p.data)))
            t, m, v = t + 1, self.beta1 * m + (1 - self.beta1) * g, self.beta2 * v + (1 - self.beta2) * g * g
            self.state[p] = t, m, v
            p.data -= self.lr * (m / (1 - self.beta1**t)) / (torch.sqrt(v / (1 - self.beta2**t)) + self.eps)


def rastrigin(x, a=10.0):
    return (a + x * x - a * torch.cos(2 * torch.pi * x)).sum(-1)


def minimise(loss, optimiser, steps):
    def one():
        value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        return float(value)

    return [one() for _ in range(steps)]


def hinge(scores, y):
    return torch.relu(1 - y * scores.flatten()).sum() / len(y)


def steps_needed(start, loss, make_optimiser, tolerance, limit=20_000):
    x = torch.nn.Parameter(start.clone())
    optimiser, count = make_optimiser([x]), 0
    while count < limit and (value := loss(x)).item() > tolerance:
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        count += 1
    return count
