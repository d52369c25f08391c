"""Figures of a quiz's item analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assessor.quizzes.items import EASY, HARD, WEAK, Item
from assessor.reports.figures import BLUE, INK, RED, SOFT, figure

NAMED = 10
"""So many of the worst are named in a figure; more would stand on one another."""


def totals(percents: Sequence[float], mean: float, sem: float | None) -> bytes:
    """How the totals lie; a grey band of one standard error of measurement about the mean."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        axes.hist(percents, bins=range(0, 105, 5), color=BLUE, alpha=0.75, edgecolor="white")
        axes.axvline(mean, color=RED, lw=1.4)
        if sem is not None:
            axes.axvspan(mean - sem, mean + sem, color=SOFT, alpha=0.25, zorder=0)
        title = "Totals; band: one standard error of measurement"
        axes.set(title=title, xlabel="% of the marks", ylabel="students", xlim=(0, 100))

    return figure(draw, 6.6, 2.7)


def difficulty(items: Sequence[Item]) -> bytes:
    """Each question by how easy it was and how well it told students apart; the worst of those with a flag are named."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        known = [item for item in items if item.discrimination is not None]
        axes.axvspan(HARD, EASY, color=SOFT, alpha=0.12, zorder=0)
        axes.axhline(100 * WEAK, color=SOFT, ls=":", lw=1)
        axes.axhline(0, color=INK, lw=0.8)
        for flagged, colour, marker in ((False, BLUE, "o"), (True, RED, "D")):
            own = [item for item in known if bool(item.flags) is flagged]
            axes.scatter([item.facility for item in own], [item.discrimination for item in own], c=colour, marker=marker, s=22)
        flagged_ones = [item for item in known if item.flags]
        for item in sorted(flagged_ones, key=lambda item: item.discrimination or 0)[:NAMED]:
            place = (item.facility, item.discrimination or 0)
            axes.annotate(item.name, place, xytext=(4, 3), textcoords="offset points", fontsize=7)
        axes.set(title="Facility and discrimination", xlabel="facility", ylabel="discrimination, %", xlim=(-0.02, 1.02))

    return figure(draw, 6.6, 3.6)


def curve(means: Sequence[float], errors: Sequence[float]) -> bytes:
    """Mean mark of a question in each fifth of the students, by the rest of their paper: it should rise."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        axes.errorbar(range(1, len(means) + 1), means, yerr=errors, fmt="o-", color=BLUE, ecolor=SOFT, capsize=2, ms=3)
        axes.set(ylim=(-0.05, 1.05), xticks=range(1, len(means) + 1), yticks=(0, 0.5, 1))
        axes.tick_params(labelsize=6)

    return figure(draw, 1.5, 0.9)
