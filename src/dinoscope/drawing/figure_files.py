"""Figures as files that are the same every time they are written."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.backends import backend_agg, backend_svg  # noqa: F401 (here, before threads would)
from matplotlib.figure import Figure

from dinoscope.drawing.canvas import DPI


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
