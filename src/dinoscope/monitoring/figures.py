"""A watched training in pictures: its numbers over the steps, and its maps in one shared basis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dinoscope.data.features import PatchFeatures
from dinoscope.drawing.canvas import Canvas, panel_size, patch_map
from dinoscope.drawing.style import ACCENT, INK, LINE
from dinoscope.maths.pca import fit_pca, to_rgb
from dinoscope.monitoring.check import KEYS, Check, words_of

COLUMNS = 4
PANEL = (1.9, 1.05)
GAP = 0.45
FRAMES = 8
"""Checks of the strip, at most; the first and the last are among them."""


def plot_checks(checks: Sequence[Check]) -> Figure:
    """A panel for each number that is defined, over the steps; a line where quality began to fall."""
    quality = [float(np.nanmean(c.quality)) if np.isfinite(c.quality).any() else np.nan for c in checks]
    lines = {"dense quality": quality}
    for key in KEYS:
        if any(key in check.values for check in checks):
            lines[words_of(key)[0]] = [check.values.get(key, np.nan) for check in checks]
    rows = -(-len(lines) // COLUMNS)
    canvas = Canvas(COLUMNS * (PANEL[0] + GAP) + 0.2, rows * (PANEL[1] + 0.6) + 0.2)
    steps = [check.step for check in checks]
    beside = 0.05 * (max(steps, default=0) - min(steps, default=0)) or 1.0
    steps_shown = (min(steps, default=0) - beside, max(steps, default=0) + beside)
    since = next((c.falls_since for c in reversed(checks) if c.falls_since is not None), None)
    for number, (title, values) in enumerate(lines.items()):
        x = 0.4 + (number % COLUMNS) * (PANEL[0] + GAP)
        y = 0.35 + (number // COLUMNS) * (PANEL[1] + 0.6)
        canvas.words(x, y - 0.08, title, size=7, weight="bold" if number == 0 else "normal", longest=PANEL[0])
        axes = canvas.axes(x, y, *PANEL)
        axes.plot(steps, values, color=INK, linewidth=1, marker="o", markersize=2)
        axes.set_xlim(*steps_shown)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        if since is not None:
            axes.axvline(since, color=ACCENT, linewidth=0.8)
        axes.tick_params(labelsize=5, length=1.5, color=LINE)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return canvas.figure


def plot_strip(maps: Mapping[int, Sequence[PatchFeatures]]) -> Figure:
    """Photographs in rows and steps in columns: the first three components of all of them together.

    One basis, so that a colour means the same direction throughout.
    """
    steps = sorted(maps)
    places = np.unique(np.linspace(0, len(steps) - 1, min(FRAMES, len(steps))).round().astype(int))
    chosen = [steps[i] for i in places]
    basis = fit_pca([f for step in chosen for f in maps[step]], n=3)
    sizes = [panel_size(f.grid.image_size, area=1.2) for f in maps[chosen[0]]]
    width = max(w for w, _ in sizes)
    canvas = Canvas(0.2 + len(chosen) * (width + 0.08), 0.35 + sum(h + 0.08 for _, h in sizes))
    for column, step in enumerate(chosen):
        x, y = 0.1 + column * (width + 0.08), 0.3
        canvas.words(x, 0.2, f"step {step:,}", size=7, longest=width)
        for f, (w, h) in zip(maps[step], sizes, strict=True):
            patch_map(canvas.panel(x, y, w, h), to_rgb(basis.project(f), limits=basis.limits))
            y += h + 0.08
    return canvas.figure
