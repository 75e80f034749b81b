"""A family in pictures: on the plane, against size and resolution, and pair by pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dinoscope.comparison.plane_words import plane_axes
from dinoscope.comparison.recipe.numbers import difference, grids_of, kind_of, of_model, sizes_of
from dinoscope.comparison.recipe.recipes import Recipe
from dinoscope.data.results import Interval, Measurements
from dinoscope.drawing.canvas import Canvas, quiet_ticks
from dinoscope.drawing.style import INK, LINE, QUIET, model_colour
from dinoscope.metrics.registry import AXES, METRICS

MARKERS = ("o", "s", "^", "D", "v")
DASHES = ("-", "--", ":", "-.")
LINES = ("solid", "dashed", "dotted", "dash-dot")
PANEL = 2.5
WIDE, HIGH = 1.65, 1.2

Cells = Mapping[str, Measurements]


def plot_family(recipe: Recipe, cells: Cells) -> Figure | None:
    """Sharpness and coherence of every model, a panel for each grid, with 95% intervals; arrows lead from the
    first of each pair to the second. None where the two were not measured.
    """
    keys = axes_of(cells)
    if keys is None:
        return None
    grids = grids_of(cells)
    columns = min(3, len(grids))
    rows = -(-len(grids) // columns)
    canvas = Canvas(0.7 + columns * (PANEL + 0.55), 0.35 + rows * (PANEL + 0.75))
    _legend(canvas, recipe, cells, 0.2)
    everything = [_at(cells, model, grid, keys) for grid in grids for model in _models(recipe, cells)]
    limits = [_limits([p[k] for p in everything if p is not None]) for k in (0, 1)]
    for number, grid in enumerate(grids):
        x = 0.65 + number % columns * (PANEL + 0.55)
        y = 0.75 + number // columns * (PANEL + 0.75)
        drawn = canvas.axes(x, y, PANEL, PANEL)
        canvas.words(x, y - 0.08, f"grid {grid}", size=7, weight="bold")
        _plain(drawn)
        drawn.set_xlim(*limits[0])
        drawn.set_ylim(*limits[1])
        drawn.set_xlabel(METRICS[keys[0]].short, fontsize=6)
        drawn.set_ylabel(METRICS[keys[1]].short, fontsize=6)
        _points(drawn, recipe, cells, grid, keys)
    return canvas.figure


def plot_trends(recipe: Recipe, cells: Cells, keys: Sequence[str]) -> Figure:
    """Each metric against the models' size (a line for each kind and grid) and against the grid (a line for
    each model); means over the photographs.
    """
    grids, sizes = grids_of(cells), sizes_of(recipe, cells)
    step = 2 * (WIDE + 0.5)
    canvas = Canvas(2 * step + 0.2, 0.6 + -(-len(keys) // 2) * (HIGH + 0.55))
    _legend(canvas, recipe, cells, 0.2)
    for number, key in enumerate(keys):
        x, y = 0.5 + number % 2 * step, 0.72 + number // 2 * (HIGH + 0.55)
        canvas.words(x, y - 0.08, METRICS[key].short, size=7, weight="bold", longest=2 * WIDE)
        left = canvas.axes(x, y, WIDE, HIGH)
        right = canvas.axes(x + WIDE + 0.45, y, WIDE, HIGH)
        for axes in (left, right):
            _plain(axes)
        for k, kind in enumerate(_kinds(recipe)):
            by_size = {
                size: next((m for m in recipe.models(size) if recipe.kinds[m] == kind), "") for size in sizes
            }
            for g, grid in enumerate(grids):
                means = [_mean(cells, by_size[size], grid, key) for size in sizes]
                left.plot(range(len(sizes)), means, DASHES[g % len(DASHES)], color=_colour(k), **_MARK)
            for s, size in enumerate(sizes):
                means = [_mean(cells, by_size[size], grid, key) for grid in grids]
                marked = {**_MARK, "marker": MARKERS[s % len(MARKERS)]}
                right.plot(range(len(grids)), means, "-", color=_colour(k), **marked)
        left.set_xticks(range(len(sizes)), sizes)
        right.set_xticks(range(len(grids)), [str(grid) for grid in grids])
        named = ", ".join(f"{LINES[g % len(LINES)]} {grid}" for g, grid in enumerate(grids))
        left.set_xlabel(f"size ({named})", fontsize=5.5)
        right.set_xlabel("patches on the short side", fontsize=5.5)
    return canvas.figure


def plot_pairs(recipe: Recipe, cells: Cells) -> Figure | None:
    """The paired difference of each pair on each grid, with its 95% interval, on the plane's two axes."""
    keys = axes_of(cells)
    if keys is None:
        return None
    rows = [(pair, grid) for pair in recipe.pairs for grid in grids_of(cells)]
    found = {(row, key): difference(cells, *row, key) for row in rows for key in keys}
    rows = [row for row in rows if any(not math.isnan(found[row, key].mean) for key in keys)]
    step, width = 0.2, 2.3
    canvas = Canvas(2.9 + 2 * (width + 0.3), 0.75 + step * len(rows) + 0.35)
    for column, key in enumerate(keys):
        x = 2.75 + column * (width + 0.3)
        canvas.words(x, 0.2, METRICS[key].short, size=7, weight="bold", longest=width)
        canvas.words(x, 0.36, "second minus first, 95% interval", size=6, colour=QUIET)
        axes = canvas.axes(x, 0.5, width, step * len(rows))
        _plain(axes)
        axes.axvline(0, color=LINE, linewidth=0.8)
        for place, row in enumerate(rows):
            value = found[row, key]
            colour = model_colour(0 if row[0].before.count("reg") == 0 else 1, control=False)
            if math.isfinite(value.low):
                axes.plot([value.low, value.high], [place, place], color=colour, linewidth=1.2)
            axes.plot([value.mean], [place], "o", color=colour, markersize=3)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks([])
    for place, (pair, grid) in enumerate(rows):
        label = f"{pair.after} − {pair.before}, {grid}"
        canvas.words(0.1, 0.5 + step * (place + 0.65), label, size=6, longest=2.55)
    return canvas.figure


def axes_of(cells: Cells) -> tuple[str, str] | None:
    """The keys of the plane's axes that all cells have, by masks before proxies."""
    shared = [plane_axes(measured) for measured in cells.values()]
    kinds = [kind for kind in (shared[0] if shared else ()) if all(kind in held for held in shared)]
    return AXES[kinds[0]] if kinds else None


_MARK: dict[str, Any] = {"marker": "o", "markersize": 3, "linewidth": 0.9}


def _kinds(recipe: Recipe) -> tuple[str, ...]:
    return tuple(dict.fromkeys(recipe.kinds.values()))


def _colour(kind: int) -> str:
    return model_colour(kind, control=False)


def _models(recipe: Recipe, cells: Cells) -> list[str]:
    there = {model for measured in cells.values() for model in measured.models}
    return [model for model in recipe.kinds if model in there]


def _mean(cells: Cells, model: str, grid: int, key: str) -> float:
    found = of_model(cells, model, grid, key)
    return math.nan if found is None else found.mean


def _at(cells: Cells, model: str, grid: int, keys: tuple[str, str]) -> tuple[Interval, Interval] | None:
    x, y = (of_model(cells, model, grid, key) for key in keys)
    return None if x is None or y is None or math.isnan(x.mean + y.mean) else (x, y)


def _points(drawn: Axes, recipe: Recipe, cells: Cells, grid: int, keys: tuple[str, str]) -> None:
    for pair in recipe.pairs:
        start, end = (_at(cells, model, grid, keys) for model in (pair.before, pair.after))
        if start is not None and end is not None:
            drawn.annotate(
                "",
                xy=(end[0].mean, end[1].mean),
                xytext=(start[0].mean, start[1].mean),
                arrowprops={"arrowstyle": "->", "color": QUIET, "linewidth": 0.6, "shrinkA": 4, "shrinkB": 4},
            )
    for model in _models(recipe, cells):
        place = _at(cells, model, grid, keys)
        if place is None:
            continue
        x, y = place
        kind, size = kind_of(recipe, model)
        colour = _colour(_kinds(recipe).index(kind))
        marker = MARKERS[recipe.sizes.index(size) % len(MARKERS)]
        if math.isfinite(x.low + y.low):
            drawn.plot([x.low, x.high], [y.mean, y.mean], color=colour, linewidth=0.6, alpha=0.6)
            drawn.plot([x.mean, x.mean], [y.low, y.high], color=colour, linewidth=0.6, alpha=0.6)
        drawn.plot([x.mean], [y.mean], marker, color=colour, markersize=5, markeredgecolor="white")


def _legend(canvas: Canvas, recipe: Recipe, cells: Cells, y: float) -> None:
    """Colours of kinds and marks of sizes, in one line."""
    x = 0.15
    for k, kind in enumerate(_kinds(recipe)):
        x += canvas.words(x, y, f"● {kind}", size=6.5, colour=_colour(k)) + 0.15
    for s, size in enumerate(sizes_of(recipe, cells)):
        mark = {"o": "○", "s": "□", "^": "△"}.get(MARKERS[s % len(MARKERS)], "◇")
        x += canvas.words(x, y, f"{mark} {size}", size=6.5, colour=INK) + 0.12


def _limits(places: Sequence[Interval]) -> tuple[float, float]:
    known = [v for p in places for v in (p.mean, p.low, p.high) if math.isfinite(v)]
    low, high = (float(np.min(known)), float(np.max(known))) if known else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.05
    return low - room, high + room


def _plain(axes: Axes) -> None:
    quiet_ticks(axes)
    axes.tick_params(labelsize=5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
