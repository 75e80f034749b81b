"""A mask that says which part of a photograph is meant: white inside, black outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from dinoscope.errors import ImageError, shortened
from dinoscope.io.decoding import decoding
from dinoscope.io.limits import DECODED_BYTES, file_size
from dinoscope.io.png import load_whole
from dinoscope.io.upright import orientation_of, upright
from dinoscope.names import readable


def read_region_mask(
    path: str | Path, size: tuple[int, int], *, may_be_empty: bool = False
) -> Bool[np.ndarray, "H W"]:
    """Pixels inside the region: those that are not 0.

    Turned upright by its EXIF, as photographs are. Unlike in label images (`dinoscope.io.masks`), 255 is
    inside, and not unknown.

    Args:
        path: of an image of one channel, or of three equal ones.
        size: ``(W, H)`` of the upright photograph, which the mask must have.
        may_be_empty: that no pixel is inside is an answer, too.

    Raises:
        ImageError: it cannot be read, has colours or transparency, another size, or no pixel inside.
    """
    name = readable(path)
    try:
        file_size(Path(path), DECODED_BYTES)
        data = Path(path).read_bytes()
        with decoding(data, name) as (image, _):
            load_whole(image, data, name)
            mode, values = image.mode, np.asarray(image)
            values = upright(values, orientation_of(image, data))
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(name, f"the mask cannot be read: {error.strerror or error}") from error
    except Exception as error:  # every decoder has errors of its own; all mean the same here
        raise ImageError(name, f"the mask cannot be read: {shortened(error)}") from error
    if mode == "RGB" and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or mode == "P" or values.dtype.kind not in "biu":
        raise ImageError(
            name, f"a mask is black and white, this image is {mode}: save it as greyscale, white inside"
        )
    height, width = values.shape
    if (width, height) != tuple(size):
        raise ImageError(
            name,
            f"the mask is {width}x{height} px, the photograph {size[0]}x{size[1]}: draw it on the "
            "photograph, or resize it to that",
        )
    inside = np.asarray(values != 0)
    if not may_be_empty and not inside.any():
        raise ImageError(name, "the mask is empty: every pixel is black, and white is inside")
    return inside
