"""All photographs in all models on one canvas, and below them the numbers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dinoscope.comparison import colour_words, words
from dinoscope.data.results import Comparison
from dinoscope.drawing.canvas import Canvas, panel_size, patch_map, picture, quiet_ticks
from dinoscope.drawing.style import LINE, QUIET, model_colour

MOST_PHOTOGRAPHS = 24
_MARGIN, _GAP, _LABELS = 0.1, 0.06, 1.35
_WIDEST = 10.0
_HEIGHT = 1.05
_SQUEEZE = 1.3
_LARGEST = 2.0


class Band(NamedTuple):
    """Photographs side by side, every model's maps below them; inches."""

    photographs: tuple[int, ...]
    widths: tuple[float, ...]
    height: float

    @property
    def width(self) -> float:
        return sum(self.widths) + _GAP * len(self.widths)


def pca_figure(comparison: Comparison, photographs: Sequence[int], *, numbers: bool) -> Figure:
    """PCA maps: photographs from left to right, models from top to bottom, the photograph itself on top.

    Only the first `MOST_PHOTOGRAPHS` are drawn; where there are more, the canvas says so. The numbers are
    always those of all.
    """
    chosen = list(photographs)[:MOST_PHOTOGRAPHS]
    bands = _bands(comparison, chosen)
    rows = 1 + len(comparison.models)
    whole = max(_MARGIN * 2 + _LABELS + max(b.width for b in bands), 8.0 if numbers else 4.6)
    tops = [0.28]
    for band in bands:
        tops.append(tops[-1] + rows * (band.height + _GAP) + 0.26)
    foot = tops[-1]
    n_all = len(list(photographs))
    cut = f"The first {len(chosen)} of {n_all} photographs." if len(chosen) < n_all else ""
    below = 0.5 + 0.26 * len(comparison.models) if numbers else 0.0
    canvas = Canvas(whole, foot + below + (0.2 if cut else 0.0))
    for band, top in zip(bands, tops, strict=False):
        _draw_band(canvas, comparison, band, top)
    if numbers:
        _draw_numbers(canvas, comparison, foot)
    canvas.words(_MARGIN, foot + below + 0.06, cut, size=6, colour=QUIET)
    return canvas.figure


def _bands(comparison: Comparison, chosen: Sequence[int]) -> list[Band]:
    """Photographs beside each other at one height, in as few bands as fit, equally full.

    A little too much for one band is made smaller rather than broken, a few photographs larger.
    """
    widths = []
    for i in chosen:
        width, height = panel_size(comparison.photographs[i].size, area=1.0)
        widths.append(_HEIGHT * width / height)
    limit = _WIDEST - _LABELS
    total = sum(widths) + _GAP * len(widths)
    n_bands = max(1, math.ceil(total / (limit * _SQUEEZE)))
    bands: list[list[int]] = [[] for _ in range(n_bands)]
    used = 0.0
    for k, width in enumerate(widths):
        bands[min(n_bands - 1, int((used + width / 2) / total * n_bands))].append(k)
        used += width + _GAP
    widest = max(sum(widths[k] + _GAP for k in band) for band in bands)
    scale = min(_LARGEST, limit / widest)
    return [
        Band(tuple(chosen[k] for k in band), tuple(widths[k] * scale for k in band), _HEIGHT * scale)
        for band in bands
        if band
    ]


def _draw_band(canvas: Canvas, comparison: Comparison, band: Band, top: float) -> None:
    left = _MARGIN + _LABELS
    for j, model in enumerate(comparison.models):
        y = top + (1 + j) * (band.height + _GAP)
        canvas.words(_MARGIN, y + 0.1, model.label, size=7.5, weight="bold", longest=_LABELS - 0.1)
        kind = "control (not trained)" if model.spec.control else words.kind(model)
        facts = [kind, f"patch {model.spec.patch_size} px", colour_words.below(comparison, model)]
        if model.alignment is not None:
            facts.append(f"aligned, residual {words.number(model.alignment.residual, digits=2)}")
        for k, fact in enumerate(facts):
            canvas.words(_MARGIN, y + 0.24 + 0.11 * k, fact, size=6, colour=QUIET, longest=_LABELS - 0.1)
    x = left
    for i, width in zip(band.photographs, band.widths, strict=True):
        photo = comparison.photographs[i]
        canvas.words(x, top - 0.06, f"{i + 1}  {photo.name}", size=6.5, longest=width)
        picture(canvas.panel(x, top, width, band.height), photo.pixels, photo.size)
        for j in range(len(comparison.models)):
            y = top + (1 + j) * (band.height + _GAP)
            patch_map(canvas.panel(x, y, width, band.height), comparison.maps[i][j].colours)
        x += width + _GAP


def _draw_numbers(canvas: Canvas, comparison: Comparison, top: float) -> None:
    """For each metric a strip: every photograph a tick, the mean a dot, its 95% interval a line."""
    measured = comparison.measurements
    left = _MARGIN + _LABELS
    metrics = words.smoothness(measured)
    column = (canvas.width - left - _MARGIN) / max(len(metrics), 1)
    height = 0.26 * len(comparison.models)
    for j, model in enumerate(comparison.models):
        y = top + 0.2 + 0.26 * j
        canvas.words(_MARGIN, y + 0.15, model.label, size=7, weight="bold", longest=_LABELS - 0.1)
    for k, name in enumerate(metrics):
        x = left + k * column
        canvas.words(x, top + 0.1, words.title(name), size=7)
        axes = canvas.axes(x, top + 0.2, column - 1.35, height)
        _strip(axes, comparison, name, measured.values[name])
        for j in range(len(comparison.models)):
            text = words.interval(measured.summaries[name][j])
            canvas.words(x + column - 1.3, top + 0.2 + 0.26 * j + 0.16, text, size=6)


def _strip(axes: Axes, comparison: Comparison, name: str, values: np.ndarray) -> None:
    for j, model in enumerate(comparison.models):
        colour = model_colour(j, control=model.spec.control)
        interval = comparison.measurements.summaries[name][j]
        axes.plot(values[:, j], np.full(len(values), j), "|", color=colour, alpha=0.5, markersize=6)
        axes.plot([interval.low, interval.high], [j, j], "-", color=colour, linewidth=1.6)
        axes.plot(interval.mean, j, "o", color=colour, markersize=3.6)
    axes.set_ylim(len(comparison.models) - 0.5, -0.5)
    axes.set_yticks([])
    known = values[np.isfinite(values)]
    if len(known):
        pad = max(float(np.ptp(known)) * 0.08, 0.01)
        axes.set_xlim(float(known.min()) - pad, float(known.max()) + pad)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    quiet_ticks(axes)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.patch.set_alpha(0)
