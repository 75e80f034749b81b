"""What further forward passes of a changed photograph say about features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from dinoscope.backbones.base import Backbone
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import photograph_from_array
from dinoscope.io.resize import filter_name, resize_pixels
from dinoscope.metrics.registry import VIEWS
from dinoscope.metrics.subject import SecondView, Seen, Subject, Views
from dinoscope.pipeline.extract import extracted
from dinoscope.pipeline.run import Run

SHIFT = 3
"""Patches that a photograph is moved by, down and right."""

CROP = (0.125, 0.125, 0.875, 0.875)
"""(left, top, right, bottom) of the crop, seen alone on the same grid."""

N_PASSES = 6
"""Forward passes of every photograph and model beyond the first, one of them at twice the resolution;
one more where a second view is known."""


def numbers_of_passes(
    features: PatchFeatures,
    photograph: Photograph,
    backbone: Backbone,
    run: Run,
    annotation: Annotation | None,
) -> dict[str, float]:
    """Consistency across resolutions, equivariance, and correspondence with a second view.

    The equivariances start from the photograph at the model's input size, in 8 bits, so that a shift by
    whole patches is a shift by whole pixels; borders that come into sight repeat the edge.

    Args:
        features: of the photograph as it is.
        photograph: decoded at full size.
        backbone, run: as the features were made, on any grid.
        annotation: for the second view; without one ``pck`` is NaN.
    """
    grid = features.grid
    shape = grid.shape

    def seen(pixels: UInt8[np.ndarray, "H W 3"]) -> PatchFeatures:
        changed = photograph_from_array(np.ascontiguousarray(pixels), name=photograph.name)
        return next(extracted([changed], backbone, replace(run, grid=shape)))

    fine = next(extracted([photograph], backbone, replace(run, grid=(2 * shape[0], 2 * shape[1]))))
    planes = resize_pixels(photograph, grid.input_size, filter_name(run.resize, backbone.spec.family))
    pixels = (planes * 255).round().byte().permute(1, 2, 0).numpy()
    whole, half = SHIFT * grid.patch_size, grid.patch_size // 2
    base = seen(pixels)
    top, bottom = (round(y * photograph.size[1]) for y in CROP[1::2])
    left, right = (round(x * photograph.size[0]) for x in CROP[::2])
    exact = (
        left / photograph.size[0],
        top / photograph.size[1],
        right / photograph.size[0],
        bottom / photograph.size[1],
    )
    views = Views(
        base,
        seen(pixels[:, ::-1]),
        (seen(_moved(pixels, whole)), (float(SHIFT), float(SHIFT))),
        (seen(_moved(pixels, half)), (half / grid.patch_size, half / grid.patch_size)),
        (seen(photograph.pixels[top:bottom, left:right]), exact),
        fine,
        _second(grid, backbone, run, annotation),
    )
    subject = Subject(features, Seen(shape))
    return {key: value for family in VIEWS for key, value in family.measure(subject, views).items()}


def _moved(pixels: UInt8[np.ndarray, "H W 3"], by: int) -> UInt8[np.ndarray, "H W 3"]:
    """Content moved down and right by whole pixels; the edge repeats."""
    padded = np.pad(pixels, ((by, 0), (by, 0), (0, 0)), mode="edge")
    return padded[: pixels.shape[0], : pixels.shape[1]]


def _second(
    grid: PatchGrid, backbone: Backbone, run: Run, annotation: Annotation | None
) -> SecondView | None:
    second = None if annotation is None else annotation.second
    if second is None:
        return None
    target = next(extracted([second.photograph], backbone, replace(run, grid=grid.shape)))
    height, width = second.valid.shape
    rows = (2 * np.arange(grid.h) + 1) * height // (2 * grid.h)
    cols = (2 * np.arange(grid.w) + 1) * width // (2 * grid.w)
    flow = second.flow[rows][:, cols]
    x = (cols[None, :] + 0.5 + flow[..., 0]) / second.photograph.size[0]
    y = (rows[:, None] + 0.5 + flow[..., 1]) / second.photograph.size[1]
    return SecondView(target, np.stack([x, y], axis=-1), second.valid[rows][:, cols])
