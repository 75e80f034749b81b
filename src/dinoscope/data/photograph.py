"""Photograph: decoded pixels and where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.errors import ShapeError
from dinoscope.names import well_formed


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """An upright sRGB-encoded photograph.

    Attributes:
        name: to show to people: the file's name without its folders. Data, never markup.
        digest: sha256 of the file (of the pixels, where there was no file), hexadecimal.
        size: ``(W, H)`` of the upright original in pixels.
        pixels: upright, 8 bits; read-only. Those of a preview, or of a reduced reading, are fewer than
            ``size`` says.
        notes: what was done to it on the way: orientation, alpha, bit depth, colour profile.
        source: where it was found, as text: see `dinoscope.names`.
        shot: when, with what and where it was taken, as far as the file says.
        reduction: how many stored pixels became one along each side as its file was decoded.
    """

    name: str
    digest: str
    size: tuple[int, int]
    pixels: UInt8[np.ndarray, "H W 3"]
    notes: tuple[str, ...] = ()
    source: str = ""
    shot: Shot = UNKNOWN
    reduction: int = 1

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
