"""Gains over the plain mean, and score against the number of suppressed directions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dinoscope.data.retrieval import RetrievalRow, RetrievalScores
from dinoscope.errors import InputError
from dinoscope.present.retrieval_text import CONTROL_TITLES, FIRST, TITLES, is_baseline
from dinoscope.present.sheet import Sheet, lines, quiet_ticks
from dinoscope.present.style import CONTROL_COLOUR, INK, LINE, MODEL_COLOURS, QUIET

POOLINGS = ("mean", "cls", "gem", "foreground")
_ROW = 0.165


def plot_gains(scores: RetrievalScores) -> Figure:
    """Every row's paired gain in mean average precision over the plain mean; controls are grey."""
    rows = [row for row in scores.rows if not is_baseline(row)]
    left, width, right, top = 2.75, 3.6, 0.95, 0.62
    note = (
        f"Mean over {scores.rows[0].summaries[FIRST].n} queries of {TITLES[FIRST]} minus that of the same "
        f"query "
        "with the plain mean and no suppression; bars: 95% bootstrap intervals. Grey: controls of the row "
        "above "
        "them. The number of directions is chosen without the queries scored."
    )
    gaps = sum(0.09 for one, other in pairwise(rows) if one.pooling != other.pooling)
    height = top + len(rows) * _ROW + gaps
    sheet = Sheet(
        left + width + right, height + 0.45 + len(lines(note, left + width + right - 0.2, 6.5)) * 0.13
    )
    sheet.words(0.1, 0.24, "Gain over the plain mean", size=9.5, weight="bold")
    axes = sheet.axes(left, top - 0.08, width, height - top + 0.08)
    y, places, last = 0.0, [], ""
    for row in rows:
        if last and row.pooling != last:
            y += 0.09
        places.append(y + _ROW / 2)
        if row.pooling != last:
            sheet.words(
                0.1, top + y + _ROW * 0.72, row.pooling, size=7.5, weight="bold", colour=_colour(row.pooling)
            )
        name = CONTROL_TITLES.get(row.control, row.control) if row.control else row.suppression
        sheet.words(
            0.95 if not row.control else 1.05,
            top + y + _ROW * 0.72,
            "no suppression" if name == "none" else name,
            size=6.5 if not row.control else 6,
            colour=INK if not row.control else QUIET,
            longest=left - 1.0,
        )
        last, y = row.pooling, y + _ROW
    axes.set_ylim(y, -0.08)
    axes.axvline(0, color=INK, linewidth=0.7)
    bounds = [0.0]
    for row, place in zip(rows, places, strict=True):
        gain = row.gains[FIRST].interval
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
        sheet.words(
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
    sheet.words(left + width / 2, height + 0.3, f"gain in {TITLES[FIRST]}", size=7, align="center")
    sheet.paragraph(0.1, height + 0.4, note, width=left + width + right - 0.2, size=6.5)
    return sheet.figure


def plot_ranks(scores: RetrievalScores, pooling: str = "mean") -> Figure:
    """Score against the number of directions, for one pooling: suppressions, and their controls in grey.

    Raises:
        InputError: nothing of this pooling has a number of directions.
    """
    rows = [row for row in scores.rows if row.pooling == pooling and row.curve is not None]
    kinds = list(dict.fromkeys(row.suppression for row in rows))
    if not kinds:
        raise InputError(f"no suppression of {pooling!r} vectors has a number of directions")
    side, gap, left, top = 2.0, 0.55, 0.6, 0.72
    whole = left + len(kinds) * (side + gap)
    note = (
        "Every point is scored on queries that neither the directions nor their number were fitted on. "
        "Dotted: "
        "no suppression. Grey: controls of the same number of directions, dash by dash: "
        f"{'; '.join(CONTROL_TITLES.values())}."
    )
    sheet = Sheet(whole, top + side + 0.6 + len(lines(note, whole - 0.2, 6.5)) * 0.13)
    sheet.words(0.1, 0.24, f"How many directions? ({pooling} vectors)", size=9.5, weight="bold")
    plain = next(r for r in scores.rows if (r.pooling, r.suppression, r.control) == (pooling, "none", ""))
    shown = [plain.summaries[FIRST].mean, *(i.mean for row in rows if row.curve for i in row.curve.means)]
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    pad = 0.08 * (high - low or 0.01)
    for place, kind in enumerate(kinds):
        axes = sheet.axes(left + place * (side + gap), top, side, side)
        kept = kind == "whiten"
        sheet.words(
            left + place * (side + gap), top - 0.1, kind, size=7.5, weight="bold", colour=_colour(pooling)
        )
        axes.axhline(plain.summaries[FIRST].mean, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
        dashes = iter(((0, (5, 2)), (0, (1.2, 1.6)), "-"))
        for row in (row for row in rows if row.suppression == kind):
            curve = row.curve
            if curve is None:
                continue
            x = np.arange(len(curve.ks))
            axes.plot(
                x,
                [i.mean for i in curve.means],
                color=CONTROL_COLOUR if row.control else _colour(pooling),
                linewidth=0.8 if row.control else 1.8,
                linestyle=next(dashes) if row.control else "-",
            )
            if not row.control:
                axes.fill_between(
                    x,
                    [i.low for i in curve.means],
                    [i.high for i in curve.means],
                    color=_colour(pooling),
                    alpha=0.15,
                    linewidth=0,
                )
                axes.set_xticks(x, [str(k) for k in curve.ks])
        axes.set_ylim(low - pad, high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        _quiet(axes)
        sheet.words(
            left + place * (side + gap) + side / 2,
            top + side + 0.3,
            "components kept" if kept else "directions removed",
            size=7,
            align="center",
        )
    sheet.words(0.1, top - 0.28, TITLES[FIRST], size=7, colour=QUIET)
    sheet.paragraph(0.1, top + side + 0.45, note, width=whole - 0.2, size=6.5)
    return sheet.figure


def _colour(pooling: str) -> str:
    place = POOLINGS.index(pooling) if pooling in POOLINGS else len(POOLINGS)
    return MODEL_COLOURS[place % len(MODEL_COLOURS)]


def _quiet(axes) -> None:  # type: ignore[no-untyped-def]
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
