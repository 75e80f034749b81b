"""Which label does a patch carry, when the labels belong to pixels?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import read_only
from dinoscope.errors import GridMismatchError, InputError, ShapeError

UNKNOWN = -1
"""The label of pixels and patches that count for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchLabels:
    """One label for each patch, and how much of the patch agrees.

    Attributes:
        labels: the most frequent label of the patch's pixels; `UNKNOWN` counts for nothing.
        purity: share of the patch's pixels that carry it, in [0, 1]; 0 for a patch without pixels.
    """

    labels: Int64[np.ndarray, "h w"]
    purity: Float64[np.ndarray, "h w"]

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape != self.purity.shape:
            raise ShapeError(
                "purity", expected=f"h w as labels {self.labels.shape}", actual=self.purity.shape
            )
        object.__setattr__(self, "labels", read_only(self.labels))
        object.__setattr__(self, "purity", read_only(self.purity))

    def usable(self, min_purity: float = 0.0) -> Bool[np.ndarray, "h w"]:
        """Patches with a known label and at least this purity."""
        return np.asarray((self.labels != UNKNOWN) & (self.purity >= min_purity))


def patch_labels(label_image: Int[np.ndarray, "H W"], grid: PatchGrid) -> PatchLabels:
    """Majority label and purity of every patch.

    A pixel belongs to the patch that covers its centre, as in `PatchGrid.patch_at_pixel`. `UNKNOWN`
    takes part in the vote and in the purity like any label. Of equally frequent labels the smallest wins.

    Args:
        label_image: labels from -1 (unknown) up, of the whole upright photograph, in any resolution:
            its own shape is the pixel size. Where it is coarser than the grid, patches without a pixel
            are unknown.
        grid: of the features.

    Raises:
        ShapeError: not ``H W``.
        InputError: labels below -1.
    """
    known, counts = _counted(_checked(label_image), grid)
    total = counts.sum(axis=1)
    labels = np.where(total > 0, known[counts.argmax(axis=1)], UNKNOWN).astype(np.int64)
    purity = np.divide(counts.max(axis=1), total, out=np.zeros(grid.n), where=total > 0)
    return PatchLabels(labels.reshape(grid.shape), purity.reshape(grid.shape))


def label_counts(
    label_image: Int[np.ndarray, "H W"], grid: PatchGrid
) -> tuple[Int[np.ndarray, " labels"], Int64[np.ndarray, "n labels"]]:
    """The labels there are, ascending, and each patch's pixels of each; arguments as for `patch_labels`."""
    return _counted(_checked(label_image), grid)


def region_shares(label_image: Int[np.ndarray, "H W"], grid: PatchGrid) -> Float64[np.ndarray, "h w regions"]:
    """How much of each patch's known pixels lies in each region: a segmentation as features.

    Regions are those of the image in ascending order, one channel at least. A patch without a known pixel
    is zero throughout. Arguments and errors as `patch_labels`.
    """
    known, counts = _counted(_checked(label_image), grid)
    counts = counts[:, known != UNKNOWN].astype(np.float64)
    if not counts.shape[1]:
        counts = np.zeros((grid.n, 1))
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    return shares.reshape(*grid.shape, -1)


def _checked(label_image: Int[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    image = np.asarray(label_image)
    if image.ndim != 2 or 0 in image.shape:
        raise ShapeError("label image", expected="H W", actual=image.shape)
    if image.min() < UNKNOWN:
        raise InputError(f"labels start at {UNKNOWN} (unknown), got {image.min()}")
    return image


def _counted(
    image: Int[np.ndarray, "H W"], grid: PatchGrid
) -> tuple[Int[np.ndarray, " labels"], Int64[np.ndarray, "n labels"]]:
    """The labels there are, and each patch's pixels of each."""
    height, width = image.shape
    row = (2 * np.arange(height) + 1) * grid.h // (2 * height)
    col = (2 * np.arange(width) + 1) * grid.w // (2 * width)
    patch = (row[:, None] * grid.w + col[None, :]).ravel()
    known, label = np.unique(image, return_inverse=True)
    cells = patch * len(known) + label.ravel()
    return known, np.bincount(cells, minlength=grid.n * len(known)).reshape(grid.n, len(known))


def check_same_grid(labels: PatchLabels, h: int, w: int) -> None:
    """Labels must lie on the features' grid.

    Raises:
        GridMismatchError: they do not.
    """
    if labels.labels.shape != (h, w):
        raise GridMismatchError(
            (h, w), (labels.labels.shape[0], labels.labels.shape[1]), "label the features' own grid"
        )
