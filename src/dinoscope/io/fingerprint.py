"""Is this the same picture as that one, whatever its size and compression?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from dinoscope.data.photograph import Photograph

SIDE = 16
BYTES = SIDE * SIDE // 8
SAME_BITS = 30
"""Fingerprints that differ in at most so many of 256 bits are of one picture.

Over the 1,000 photographs of ``weights/trained-on.npy``: copies at three times and at half the side, and as
JPEG of quality 75, differed in at most 23 bits (at quality 60, one in 33); the two nearest of the photographs
differ in 60, and of 10,000 other photographs of ImageNet the nearest to one of them in 49.
"""


def fingerprint(photograph: Photograph) -> UInt8[np.ndarray, " bytes"]:
    """Whether grey rises from each cell of the whole picture, reduced to 16 by 17, to the next: as bits.

    Resizing, compression and a loss of colour hardly change it; cropping, turning and mirroring do.
    """
    grey = Image.fromarray(np.asarray(photograph.pixels)).convert("L")
    cells = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS), dtype=np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1])


def known_among(
    photographs: UInt8[np.ndarray, "n bytes"], known: UInt8[np.ndarray, "m bytes"]
) -> Bool[np.ndarray, " n"]:
    """Which of some fingerprints are of pictures that are among the known ones."""
    nearest = [np.unpackbits(known ^ one, axis=1).sum(axis=1).min(initial=8 * BYTES) for one in photographs]
    return np.array(nearest, dtype=np.int64) <= SAME_BITS
