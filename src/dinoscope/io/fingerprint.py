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

Of 1,000 of the thumbnails of ``weights/trained-on.npy``, copies at three times and at half the side, and as
JPEG of quality 75, differed in at most 31 bits (one of 3,000 in more than 30; at quality 60 in 33).
"""
PLAIN_TURNS = 40
"""A picture whose grey turns between rising and falling fewer times, of 240, is too plain to be recognised.

One thumbnail in 1,000 is: a clear sky rises or falls everywhere, like any other. Of 10,000 thumbnails that
are not among the 40,000 known ones, two are recognised, both rightly (ImageNet has them twice); without this
limit five skies and walls would be, too.
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
    """Which of some fingerprints are of pictures that are among the known ones; plain pictures never are."""
    rises = np.unpackbits(photographs, axis=1).reshape(-1, SIDE, SIDE)
    turns = (rises[:, :, 1:] != rises[:, :, :-1]).sum(axis=(1, 2))
    words, among = (np.ascontiguousarray(some).view(np.uint64) for some in (photographs, known))
    nearest = [np.bitwise_count(among ^ one).sum(axis=1).min(initial=8 * BYTES) for one in words]
    return (np.array(nearest, dtype=np.int64) <= SAME_BITS) & (turns >= PLAIN_TURNS)
