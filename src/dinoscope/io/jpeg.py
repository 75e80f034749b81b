"""A JPEG's pixels from a decoder that writes them where they are wanted, where it is installed."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def jpeg_pixels(data: bytes, image: Image.Image) -> UInt8[np.ndarray, "H W 3"] | None:
    """What Pillow makes of a JPEG, to the last bit, sooner: both are libjpeg-turbo, with its accurate ways.

    None where it is left to Pillow: without the extra [fast]; for what is no JPEG of three colours (four the
    two turn into RGB differently); and for whatever this decoder refuses or warns of.

    Args:
        data: the file.
        image: the same, opened and not loaded.
    """
    if image.format not in ("JPEG", "MPO") or image.mode != "RGB":
        return None
    try:
        import simplejpeg
    except ImportError:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
    except ValueError:  # all that it says of a file
        return None
    return np.asarray(pixels) if pixels.shape[1::-1] == image.size else None
