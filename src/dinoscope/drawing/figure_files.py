"""Figures as files that are the same every time they are written."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import matplotlib
import numpy as np
from matplotlib.backends import backend_agg, backend_pdf, backend_svg  # noqa: F401 (here, before threads would)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dinoscope.drawing.canvas import DPI

PNG_LEVEL = 3
"""Compression level: without an alpha channel smaller files than level 6 with one, in half of its time."""

_JPEG: dict[str, int | bool] = {"quality": 80, "subsampling": 0, "optimize": True}


def svg_bytes(figure: Figure) -> bytes:
    """Outlines instead of text, so that it looks the same everywhere; no date, no random names."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "dinoscope"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """At `DPI` dots an inch, opaque."""
    canvas, out = figure.canvas, io.BytesIO()
    if not isinstance(canvas, FigureCanvasAgg) or figure.dpi != DPI:
        raise ValueError("no figure of dinoscope.drawing.canvas")
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "png", compress_level=PNG_LEVEL, dpi=(DPI, DPI))
    return out.getvalue()


def pdf_bytes(figure: Figure) -> bytes:
    """Text that can be searched and copied; no date."""
    out = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(out, format="pdf", metadata={"CreationDate": None})
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


FORMATS: Mapping[str, Callable[[Figure], bytes]] = {"png": png_bytes, "pdf": pdf_bytes, "svg": svg_bytes}
"""What a figure can be written as, by the end of its file's name."""
