"""Figures of reports: one style, readable in print, told apart by more than colour (Okabe and Ito's palette)."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

BLUE, ORANGE, GREEN, RED, INK, SOFT = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#1c2430", "#8a94a1"
STYLE = {
    "font.size": 9, "axes.edgecolor": SOFT, "axes.labelcolor": INK, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "xtick.color": INK,
    "ytick.color": INK, "svg.fonttype": "path", "svg.hashsalt": "assessor", "figure.constrained_layout.use": True,
}  # fmt: skip


def figure(draw: Callable[[Any], None], width: float, height: float) -> bytes:
    """What `draw` draws on a fresh figure of so many inches, as SVG."""
    import matplotlib  # heavy: only where a figure is drawn
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        sheet = Figure(figsize=(width, height))
        draw(sheet)
        written = io.BytesIO()
        sheet.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def data_url(svg: bytes) -> str:
    """An SVG as an image's address, the only kind that our pages may show."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
