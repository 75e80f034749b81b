"""A JPEG's pixels, all or fewer, from a decoder that writes them where they are wanted, if there is one."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
from jaxtyping import UInt8
from PIL import Image

REDUCTIONS = (8, 4, 2)
"""How many stored pixels become one along each side when a JPEG's blocks of 8 are decoded to fewer."""

JPEGS = ("JPEG", "MPO")


def largest_reduction(size: tuple[int, int], enough: tuple[int, int]) -> int:
    """The largest of `REDUCTIONS` that leaves enough pixels on both sides; 1 where none does.

    >>> largest_reduction((4000, 3000), (683, 512)), largest_reduction((4000, 3000), (1001, 512))
    (4, 2)
    """
    fitting = (s for s in REDUCTIONS if reduced(size[0], s) >= enough[0] and reduced(size[1], s) >= enough[1])
    return next(fitting, 1)


def reduced(pixels: int, reduction: int) -> int:
    """Pixels along a side that are left."""
    return -(-pixels // reduction)


@cache
def fast_decoder() -> ModuleType | None:
    """The extra [fast], if it is there. Asked once: a failing import looks through every folder each time."""
    try:
        import simplejpeg
    except ImportError:
        return None
    module: ModuleType = simplejpeg
    return module


def jpeg_pixels(data: bytes, image: Image.Image, reduction: int = 1) -> UInt8[np.ndarray, "H W 3"] | None:
    """What Pillow makes of a JPEG, to the last bit, sooner: both are libjpeg-turbo, with its accurate ways.

    None where it is left to Pillow: without the extra [fast]; for what is no JPEG of three colours (four the
    two turn into RGB differently); and for whatever this decoder refuses or warns of.

    Args:
        data: the file.
        image: the same, opened and not loaded.
        reduction: 1 for every pixel, or one of `REDUCTIONS`.
    """
    if image.format not in JPEGS or image.mode != "RGB":
        return None
    simplejpeg = fast_decoder()
    if simplejpeg is None:
        return None
    width, height = (reduced(side, reduction) for side in image.size)
    least = {} if reduction == 1 else {"min_width": width, "min_height": height}
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False, **least)
    except ValueError:  # all that it says of a file
        return None
    return np.asarray(pixels) if pixels.shape[1::-1] == (width, height) else None


def load_reduced(image: Image.Image, reduction: int) -> None:
    """Load a JPEG by Pillow, with fewer pixels."""
    width, height = image.size
    image.draft(image.mode, (width // reduction, height // reduction))
    image.load()
