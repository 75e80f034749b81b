"""Cosine Gram matrices: how alike every two patches of one photograph are, in two models."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dinoscope.comparison import words
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Comparison
from dinoscope.drawing.canvas import FACE, Canvas, colour_bar, lines, panel_size, picture
from dinoscope.drawing.style import LINE, QUIET, plain
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.patches import as_directions
from dinoscope.maths.proxies import colour_regions

Order = Literal["space", "superpixels"]

MOST_DRAWN = 1_024
"""Rows of a drawn matrix; larger grids are drawn as means over blocks of patches."""

_MARGIN, _TOP, _SIDE, _GAP = 0.1, 0.6, 2.15, 0.16
_STEPS = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0)
_MOST_LINES = 9


class _Rows(NamedTuple):
    """How the rows of the matrices are ordered.

    ``cuts`` are the rows before which a separator is drawn, ``names`` the middles and names of the parts.
    """

    order: Int[np.ndarray, " n"]
    cuts: tuple[int, ...]
    names: tuple[tuple[float, str], ...]
    regions: Int[np.ndarray, "h w"] | None


def plot_gram(
    comparison: Comparison,
    photograph: int = 0,
    *,
    order: Order = "space",
    regions: Int[np.ndarray, "h w"] | None = None,
) -> Figure:
    """The Gram matrices of the first two models on one fixed scale from -1 to 1, and second minus first.

    The scale of the difference is symmetric and ends at the next round number. Grids of more than
    `MOST_DRAWN` patches are drawn as means over blocks, which the figure states; the distance is of all
    patches.

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
    first, second = _two(comparison, photograph)
    if order not in ("space", "superpixels"):
        raise InputError(f"order must be space or superpixels, got {order!r}")
    h, w = first.grid.shape
    if regions is not None and regions.shape != (h, w):
        raise ShapeError("regions", expected=f"h w = {h} {w}", actual=regions.shape)
    photo = comparison.photographs[photograph]
    block = math.ceil(math.sqrt(h * w / MOST_DRAWN))
    pooled = [_pooled(f, block) for f in (first, second)]
    shown = pooled[0].shape[0], pooled[0].shape[1]
    if order == "space":
        rows = _by_space(*shown, block)
    else:
        chosen = colour_regions(photo.pixels, (h, w)) if regions is None else regions
        rows = _by_region(_numbered(chosen[::block, ::block]))
    matrices = [values.reshape(-1, values.shape[2])[rows.order] for values in pooled]
    grams = [m @ m.T for m in matrices]
    note = _note(gram_distance(first, second), (h, w), block, order, given=regions is not None)
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
    limit = _nice(float(np.abs(grams[1] - grams[0]).max()))
    plots = (
        (comparison.models[0].label, grams[0], "viridis", 1.0, left),
        (comparison.models[1].label, grams[1], "viridis", 1.0, left + _SIDE + _GAP),
        ("second minus first", grams[1] - grams[0], "RdBu_r", limit, left + 2 * _SIDE + _GAP + 0.5),
    )
    for k, (name, values, colours, end, x) in enumerate(plots):
        weight = "bold" if k < 2 else "normal"
        canvas.words(x, _TOP - 0.1, name, size=7.5, weight=weight, longest=_SIDE)
        _matrix(canvas, x, values, colours, end, rows, named=k == 0)
    bar_y = _TOP + _SIDE + 0.14
    for x, length, colours, end, unit in (
        (left + _SIDE / 2 + _GAP / 2, _SIDE, "viridis", 1.0, "cosine (no unit), one fixed scale"),
        (plots[2][4] + 0.1, _SIDE - 0.2, "RdBu_r", limit, "difference of cosines, its own scale"),
    ):
        bar = canvas.axes(x, bar_y, length, 0.09)
        ticks = [-end, -end / 2, 0.0, end / 2, end]
        marks = [
            words.number(t, sign="" if end == 1 and colours == "viridis" else "+", digits=_digits(end))
            for t in ticks
        ]
        colour_bar(canvas.figure, bar, matplotlib.colormaps[colours], Normalize(-end, end), ticks, marks)
        canvas.words(x + length / 2, bar_y + 0.34, unit, size=6.5, colour=QUIET, align="center")
    canvas.paragraph(_MARGIN, foot, note, width=whole - 0.35, size=6.5)
    return canvas.figure


def _two(comparison: Comparison, photograph: int) -> tuple[PatchFeatures, PatchFeatures]:
    if len(comparison.models) < 2:
        raise InputError("Gram matrices are drawn of two models; the comparison has one")
    n = len(comparison.photographs)
    if not 0 <= photograph < n:
        raise InputError(f"no photograph {photograph}: they are numbered 0 to {n - 1}")
    first, second = comparison.features[photograph][:2]
    if first.grid.shape != second.grid.shape:
        raise GridMismatchError(
            first.grid.shape, second.grid.shape, "extract both on one grid, as `compare` does"
        )
    return first, second


def _pooled(features: PatchFeatures, block: int) -> Float[np.ndarray, "h w dim"]:
    """Means of the unit features over blocks: their products are means of cosines over pairs of blocks."""
    values = as_directions(features)
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], block)
        counts = np.diff([*starts, values.shape[axis]]).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.add.reduceat(values, starts, axis=axis) / counts
    return values


def _by_space(h: int, w: int, block: int) -> _Rows:
    step = math.ceil(h / _MOST_LINES)
    starts = range(0, h, step)
    names = tuple(((r + 0.5) * w - 0.5, f"row {r * block}") for r in starts)
    return _Rows(np.arange(h * w), tuple(r * w for r in starts if r), names, None)


def _by_region(regions: Int[np.ndarray, "h w"]) -> _Rows:
    flat = regions.ravel()
    order = np.argsort(flat, kind="stable")
    sizes = np.bincount(flat)
    ends = np.cumsum(sizes)
    names = tuple(
        (float(end - size / 2 - 0.5), str(k + 1))
        for k, (size, end) in enumerate(zip(sizes, ends, strict=True))
        if size * 22 >= len(flat)
    )
    return _Rows(order, tuple(int(e) for e in ends[:-1]), names, regions)


def _numbered(labels: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Regions numbered from 0 in reading order of their first patch."""
    _, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse].reshape(labels.shape))


def _matrix(
    canvas: Canvas,
    x: float,
    values: Float[np.ndarray, "n n"],
    colours: str,
    end: float,
    rows: _Rows,
    *,
    named: bool,
) -> None:
    axes = canvas.axes(x, _TOP, _SIDE, _SIDE)
    axes.imshow(
        values, cmap=colours, vmin=-end, vmax=end, aspect="auto", origin="upper", interpolation="antialiased"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(LINE)
        spine.set_linewidth(0.6)
    line = "black" if colours == "RdBu_r" else "white"
    for cut in rows.cuts:
        axes.axhline(cut - 0.5, color=line, linewidth=0.35, alpha=0.6)
        axes.axvline(cut - 0.5, color=line, linewidth=0.35, alpha=0.6)
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


def _note(distance: float, grid: tuple[int, int], block: int, order: str, *, given: bool) -> str:
    h, w = grid
    told = [f"Gram distance (mean squared difference over all pairs of {h}×{w} patches): {distance:.4g}."]
    if order == "space":
        told.append("Rows and columns: patches in reading order.")
    else:
        kind = "as given" if given else "of like colour, as in proxy coherence"
        told.append(f"Rows and columns: patches by region ({kind}; outlined on the photograph).")
    if block > 1:
        told.append(f"Drawn are means over blocks of {block}×{block} patches; the distance is of all.")
    return " ".join(told)


def _nice(value: float) -> float:
    return next((step for step in _STEPS if value <= step * (1 + 1e-9)), _STEPS[-1])


def _digits(end: float) -> int:
    """Enough for half of it."""
    return 1 if end >= 0.2 else 2 if end >= 0.02 else 3
