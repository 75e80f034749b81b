"""The plane as files."""

from __future__ import annotations

from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.plane_words import plane_axes
from dinoscope.data.results import Comparison, Measurements
from dinoscope.drawing.figure_files import png_bytes, svg_bytes

PLANE_FILES = ("plane.svg", "plane.png")


def write_plane(measurements: Measurements | Comparison, folder: Path) -> tuple[Path, ...]:
    """`PLANE_FILES`, each whole or not at all; those of earlier measurements go where there is no plane."""
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    paths = tuple(folder / name for name in PLANE_FILES)
    if not plane_axes(measured):
        for path in paths:
            path.unlink(missing_ok=True)
        return ()
    figure = plot_plane(measurements)
    for path, data in zip(paths, (svg_bytes(figure), png_bytes(figure)), strict=True):
        write_bytes(path, data)
    return paths
