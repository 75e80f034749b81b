"""What a backbone says about photographs that show nothing: place, and how to take it away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.projected import Projected
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Curve
from dinoscope.errors import InputError
from dinoscope.maths.position import content_free_basis, energy_curve
from dinoscope.pipeline.extract import extract

COLOURS = ((0, 0, 0), (64, 64, 64), (128, 128, 128), (192, 192, 192), (255, 255, 255))
"""The content-free photographs: one forward pass each."""

MAX_RANK = 64
"""Directions that the sweep of positional energy goes to."""


def content_free_features(
    backbone: Backbone, grid: int | tuple[int, int] = 32, *, layer: int | None = None
) -> list[PatchFeatures]:
    """Features of constant photographs, square where the grid is a number."""
    h, w = grid if isinstance(grid, tuple) else (grid, grid)
    side = backbone.spec.patch_size
    blanks = [np.full((h * side, w * side, 3), colour, np.uint8) for colour in COLOURS]
    return list(extract(blanks, backbone, grid=(h, w), layer=layer))


def position_basis(
    backbone: Backbone,
    grid: int | tuple[int, int] = 32,
    *,
    rank: int | None = None,
    layer: int | None = None,
) -> Float64[np.ndarray, "n dim"]:
    """Orthonormal directions in which patches vary with their place alone, strongest first.

    Source: INSID3 (arXiv 2603.28480), with its own number of directions left to the caller.

    Raises:
        InputError: more directions asked for than vary.
    """
    return content_free_basis(content_free_features(backbone, grid, layer=layer), rank)


def position_curve(
    models: Sequence[tuple[Backbone, int | None, Sequence[PatchFeatures]]], grid: int | tuple[int, int]
) -> Curve:
    """Variance of patches inside the directions that place alone moves them in, swept over their number.

    Args:
        models: each with the layer that its features are by, and these.
        grid: of the features.
    """
    lines = []
    for backbone, layer, features in models:
        basis = position_basis(backbone, grid, layer=layer)[:MAX_RANK]
        shares = [energy_curve(f, basis) for f in features]
        line = np.full(MAX_RANK, np.nan)
        line[: len(basis)] = np.nanmean(shares, axis=0) if len(basis) else []
        lines.append(line)
    return Curve(
        "directions that place alone moves patches in",
        "share of the variance inside them",
        np.arange(1, MAX_RANK + 1, dtype=np.float64),
        np.array(lines),
    )


def without_position(
    backbone: Backbone, rank: int, grid: int | tuple[int, int] = 32, *, layer: int | None = None
) -> Projected:
    """The backbone without the strongest directions that place alone moves its patches in.

    They are found at this grid; content that lies in the same directions goes with them, so sweep the rank
    and watch the masked metrics.

    Args:
        rank: how many, from 1.
        grid, layer: as the features will be made.

    Raises:
        InputError: a rank below 1, or more than place moves.
    """
    if rank < 1:
        raise InputError(f"the number of position directions must be at least 1, got {rank}")
    return Projected(backbone, position_basis(backbone, grid, rank=rank, layer=layer), f"position({rank})")
