"""What single numbers leave out, as curves: cosine against distance, spectra, position."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, MaxNLocator

from dinoscope.comparison import words
from dinoscope.comparison.columns import Column, curve_columns
from dinoscope.data.results import Comparison, Measurements
from dinoscope.drawing.canvas import FACE, Canvas, drawable, lines, quiet_ticks
from dinoscope.drawing.placement import spread
from dinoscope.drawing.style import CONTROL_COLOUR, LINE, QUIET, plain
from dinoscope.errors import InputError

KINDS = {
    "distance": (
        "Cosine against distance",
        "Distances are shares of the photograph's longer side, so that grids of different pitch can be "
        "compared. Where a line is flat, near patches are no more alike than far ones.",
    ),
    "variance": (
        "Spectrum of the patches",
        "Principal components of each photograph's own patches. A line that falls steeply is of few "
        "directions: a blurred or collapsed map's falls too.",
    ),
    "radial": (
        "Radial spectrum of the maps",
        "White noise is flat; smoother is steeper, whatever the reason. Frequencies above half the grid's "
        "side do not exist.",
    ),
    "position": (
        "Variance inside the directions of place",
        "The directions are those that position alone moves patches in, from images without content. Content "
        "correlates with place, so this bounds the leakage from above.",
    ),
}
"""Title, and what must be known to read it, of every curve there may be."""

_LOGARITHMIC = {"variance": (False, True), "radial": (True, True)}
"""Which axes are, x and y, where not both are linear."""

_LEFT, _TOP, _WIDTH, _HEIGHT = 0.6, 0.5, 4.0, 2.7
_LABELS = 1.5
_DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (5, 2, 1, 2)))


def plot_distance(measurements: Measurements | Comparison) -> Figure:
    """`plot_curve` of the cosine against distance."""
    return plot_curve(measurements, "distance")


def plot_curve(measurements: Measurements | Comparison, kind: str) -> Figure:
    """One line a model, labelled at its end; controls are grey. A line breaks where it is undefined.

    Args:
        measurements: with the curve.
        kind: one of `KINDS`: ``distance``, ``variance``, ``radial``, or ``position``, which needs the
            further passes of ``measure(passes=True)``.

    Raises:
        InputError: the curve was not measured, or there is no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"no curve {kind!r}; there are {', '.join(KINDS)}")
    title, reading = KINDS[kind]
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    if kind not in measured.curves:
        raise InputError(f"the {title[0].lower()}{title[1:]} was not measured")
    curve = measured.curves[kind]
    columns = curve_columns(measurements, kind)
    known = [c for c in columns if np.isfinite(_line(c, kind)).any()]
    missing = [c for c in columns if c not in known]
    note = f"Means over {words.count(len(measured.images), 'photograph')}. {reading}"
    if missing:
        note += f" Undefined, not drawn: {', '.join(plain(c.label, 60) for c in missing)}."
    whole = _LEFT + _WIDTH + _LABELS + 0.25
    foot = _TOP + _HEIGHT + 0.45
    canvas = Canvas(whole, foot + len(lines(note, whole - 0.2, 6.5)) * 6.5 * 1.4 / 72 + 0.1)
    canvas.words(0.1, 0.24, title, size=9.5, weight="bold")
    canvas.words(_LEFT, _TOP - 0.08, curve.y_title, size=7, colour=QUIET)
    axes = canvas.axes(_LEFT, _TOP, _WIDTH, _HEIGHT)
    ends: list[tuple[float, float]] = []
    for column in known:
        own, y = column.measured.curves[kind], _line(column, kind)
        style = _DASHES[column.index % len(_DASHES)] if column.control else "-"
        axes.plot(
            own.x,
            y,
            linestyle=style,
            color=column.colour,
            linewidth=0.9 if column.control else 1.8,
            zorder=2 if column.control else 3,
            marker="o" if np.isfinite(y).sum() == 1 else None,
            markersize=3,
        )
        last = np.flatnonzero(np.isfinite(y))[-1]
        ends.append((float(own.x[last]), float(y[last])))
    drawn = [_line(c, kind) for c in known]
    shown = np.concatenate([y[np.isfinite(y)] for y in drawn]) if drawn else np.ones(1)
    defined = np.flatnonzero(np.isfinite(np.stack(drawn)).any(axis=0)) if drawn else np.arange(len(curve.x))
    _scale(axes, kind, curve.x[: defined[-1] + 1], shown)
    quiet_ticks(axes)
    axes.tick_params(axis="y", length=0, pad=2, labelcolor=QUIET)
    for label in axes.get_yticklabels():
        label.set_fontproperties(FontProperties(family=FACE, size=6))
    axes.grid(axis="y", color=LINE, linewidth=0.4)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)
    canvas.words(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 0.3, curve.x_title, size=7, align="center")
    _label(canvas, axes, known, ends)
    if not known:
        canvas.words(
            _LEFT + _WIDTH / 2, _TOP + _HEIGHT / 2, "undefined for every model", colour=QUIET, align="center"
        )
    canvas.paragraph(0.1, foot, note, width=whole - 0.2, size=6.5)
    return canvas.figure


def _scale(axes: Axes, kind: str, x: np.ndarray, shown: np.ndarray) -> None:
    """Limits and ticks: from 0 where linear, decades where logarithmic."""
    across, up = _LOGARITHMIC.get(kind, (False, False))
    if up and (shown > 0).any():
        axes.set_yscale("log")
        axes.set_ylim(float(shown[shown > 0].min()) / 1.3, float(shown.max()) * 1.3)
    else:
        low, high = min(float(shown.min()), 0.0), max(float(shown.max()), 0.1)
        pad = (high - low) * 0.04
        axes.set_ylim(low - pad, high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(
            lambda value, _: words.number(value, digits=1 if high - low > 0.5 else 2)
        )
    if across and len(x):
        axes.set_xscale("log", base=2)
        axes.set_xlim(float(x[0]), float(x[-1]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_major_locator(FixedLocator([2**k for k in range(12)]))
    else:
        axes.set_xlim(0, float(x[-1]) * 1.01 if len(x) else 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.minorticks_off()


def _label(canvas: Canvas, axes: Axes, columns: list[Column], ends: list[tuple[float, float]]) -> None:
    """Names beside the ends of their lines, moved apart where they would touch."""
    wanted = [_TOP + (1 - _height(axes, y)) * _HEIGHT for _, y in ends]
    placed = spread(wanted, 0.135, _TOP, _TOP + _HEIGHT)
    x = _LEFT + _WIDTH + 0.06
    for column, from_y, y in zip(columns, wanted, placed, strict=True):
        colour = CONTROL_COLOUR if column.control else column.colour
        canvas.line((x, from_y), (x + 0.16, y), colour)
        canvas.words(
            x + 0.2,
            y + 0.033,
            drawable(column.label),
            size=6.5 if column.control else 7.5,
            weight="normal" if column.control else "bold",
            colour=QUIET if column.control else column.colour,
            longest=_LABELS - 0.1,
        )


def _height(axes: Axes, y: float) -> float:
    """Share of the axes' height."""
    return float(axes.transAxes.inverted().transform(axes.transData.transform((axes.get_xlim()[1], y)))[1])


def _line(column: Column, kind: str) -> np.ndarray:
    return np.asarray(column.measured.curves[kind].y[column.index], dtype=np.float64)
