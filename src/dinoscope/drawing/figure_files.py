"""Figures as files that are the same every time they are written."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from matplotlib.backends import backend_agg, backend_svg  # noqa: F401 (here, before threads would)
from matplotlib.figure import Figure
from PIL import Image

from dinoscope.drawing.canvas import DPI

_JPEG: dict[str, int | bool] = {"quality": 80, "subsampling": 0, "optimize": True}


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
    figure.savefig(out, format="jpeg", dpi=0.5 * DPI, pil_kwargs=_JPEG)
    return out.getvalue()


def dark_jpeg_bytes(jpeg: bytes, figure: Figure) -> bytes:
    """A figure's JPEG on dark paper: everything but what its axes hold has its lightness turned round."""
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    dark = 255 - np.rint(0.93 * pixels).astype(np.uint8)
    for axes in figure.axes:
        (left, low), (right, high) = axes.get_position().get_points()
        rows = slice(round((1 - high) * height), round((1 - low) * height))
        columns = slice(round(left * width), round(right * width))
        dark[rows, columns] = pixels[rows, columns]
    out = io.BytesIO()
    Image.fromarray(dark).save(out, "jpeg", quality=70, optimize=True)
    return out.getvalue()
