"""Reference for lab 6: transfer learning."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.svm import SVC
from torch import Tensor, nn


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


def class_index(names: list[str]) -> dict[str, int]:
    """Classes in alphabetical order."""
    return {name: number for number, name in enumerate(sorted(set(names)))}


def normalise(x: Tensor, mean: float, std: float) -> Tensor:
    """By the statistics that the backbone was trained with."""
    return (x - mean) / std


def checkpoint_of(net: nn.Module, n_classes: int, mean: float, std: float) -> dict[str, object]:
    """What `torch.save` of a network in `nn.DataParallel` holds, as data."""
    state = {f"module.{name}": value.clone() for name, value in net.state_dict().items()}
    return {"state_dict": state, "classes": [f"old {number}" for number in range(n_classes)], "mean": mean, "std": std}


def settled(n_classes: int, width: int, rng: torch.Generator) -> GlyphNet:
    """A network as after some training: every weight, bias and statistic is a number of its own, float64."""
    net = GlyphNet(n_classes, width).double()
    state = net.state_dict()
    for name, value in state.items():
        if not value.is_floating_point():
            state[name] = torch.tensor(321)
        elif value.ndim > 1:
            state[name] = torch.randn(value.shape, generator=rng, dtype=torch.float64) / value[0].numel() ** 0.5
        else:
            spread = torch.rand(value.shape, generator=rng, dtype=torch.float64)
            state[name] = 0.5 + spread if name.endswith(("running_var", "weight")) else spread - 0.5
    net.load_state_dict(state)
    return net


def train(net: GlyphNet, optimiser: torch.optim.Optimizer, x: Tensor, target: Tensor, epochs: int, batch_size: int) -> list[float]:
    """Steps on the mean cross-entropy, batch by batch in the given order; the mean loss of each epoch.

    A backbone of which nothing is trained keeps its running statistics: it is in eval mode.
    """
    net.train()
    net.features.train(any(p.requires_grad for p in net.features.parameters()))
    history = []
    for _ in range(epochs):
        losses = []
        for places in torch.arange(len(x)).split(batch_size):
            loss = F.cross_entropy(net(x[places]), target[places])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item() * len(places))
        history.append(sum(losses) / len(x))
    return history


def svm_predict(learn: Tensor, target: Tensor, test: Tensor) -> Tensor:
    """A linear machine on features that the learning set alone has scaled."""
    mean, std = learn.mean(dim=0), learn.std(dim=0, correction=0)
    std = torch.where(std > 0, std, torch.ones_like(std))
    machine = SVC(kernel="linear", C=1.0).fit(((learn - mean) / std).numpy(), target.numpy())
    return torch.from_numpy(machine.predict(((test - mean) / std).numpy()))
