"""Figures as files that are the same every time they are written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import matplotlib
from matplotlib.figure import Figure

from dinoscope.atomic import write_whole
from dinoscope.data.results import Comparison, Measurements
from dinoscope.present.plane import plot_plane
from dinoscope.present.plane_words import plane_axes
from dinoscope.present.sheet import DPI

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
        _write(path, data)
    return paths


def svg_bytes(figure: Figure) -> bytes:
    """Outlines instead of text, so that it looks the same everywhere; no date, no random names."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "dinoscope"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """At `DPI` dots an inch."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def jpeg_bytes(figure: Figure) -> bytes:
    """For pages: a tenth of a picture's PNG, at half of `DPI`."""
    out = io.BytesIO()
    options = {"quality": 80, "subsampling": 0, "optimize": True}
    figure.savefig(out, format="jpeg", dpi=0.5 * DPI, pil_kwargs=options)
    return out.getvalue()


def _write(path: Path, data: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(data)

    write_whole(path, write)
