"""Cosine Gram matrices: how alike every two patches of one photograph are, in two models."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dinoscope.comparison import words
from dinoscope.comparison.figures.gram_values import Order, Rows, grams_of, round_limit
from dinoscope.data.results import Comparison
from dinoscope.drawing.canvas import FACE, Canvas, colour_bar, lines, panel_size, picture
from dinoscope.drawing.style import LINE, QUIET, cosine_colours, difference_colours, plain

_MARGIN, _TOP, _SIDE, _GAP = 0.1, 0.6, 2.15, 0.16


def plot_gram(
    comparison: Comparison,
    photograph: int = 0,
    *,
    order: Order = "space",
    regions: Int[np.ndarray, "h w"] | None = None,
) -> Figure:
    """The Gram matrices of the first two models on one fixed scale from -1 to 1, and second minus first.

    The scale of the difference is symmetric and ends at the next round number. Grids of more than
    `gram_values.MOST_DRAWN` patches are drawn as means over blocks, which the figure states; the distance
    is of all patches.

    Args:
        comparison: as `compare` returns it.
        photograph: which one.
        order: of the rows: row by row of the photograph, or region by region.
        regions: the regions of "superpixels", on the patch grid; None for those of like colour that proxy
            coherence is measured by.

    Raises:
        InputError: fewer than two models, no such photograph, or an unknown order.
        GridMismatchError: the two models see different patches.
        ShapeError: the regions are not on the grid.
    """
    grams = grams_of(comparison, photograph, order, regions)
    photo, rows, note = comparison.photographs[photograph], grams.rows, grams.note
    width, height = panel_size(photo.size, area=1.7)
    left = _MARGIN + width + 0.42
    whole = left + 3 * _SIDE + _GAP + 0.5 + _MARGIN
    foot = _TOP + _SIDE + 0.62
    canvas = Canvas(whole, foot + len(lines(note, whole - 0.35, 6.5)) * 6.5 * 1.4 / 72 + 0.1)
    title = f"{photograph + 1}  {plain(photo.name, 80)}"
    used = canvas.words(_MARGIN, 0.24, "Cosine Gram matrices", size=9.5, weight="bold")
    canvas.words(_MARGIN + used + 0.12, 0.24, title, size=7, colour=QUIET, longest=whole - used - 0.4)
    axes = canvas.panel(_MARGIN, _TOP, width, height)
    picture(axes, photo.pixels, photo.size)
    if rows.regions is not None:
        _borders(axes, rows.regions, photo.size)
    limit = round_limit(float(np.abs(grams.difference).max()))
    cosines, apart = cosine_colours(), difference_colours(limit)
    plots = (
        (comparison.models[0].label, grams.matrices[0], cosines, left),
        (comparison.models[1].label, grams.matrices[1], cosines, left + _SIDE + _GAP),
        ("second minus first", grams.difference, apart, left + 2 * _SIDE + _GAP + 0.5),
    )
    for k, (name, values, shown, x) in enumerate(plots):
        weight = "bold" if k < 2 else "normal"
        canvas.words(x, _TOP - 0.1, name, size=7.5, weight=weight, longest=_SIDE)
        _matrix(canvas, x, values, shown, rows, named=k == 0)
    bar_y = _TOP + _SIDE + 0.14
    for x, length, (colours, scale), end, sign, unit in (
        (left + _SIDE / 2 + _GAP / 2, _SIDE, cosines, 1.0, "", "cosine (no unit), one fixed scale"),
        (plots[2][3] + 0.1, _SIDE - 0.2, apart, limit, "+", "difference of cosines, its own scale"),
    ):
        bar = canvas.axes(x, bar_y, length, 0.09)
        ticks = [-end, -end / 2, 0.0, end / 2, end]
        marks = [words.number(t, sign=sign, digits=_digits(end)) for t in ticks]
        colour_bar(canvas.figure, bar, colours, scale, ticks, marks)
        canvas.words(x + length / 2, bar_y + 0.34, unit, size=6.5, colour=QUIET, align="center")
    canvas.paragraph(_MARGIN, foot, note, width=whole - 0.35, size=6.5)
    return canvas.figure


def _matrix(
    canvas: Canvas,
    x: float,
    values: Float[np.ndarray, "n n"],
    scale: tuple[Colormap, Normalize],
    rows: Rows,
    *,
    named: bool,
) -> None:
    axes = canvas.axes(x, _TOP, _SIDE, _SIDE)
    colours, norm = scale
    axes.imshow(values, cmap=colours, norm=norm, aspect="auto", origin="upper", interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(LINE)
        spine.set_linewidth(0.6)
    for cut in rows.cuts:
        axes.axhline(cut - 0.5, color="white", linewidth=0.35, alpha=0.6)
        axes.axvline(cut - 0.5, color="white", linewidth=0.35, alpha=0.6)
    if named:
        for at, name in rows.names:
            y = _TOP + (at + 0.5) / len(values) * _SIDE
            canvas.words(x - 0.05, y + 0.03, name, size=5.5, colour=QUIET, align="right")


def _borders(axes: Axes, regions: Int[np.ndarray, "h w"], size: tuple[int, int]) -> None:
    """Outlines of the regions over the photograph, and the numbers of the larger ones."""
    h, w = regions.shape
    across, down = size[0] / w, size[1] / h
    lines_: list[tuple[list[float], list[float]]] = []
    for r, c in zip(*np.nonzero(regions[:, 1:] != regions[:, :-1]), strict=True):
        lines_.append(([(c + 1) * across] * 2, [r * down, (r + 1) * down]))
    for r, c in zip(*np.nonzero(regions[1:] != regions[:-1]), strict=True):
        lines_.append(([c * across, (c + 1) * across], [(r + 1) * down] * 2))
    xs, ys = ([v for line in lines_ for v in (*line[k], math.nan)] for k in (0, 1))
    axes.plot(xs, ys, color="black", linewidth=1.2)
    axes.plot(xs, ys, color="white", linewidth=0.6, gid="regions")
    for k in range(int(regions.max()) + 1):
        inside = np.argwhere(regions == k)
        if len(inside) * 22 < h * w:
            continue
        r, c = inside[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        axes.text(
            (c + 0.5) * across,
            (r + 0.5) * down,
            str(k + 1),
            color="white",
            fontproperties=FontProperties(family=FACE, size=6),
            ha="center",
            va="center",
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "black", "edgecolor": "none", "alpha": 0.6},
        )


def _digits(end: float) -> int:
    """Enough for half of it."""
    return 1 if end >= 0.2 else 2 if end >= 0.02 else 3
