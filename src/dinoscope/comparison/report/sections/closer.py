"""Attention, colours between patches, high norms: a section for each that was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from dinoscope.comparison.figures.closer import plot_closer
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section, fill

PLACE = 10
"""Behind the photographs, before the numbers."""


def sections(comparison: Comparison) -> Iterator[Section]:
    """Nothing where nothing was asked for."""
    n, labels = len(comparison.photographs), ", ".join(m.label for m in comparison.models)
    for k, look in enumerate(comparison.closer):
        shown = len(look.rows)
        told = look.told + (f" The first {shown} of {n} photographs." if shown < n else "")
        figure = plot(
            plot_closer(comparison, look.key), f"{look.title} of {shown} photographs by {labels}", pixels=True
        )
        body = fill("comparison/report/sections/closer.html", told=told, figure=figure)
        yield Section(look.key, look.title, body, PLACE + k, folded=True, on_paper=False)
