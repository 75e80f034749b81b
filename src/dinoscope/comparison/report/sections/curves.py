"""Cosine against distance, and the spectra; nothing where they were not measured."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from dinoscope.comparison.columns import curve_columns
from dinoscope.comparison.figures.curves import KINDS, plot_curve
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section


def sections(comparison: Comparison) -> Iterator[Section]:
    """One figure for each curve."""
    figures = [
        plot(
            plot_curve(comparison, kind),
            f"{KINDS[kind][0]} for {', '.join(c.label for c in curve_columns(comparison, kind))}",
        )
        for kind in KINDS
        if kind in comparison.measurements.curves
    ]
    yield Section("curves", "Curves", Markup("").join(figures), 40, folded=True, on_paper=False)
