"""Every way of looking at one photograph, models in rows."""

from __future__ import annotations

from matplotlib.figure import Figure

from dinoscope.data.spec import KIND_WORDS
from dinoscope.drawing.canvas import Canvas, footprint, lines, panel_size, picture
from dinoscope.drawing.style import QUIET, plain
from dinoscope.drawing.view_map import draw_view, share_bar
from dinoscope.looking.views import ModelViews, Views

_EDGE, _GAP, _AREA, _SIZE = 0.15, 0.08, 1.6, 6.0
_TOP, _HEAD, _ROOM, _LINE = 0.42, 0.42, 0.28, _SIZE * 1.4 / 72
NOTE = (
    "One scale for all: cosines on the left bar, attention as a multiple of an even share on the right one. "
    "Colours of a second model are turned to look like the first's, and its clusters numbered like them; "
    "colours of different kinds of maps have nothing to do with each other."
)


def plot_views(views: Views) -> Figure:
    """The photograph with the place asked for, and below it each model's maps, patch by patch.

    Cosines are on the scale of every figure, attention on the one of
    `dinoscope.drawing.view_map.TIMES`. Where a model has no such map,
    the reason stands in its place.
    """
    photo = views.photograph
    width, height = panel_size(photo.size, area=_AREA)
    columns = len(views.models[0].views)
    per_row = -(-columns // 2)
    whole = 2 * _EDGE + (1 + per_row) * (width + _GAP)
    notes = [v.note for model in views.models for v in model.views if v.values is not None]
    step = height + max(len(lines(note, width, _SIZE)) for note in notes) * _LINE + _ROOM
    block = _HEAD + 2 * step
    note_width = whole - 2 * _EDGE - 5.2
    below = max(0.55, len(lines(NOTE, note_width, _SIZE)) * _LINE + 0.1)
    canvas = Canvas(whole, _TOP + len(views.models) * block + below)
    canvas.words(_EDGE, 0.24, plain(photo.name, 80), size=9, weight="bold", longest=whole - 2)
    for j, model in enumerate(views.models):
        _row(canvas, views, model, _TOP + j * block, (width, height, step), per_row)
    foot = _TOP + len(views.models) * block + 0.06
    canvas.cosine_bar(_EDGE, foot, 2.3)
    share_bar(canvas, _EDGE + 2.8, foot, 1.9)
    canvas.paragraph(_EDGE + 5.2, foot, NOTE, width=note_width, size=_SIZE)
    return canvas.figure


def _row(
    canvas: Canvas, views: Views, model: ModelViews, y: float, size: tuple[float, float, float], per_row: int
) -> None:
    width, height, step = size
    used = canvas.words(_EDGE, y + 0.12, model.label, size=8.5, weight="bold")
    facts = "; ".join(filter(None, (KIND_WORDS[model.kind], model.facts)))
    canvas.words(_EDGE + used + 0.12, y + 0.12, facts, size=_SIZE, colour=QUIET)
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
        place = top + (k // per_row) * step
        canvas.words(x, place - 0.05, view.name, size=_SIZE, weight="bold", longest=width)
        if view.values is None:
            canvas.paragraph(x, place + 0.1, view.note, width=width, size=_SIZE)
            continue
        draw_view(canvas.panel(x, place, width, height), view, model.patch)
        canvas.paragraph(x, place + height + 0.03, view.note, width=width, size=_SIZE)


def _grid(model: ModelViews) -> tuple[int, int]:
    for view in model.views:
        if view.values is not None:
            return view.values.shape[:2]
    raise ValueError("a model without any map")
