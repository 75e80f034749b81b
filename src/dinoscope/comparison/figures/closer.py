"""A further way of looking at a comparison's first photographs: what `Comparison.closer` holds, drawn."""

from __future__ import annotations

from matplotlib.figure import Figure

from dinoscope.data.results import Comparison
from dinoscope.data.views import CLASS_SHARE, NORMS, SHARE, CloserLook, View
from dinoscope.drawing.canvas import Canvas, footprint, lines, panel_size, picture
from dinoscope.drawing.style import QUIET, plain
from dinoscope.drawing.view_map import draw_view, norm_bar, share_bar
from dinoscope.errors import InputError

PER_LINE = 4
"""Maps beside each other; more go on below."""

_MARGIN, _GAP, _HEAD, _NOTE, _AREA = 0.1, 0.08, 0.34, 0.3, 2.2
_BAR_WIDTH, _BAR_HEIGHT = 2.3, 0.46


def plot_closer(comparison: Comparison, key: str) -> Figure:
    """One row a photograph: the photograph, and every map of this way of looking, patch by patch.

    A map that a model has not is replaced by the reason.

    Args:
        comparison: as `compare` returns it.
        key: ``attention``, ``upsampled`` or ``repair``.

    Raises:
        InputError: `compare` was not asked for this.
    """
    look = _find(comparison, key)
    n_lines = -(-len(look.rows[0]) // PER_LINE)
    columns = 1 + min(PER_LINE, len(look.rows[0]))
    sizes = [panel_size(photo.size, area=_AREA) for photo in comparison.photographs[: len(look.rows)]]
    width = max(size[0] for size in sizes)
    heights = [n_lines * (height + _HEAD + _NOTE) for _, height in sizes]
    whole = 2 * _MARGIN + columns * (width + _GAP) - _GAP
    bars = [bar for bar, kinds in _BARS if any(view.kind in kinds for view in look.rows[0])]
    canvas = Canvas(max(whole, 3.6), sum(heights) + (_BAR_HEIGHT if bars else 0.0))
    y = 0.0
    for i, (row, (wide, high)) in enumerate(zip(look.rows, sizes, strict=True)):
        _draw_row(canvas, comparison, i, row, (y, width, wide, high))
        y += heights[i]
    for k, bar in enumerate(bars):
        bar(canvas, _MARGIN + 0.15 + k * (_BAR_WIDTH + 0.3), y + 0.02, _BAR_WIDTH)
    return canvas.figure


def _find(comparison: Comparison, key: str) -> CloserLook:
    for look in comparison.closer:
        if look.key == key:
            return look
    held = ", ".join(look.key for look in comparison.closer) or "nothing beside its maps"
    raise InputError(f"no {key!r} in this comparison, which has {held}: ask `compare` for it")


def _draw_row(
    canvas: Canvas,
    comparison: Comparison,
    photograph: int,
    row: tuple[View, ...],
    place: tuple[float, float, float, float],
) -> None:
    y, column, width, height = place
    photo = comparison.photographs[photograph]
    canvas.words(_MARGIN, y + 0.24, f"{photograph + 1}  {plain(photo.name, 60)}", size=7, longest=column)
    axes = canvas.panel(_MARGIN, y + _HEAD, width, height)
    picture(axes, photo.pixels, photo.size)
    asked = next((view.patch for view in row if view.patch is not None), None)
    if asked is not None:
        footprint(axes, comparison.features[photograph][0].grid.box(*asked))
    for k, view in enumerate(row):
        x = _MARGIN + (1 + k % PER_LINE) * (column + _GAP)
        top = y + (k // PER_LINE) * (height + _HEAD + _NOTE)
        canvas.words(x, top + 0.24, view.name, size=7, weight="bold", longest=column)
        if view.values is None:
            canvas.paragraph(x, top + _HEAD + 0.06, view.note, width=width, size=6)
            continue
        draw_view(canvas.panel(x, top + _HEAD, width, height), view)
        for j, line in enumerate(lines(view.note, column, 6)[:2]):
            canvas.words(x, top + _HEAD + height + 0.11 + 0.11 * j, line, size=6, colour=QUIET)


_BARS = ((share_bar, (SHARE, CLASS_SHARE)), (norm_bar, (NORMS,)))
