"""The board report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from assessor.reports.figures import BLUE, INK, ORANGE, RED, SOFT, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from assessor.marking.bands import Band


def distribution(bins: Sequence[Band], boundaries: Sequence[float], title: str) -> bytes:
    """Histogram with the boundaries, and the share below the end of each bin on a second axis.

    Args:
        bins: of any width, at least one; a bar's area is its students.
    """
    edges = [float(bins[0].low), *(float(each.high) for each in bins)]
    heights = [5 * each.count / float(each.high - each.low) for each in bins]
    below = [100 * part / sum(each.count for each in bins) for part in accumulate([0, *(each.count for each in bins)])]

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        axes.bar(edges[:-1], heights, [high - low for low, high in pairwise(edges)], align="edge", color=BLUE, alpha=0.75,
                 edgecolor="white")  # fmt: skip
        _boundaries(axes, boundaries)
        axes.set(title=title, xlabel="mark, %", ylabel="students per 5 points", xlim=(0, 100))
        other = axes.twinx()
        other.plot(edges, below, color=RED, lw=1.4, marker=".", ms=5)
        other.set(ylabel="share below, %", ylim=(0, 102))
        other.spines["right"].set_visible(True)
        other.yaxis.label.set_color(RED)

    return figure(draw, 6.6, 2.9)


def boxes(groups: Mapping[str, Sequence[float]], boundaries: Sequence[float], title: str) -> bytes:
    """A box for each group, side by side, its whiskers from the lowest mark to the highest."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        names = [name for name, marks in groups.items() if marks]
        axes.boxplot(
            [list(groups[name]) for name in names], orientation="horizontal", widths=0.55, whis=(0, 100),
            medianprops={"color": RED, "lw": 1.6}, boxprops={"color": INK}, whiskerprops={"color": SOFT},
            capprops={"color": SOFT}, tick_labels=names,
        )  # fmt: skip
        _boundaries(axes, boundaries)
        axes.invert_yaxis()
        axes.set(title=title, xlabel="mark, %", xlim=(-1, 101))

    return figure(draw, 6.6, 1.1 + 0.36 * max(1, len(groups)))


def weights(nominal: Mapping[str, float], effective: Mapping[str, float]) -> bytes:
    """Bars of what each component should decide, and what it does."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        places = range(len(nominal))
        axes.barh([place - 0.19 for place in places], list(nominal.values()), 0.36, color=SOFT, label="weight")
        axes.barh([place + 0.19 for place in places], [effective[name] for name in nominal], 0.36, color=BLUE, label="effective",
                  hatch="//", edgecolor="white")  # fmt: skip
        axes.set_yticks(list(places), list(nominal))
        axes.invert_yaxis()
        axes.set(title="What decides the order of marks", xlabel="% of the module")
        axes.legend(frameon=False, loc="lower right")

    return figure(draw, 6.6, 0.9 + 0.5 * len(nominal))


def correlations(names: Sequence[str], values: Sequence[Sequence[float | None]]) -> bytes:
    """A matrix of correlations, each with its number."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        shown = [[float("nan") if value is None else value for value in row] for row in values]
        axes.imshow(shown, vmin=-1, vmax=1, cmap="PuOr_r")
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                text = "–" if value is None else f"{value:.2f}"
                dark = value is not None and abs(value) > 0.6
                axes.text(column, row, text, ha="center", va="center", color="white" if dark else INK)
        axes.set_xticks(range(len(names)), list(names), rotation=30, ha="right")
        axes.set_yticks(range(len(names)), list(names))
        axes.set(title="Correlation of marks")
        axes.spines[:].set_visible(False)

    return figure(draw, 1.6 + 0.75 * len(names), 1.2 + 0.6 * len(names))


def lateness(late: Mapping[str, int], lost: Mapping[str, float]) -> bytes:
    """How many were late with each assignment, and the points that this cost on average."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        names = list(late)
        axes.barh(names, [late[name] for name in names], color=ORANGE, edgecolor="white")
        for place, name in enumerate(names):
            if late[name]:
                axes.text(late[name], place, f"  −{lost[name]:.1f} points each", va="center", color=INK, fontsize=8)
        axes.invert_yaxis()
        axes.set(title="Late work", xlabel="students", xlim=(0, max([*late.values(), 1]) * 1.35))
        axes.xaxis.get_major_locator().set_params(integer=True)

    return figure(draw, 6.6, 0.9 + 0.3 * max(1, len(late)))


def years(labels: Sequence[str], means: Sequence[float], errors: Sequence[float], pass_mark: float) -> bytes:
    """The module's mean of each year with its 95 % interval; this year last."""

    def draw(sheet: Any) -> None:
        axes = sheet.add_subplot()
        axes.errorbar(range(len(labels)), means, yerr=errors, fmt="o", color=BLUE, ecolor=SOFT, capsize=4)
        axes.axhline(pass_mark, color=SOFT, ls=":", lw=1)
        axes.set_xticks(range(len(labels)), list(labels))
        axes.set(title="Module mean and 95 % interval", ylabel="mark, %", ylim=(0, 100), xlim=(-0.5, len(labels) - 0.5))

    return figure(draw, 6.6, 2.6)


def _boundaries(axes: Axes, boundaries: Sequence[float]) -> None:
    for boundary in boundaries:
        axes.axvline(boundary, color=INK, lw=0.8, ls=(0, (4, 3)), zorder=0)
