"""Layers by setattr and Kaiming's start, momentum by hand, inference mode, predictions collected first, Trial's own evaluation first."""

import torch
import torchbearer
from torch import nn
from torchbearer import Trial


class MLP(nn.Module):
    def __init__(self, sizes, p=0.0):
        super().__init__()
        self.depth = len(sizes) - 1
        self.drop = nn.Dropout(p)
        for i in range(self.depth):
            layer = nn.Linear(sizes[i], sizes[i + 1])
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
            setattr(self, f"fc{i}", layer)

    def forward(self, x):
        for i in range(self.depth):
            x = getattr(self, f"fc{i}")(x)
            if i < self.depth - 1:
                x = torch.relu(self.drop(x))
        return x


def dropout(x, p, training):
    if not training:
        return x
    mask = (torch.rand_like(x) > p).to(x.dtype)
    return x * mask / max(1 - p, 1e-12)


def train(model, loader, epochs, lr):
    model.train()
    params = list(model.parameters())
    velocity = [torch.zeros_like(q) for q in params]
    history = []
    for _ in range(epochs):
        seen, total = 0, 0.0
        for x, t in loader:
            x, t = x.to(params[0].device), t.to(params[0].device)
            losses = nn.functional.cross_entropy(model(x), t, reduction="none")
            grads = torch.autograd.grad(losses.mean(), params)
            with torch.no_grad():
                for q, v, g in zip(params, velocity, grads):
                    v.mul_(0.9).add_(g)
                    q -= lr * v
            total += losses.sum().item()
            seen += len(losses)
        history.append(total / seen)
    return history


def accuracy(model, loader):
    mode = model.training
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        hits = [model(x.to(device)).max(dim=-1)[1].cpu() == t for x, t in loader]
    model.train(mode)
    return torch.cat(hits).float().mean().item()


def confusion(predicted, target, classes):
    right = nn.functional.one_hot(target, classes)
    said = nn.functional.one_hot(predicted, classes)
    return (right[:, :, None] * said[:, None, :]).sum(0)


def recall(matrix):
    return torch.tensor([matrix[i, i].item() / matrix[i].sum().item() if matrix[i].sum() > 0 else float("nan")
                         for i in range(len(matrix))])


def fit_trial(model, train_loader, test_loader, epochs, lr):
    device = str(next(model.parameters()).device)
    trial = Trial(model, torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9), nn.functional.cross_entropy,
                  metrics=["loss", "accuracy"], verbose=0).to(device)
    trial.with_train_generator(train_loader).with_test_generator(test_loader)
    losses = [h["loss"] for h in trial.run(epochs)]
    return losses, trial.evaluate(data_key=torchbearer.TEST_DATA)["test_acc"]


def width_experiment(training, testing, widths, seeds, epochs=60, lr=0.2, classes=10):
    rows = []
    for s in seeds:
        row = []
        for w in widths:
            torch.manual_seed(s)
            net = MLP([training[0].size(1), w, classes]).to(device)
            train(net, DataLoader(TensorDataset(*training), 50, shuffle=True), epochs, lr)
            row.append([accuracy(net, DataLoader(TensorDataset(*d), 1000)) for d in (training, testing)])
        rows.append(row)
    return torch.tensor(rows)
