"""Reuse: cross-entropy of the library, Trial for what a Trial can do, counts by scatter, a seed kept in a generator of its own."""

import torch
import torchbearer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MLP(nn.Sequential):
    def __init__(self, sizes, p=0.0):
        super().__init__()
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            if i:
                self.append(nn.ReLU(inplace=True))
                self.append(nn.Dropout(p))
            self.append(nn.Linear(a, b))


def dropout(x, p, training):
    if not training or p == 0.0:
        return x
    drop = torch.rand_like(x) < p
    return x.masked_fill(drop, 0.0) / (1 - p) if p < 1 else torch.zeros_like(x)


def cross_entropy(logits, target):
    return nn.functional.nll_loss(logits.log_softmax(-1), target)


def train(model, loader, epochs, lr):
    device = next(model.parameters()).device
    optimizer = torch.optim.SGD(list(model.parameters()), lr=lr, momentum=0.9, foreach=False)
    criterion = nn.CrossEntropyLoss(reduction="sum")
    history = [0.0] * epochs
    for epoch in range(epochs):
        model.train(True)
        count = 0
        for batch in loader:
            inputs, labels = [part.to(device) for part in batch]
            optimizer.zero_grad(set_to_none=False)
            loss = criterion(model(inputs), labels)
            (loss / len(labels)).backward()
            optimizer.step()
            history[epoch] += loss.item()
            count += len(labels)
        history[epoch] /= count
    return history


def accuracy(model, loader):
    modes = {m: m.training for m in model.modules()}
    model.eval()
    correct = total = 0
    try:
        with torch.no_grad():
            for x, y in loader:
                dev = next(model.parameters()).device
                correct += int(torch.eq(torch.argmax(model(x.to(dev)), -1).cpu(), y).sum())
                total += y.shape[0]
    finally:
        for m, was in modes.items():
            m.training = was
    return correct / total


def confusion(predicted, target, classes):
    m = torch.zeros(classes * classes, dtype=torch.int64, device=target.device)
    m.scatter_add_(0, target * classes + predicted, torch.ones_like(target))
    return m.view(classes, classes)


def recall(matrix):
    return torch.diag(matrix).to(torch.float64) / matrix.sum(1).to(torch.float64)


def fit_trial(model, train_loader, test_loader, epochs, lr):
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    trial = torchbearer.Trial(model, opt, nn.CrossEntropyLoss(), metrics=["acc", "loss"])
    trial = trial.to(next(model.parameters()).device).with_generators(train_loader, test_loader, test_loader)
    losses = []
    for epoch in range(epochs):
        losses.append(trial.run(epochs=epoch + 1, verbose=0)[-1]["loss"])
    return losses, trial.evaluate(verbose=0)["val_acc"]


def corrupt(target, fraction, classes):
    n = len(target)
    k = round(fraction * n)
    order = torch.rand(n, device=target.device).argsort()
    wrong = torch.randint(classes - 1, (n,), device=target.device)
    wrong = wrong + (wrong >= target).long()
    return torch.where(order < k, wrong, target)
