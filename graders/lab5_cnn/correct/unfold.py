"""All patches into one matrix, a training loop by hand, Sequential throughout, running sums for the errors."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def output_size(length, kernel_size, stride=1, padding=0):
    return int((length + 2 * padding - kernel_size) / stride + 1)


def convolve(x, weight, bias=None, stride=1, padding=0):
    n, _, h, w = x.shape
    c_out, _, kh, kw = weight.shape
    patches = F.unfold(x, (kh, kw), stride=stride, padding=padding)
    y = weight.reshape(c_out, -1) @ patches
    if bias is not None:
        y = y + bias.reshape(1, -1, 1)
    return y.reshape(n, c_out, output_size(h, kh, stride, padding), output_size(w, kw, stride, padding))


def preprocess(pictures):
    return torch.div(pictures[:, None], 255.0).to(torch.float32)


class DigitCNN(nn.Sequential):
    def __init__(self, n_classes=10):
        super().__init__(
            nn.Conv2d(1, 8, kernel_size=3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(8, 16, kernel_size=3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(n_classes),
        )
        self(torch.zeros(1, 1, 8, 8))


def fit(model, inputs, targets, criterion, epochs, batch_size=32, lr=0.01):
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    history = []
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(inputs), device=inputs.device).split(batch_size):
            optimiser.zero_grad()
            loss = criterion(model(inputs[batch]), targets[batch])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return history


class BatchNorm(nn.Module):
    def __init__(self, n_channels, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))
        self.eps = eps
        self.momentum = momentum

    def forward(self, x):
        per_channel = x.transpose(0, 1).flatten(1)
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean = per_channel.mean(1)
            var = per_channel.var(1, correction=0)
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean.detach()
            self.running_var = (1 - m) * self.running_var + m * per_channel.detach().var(1)
        shape = (1, -1, 1, 1)
        normal = (x - mean.view(shape)) * torch.rsqrt(var.view(shape) + self.eps)
        return self.weight.view(shape) * normal + self.bias.view(shape)


def rms_errors(model, inputs, targets, batch_size=100):
    was_training = model.training
    model.eval()
    total = 0
    with torch.inference_mode():
        for start in range(0, len(inputs), batch_size):
            stop = start + batch_size
            total = total + ((model(inputs[start:stop]) - targets[start:stop]) ** 2).sum(0)
    if was_training:
        model.train()
    return (total / len(inputs)).sqrt().clone()
