"""Loops over places and pictures, reshape for pooling, Torchbearer's with_train_data, a callable trial."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import torchbearer
from torchbearer import Trial


def output_size(length, kernel_size, stride=1, padding=0):
    return math.floor((length - kernel_size + 2 * padding) / stride) + 1


def convolve(x, weight, bias=None, stride=1, padding=0):
    kh, kw = weight.shape[2], weight.shape[3]
    framed = x.new_zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding)
    framed[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    lines = []
    for i in range(0, framed.shape[2] - kh + 1, stride):
        line = []
        for j in range(0, framed.shape[3] - kw + 1, stride):
            patch = framed[:, None, :, i : i + kh, j : j + kw]
            line.append((patch * weight[None]).sum(dim=(2, 3, 4)))
        lines.append(torch.stack(line, dim=-1))
    y = torch.stack(lines, dim=-2)
    if bias is not None:
        y = y + bias[None, :, None, None]
    return y


def augment(x, max_shift, training):
    if training is False:
        return x
    pictures = []
    for picture in x:
        dy, dx = torch.randint(-max_shift, max_shift + 1, (2,)).tolist()
        picture = torch.roll(picture, (dy, dx), dims=(1, 2))
        if dy > 0:
            picture[:, :dy] = 0
        if dy < 0:
            picture[:, dy:] = 0
        if dx > 0:
            picture[:, :, :dx] = 0
        if dx < 0:
            picture[:, :, dx:] = 0
        pictures.append(picture)
    return torch.stack(pictures)


class DigitCNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.fc = nn.Linear(16 * 2 * 2, n_classes)
        self.second = nn.Conv2d(8, 16, (3, 3), padding=(1, 1))
        self.first = nn.Conv2d(1, 8, (3, 3), padding=(1, 1))

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.first(x), 2))
        x = F.relu(F.max_pool2d(self.second(x), 2))
        return self.fc(x.reshape(x.shape[0], -1))


def fit(model, inputs, targets, criterion, epochs, batch_size=32, lr=0.01):
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    trial = Trial(model, optimiser, criterion, metrics=["loss"], verbose=0).to(inputs.device)
    trial.with_train_data(inputs, targets, batch_size=batch_size, shuffle=True, num_workers=0)
    history = trial.run(epochs)
    return [float(row[str(torchbearer.LOSS)]) for row in history]


class BatchNorm(nn.Module):
    def __init__(self, n_channels, eps=1e-5, momentum=0.1):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.full((n_channels,), 1.0)))
        self.register_parameter("bias", nn.Parameter(torch.full((n_channels,), 0.0)))
        self.register_buffer("running_mean", torch.full((n_channels,), 0.0))
        self.register_buffer("running_var", torch.full((n_channels,), 1.0))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        if self.training:
            self.num_batches_tracked += 1
            n = x.shape[0] * x.shape[2] * x.shape[3]
            mean = x.sum((0, 2, 3), keepdim=True) / n
            var = ((x - mean) ** 2).sum((0, 2, 3), keepdim=True) / n
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean.detach().flatten())
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * n / (n - 1) * var.detach().flatten())
        else:
            mean = self.running_mean[None, :, None, None]
            var = self.running_var[None, :, None, None]
        x = (x - mean) / torch.sqrt(var + self.eps)
        return x * self.weight[None, :, None, None] + self.bias[None, :, None, None]


def global_max_pool(x):
    return x.reshape(x.shape[0], x.shape[1], -1).max(dim=-1)[0]


def add_coordinates(x):
    n, c, h, w = x.shape
    extended = torch.empty((n, c + 2, h, w), dtype=x.dtype, device=x.device)
    extended[:, :c] = x
    for i in range(h):
        extended[:, c, i, :] = i / (h - 1)
    for j in range(w):
        extended[:, c + 1, :, j] = j / (w - 1)
    return extended


def rms_errors(model, inputs, targets, batch_size=100):
    judged = copy.deepcopy(model).eval()
    with torch.no_grad():
        squares = [
            (judged(x) - y) ** 2 for x, y in zip(torch.split(inputs, batch_size), torch.split(targets, batch_size))
        ]
    return torch.cat(squares).mean(0) ** 0.5


class LineNet(nn.Module):
    def __init__(self, kind, dim=24):
        super().__init__()
        if kind not in ("plain", "gmp", "coords"):
            raise ValueError(f"unknown kind {kind!r}")
        self.kind = kind
        channels = {"plain": 1, "gmp": 1, "coords": 3}[kind]
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)])
        size = 16 * dim * dim // 16 if kind == "plain" else 16
        self.fc = nn.ModuleDict({"hidden": nn.Linear(size, 32), "out": nn.Linear(32, 2)})

    def forward(self, x):
        if self.kind == "coords":
            x = add_coordinates(x)
        x = torch.max_pool2d(torch.relu(self.convolutions[0](x)), 2)
        x = torch.relu(self.convolutions[1](x))
        if self.kind == "plain":
            x = torch.max_pool2d(x, 2).flatten(start_dim=1)
        else:
            x = global_max_pool(x)
        return self.fc["out"](torch.relu(self.fc["hidden"](x)))
