"""The picture of the confirmatory page: each trunk's differences, mean and interval, and the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dinoscope.drawing.style import INK, LINE, MODEL_COLOURS, QUIET
from experiments.confirmatory.rules import THRESHOLD, Estimate, Trunks

Row = tuple[str, Trunks, Estimate]
"""What is compared, a value a trunk, and their mean with its interval."""

DOTS_BELOW = 0.24
"""Of a row, so that dots do not hide their interval."""


def differences_figure(panels: Mapping[str, Sequence[Row]]) -> Figure:
    """A panel an outcome, a row a comparison; the same rows in every panel.

    Args:
        panels: by title.
    """
    rows = len(next(iter(panels.values())))
    figure = Figure(figsize=(9.6, 0.52 * rows + 1.25), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        _panel(axis, title, found)
    reach = max(float(trunks.max()) for found in panels.values() for _, trunks, _ in found)
    lowest = min(float(trunks.min()) for found in panels.values() for _, trunks, _ in found)
    axes[0].set_xlim(min(-0.03, lowest - 0.005), max(0.03, reach) + 0.014)
    axes[0].set_yticks(np.arange(rows), [name for name, _, _ in next(iter(panels.values()))], fontsize=9)
    axes[0].set_ylim(rows - 0.45, -0.6)
    figure.supxlabel(
        "difference; dots are trunks, lines their mean and interval, the band is less than the threshold",
        fontsize=8.5,
        color=QUIET,
    )
    return figure


def _panel(axis: Axes, title: str, rows: Sequence[Row]) -> None:
    axis.axvspan(-THRESHOLD, THRESHOLD, color="#f1f1f1", linewidth=0)
    axis.axvline(0.0, color=LINE, linewidth=1.0)
    for place, (_, trunks, estimate) in enumerate(rows):
        reaches = abs(estimate.mean) >= THRESHOLD
        colour = MODEL_COLOURS[1] if reaches else MODEL_COLOURS[0]
        axis.plot(
            trunks, np.full(len(trunks), place + DOTS_BELOW), "o", color=colour, alpha=0.45, markersize=3.5
        )
        axis.plot(
            (estimate.low, estimate.high), (place, place), color=colour, linewidth=2.0, solid_capstyle="butt"
        )
        axis.plot(estimate.mean, place, "D", color=colour, markersize=5.5)
        axis.annotate(
            f"{estimate.mean:+.3f}",
            (max(estimate.high, *trunks), place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
    axis.set_title(title, fontsize=10, loc="left")
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=8.5, color=LINE)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(LINE)
