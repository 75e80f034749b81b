"""Photograph: decoded pixels and where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from dinoscope.errors import ShapeError
from dinoscope.names import well_formed


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """An upright sRGB-encoded photograph.

    Attributes:
        name: to show to people: the file's name without its folders. Data, never markup.
        digest: sha256 of the file (of the pixels, where there was no file), hexadecimal.
        size: ``(W, H)`` of the upright original in pixels.
        pixels: upright, 8 bits; read-only. A preview may be smaller than ``size``.
        notes: what was done to it on the way: orientation, alpha, bit depth, colour profile.
        source: where it was found, as text: see `dinoscope.names`.
    """

    name: str
    digest: str
    size: tuple[int, int]
    pixels: UInt8[np.ndarray, "H W 3"]
    notes: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ShapeError("photograph (uint8)", expected="H W 3", actual=self.pixels.shape)
        object.__setattr__(self, "pixels", read_only(self.pixels))
        object.__setattr__(self, "name", well_formed(self.name))
        object.__setattr__(self, "source", well_formed(self.source))


def read_only(array: np.ndarray) -> np.ndarray:
    """A read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view
