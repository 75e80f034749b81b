"""Small pieces of HTML: escaped text, pictures as data URIs, maps with their outlines, strips of numbers."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dinoscope.data.results import Interval
from dinoscope.drawing.style import cosine_colours, plain

STATIC_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Of a report without a view: no script, no request."""
PREVIEW_PX = 1_024
_JPEG_QUALITY = 82


def text(foreign: object) -> str:
    """Any text as harmless markup, fit for attributes too: escaped, on one line, printable."""
    return html.escape(plain(str(foreign)), quote=True)


def name(foreign: str) -> str:
    """A foreign name inside a sentence, its writing direction kept to itself."""
    return f"<bdi>{text(foreign)}</bdi>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    css: str = "",
    caption: str = "",
    labels: Sequence[str] = (),
) -> str:
    """A table of ready markup; the first cell of each row heads it.

    ``labels`` are the heads as plain text, shown beside each cell where the page is narrow.
    """
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(
            f'<td data-head="{text(label)}">{cell}</td>'
            for label, cell in zip((labels or head)[1:], row[1:], strict=True)
        )
        + "</tr>\n"
        for row in rows
    )
    shown = f"<caption>{caption}</caption>" if caption else ""
    return f'<table class="{css}">{shown}<thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table>\n'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms and what is said about them, both ready markup."""
    return (
        "<dl>" + "".join(f"<div><dt>{term}</dt><dd>{said}</dd></div>\n" for term, said in pairs) + "</dl>\n"
    )


def jpeg_uri(pixels: UInt8[np.ndarray, "H W 3"]) -> str:
    """A photograph, at most `PREVIEW_PX` on the long side."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    return _uri(image, "jpeg", quality=_JPEG_QUALITY, optimize=True)


def colours_uri(colours: Float[np.ndarray, "h w 3"]) -> str:
    """A pseudo-colour map, one pixel for each patch."""
    shares = np.clip(np.nan_to_num(colours), 0.0, 1.0)
    return _uri(Image.fromarray(np.rint(shares * 255).astype(np.uint8)), "png", optimize=True)


def cosines_uri(cosines: Float[np.ndarray, "h w"]) -> str:
    """A similarity map in the one scale of all cosine maps, one pixel for each patch."""
    colours, scale = cosine_colours()
    rgba = colours(scale(cosines), bytes=True)
    return _uri(Image.fromarray(np.ascontiguousarray(rgba[..., :3])), "png", optimize=True)


def file_uri(data: bytes, kind: str) -> str:
    """A figure as it was written, of the type ``image/kind``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def picture(uri: str, size: tuple[int, int], alternative: str, *, pixelated: bool) -> str:
    """An image element of ``(width, height)`` pixels; the alternative text is ready markup."""
    css = ' class="pixels"' if pixelated else ""
    return f'<img{css} src="{uri}" width="{size[0]}" height="{size[1]}" alt="{alternative}">'


def outlines(size: tuple[float, float], boxes: Sequence[tuple[float, float, float, float]]) -> str:
    """Boxes ``(left, top, right, bottom)`` drawn over a picture of this ``(width, height)``."""
    shapes = "".join(
        f'<rect class="{css}" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}"/>'
        for left, top, right, bottom in boxes
        for css in ("casing", "box")
    )
    return (
        f'<svg class="over" viewBox="0 0 {size[0]:g} {size[1]:g}" preserveAspectRatio="none" '
        f'aria-hidden="true">{shapes}</svg>'
    )


def strip(
    interval: Interval, values: Sequence[float], limits: tuple[float, float], *, zero: bool = False
) -> str:
    """A mean, its interval and the single values on one axis; an empty string where nothing is known."""
    low, high = limits
    span = high - low
    known = [float(v) for v in values if np.isfinite(v)]
    if not known or not span > 0 or not np.isfinite(interval.mean):
        return ""

    def at(value: float) -> str:
        return f"{100 * (value - low) / span:.2f}%"

    parts = ['<line class="axis" x1="0" x2="100%" y1="50%" y2="50%"/>']
    if zero and low < 0 < high:
        parts.append(f'<line class="zero" x1="{at(0)}" x2="{at(0)}" y1="0" y2="100%"/>')
    parts += [f'<line class="tick" x1="{at(v)}" x2="{at(v)}" y1="2" y2="12"/>' for v in known]
    if np.isfinite(interval.low):
        parts.append(
            f'<line class="range" x1="{at(interval.low)}" x2="{at(interval.high)}" y1="50%" y2="50%"/>'
        )
    parts.append(f'<circle cx="{at(interval.mean)}" cy="50%" r="3.5"/>')
    return f'<svg class="strip" aria-hidden="true">{"".join(parts)}</svg>'


def axis_limits(values: Float[np.ndarray, "..."], *, zero: bool = False) -> tuple[float, float]:
    """Where a strip's axis starts and ends, in tenths, or in hundredths where that is enough."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    step = 0.1 if high - low > 0.1 else 0.01
    first, last = np.floor(low / step + 1e-9) * step, np.ceil(high / step - 1e-9) * step
    return round(float(first), 6), round(float(max(last, first + step)), 6)


def _uri(image: Image.Image, kind: str, **options: object) -> str:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return file_uri(out.getvalue(), kind)
