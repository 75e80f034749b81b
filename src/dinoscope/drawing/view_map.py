"""How a map of any way of looking is drawn: one scale for each kind, whatever the map holds."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize

from dinoscope.data.views import CLASS_SHARE, COSINE, LABELS, NORMS, SHARE, WORDS, View
from dinoscope.drawing.canvas import Canvas, colour_bar, footprint, patch_map
from dinoscope.drawing.style import LABEL_COLOURS, cosine_colours

TIMES = (0.25, 16.0)
"""Attention is drawn between these multiples of an even share, on a logarithmic scale, for every model."""

THRESHOLDS = 2.0
"""Lengths are drawn up to this multiple of the one from which on they stand out."""

_TICKS = (0.25, 1.0, 4.0, 16.0)
_PALETTE = ListedColormap(np.array(LABEL_COLOURS) / 255)


def draw_view(axes: Axes, view: View, patch: tuple[int, int] | None = None) -> None:
    """A view's map, patch by patch; its own patch, or the one given, is marked where it belongs to the map.

    Raises:
        ValueError: a view without a map.
    """
    if view.values is None:
        raise ValueError("no map to draw")
    if view.kind in (COSINE, WORDS):
        colours, scale = cosine_colours()
        patch_map(axes, view.values, colours=colours, scale=scale)
    elif view.kind in (SHARE, CLASS_SHARE):
        patch_map(axes, view.values, colours=matplotlib.colormaps["magma"], scale=LogNorm(*TIMES, clip=True))
    elif view.kind == LABELS:
        numbers = view.values.astype(float) % _PALETTE.N
        patch_map(axes, numbers, colours=_PALETTE, scale=Normalize(-0.5, _PALETTE.N - 0.5))
    elif view.kind == NORMS:
        patch_map(
            axes, view.values, colours=matplotlib.colormaps["viridis"], scale=Normalize(0.0, THRESHOLDS)
        )
    else:
        patch_map(axes, view.values)
    marked = view.patch or patch
    if marked is not None and view.kind in (COSINE, SHARE):
        row, col = marked
        footprint(axes, (col - 0.5, row - 0.5, col + 0.5, row + 0.5))


def share_bar(canvas: Canvas, x: float, y: float, width: float) -> None:
    """The legend of every attention map."""
    colours, labels = matplotlib.colormaps["magma"], [f"{tick:g}" for tick in _TICKS]
    colour_bar(canvas.figure, canvas.axes(x, y, width, 0.09), colours, LogNorm(*TIMES), _TICKS, labels)
    canvas.words(x, y + 0.34, "attention, times an even share", size=6)


def norm_bar(canvas: Canvas, x: float, y: float, width: float) -> None:
    """The legend of every map of lengths."""
    ticks = (0.0, 1.0, THRESHOLDS)
    colours, scale = matplotlib.colormaps["viridis"], Normalize(0.0, THRESHOLDS)
    colour_bar(canvas.figure, canvas.axes(x, y, width, 0.09), colours, scale, ticks)
    canvas.words(x, y + 0.34, "length, times where it begins to stand out", size=6)
