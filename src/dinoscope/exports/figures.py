"""Where in the photograph does an export depart?"""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dinoscope.drawing.canvas import Canvas, colour_bar, lines, panel_size, patch_map
from dinoscope.exports.certificate import ExportCertificate, Reading

AREA = 2.6
"""Square inches of a panel."""

GAP = 0.25
LINE = 6.5 * 1.4 / 72
"""Height of a line of the verdict, inches."""

DECADES = (-8, 0)
"""Limits of the colours: powers of 10 of one minus the cosine; float32 rounding is about the first."""


def plot_certificate(found: ExportCertificate) -> Figure:
    """One minus the cosine of every patch, on each grid for the photograph that departs most.

    One logarithmic scale for all panels: dark agrees to rounding, bright has nothing in common.
    """
    worst: dict[tuple[int, int], Reading] = {}
    for reading in found.readings:
        known = worst.get(reading.grid)
        if reading.cosines is not None and (known is None or reading.worst < known.worst):
            worst[reading.grid] = reading
    sizes = [panel_size((grid[1], grid[0]), area=AREA) for grid in worst]
    width = max(4.5, sum(w for w, _ in sizes) + GAP * (len(sizes) + 1))
    height = max((h for _, h in sizes), default=0.0)
    told = lines(found.verdict, width - 2 * GAP, 6.5)
    top = 0.3 + LINE * len(told)
    canvas = Canvas(width, top + height + 0.8)
    for k, line in enumerate(told):
        canvas.words(GAP, 0.3 + LINE * k, line, size=6.5)
    colours, scale = colormaps["magma"], Normalize(*DECADES)
    x = GAP
    for (grid, reading), (w, h) in zip(worst.items(), sizes, strict=True):
        assert reading.cosines is not None  # only these are kept
        gap = np.log10(np.maximum(1.0 - reading.cosines, 10.0 ** DECADES[0]))
        patch_map(canvas.panel(x, top, w, h), gap, colours=colours, scale=scale)
        label = f"{reading.photograph}, {grid[0]}x{grid[1]}: worst {reading.worst:.6f}"
        canvas.words(x, top + h + 0.13, label, size=6, longest=w)
        x += w + GAP
    ticks = list(range(DECADES[0], DECADES[1] + 1, 2))
    bar = canvas.axes(GAP, top + height + 0.33, width - 2 * GAP, 0.09)
    colour_bar(canvas.figure, bar, colours, scale, ticks, [f"{10.0**t:.0e}" for t in ticks])
    canvas.words(GAP, top + height + 0.7, "one minus the cosine with the model's patch (no unit)", size=6)
    return canvas.figure
