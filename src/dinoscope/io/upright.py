"""Which way up a decoded image is to be seen: photographs and masks alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from dinoscope.io.decoding import WARNING_FILTER
from dinoscope.io.metadata import ORIENTATION, orientation_in

_UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[:, ::-1],
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[::-1],
}
"""Stored pixels H W made upright. Source: Exif 2.3 (CIPA DC-008), tag 0x0112."""


def is_turned(orientation: int) -> bool:
    """Whether pixels of an orientation are stored otherwise than they are seen; of 1 and what is none not."""
    return orientation in _UPRIGHT


def is_across(orientation: int) -> bool:
    """Whether stored rows are seen as columns."""
    return is_turned(orientation) and orientation >= 5


def upright(values: Shaped[np.ndarray, "H W *c"], orientation: int) -> Shaped[np.ndarray, "_ _ *c"]:
    """Stored pixels as they are seen, a copy where they are turned."""
    return np.ascontiguousarray(_UPRIGHT[orientation](values)) if is_turned(orientation) else values


def orientation_of(image: Image.Image, data: bytes) -> int:
    """By EXIF or XMP, 1 to 8; where those are damaged, as far as it can be made out.

    Args:
        image: loaded, which has turned a TIFF upright already.
        data: of its file.
    """
    try:
        with WARNING_FILTER, warnings.catch_warnings():
            warnings.simplefilter("error")
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (every reader of metadata has errors of its own)
        return orientation_in(data)
