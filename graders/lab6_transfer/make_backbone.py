"""Makes assignments/lab6_transfer/data/backbone.pt: a small network that reads printed letters and has never seen a digit.

    python graders/lab6_transfer/make_backbone.py assignments/lab6_transfer/data/backbone.pt

takes about two minutes of one CPU core. The letters are those of the fonts that come with matplotlib, drawn once at 64 x 64,
then turned, sheared, scaled, moved and blurred at random and averaged down to the 8 x 8 grey levels of scikit-learn's digits.

The same machine and the same versions of torch and matplotlib give the same bytes (seeded, one thread). Others may give
other roundings and so other weights, which are as good: the hidden tests draw checkpoints of their own and depend on no
number in this file. What a new file changes is the figures named in the marking guide.

The file holds what such files hold in practice: names with the "module." of a wrapper before them, the old task's head, and the
statistics by which the pictures were normalised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.ft2font import FT2Font
from reference import GlyphNet
from torch import Tensor, nn

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
"""Without the small letters that look like their capitals."""
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique", "DejaVuSansMono", "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol",
    "STIXGeneralItalic", "STIXGeneralBolIta", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
SIDE = 64
STEPS, BATCH = 2500, 256
SEED = 6


def drawn(font_name: str, letter: str) -> Tensor:
    """One letter, filling most of a square.

    Shape:
        result: (SIDE, SIDE) float32, paper 0, ink 1
    """
    font = FT2Font(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{font_name}.ttf"))
    font.set_size(48, 72)
    font.set_text(letter, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    ink = torch.from_numpy(np.array(font.get_image(), dtype=np.float32)) / 255
    rows, columns = ink.sum(1).nonzero().flatten(), ink.sum(0).nonzero().flatten()
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    scale = 52 / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    ink = F.interpolate(ink[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
    top, left = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    return F.pad(ink, (left, SIDE - size[1] - left, top, SIDE - size[0] - top))


def warped(letters: Tensor, dice: torch.Generator) -> Tensor:
    """Letters as a hand or a camera might make them.

    Shape:
        letters: (N, 1, SIDE, SIDE) 0 .. 1; result: (N, 1, 8, 8) 0 .. 1
    """
    count = len(letters)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=dice)

    angle, shear = between(-0.35, 0.35), between(-0.4, 0.4)
    wide, high = between(0.95, 1.7), between(0.9, 1.25)
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack([cos * wide, (shear * cos - sin) * high, between(-0.2, 0.2)], 1)
    others = torch.stack([sin * wide, (shear * sin + cos) * high, between(-0.2, 0.2)], 1)
    grid = F.affine_grid(torch.stack([rows, others], 1), [count, 1, SIDE, SIDE], align_corners=False)
    wave = between(-0.12, 0.12)[:, None, None] * torch.sin(3 * grid[..., 1] + 6.3 * between(0, 1)[:, None, None])
    grid = torch.stack([grid[..., 0] + wave, grid[..., 1]], -1)
    bent = F.grid_sample(letters, grid, align_corners=False)
    thick = F.max_pool2d(bent, 7, stride=1, padding=3)
    share = between(0, 1)[:, None, None, None]
    small = F.avg_pool2d(share * thick + (1 - share) * bent, 8) * between(1.0, 1.8)[:, None, None, None]
    noise = 0.04 * torch.randn(small.shape, generator=dice)
    return (small + noise).clamp(0, 1).mul(16).round() / 16


def letters_of(fonts: tuple[str, ...]) -> Tensor:
    """(len(LETTERS), len(fonts), SIDE, SIDE)."""
    return torch.stack([torch.stack([drawn(font, letter) for font in fonts]) for letter in LETTERS])


def main(path: Path) -> None:
    """Trains the network and writes the checkpoint."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    dice = torch.Generator().manual_seed(SEED)
    plates = letters_of(FONTS)

    def batch(size: int) -> tuple[Tensor, Tensor]:
        target = torch.randint(len(LETTERS), (size,), generator=dice)
        font = torch.randint(len(FONTS), (size,), generator=dice)
        return warped(plates[target, font][:, None], dice), target

    sample, _ = batch(4096)
    mean, std = sample.mean(), sample.std()
    net = GlyphNet(len(LETTERS))
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=STEPS)
    for step in range(STEPS):
        x, target = batch(BATCH)
        loss = F.cross_entropy(net((x - mean) / std), target, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    net.eval()
    x, target = batch(2000)
    right = (net((x - mean) / std).argmax(1) == target).float().mean().item()
    print(f"right on new warps: {right:.1%}")
    torch.save(
        {
            "state_dict": nn.DataParallel(net).state_dict(),
            "classes": list(LETTERS),
            "mean": round(mean.item(), 4),
            "std": round(std.item(), 4),
            "trained_on": "printed letters, 8 x 8 grey levels from 0 (paper) to 1 (ink)",
        },
        path,
    )
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
