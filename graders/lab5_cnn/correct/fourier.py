"""Convolution by the Fourier transform, meshgrid in xy order, adaptive pooling, the library's loss."""

import torch
from torch import nn
from torch.nn import functional as F


def convolve(x, weight, bias=None, stride=1, padding=0):
    x = F.pad(x, (padding, padding, padding, padding))
    h, w = x.shape[-2:]
    kh, kw = weight.shape[-2:]
    spectrum = torch.fft.rfft2(x)[:, None] * torch.fft.rfft2(weight, s=(h, w)).conj()[None]
    y = torch.fft.irfft2(spectrum.sum(2), s=(h, w))[:, :, : h - kh + 1 : stride, : w - kw + 1 : stride]
    return y if bias is None else y + bias.view(-1, 1, 1)


def augment(x, max_shift, training):
    if not training or max_shift == 0:
        return x
    n, c, h, w = x.shape
    moved = torch.zeros_like(x)
    for index in range(n):
        dy = int(torch.randint(-max_shift, max_shift + 1, ()))
        dx = int(torch.randint(-max_shift, max_shift + 1, ()))
        moved[index, :, max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = x[
            index, :, max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
        ]
    return moved


def global_max_pool(x):
    return F.adaptive_max_pool2d(x, 1).flatten(1)


def add_coordinates(x):
    n, _, h, w = x.shape
    across, down = torch.meshgrid(
        torch.arange(w, device=x.device).to(x.dtype) / (w - 1), torch.arange(h, device=x.device).to(x.dtype) / (h - 1), indexing="xy"
    )
    return torch.cat((x, down.repeat(n, 1, 1, 1), across.repeat(n, 1, 1, 1)), 1)


def regression_loss(prediction, target):
    if target.ndim == 1:
        target = target[:, None]
    return F.mse_loss(prediction, target)


class LineNet(nn.Module):
    def __init__(self, kind, dim=24):
        super().__init__()
        bridge = nn.Sequential(nn.MaxPool2d(2), nn.Flatten()) if kind == "plain" else nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())
        width = 16 * (dim // 4) * (dim // 4) if kind == "plain" else 16
        self.with_coordinates = kind == "coords"
        self.net = nn.Sequential(
            nn.Conv2d(1 + 2 * self.with_coordinates, 8, 3, 1, 1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, 1, 1),
            nn.ReLU(),
            bridge,
            nn.Linear(width, 32),
            nn.ReLU(),
            nn.Linear(32, 2),
        )

    def forward(self, x):
        return self.net(add_coordinates(x) if self.with_coordinates else x)
