"""Gains of suppressions and poolings, and gain against the number of suppressed directions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dinoscope.data.retrieval import FIRST, RetrievalRow, RetrievalScores
from dinoscope.drawing.canvas import Canvas, lines, quiet_ticks
from dinoscope.drawing.style import CONTROL_COLOUR, INK, LINE, MODEL_COLOURS, QUIET
from dinoscope.errors import InputError
from dinoscope.evaluation.text import CONTROL_TITLES, TITLES, gain_of, is_baseline

POOLINGS = ("mean", "cls", "gem", "foreground")
DASHES: dict[str, tuple[float, tuple[float, ...]] | str] = {
    "random": (0.0, (5.0, 2.0)),
    "matched": (0.0, (1.2, 1.6)),
    "all_patches": "-",
}
_ROW = 0.165


def plot_gains(scores: RetrievalScores) -> Figure:
    """Paired gains in mean average precision: of suppressions over none, of poolings over the plain mean.

    Controls are grey.
    """
    rows = [row for row in scores.rows if not is_baseline(row)]
    left, width, right, top = 2.75, 3.6, 0.95, 0.62
    note = (
        f"Mean over {scores.rows[0].summaries[FIRST].n} queries of average precision minus that of the same "
        "query and the same vectors without suppression; first row of each pooling: its vectors minus the "
        "plain mean, both without suppression. Bars: 95% intervals. Grey: controls of the row above them. "
        "The number of directions is chosen without the queries scored."
    )
    gaps = sum(0.09 for one, other in pairwise(rows) if one.pooling != other.pooling)
    height = top + len(rows) * _ROW + gaps
    canvas = Canvas(
        left + width + right, height + 0.45 + len(lines(note, left + width + right - 0.2, 6.5)) * 0.13
    )
    canvas.words(0.1, 0.24, "Gain of each suppression and pooling", size=9.5, weight="bold")
    axes = canvas.axes(left, top - 0.08, width, height - top + 0.08)
    y, places, last = 0.0, [], ""
    for row in rows:
        if last and row.pooling != last:
            y += 0.09
        places.append(y + _ROW / 2)
        if row.pooling != last:
            canvas.words(
                0.1, top + y + _ROW * 0.72, row.pooling, size=7.5, weight="bold", colour=_colour(row.pooling)
            )
        name = CONTROL_TITLES.get(row.control, row.control) if row.control else row.suppression
        canvas.words(
            0.95 if not row.control else 1.05,
            top + y + _ROW * 0.72,
            "over the plain mean" if name == "none" else name,
            size=6.5 if not row.control else 6,
            colour=INK if not row.control else QUIET,
            longest=left - 1.0,
        )
        last, y = row.pooling, y + _ROW
    axes.set_ylim(y, -0.08)
    axes.axvline(0, color=INK, linewidth=0.7)
    bounds = [0.0]
    for row, place in zip(rows, places, strict=True):
        gain = gain_of(row).interval
        if not np.isfinite(gain.mean):
            continue
        colour = CONTROL_COLOUR if row.control else _colour(row.pooling)
        if np.isfinite(gain.low):
            axes.plot(
                [gain.low, gain.high], [place, place], color=colour, linewidth=0.9 if row.control else 1.8
            )
            bounds += [gain.low, gain.high]
        axes.plot([gain.mean], [place], "o", color=colour, markersize=2.2 if row.control else 4)
        bounds.append(gain.mean)
        canvas.words(
            left + width + 0.08,
            top + place + _ROW * 0.22,
            f"{gain.mean:+.3f}".replace("-", "−"),
            size=6.5 if not row.control else 6,
            colour=INK if not row.control else QUIET,
        )
    pad = 0.05 * (max(bounds) - min(bounds) or 1.0)
    axes.set_xlim(min(bounds) - pad, max(bounds) + pad)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    _quiet(axes)
    axes.set_yticks([])
    canvas.words(left + width / 2, height + 0.3, f"gain in {TITLES[FIRST]}", size=7, align="center")
    canvas.paragraph(0.1, height + 0.4, note, width=left + width + right - 0.2, size=6.5)
    return canvas.figure


def plot_ranks(scores: RetrievalScores, pooling: str = "mean") -> Figure:
    """Gain over no suppression against the number of directions, for one pooling; controls are grey.

    Raises:
        InputError: nothing of this pooling has a number of directions.
    """
    rows = [row for row in scores.rows if row.pooling == pooling and row.curve is not None]
    kinds = list(dict.fromkeys(row.suppression for row in rows))
    if not kinds:
        raise InputError(f"no suppression of {pooling!r} vectors has a number of directions")
    side, gap, left, top = 2.05, 0.6, 0.62, 0.82
    controls = [c for c in CONTROL_TITLES if any(row.control == c for row in rows)]
    key = 0.16 * len(controls)
    whole = max(left + len(kinds) * (side + gap), 4.2)
    note = (
        "Directions are fitted without the fold of the queries scored; here their number is the same for "
        "all, in the scores it is chosen without that fold too. Bands: 95% intervals of the paired "
        "gain."
    )
    words = lines(note, whole - 0.2, 6.5)
    canvas = Canvas(whole, top + side + 0.55 + key + len(words) * 0.13)
    canvas.words(0.1, 0.24, f"How many directions? ({pooling} vectors)", size=9.5, weight="bold")
    canvas.words(0.1, 0.44, f"gain in {TITLES[FIRST]} over no suppression", size=7, colour=QUIET)
    low, high = _span(rows)
    for place, kind in enumerate(kinds):
        x = left + place * (side + gap)
        axes = canvas.axes(x, top, side, side)
        canvas.words(x, top - 0.1, kind, size=7.5, weight="bold", colour=_colour(pooling))
        axes.axhline(0, color=INK, linewidth=0.7)
        for row in sorted((row for row in rows if row.suppression == kind), key=lambda r: not r.control):
            _draw_curve(axes, row, _colour(pooling))
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        _quiet(axes)
        below = "components kept" if kind == "whiten" else "directions removed"
        canvas.words(x + side / 2, top + side + 0.3, below, size=7, align="center")
    y = top + side + 0.5
    for control in controls:
        sample = canvas.panel(0.1, y - 0.08, 0.32, 0.08)
        sample.plot([0, 1], [0, 0], color=CONTROL_COLOUR, linewidth=1, linestyle=DASHES[control])
        canvas.words(0.5, y, f"control: {CONTROL_TITLES[control]}", size=6.5, colour=QUIET)
        y += 0.16
    canvas.paragraph(0.1, y - 0.06, note, width=whole - 0.2, size=6.5)
    return canvas.figure


def _span(rows: list[RetrievalRow]) -> tuple[float, float]:
    """Limits that hold every line, and the bands as far as half of what the lines span beyond them."""
    curves = [(row.control, row.curve) for row in rows if row.curve is not None]
    means = [0.0, *(i.mean for _, curve in curves for i in curve.gains)]
    bands = [v for control, curve in curves if not control for i in curve.gains for v in (i.low, i.high)]
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    span = high - low or 0.01
    known = [v for v in bands if np.isfinite(v)] or [0.0]
    low, high = min(low, max(min(known), low - span / 2)), max(high, min(max(known), high + span / 2))
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _draw_curve(axes: Axes, row: RetrievalRow, colour: str) -> None:
    curve = row.curve
    if curve is None:
        return
    x = np.arange(len(curve.ks))
    means = [i.mean for i in curve.gains]
    if row.control:
        axes.plot(x, means, color=CONTROL_COLOUR, linewidth=1, linestyle=DASHES[row.control])
        return
    lows, highs = [i.low for i in curve.gains], [i.high for i in curve.gains]
    axes.fill_between(x, lows, highs, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, means, "o-", color=colour, linewidth=1.8, markersize=3)
    axes.set_xticks(x, [str(k) for k in curve.ks])


def _colour(pooling: str) -> str:
    place = POOLINGS.index(pooling) if pooling in POOLINGS else len(POOLINGS)
    return MODEL_COLOURS[place % len(MODEL_COLOURS)]


def _quiet(axes: Axes) -> None:
    quiet_ticks(axes)
    axes.tick_params(axis="y", length=0, pad=2, labelcolor=QUIET, labelsize=6)
    axes.grid(axis="x" if not axes.get_yticks().size else "both", color=LINE, linewidth=0.4)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)


def ranked_poolings(scores: RetrievalScores) -> tuple[str, ...]:
    """Poolings that have a curve, in the order they are shown."""
    found: dict[str, RetrievalRow] = {row.pooling: row for row in scores.rows if row.curve is not None}
    return tuple(found)
