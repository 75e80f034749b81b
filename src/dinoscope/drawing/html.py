"""Small pieces of HTML: escaped text, pictures as data URIs, figures."""

from __future__ import annotations

import base64
import io

import numpy as np
from jaxtyping import Float, UInt8
from markupsafe import Markup, escape
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from PIL import Image

from dinoscope.drawing.figure_files import dark_jpeg_bytes, jpeg_bytes, svg_bytes
from dinoscope.drawing.style import cosine_colours, plain

PREVIEW_PX = 1_024
_JPEG_QUALITY = 82
_PX_PER_INCH = 130


def text(foreign: object) -> Markup:
    """Any text as harmless markup, fit for attributes too: escaped, on one line, printable."""
    return escape(plain(str(foreign)))


def name(foreign: str) -> Markup:
    """A foreign name inside a sentence, its writing direction kept to itself."""
    return Markup("<bdi>{}</bdi>").format(plain(foreign))


def jpeg_uri(pixels: UInt8[np.ndarray, "H W 3"], *, longest_px: int = PREVIEW_PX) -> str:
    """A photograph, at most ``longest_px`` on the long side."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return _uri(image, "jpeg", quality=_JPEG_QUALITY, optimize=True)


def colours_uri(colours: Float[np.ndarray, "h w 3"]) -> str:
    """A pseudo-colour map, one pixel for each patch."""
    shares = np.clip(np.nan_to_num(colours), 0.0, 1.0)
    return _uri(Image.fromarray(np.rint(shares * 255).astype(np.uint8)), "png", optimize=True)


def cosines_uri(cosines: Float[np.ndarray, "h w"]) -> str:
    """A similarity map in the one scale of all cosine maps, one pixel for each patch."""
    return coloured_uri(cosines, *cosine_colours())


def coloured_uri(values: Float[np.ndarray, "h w"], colours: Colormap, scale: Normalize) -> str:
    """Numbers as colours, one pixel for each."""
    rgba = colours(scale(values), bytes=True)
    return _uri(Image.fromarray(np.ascontiguousarray(rgba[..., :3])), "png", optimize=True)


def plot(figure: Figure, described: str, *, pixels: bool = False) -> Markup:
    """A figure with words instead; as lines, whose colours the page turns round in the dark, where it has no
    pictures in it.
    """
    width, height = (round(float(side) * _PX_PER_INCH) for side in figure.get_size_inches())
    dark = Markup()
    if pixels:
        jpeg = jpeg_bytes(figure)
        uri, turned = file_uri(jpeg, "jpeg"), file_uri(dark_jpeg_bytes(jpeg, figure), "jpeg")
        dark = Markup('<source media="screen and (prefers-color-scheme: dark)" srcset="{}">').format(turned)
    else:
        uri = file_uri(svg_bytes(figure), "svg+xml")
    element = (
        '<figure class="plot"><picture>{}<img src="{}" width="{}" height="{}" alt="{}"></picture></figure>\n'
    )
    return Markup(element).format(dark, uri, width, height, plain(described))


def file_uri(data: bytes, kind: str) -> str:
    """A figure as it was written, of the type ``image/kind``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _uri(image: Image.Image, kind: str, **options: object) -> str:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return file_uri(out.getvalue(), kind)
