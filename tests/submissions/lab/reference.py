"""What the hidden tests compare with."""

from __future__ import annotations

import torch
from torch import Tensor

SECRET = "@CANARY@"


def softmax(logits: Tensor) -> Tensor:
    """Each row's.

    Shape:
        logits: (N, C)
    """
    return torch.softmax(logits, dim=1)
