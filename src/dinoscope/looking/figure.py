"""Every way of looking at one photograph, models in rows."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

from dinoscope.drawing.canvas import Canvas, colour_bar, footprint, lines, panel_size, patch_map, picture
from dinoscope.drawing.style import QUIET, cosine_colours, plain
from dinoscope.looking.views import CLASS_SHARE, COSINE, LABELS, SHARE, ModelViews, View, Views

TIMES = (0.25, 16.0)
"""Attention is drawn between these multiples of an even share, on a logarithmic scale, for every model."""

TICKS = (0.25, 1.0, 4.0, 16.0)
PALETTE = ListedColormap(matplotlib.colormaps["tab20"].colors)  # type: ignore[attr-defined]
_EDGE, _GAP, _AREA, _SIZE = 0.15, 0.08, 1.6, 6.0
_TOP, _HEAD, _FOOT = 0.42, 0.42, 0.22
NOTE = (
    "One scale for all: cosines on the left bar, attention as a multiple of an even share on the right one. "
    "Colours of a second model are turned to look like the first's, and its clusters numbered like them; "
    "colours of different kinds of maps have nothing to do with each other."
)


def plot_views(views: Views) -> Figure:
    """The photograph with the place asked for, and below it each model's maps, patch by patch.

    Cosines are on the scale of every figure, attention on the one of `TIMES`. Where a model has no such map,
    the reason stands in its place.
    """
    photo = views.photograph
    width, height = panel_size(photo.size, area=_AREA)
    columns = len(views.models[0].views)
    per_row = -(-columns // 2)
    whole = 2 * _EDGE + (1 + per_row) * (width + _GAP)
    block = _HEAD + 2 * (height + _FOOT + 0.12)
    note_width = whole - 2 * _EDGE - 5.2
    below = max(0.55, len(lines(NOTE, note_width, _SIZE)) * _SIZE * 1.4 / 72 + 0.1)
    canvas = Canvas(whole, _TOP + len(views.models) * block + below)
    canvas.words(_EDGE, 0.24, plain(photo.name, 80), size=9, weight="bold", longest=whole - 2)
    for j, model in enumerate(views.models):
        _row(canvas, views, model, _TOP + j * block, (width, height), per_row)
    foot = _TOP + len(views.models) * block + 0.06
    canvas.cosine_bar(_EDGE, foot, 2.3)
    bar = canvas.axes(_EDGE + 2.8, foot, 1.9, 0.09)
    colour_bar(
        canvas.figure, bar, matplotlib.colormaps["magma"], LogNorm(*TIMES), TICKS, [f"{v:g}" for v in TICKS]
    )
    canvas.words(_EDGE + 2.8, foot + 0.34, "attention, times an even share", size=_SIZE)
    canvas.paragraph(_EDGE + 5.2, foot, NOTE, width=note_width, size=_SIZE)
    return canvas.figure


def _row(
    canvas: Canvas, views: Views, model: ModelViews, y: float, size: tuple[float, float], per_row: int
) -> None:
    width, height = size
    used = canvas.words(_EDGE, y + 0.12, model.label, size=8.5, weight="bold")
    kind = "control, not a trained model; " if model.control else ""
    canvas.words(_EDGE + used + 0.12, y + 0.12, f"{kind}{model.facts}", size=_SIZE, colour=QUIET)
    top = y + _HEAD
    axes = canvas.panel(_EDGE, top, width, height)
    picture(axes, views.photograph.pixels, views.photograph.size)
    w, h = views.photograph.size
    rows, columns = _grid(model)
    row, col = model.patch
    box = (col * w / columns, row * h / rows, (col + 1) * w / columns, (row + 1) * h / rows)
    footprint(axes, box)
    canvas.words(_EDGE, top - 0.05, "the patch", size=_SIZE, colour=QUIET)
    for k, view in enumerate(model.views):
        x = _EDGE + (1 + k % per_row) * (width + _GAP)
        place = top + (k // per_row) * (height + _FOOT + 0.12)
        canvas.words(x, place - 0.05, view.name, size=_SIZE, weight="bold", longest=width)
        if view.values is None:
            canvas.paragraph(x, place + 0.1, view.note, width=width, size=_SIZE)
            continue
        _map(canvas.panel(x, place, width, height), view, model.patch)
        canvas.words(x, place + height + 0.11, view.note, size=_SIZE, colour=QUIET, longest=width)


def _grid(model: ModelViews) -> tuple[int, int]:
    for view in model.views:
        if view.values is not None:
            return view.values.shape[:2]
    raise ValueError("a model without any map")


def _map(axes: Axes, view: View, patch: tuple[int, int]) -> None:
    if view.values is None:
        raise ValueError("no map to draw")
    if view.kind == COSINE:
        colours, scale = cosine_colours()
        patch_map(axes, view.values, colours=colours, scale=scale)
    elif view.kind in (SHARE, CLASS_SHARE):
        patch_map(axes, view.values, colours=matplotlib.colormaps["magma"], scale=LogNorm(*TIMES, clip=True))
    elif view.kind == LABELS:
        patch_map(axes, view.values.astype(float), colours=PALETTE, scale=Normalize(-0.5, 19.5))
    else:
        patch_map(axes, view.values)
    if view.kind in (COSINE, SHARE):
        row, col = patch
        footprint(axes, (col - 0.5, row - 0.5, col + 0.5, row + 0.5))
