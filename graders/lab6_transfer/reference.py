"""Reference for lab 6: transfer learning."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 8
INK = 16


class GlyphNet(nn.Module):
    """The small network that was pre-trained on printed letters; `features` is the backbone, `head` the old task's.

    Shape:
        input: (N, 1, 8, 8); features: (N, 4 width); output: (N, n_classes) logits
    """

    def __init__(self, n_classes: int, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, width), *_block(width, 2 * width), nn.MaxPool2d(2), *_block(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()]
