"""A decoded image as upright 8-bit RGB, in bands of rows, so that little is held beside it."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image

from dinoscope.io.pixel_range import check_deep_colours, current_range, to_8_bits
from dinoscope.io.tiff import FORMAT, MIN_IS_WHITE, PHOTOMETRIC, UNSIGNED, Tiff
from dinoscope.names import printable

LOG = logging.getLogger(__name__)

_BAND_ROWS, _BAND_BYTES = 64, 2**20
"""Rows that are turned at once at least, and bytes of them that are little: each band costs Python's time."""


def deep_colours(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet stores colours of 16 bits a channel."""
    whole = image.format == "BMP"  # there a pixel has 16 bits, and not each channel
    return not whole and len(image.getbands()) >= 3 and ";16" in str(getattr(image, "tile", ""))


def pages_told(image: Image.Image, tiff: Tiff | None, source: str) -> list[str]:
    """What is taken where a file holds more than one picture."""
    if tiff is None:
        frames = getattr(image, "n_frames", 1)
        return [f"first of {frames} frames"] if image.format != "MPO" and frames > 1 else []
    if tiff.broken:
        return [f"first of its pages, of which the others cannot be found: {tiff.broken}"]
    width, height = image.size
    if tiff.raw:
        said = f"a camera's raw file: its preview of {width}x{height} pixels is taken"
        LOG.warning("%s: %s; develop it for the whole picture", printable(source), said)
        return [said]
    if tiff.reduced:
        return [f"a pyramid: the first of {tiff.pages} pages, {width}x{height} pixels, is taken"]
    return [f"first of {tiff.pages} frames"] if tiff.pages > 1 else []


def rgb_pixels(
    image: Image.Image,
    tiff: Tiff | None,
    background: tuple[int, int, int],
    notes: list[str],
    source: str,
    *,
    deep: bool,
) -> UInt8[np.ndarray, "H W 3"]:
    """Pixels as stored: not turned. The image is closed on the way.

    Args:
        image: loaded.
        tiff: its directories, where it is a TIFF.
        background: of what is transparent.
        notes: gets what was done.
        source: for messages.
        deep: as `deep_colours` said before it was loaded.

    Raises:
        ImageError: values outside the range of their kind.
    """
    width, height = image.size
    out = np.empty((height, width, 3), np.uint8)
    if image.mode == "F" or image.mode.startswith("I"):
        inverted = tiff is not None and tiff.value(PHOTOMETRIC, 1) == MIN_IS_WHITE
        values = np.asarray(image)
        if tiff is not None and (tiff.bits, tiff.value(FORMAT, 1)) == (32, UNSIGNED):
            values = values.view(np.uint32)  # Pillow has no kind for these
        clear = _clear(image, values)
        if clear is not None and not clear.all():
            values = np.where(clear, values[~clear][0], values)  # what nobody sees says nothing of the range
        out[...] = to_8_bits(values, current_range(), source, notes, inverted=inverted)[..., None]
        if clear is not None:
            notes.append(f"transparency composited on rgb{background}")
            out[clear] = background
    else:
        transparent = image.has_transparency_data
        if transparent:
            notes.append(f"transparency composited on rgb{background}")
        elif image.mode != "RGB":
            notes.append(f"converted from {image.mode}")
        rows = max(_BAND_ROWS, _BAND_BYTES // (3 * width))
        for top in range(0, height, rows):
            band = image.crop((0, top, width, min(top + rows, height)))
            if transparent:
                rgba = band.convert("RGBA")
                band = Image.alpha_composite(Image.new("RGBA", rgba.size, (*background, 255)), rgba)
            out[top : top + band.height] = np.asarray(band.convert("RGB"))
        if deep:
            check_deep_colours(out, current_range(), source, notes)
    image.close()
    return out


def _clear(image: Image.Image, values: Shaped[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"] | None:
    """Where grey of 16 bits has the value that its file calls transparent; None where it calls none so."""
    named = image.info.get("transparency")
    return np.asarray(values == named) if isinstance(named, int) else None
