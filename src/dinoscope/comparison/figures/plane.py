"""The plane: a point a model, so that sharper, more coherent and blurrier differ.

Masked metrics and proxies are never in one picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE, Kind
from dinoscope.comparison.columns import Column, columns_of
from dinoscope.comparison.plane_words import (
    AxesChoice,
    Place,
    blur_of,
    chosen_axes,
    known_places,
    plane_notes,
    plane_readings,
)
from dinoscope.data.results import FEWEST_TO_JUDGE, Comparison, Measurements
from dinoscope.drawing.canvas import FACE, Canvas, drawable, lines, quiet_ticks, text_width
from dinoscope.drawing.placement import Box, Segment, is_far, leader, place_labels
from dinoscope.drawing.style import CONTROL_COLOUR, INK, LINE, QUIET, plain
from dinoscope.metrics.registry import AXES, METRICS

_LEFT, _TOP, _WIDTH, _HEIGHT = 0.66, 0.74, 4.5, 3.9
_WHOLE = _LEFT + _WIDTH + 0.3
_LONGEST_LABEL = 1.7
_NARROWEST = 0.12
_HINT_ROOM = (0.17, 0.25)
"""Shares of the width and of the height that the hints need on either side of the first model."""

_SHORTEST_ARROW, _LONG_ARROW = 0.15, 0.5
_MARKERS = {"pixels": "s", "random": "^", "blur": "D", "shuffled": "X", "other": "P"}


class _Label(NamedTuple):
    text: str
    size: float
    weight: str
    colour: str
    at: tuple[float, float]


def plot_plane(
    measurements: Measurements | Comparison, *, axes: AxesChoice = "auto", captioned: bool = True
) -> Figure:
    """Sharpness from left to right, coherence from bottom to top, each model with both 95% intervals; without
    masks, how closely features follow the photograph's edges and group its colours.

    Controls are grey and hollow. A solid arrow leads from the first model to the second, a dashed grey one
    from the first to its blurred self. What is undefined is named below and not drawn.

    Args:
        measurements: with the two metrics of an entry of `dinoscope.metrics.registry.AXES`.
        axes: measured against masks or against the photograph itself; "auto" for masks where there are.
        captioned: whether `plane_readings` and `plane_notes` stand below.

    Raises:
        InputError: the two metrics were not measured.
    """
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    kind = chosen_axes(measured, axes)
    keys = AXES[kind]
    columns = columns_of(measurements)
    places, missing = known_places(columns, keys)
    readings = plane_readings(measurements, axes=kind) if captioned else ()
    told = [cut for said in readings for cut in lines(said, _WHOLE - 0.2, 7)]
    notes = " ".join(plane_notes(measurements, axes=kind)) if captioned else ""
    foot = _TOP + _HEIGHT + 0.6
    below = foot + len(told) * 7 * 1.45 / 72 + (0.05 if told else 0.0)
    canvas = Canvas(_WHOLE, below + len(lines(notes, _WHOLE - 0.2, 6.5)) * 6.5 * 1.4 / 72 + 0.1)
    _head(canvas, measured, kind)
    drawn = canvas.axes(_LEFT, _TOP, _WIDTH, _HEIGHT)
    chance = tuple(METRICS[key].chance or 0.0 for key in keys)
    first = next((p for p in places if p.column is columns[0]), None)
    drawn.set_xlim(*_limits(places, first, keys, 0))
    drawn.set_ylim(*_limits(places, first, keys, 1))
    _frame(canvas, drawn, kind, (chance[0], chance[1]))
    if len(measured.images) >= FEWEST_TO_JUDGE:
        _hints(canvas, drawn, first, kind)
    _draw(canvas, drawn, places, columns, keys, (chance[0], chance[1]))
    if missing and not places:
        canvas.words(
            _LEFT + _WIDTH / 2, _TOP + _HEIGHT / 2, "undefined for every model", colour=QUIET, align="center"
        )
    for k, line in enumerate(told):
        canvas.words(0.1, foot + (7 + k * 7 * 1.45) / 72, line, size=7)
    canvas.paragraph(0.1, below, notes, width=_WHOLE - 0.2, size=6.5)
    return canvas.figure


def _limits(
    places: Sequence[Place], first: Place | None, keys: tuple[str, str], k: int
) -> tuple[float, float]:
    """Everything that is drawn and the chance level, with room for labels and for the hints."""
    known = [METRICS[keys[k]].chance or 0.0]
    for p in places:
        interval = p.column.interval(keys[k])
        known += [v for v in (interval.mean, interval.low, interval.high) if math.isfinite(v)]
    low, high = min(known), max(known)
    span, middle = max(high - low, _NARROWEST), (low + high) / 2
    low, high = middle - span * 0.6, middle + span * 0.6
    if first is not None:
        at, room = (first.x, first.y)[k], _HINT_ROOM[k]
        high = max(high, (at - room * low) / (1 - room))
        low = min(low, (at - room * high) / (1 - room))
    return low, high


def _head(canvas: Canvas, measured: Measurements, kind: Kind) -> None:
    if kind == "proxies":
        how = "proxies, not objects"
    else:
        how = f"against masks: {measured.masks}" if measured.masks else "against masks"
    used = canvas.words(0.1, 0.24, PLANE[kind].title, size=9.5, weight="bold")
    canvas.words(0.1 + used + 0.12, 0.24, how, size=6.5, colour=QUIET, longest=_WHOLE - used - 0.3)


def _frame(canvas: Canvas, drawn: Axes, kind: Kind, chance: tuple[float, float]) -> None:
    x_title, y_title = (axis.title for axis in PLANE[kind].axes)
    drawn.xaxis.set_major_locator(MaxNLocator(5))
    drawn.yaxis.set_major_locator(MaxNLocator(5))
    drawn.xaxis.set_major_formatter(lambda value, _: words.number(value, digits=2))
    drawn.yaxis.set_major_formatter(lambda value, _: words.number(value, digits=2))
    quiet_ticks(drawn)
    drawn.tick_params(axis="y", length=1.5, pad=1.5, color=LINE, labelcolor=QUIET)
    font = FontProperties(family=FACE, size=6.5)
    for label in (*drawn.get_xticklabels(), *drawn.get_yticklabels()):
        label.set_fontproperties(font)
    for spine in drawn.spines.values():
        spine.set_color(LINE)
        spine.set_linewidth(0.8)
    drawn.axvline(
        chance[0], color=CONTROL_COLOUR, linewidth=0.8, linestyle=(0, (1, 2)), gid="chance-x", zorder=1
    )
    drawn.axhline(
        chance[1], color=CONTROL_COLOUR, linewidth=0.8, linestyle=(0, (1, 2)), gid="chance-y", zorder=1
    )
    x, y = _inches(drawn, *chance)
    canvas.words(x, _TOP + _HEIGHT + 0.24, "no structure", size=6, colour=QUIET, align="center")
    canvas.words(_LEFT + _WIDTH - 0.05, y - 0.04, "no structure", size=6, colour=QUIET, align="right")
    canvas.words(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 0.38, x_title, size=7.5, align="center")
    _upright(canvas, _LEFT - 0.42, _TOP + _HEIGHT / 2, y_title, size=7.5, colour=INK, align="center")


def _hints(canvas: Canvas, drawn: Axes, first: Place | None, kind: Kind) -> None:
    """Which way is more on either axis, from the first model where it is known."""
    right, up = _LEFT + _WIDTH, _TOP
    across, along = PLANE[kind].axes
    if first is None:
        canvas.words(right, up - 0.07, across.hint.format(""), size=6.5, colour=QUIET, align="right")
        _upright(canvas, right + 0.14, up, along.hint, size=6.5, align="right")
        return
    drawn.axvline(first.x, gid="first-x", color=LINE, linewidth=0.7, zorder=0.5)
    drawn.axhline(first.y, gid="first-y", color=LINE, linewidth=0.7, zorder=0.5)
    x, y = _inches(drawn, first.x, first.y)
    name = plain(first.column.label, 24)
    for said in (across.hint.format(f" than {name}"), across.hint.format("")):
        if text_width(drawable(said), 6.5) < right - x - 0.08:
            canvas.words(x + 0.06, up - 0.07, said, size=6.5, colour=QUIET)
            break
    if text_width(across.back, 6.5) < x - _LEFT - 0.08:
        canvas.words(x - 0.06, up - 0.07, across.back, size=6.5, colour=QUIET, align="right")
    if text_width(along.hint, 6.5) < y - up - 0.08:
        _upright(canvas, right + 0.14, y - 0.06, along.hint, size=6.5, align="left")
    if text_width(along.back, 6.5) < up + _HEIGHT - y - 0.08:
        _upright(canvas, right + 0.14, y + 0.06, along.back, size=6.5, align="right")


def _draw(
    canvas: Canvas,
    drawn: Axes,
    places: Sequence[Place],
    columns: Sequence[Column],
    keys: tuple[str, str],
    chance: tuple[float, float],
) -> None:
    segments: list[Segment] = []
    marks: list[Box] = []
    for p in places:
        segments += _point(drawn, p, keys)
        x, y = _inches(drawn, p.x, p.y)
        marks.append(Box(x - 0.05, y - 0.05, x + 0.05, y + 0.05))
    by_column = {id(p.column): p for p in places}
    first, models = by_column.get(id(columns[0])), [c for c in columns if not c.beside]
    second = by_column.get(id(models[1])) if len(models) > 1 else None
    blurred = by_column.get(id(blur_of(columns)))
    said: list[_Label] = []
    if first and second and _apart(drawn, first, second):
        segments.append(_arrow(drawn, first, second, "second", blurred=False))
    if first and blurred and blurred is not second and _apart(drawn, first, blurred):
        line = _arrow(drawn, first, blurred, "blurred", blurred=True)
        segments.append(line)
        middle = ((line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2)
        if math.hypot(line.x1 - line.x0, line.y1 - line.y0) > _LONG_ARROW:
            said.append(_Label("what blurring does", 6.0, "normal", QUIET, middle))
    at_x, at_y = _inches(drawn, *chance)
    right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT
    marks.append(Box(right - 0.4, at_y - 0.13, right, at_y - 0.02))
    segments += [Segment(_LEFT, at_y, right, at_y, 0.15), Segment(at_x, _TOP, at_x, bottom, 0.15)]
    if first:
        x, y = _inches(drawn, first.x, first.y)
        segments += [Segment(_LEFT, y, right, y, 0.08), Segment(x, _TOP, x, bottom, 0.08)]
    trained, grey = (
        [_label(drawn, p) for p in places if p.column.control is control] for control in (False, True)
    )
    _write_labels(canvas, drawn, [*trained, *said, *grey], marks, segments)


def _point(drawn: Axes, p: Place, keys: tuple[str, str]) -> list[Segment]:
    """One model's mark and its two bars; where the bars lie."""
    control, colour, bars = p.column.control, p.column.colour, []
    across, along = p.column.interval(keys[0]), p.column.interval(keys[1])
    for xs, ys in (((across.low, across.high), (p.y, p.y)), ((p.x, p.x), (along.low, along.high))):
        if not np.isfinite([*xs, *ys]).all():
            continue
        drawn.plot(xs, ys, "-", color=colour, linewidth=0.8 if control else 1.4, zorder=2 if control else 3)
        bars.append(Segment(*_inches(drawn, xs[0], ys[0]), *_inches(drawn, xs[1], ys[1])))
    drawn.plot(
        [p.x],
        [p.y],
        _marker(p.column),
        color=colour,
        markerfacecolor="white" if control else colour,
        markersize=4.2 if control else 8.0 if p.column.person else 6.5,
        markeredgewidth=1.0,
        zorder=4 if control else 5,
        gid="control" if control else "person" if p.column.person else "model",
    )
    return bars


def _marker(column: Column) -> str:
    if column.person:
        return "*"
    return _MARKERS.get(column.label.partition(":")[0], "o") if column.control else "o"


def _label(drawn: Axes, p: Place) -> _Label:
    at = _inches(drawn, p.x, p.y)
    if p.column.control:
        return _Label(p.column.label, 6.5, "normal", QUIET, at)
    if p.column.person:
        return _Label(p.column.label, 7.0, "normal", INK, at)
    return _Label(p.column.label, 8.0, "bold", p.column.colour, at)


def _write_labels(
    canvas: Canvas, drawn: Axes, labels: Sequence[_Label], marks: Sequence[Box], segments: Sequence[Segment]
) -> None:
    sizes = [
        (min(text_width(drawable(k.text), k.size, k.weight), _LONGEST_LABEL) + 0.03, k.size * 1.25 / 72)
        for k in labels
    ]
    frame = Box(_LEFT + 0.03, _TOP + 0.03, _LEFT + _WIDTH - 0.03, _TOP + _HEIGHT - 0.03)
    boxes = place_labels([k.at for k in labels], sizes, frame, marks=marks, segments=segments)
    for label, box in zip(labels, boxes, strict=True):
        if is_far(label.at, box):
            line = leader(label.at, box)
            (x0, y0), (x1, y1) = _data(drawn, line.x0, line.y0), _data(drawn, line.x1, line.y1)
            drawn.plot([x0, x1], [y0, y1], color=CONTROL_COLOUR, linewidth=0.5, zorder=1.5, gid="leader")
        canvas.words(
            box.left + 0.015,
            box.bottom - label.size * 0.33 / 72,
            label.text,
            size=label.size,
            weight=label.weight,
            colour=label.colour,
            longest=_LONGEST_LABEL,
        )


def _apart(drawn: Axes, start: Place, end: Place) -> bool:
    """Whether there is room for an arrow between two marks."""
    (x0, y0), (x1, y1) = _inches(drawn, start.x, start.y), _inches(drawn, end.x, end.y)
    return math.hypot(x1 - x0, y1 - y0) > _SHORTEST_ARROW


def _arrow(drawn: Axes, start: Place, end: Place, gid: str, *, blurred: bool) -> Segment:
    drawn.annotate(
        "",
        xy=(end.x, end.y),
        xytext=(start.x, start.y),
        gid=gid,
        zorder=3.5 if not blurred else 1.8,
        arrowprops={
            "arrowstyle": "-|>" if not blurred else "->",
            "color": INK if not blurred else CONTROL_COLOUR,
            "linewidth": 1.1 if not blurred else 0.8,
            "linestyle": "-" if not blurred else (0, (4, 3)),
            "shrinkA": 4.5,
            "shrinkB": 4.5 if not blurred else 3.5,
            "mutation_scale": 9,
        },
    )
    return Segment(*_inches(drawn, start.x, start.y), *_inches(drawn, end.x, end.y))


def _inches(drawn: Axes, x: float, y: float) -> tuple[float, float]:
    (x0, x1), (y0, y1) = drawn.get_xlim(), drawn.get_ylim()
    return _LEFT + (x - x0) / (x1 - x0) * _WIDTH, _TOP + (y1 - y) / (y1 - y0) * _HEIGHT


def _data(drawn: Axes, x: float, y: float) -> tuple[float, float]:
    (x0, x1), (y0, y1) = drawn.get_xlim(), drawn.get_ylim()
    return x0 + (x - _LEFT) / _WIDTH * (x1 - x0), y1 - (y - _TOP) / _HEIGHT * (y1 - y0)


def _upright(
    canvas: Canvas, x: float, y: float, text: str, *, size: float, colour: str = QUIET, align: str
) -> None:
    """One line that reads from bottom to top, on the baseline ``x``."""
    canvas.figure.text(
        x / canvas.width,
        1 - y / canvas.height,
        drawable(text),
        fontproperties=FontProperties(family=FACE, size=size),
        color=colour,
        rotation=90,
        rotation_mode="anchor",
        ha=align,
        va="baseline",
        parse_math=False,
    )
