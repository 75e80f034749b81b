"""A photograph's features on a finer grid, and whether that gains anything over bilinear interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.kinds import check_features
from dinoscope.errors import InputError
from dinoscope.maths.boundary import boundary_auc
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.upsample import WAYS, Upsampler, bilinear, upsampled, upsampling_bytes
from dinoscope.pipeline.memory import check_work
from dinoscope.pipeline.photographs import ImageLike, load_photograph

FINE = 4
"""Places for each patch, along each side, of the maps between patches that are drawn."""


@dataclass(frozen=True, slots=True)
class UpsamplingGain:
    """Boundary AUC of a finer map against masks, in [0, 1].

    Attributes:
        upsampled: of the map in question.
        bilinear: of the same features interpolated: what a finer grid alone gives.
    """

    upsampled: float
    bilinear: float

    @property
    def gain(self) -> float:
        """What the way of upsampling adds."""
        return self.upsampled - self.bilinear


def upsample(
    features: PatchFeatures,
    size: tuple[int, int],
    how: str | Upsampler = "bilinear",
    photograph: ImageLike | None = None,
) -> Float32[np.ndarray, "fine_h fine_w dim"]:
    """Features on a finer grid. These are not what the model would say there: they are interpolated.

    Args:
        features: of one photograph.
        size: fine places ``(h, w)``, at least the grid's own.
        how: ``nearest``; ``bilinear``; ``joint``, joint bilateral with the photograph as its guide; a learned
            one by name (``anyup``, ``featup:ENTRY``, ``loftup:ENTRY``, see
            `dinoscope.pipeline.learned_upsampling`); or any function of (features "h w dim", image "H W 3"
            in [0, 1], size) that returns "fine_h fine_w dim".
        photograph: the photograph, which all but the first two need.

    Raises:
        InputError: no such way, no photograph where one is needed, a smaller size, NaN, or a result that
            does not fit into memory: `dinoscope.maths.upsample.upsampling_bytes` says what it takes. From
            1 GiB on that is told as a warning of the log.
        ShapeError: a function's result of another shape.
        ImageError: the photograph cannot be used.
    """
    check_features(features)
    if isinstance(how, str) and how not in WAYS:
        from dinoscope.pipeline.learned_upsampling import learned_upsampler

        how = learned_upsampler(how)
    pixels = None if photograph is None else load_photograph(photograph).pixels
    check_work(
        upsampling_bytes(features.values.shape, size, (0, 0) if pixels is None else pixels.shape[:2]),
        f"features on {size[0]}x{size[1]} places",
        "Ask for fewer places.",
    )
    image = None if pixels is None else pixels.astype(np.float32) / 255.0
    return upsampled(features.values, size, how, image)


def upsampling_gain(
    features: PatchFeatures,
    size: tuple[int, int],
    how: str | Upsampler,
    photograph: ImageLike,
    labels: Int[np.ndarray, "H W"],
) -> UpsamplingGain:
    """Does a way of upsampling draw borders where people draw them, better than interpolation does?

    Args:
        features, size, how, photograph: as for `upsample`.
        labels: regions of the photograph, in any resolution of its aspect ratio; -1 is unknown.

    Raises:
        InputError: as `upsample`; or masks without a border between two regions.
    """
    grid = PatchGrid(*size, 1, features.grid.image_size)
    known = patch_labels(labels, grid)
    fine = boundary_auc(upsample(features, size, how, photograph), known)
    if not fine.n_positive:
        raise InputError("the masks have no border between two regions")
    return UpsamplingGain(fine.auc, boundary_auc(bilinear(features.values, size), known).auc)
