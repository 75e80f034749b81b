"""Every setting by what it costs and what it reaches, on photographs held out."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from dinoscope.backbones.bundled import kind_of
from dinoscope.choice.choice import Choice
from dinoscope.choice.words import title_of, verdict
from dinoscope.data.spec import KIND_WORDS
from dinoscope.drawing.canvas import FACE, Canvas, lines
from dinoscope.drawing.style import INK, LINE, QUIET, model_colour

_WIDE, _HIGH, _LEFT, _TOP, _GAP = 3.6, 2.9, 0.55, 0.62, 0.75


_BELOW_0 = re.compile(r"(?<=[ \[])-(?=\d)")
"""The hyphen of a number that is printed on a terminal; in a figure it is a minus sign."""


def plot_choice(choice: Choice) -> Figure:
    """Left: the chosen metric against time, one point a setting; right: against the layer, one line a model,
    grid and facet. A ring marks the best, a diamond the cheapest that cannot be told from it.
    """
    title = title_of(choice.by)
    note = (
        "Ring: the highest mean. Diamond: the cheapest that cannot be told from it. Line: no cheaper setting "
        f"is as good. {_BELOW_0.sub('−', verdict(choice))}"
    )
    whole = _LEFT + 2 * _WIDE + _GAP + 1.9
    below = len(lines(note, whole - 0.3, 7)) * 7 * 1.4 / 72
    canvas = Canvas(whole, _TOP + _HIGH + 0.62 + below)
    canvas.words(0.15, 0.26, f"{title} of {len(choice.settings)} settings", size=9, weight="bold")
    means = np.array([interval.mean for interval in choice.summaries[choice.by]])
    seconds = np.array([cost.seconds for cost in choice.costs])
    names = sorted({s.model for s in choice.settings}, key=[s.model for s in choice.settings].index)
    left = canvas.axes(_LEFT, _TOP, _WIDE, _HIGH)
    right = canvas.axes(_LEFT + _WIDE + _GAP, _TOP, _WIDE, _HIGH)
    runs = sorted({(names.index(s.model), s.grid, s.facet) for s in choice.settings})
    grids = sorted({s.grid for s in choice.settings})
    marks = ("o", "s", "^", "v", "P")
    y = _TOP + 0.12
    for number, (model, grid, facet) in enumerate(runs):
        own = [
            i
            for i, s in enumerate(choice.settings)
            if (s.model, s.grid, s.facet) == (names[model], grid, facet)
        ]
        kind = kind_of(names[model])
        colour = model_colour(model, control=kind == "control")
        mark = marks[grids.index(grid) % len(marks)]
        dashes = "-" if facet == "token" else "--"
        left.plot(seconds[own], means[own], mark, color=colour, markersize=4, alpha=0.8)
        layers = [choice.settings[i].layer for i in own]
        right.plot(layers, means[own], dashes, marker=mark, color=colour, markersize=3.5, linewidth=1)
        shown = f"{names[model]}, grid {grid}" + ("" if facet == "token" else f", {facet}")
        key = canvas.axes(whole - 1.75, y - 0.1, 0.2, 0.1)
        key.set_axis_off()
        key.plot([0, 1], [0, 0], dashes, color=colour, linewidth=1)
        key.plot([0.5], [0], mark, color=colour, markersize=3.5)
        canvas.words(whole - 1.48, y, shown, size=6.5, longest=1.4)
        y += 0.17
        if kind and model not in {before for before, *_ in runs[:number]}:
            canvas.words(whole - 1.48, y - 0.05, KIND_WORDS[kind], size=6, colour=QUIET, longest=1.4)
            y += 0.1
    front = list(choice.pareto())
    left.plot(seconds[front], means[front], color=QUIET, linewidth=0.8, zorder=0)
    for axes, x in ((left, seconds), (right, [s.layer for s in choice.settings])):
        for i, mark in ((choice.best, "o"), (choice.recommended, "D")):
            axes.plot(x[i], means[i], mark, markersize=10, markerfacecolor="none", color=INK, zorder=5)
        _quiet(axes)
    _titles(canvas, 0.15, "seconds a photograph (the pass of all layers)", title)
    _titles(canvas, _WIDE + _GAP + 0.15, "layer (0-based)", title)
    canvas.paragraph(0.15, _TOP + _HIGH + 0.5, note, width=whole - 0.3, size=7)
    return canvas.figure


def _titles(canvas: Canvas, x: float, across: str, up: str) -> None:
    canvas.words(x, _TOP - 0.1, up, size=7, colour=QUIET)
    canvas.words(x + _LEFT - 0.15, _TOP + _HIGH + 0.34, across, size=7, colour=QUIET)


def _quiet(axes: Axes) -> None:
    axes.tick_params(length=2, color=LINE, labelcolor=QUIET)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(FontProperties(family=FACE, size=6.5))
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(LINE)
