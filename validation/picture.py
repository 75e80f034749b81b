"""The matrix as a picture: colour is the effect on a fixed scale, a frame or hatching says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from validation.causes import CAUSES
from validation.expectations import groups
from validation.page import SIGNS, number, trap_causes

LIMIT = 5.0
"""Effects beyond this many standard deviations have the last colour."""

INK, QUIET, PAPER = "#161616", "#5c5c5c", "#ffffff"
COLOURS = "PuOr_r"
"""ColorBrewer's purple-orange: told apart with any of the common colour deficiencies."""

ROW, COLUMN, LEFT = 0.3, 1.18, 2.5
"""Inches."""

GAP = 0.45
"""Between groups, in rows."""


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write the picture."""
    rows = result["rows"]
    places, y = {}, 0.0
    for group in groups().values():
        for key in group:
            places[key] = y
            y += 1.0
        y += GAP
    height = y - GAP
    figure = Figure(figsize=(LEFT + COLUMN * len(CAUSES) + 0.3, ROW * height + 2.35), facecolor=PAPER)
    across, tall = figure.get_size_inches()
    axes = figure.add_axes(
        (LEFT / across, 0.95 / tall, COLUMN * len(CAUSES) / across, ROW * height / tall), facecolor=PAPER
    )
    axes.set_xlim(0, len(CAUSES))
    axes.set_ylim(height, 0)
    axes.axis("off")
    colours, scale = matplotlib.colormaps[COLOURS], Normalize(-LIMIT, LIMIT)
    for j, column in enumerate(CAUSES.values()):
        axes.text(j + 0.5, -0.85, column.title, ha="center", va="bottom", fontsize=9, color=INK)
        axes.text(j + 0.5, -0.25, _amount(column.key), ha="center", va="bottom", fontsize=7, color=QUIET)
    for title, group in groups().items():
        top = places[group[0]]
        for key in group:
            mark = "†" if rows[key]["collection"] else ""
            axes.text(
                -0.06, places[key] + 0.5, f"{key}{mark}", ha="right", va="center", fontsize=8.5, color=INK
            )
            for j, cause in enumerate(CAUSES):
                _draw_cell(axes, j, places[key], key, cause, rows[key]["cells"][cause], colours, scale)
        axes.text(
            -1.93,
            top + len(group) / 2,
            title,
            ha="center",
            va="center",
            fontsize=7.5,
            color=QUIET,
            rotation=90,
        )
    figure.text(
        0.12 / across, 1 - 0.2 / tall, "Every metric against planted causes", fontsize=14, color=INK, va="top"
    )
    settings = result["settings"]
    figure.text(
        0.12 / across,
        1 - 0.52 / tall,
        f"sign expected, measured effect in standard deviations over photographs "
        f"({settings['images']} planted; † {settings['collections']} collections)",
        fontsize=9,
        color=QUIET,
        va="top",
    )
    _legend(figure, across, tall, colours, scale)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _draw_cell(
    axes: Axes,
    x: int,
    y: float,
    key: str,
    cause: str,
    cell: Mapping[str, Any],
    colours: matplotlib.colors.Colormap,
    scale: Normalize,
) -> None:
    mean = cell["effect"][0]
    value = (LIMIT if cell["difference"][0] > 0 else -LIMIT) if mean is None else mean
    fill = colours(scale(value))
    axes.add_patch(Rectangle((x + 0.02, y + 0.04), 0.96, 0.92, facecolor=fill, edgecolor="none"))
    dark = 0.2126 * fill[0] + 0.7152 * fill[1] + 0.0722 * fill[2] < 0.5
    ink = PAPER if dark else INK
    failed = cell["pass"] is False
    if failed:
        axes.add_patch(
            Rectangle(
                (x + 0.02, y + 0.04),
                0.96,
                0.92,
                facecolor="none",
                edgecolor=ink,
                linewidth=0,
                hatch="////",
                alpha=0.35,
            )
        )
        axes.add_patch(
            Rectangle((x + 0.035, y + 0.07), 0.93, 0.86, facecolor="none", edgecolor=INK, linewidth=1.6)
        )
    sign = SIGNS[cell["expected"]]
    shown = ("+≫" if cell["difference"][0] > 0 else "−≫") if mean is None else number(mean)
    faint = cell["expected"] == "."
    axes.text(x + 0.11, y + 0.52, sign, ha="center", va="center", fontsize=9, color=ink)
    text = axes.text(
        x + 0.92,
        y + 0.52,
        shown,
        ha="right",
        va="center",
        fontsize=8.5,
        color=ink,
        alpha=0.75 if faint else 1.0,
        fontweight="bold" if failed else "normal",
    )
    if failed:
        text.set_bbox({"facecolor": fill, "edgecolor": "none", "pad": 0.8})
        if cause not in trap_causes(key):
            axes.text(x + 0.3, y + 0.52, "✗", ha="center", va="center", fontsize=9, color=ink)


def _amount(cause: str) -> str:
    amounts = {
        "blur": "σ = {:g} patch",
        "half_blur": "σ = {:g} patch",
        "noise": "{:g} × spread",
        "shuffle": "all patches",
        "collapse": "half way",
        "position": "{:g} × spread",
        "outliers": "{:g} tokens",
        "rotation": "32 planes",
        "rescale": "× {:g}",
        "finer": "× {:g} a side",
    }
    return amounts[cause].format(CAUSES[cause].amount)


def _legend(figure: Figure, across: float, tall: float, colours: Any, scale: Normalize) -> None:
    bar = figure.add_axes((LEFT / across, 0.5 / tall, 2.6 / across, 0.14 / tall))
    figure.colorbar(matplotlib.cm.ScalarMappable(scale, colours), cax=bar, orientation="horizontal")
    bar.set_xticks([-5, -2.5, 0, 2.5, 5], ["≤ −5", "−2.5", "0", "+2.5", "≥ +5"], fontsize=7.5, color=INK)
    bar.tick_params(length=2, color=QUIET)
    figure.text(LEFT / across, 0.72 / tall, "effect (Cohen's d)", fontsize=8, color=QUIET, va="bottom")
    words = "+ must rise    − must fall    0 must not move    = must not move at all    · no expectation"
    figure.text((LEFT + 3.1) / across, 0.68 / tall, words, fontsize=8.5, color=INK, va="center")
    figure.legend(
        handles=[
            Patch(
                facecolor="#e8e8e8",
                edgecolor=INK,
                hatch="////",
                linewidth=1.4,
                label="moves though it must not: a known trap, shown as a warning beside the metric",
            )
        ],
        loc="center left",
        bbox_to_anchor=((LEFT + 3.02) / across, 0.38 / tall),
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
        borderpad=0,
    )
