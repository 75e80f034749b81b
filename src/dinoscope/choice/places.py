"""Labelled places of a photograph, the same for every setting: all are compared on equal terms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float16, Float64, Int, Int64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph

PLACES = 96
"""Places of each photograph. A place is a pixel with a class: what its patch tells counts as the pixel's,
so that scores on different grids are scores of pixels, not of patches."""


def drawn_places(
    photograph: Photograph, classes: Int[np.ndarray, "H W"]
) -> tuple[Float64[np.ndarray, "n 2"], Int64[np.ndarray, " n"]]:
    """Places (x, y) in [0, 1]² drawn by the digest among pixels with a class, and their classes."""
    rows, cols = np.nonzero(classes >= 0)
    rng = np.random.default_rng(int(photograph.digest[:8] or "0", 16))
    kept = rng.permutation(len(rows))[:PLACES]
    height, width = classes.shape
    places = np.stack([(cols[kept] + 0.5) / width, (rows[kept] + 0.5) / height], axis=1)
    return places, classes[rows[kept], cols[kept]].astype(np.int64)


def vectors_at(features: PatchFeatures, places: Float64[np.ndarray, "n 2"]) -> Float16[np.ndarray, "n dim"]:
    """The directions of the patches that cover places, in 16 bits."""
    h, w = features.grid.shape
    row = np.minimum((places[:, 1] * h).astype(int), h - 1)
    col = np.minimum((places[:, 0] * w).astype(int), w - 1)
    vectors = features.values[row, col].astype(np.float64)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return (vectors / lengths).astype(np.float16)
