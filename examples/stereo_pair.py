"""A real pair with measured disparity, laid out for PCK: ``python examples/stereo_pair.py FOLDER``.

The motorcycle of the Middlebury 2014 stereo data (Scharstein et al., High-resolution stereo datasets with
subpixel-accurate ground truth, GCPR 2014), as scikit-image ships it. A point of the left view lies to the
left by its disparity in the right view. It is visible there unless something nearer lands on the same pixel.
Then ``dinoscope measure FOLDER/images --masks FOLDER --passes --models …`` measures correspondence; there are
no object masks with the pair, so every label is unknown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import stereo_motorcycle

UNKNOWN = 255
NEARER_PX = 1.0
"""A landing point hides those whose disparity is smaller by more than this."""


def visible(disparity: np.ndarray) -> np.ndarray:
    """Which pixels of the left view, of known disparity, are seen in the right view."""
    height, width = disparity.shape
    known = np.isfinite(disparity)
    rows, cols = np.nonzero(known)
    landing = np.rint(cols - disparity[known]).astype(int)
    inside = (landing >= 0) & (landing < width)
    nearest = np.full((height, width), -np.inf)
    np.maximum.at(nearest, (rows[inside], landing[inside]), disparity[known][inside])
    seen = np.zeros_like(known)
    seen[rows[inside], cols[inside]] = (
        disparity[known][inside] >= nearest[rows[inside], landing[inside]] - NEARER_PX
    )
    return seen


def write_pair(folder: Path) -> Path:
    """The pair as a folder of photographs with second views; returns the folder of the first."""
    left, right, disparity = stereo_motorcycle()
    for part in ("images", "second/images", "flow", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(left).save(folder / "images" / "motorcycle.png")
    Image.fromarray(right).save(folder / "second" / "images" / "motorcycle.png")
    Image.fromarray(np.full(left.shape[:2], UNKNOWN, np.uint8)).save(folder / "masks" / "motorcycle.png")
    shift = np.where(np.isfinite(disparity), -disparity, 0.0)
    flow = np.stack([shift, np.zeros_like(shift)], axis=-1).astype(np.float32)
    np.savez_compressed(folder / "flow" / "motorcycle.npz", flow=flow, valid=visible(disparity))
    return folder / "images"


if __name__ == "__main__":
    print(write_pair(Path(sys.argv[1])))
