"""All parameters at once, by torch's foreach operations; batches by slicing; a schedule without math."""

import torch


class SGD(Optimiser):
    def __init__(self, params, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(params, lr)
        self.momentum, self.nesterov, self.weight_decay, self.memory = momentum, nesterov, weight_decay, {}

    @torch.no_grad()
    def step(self):
        there = [p for p in self.params if p.grad is not None]
        g = torch._foreach_add([p.grad for p in there], there, alpha=self.weight_decay)
        if self.momentum:
            b = [self.memory.setdefault(p, torch.zeros_like(p)) for p in there]
            torch._foreach_mul_(b, self.momentum)
            torch._foreach_add_(b, g)
            g = torch._foreach_add(g, b, alpha=self.momentum) if self.nesterov else b
        torch._foreach_add_(there, g, alpha=-self.lr)


class Adagrad(Optimiser):
    def __init__(self, params, lr, eps=1e-10, weight_decay=0.0):
        super().__init__(params, lr)
        self.eps, self.weight_decay, self.memory = eps, weight_decay, {}

    @torch.no_grad()
    def step(self):
        there = [p for p in self.params if p.grad is not None]
        g = torch._foreach_add([p.grad for p in there], there, alpha=self.weight_decay)
        v = [self.memory.setdefault(p, torch.zeros_like(p)) for p in there]
        torch._foreach_addcmul_(v, g, g)
        root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, self.eps)
        torch._foreach_addcdiv_(there, g, root, value=-self.lr)


class Adam(Optimiser):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr)
        self.betas, self.eps, self.weight_decay, self.memory, self.t = betas, eps, weight_decay, {}, 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        there = [p for p in self.params if p.grad is not None]
        g = torch._foreach_add([p.grad for p in there], there, alpha=self.weight_decay)
        m = [self.memory.setdefault((p, "m"), torch.zeros_like(p)) for p in there]
        v = [self.memory.setdefault((p, "v"), torch.zeros_like(p)) for p in there]
        torch._foreach_lerp_(m, g, 1 - self.betas[0])
        torch._foreach_mul_(v, self.betas[1])
        torch._foreach_addcmul_(v, g, g, 1 - self.betas[1])
        root = torch._foreach_sqrt(v)
        torch._foreach_div_(root, (1 - self.betas[1] ** self.t) ** 0.5)
        torch._foreach_add_(root, self.eps)
        torch._foreach_addcdiv_(there, m, root, value=-self.lr / (1 - self.betas[0] ** self.t))


def batches(n, batch_size):
    order = torch.rand(n).argsort()
    return [order[first : first + batch_size] for first in range(0, n, batch_size)]


def cosine_rate(epoch, epochs, lr, warmup=0):
    if epoch < warmup:
        return float(torch.linspace(0, lr, warmup + 1, dtype=torch.float64)[epoch + 1])
    angle = torch.linspace(0, torch.pi, epochs - warmup + 1, dtype=torch.float64)[epoch - warmup]
    return float(lr * (1 + torch.cos(angle)) / 2)


def train(model, loss, x, y, optimiser, schedule, epochs, batch_size):
    losses, rates = [], []
    for rate in [schedule(epoch) for epoch in range(epochs)]:
        optimiser.lr = rate
        for i in batches(x.shape[0], batch_size):
            optimiser.zero_grad()
            value = loss(model(x[i]), y[i])
            value.backward()
            optimiser.step()
            losses.append(value.detach().item())
            rates.append(rate)
    return losses, rates


def fit_svm(x, y, lam, lr, epochs, batch_size):
    w, b = x.new_zeros(x.shape[1]).requires_grad_(), x.new_zeros(()).requires_grad_()
    optimiser = SGD([w, b], lr=lr)
    for _ in range(epochs):
        for i in batches(len(y), batch_size):
            optimiser.zero_grad()
            (hinge((x[i] * w).sum(dim=1) + b, y[i]) + 0.5 * lam * w.square().sum()).backward()
            optimiser.step()
    return w.detach().clone(), b.detach().clone()


def quadratic(kappa, alpha=0.0):
    alpha = torch.tensor(alpha, dtype=torch.float64)
    turn = torch.stack([alpha.cos(), alpha.sin(), -alpha.sin(), alpha.cos()]).reshape(2, 2)
    scale = torch.tensor([1.0, kappa], dtype=torch.float64)
    return lambda x: 0.5 * (scale.to(x.dtype) * (turn.to(x.dtype) @ x).square()).sum()
