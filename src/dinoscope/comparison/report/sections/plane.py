"""The plane and what it says; nothing where neither of its pairs of axes was measured."""

from __future__ import annotations

from collections.abc import Iterator

from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.plane_words import plane_axes, plane_notes, plane_readings
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section, fill


def sections(comparison: Comparison) -> Iterator[Section]:
    """A point a model."""
    held = plane_axes(comparison.measurements)
    if not held:
        return
    told = PLANE[held[0]]
    readings = plane_readings(comparison)
    figure = plot(plot_plane(comparison, captioned=False), f"{told.described}. {' '.join(readings)}")
    body = fill(
        "comparison/report/sections/plane.html",
        figure=figure,
        readings=readings,
        notes=" ".join(plane_notes(comparison)),
    )
    yield Section("plane", told.title, body, 20, folded=True)
