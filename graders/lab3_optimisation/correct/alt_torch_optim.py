"""Optimisers as PyTorch's own are built: torch.optim.Optimizer below them, state and settings in its places."""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, SequentialLR
from torch.utils.data import BatchSampler, DataLoader, RandomSampler


class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay))

    lr = property(lambda self: self.param_groups[0]["lr"], lambda self, value: self.param_groups[0].update(lr=value))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            mu = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad.add(p, alpha=group["weight_decay"])
                if mu:
                    buffer = self.state[p].get("momentum_buffer")
                    buffer = self.state[p]["momentum_buffer"] = d.clone() if buffer is None else buffer.mul_(mu).add_(d)
                    d = d.add(buffer, alpha=mu) if group["nesterov"] else buffer
                p.add_(d, alpha=-group["lr"])


class Adagrad(torch.optim.Optimizer):
    def __init__(self, params, lr, eps=1e-10, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, eps=eps, weight_decay=weight_decay))
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"] = torch.full_like(p, 0.0)

    lr = property(lambda self: self.param_groups[0]["lr"], lambda self, value: self.param_groups[0].update(lr=value))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    d = p.grad.add(p, alpha=group["weight_decay"])
                    self.state[p]["sum"].addcmul_(d, d)
                    p.addcdiv_(d, self.state[p]["sum"].sqrt().add_(group["eps"]), value=-group["lr"])


class Adam(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    lr = property(lambda self: self.param_groups[0]["lr"], lambda self, value: self.param_groups[0].update(lr=value))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            one, two = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                s = self.state[p]
                if not s:
                    s.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                s["step"] += 1
                d = p.grad.add(p, alpha=group["weight_decay"])
                s["exp_avg"].lerp_(d, 1 - one)
                s["exp_avg_sq"].mul_(two).addcmul_(d, d, value=1 - two)
                denominator = (s["exp_avg_sq"].sqrt() / (1 - two ** s["step"]) ** 0.5).add_(group["eps"])
                p.addcdiv_(s["exp_avg"], denominator, value=-group["lr"] / (1 - one ** s["step"]))


def batches(n, batch_size):
    sampler = BatchSampler(RandomSampler(range(n)), batch_size, drop_last=False)
    return [torch.tensor(index) for index in sampler]


def cosine_rate(epoch, epochs, lr, warmup=0):
    optimiser = SGD([torch.zeros(1)], lr)
    if warmup:
        gentle = LambdaLR(optimiser, lambda e: (e + 1) / warmup)
        schedule = SequentialLR(optimiser, [gentle, CosineAnnealingLR(optimiser, epochs - warmup)], [warmup])
    else:
        schedule = CosineAnnealingLR(optimiser, epochs)
    for _ in range(epoch):
        optimiser.step()
        schedule.step()
    return float(optimiser.lr)


def minimise(loss, optimiser, steps):
    history = []

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        history.append(value.item())
        return value

    for _ in range(steps):
        closure()
        optimiser.step()
    return history


def train(model, loss, x, y, optimiser, schedule, epochs, batch_size):
    losses, rates = [], []
    data = torch.utils.data.TensorDataset(x, y)
    for epoch in range(epochs):
        optimiser.lr = schedule(epoch)
        for x_batch, y_batch in DataLoader(data, batch_size=batch_size, shuffle=True):
            value = loss(model(x_batch), y_batch)
            for group in optimiser.param_groups:
                for p in group["params"]:
                    p.grad = None
            value.backward()
            optimiser.step()
            losses.append(value.item())
            rates.append(optimiser.lr)
    return losses, rates
