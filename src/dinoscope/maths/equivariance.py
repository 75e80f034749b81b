"""Do features move with the photograph? F(Tx) against T F(x), given both maps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from scipy.ndimage import map_coordinates

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import PatchMap, as_map, as_maps, unit

BORDER = 2
"""Patches dropped along every border: padding shows there, whatever the model."""


def flip_equivariance(original: PatchMap, flipped: PatchMap, *, border: int = BORDER) -> float:
    """Mean cosine of the features of the mirrored photograph with the mirrored features, in [-1, 1].

    Args:
        original: features of the photograph.
        flipped: features of the photograph mirrored left to right.
        border: patches dropped on each side.

    Returns:
        NaN where nothing is left inside the border. A patch without length counts with cosine 0.

    Raises:
        GridMismatchError: different grids.
        InputError: NaN or infinite values, or a negative border.
    """
    left, right = as_maps(original, flipped)
    return _mean_cosine(left[:, ::-1], right, _inside(right, border))


def shift_equivariance(
    original: PatchMap, shifted: PatchMap, by: tuple[float, float], *, border: int = BORDER
) -> float:
    """Mean cosine of the features of the shifted photograph with the shifted features, in [-1, 1].

    Args:
        original: features of the photograph.
        shifted: features of the photograph with its content moved.
        by: ``(down, right)`` in patches. Whole numbers compare patch with patch; fractions compare with
            the bilinear mix of the original's patches, which is itself a little smoother.
        border: patches dropped on each side of both maps, so that only content that both show counts.

    Returns, raises: as `flip_equivariance`.
    """
    left, right = as_maps(original, shifted)
    h, w, _ = right.shape
    rows, cols = np.mgrid[:h, :w].astype(np.float64)
    return _at(left, right, rows - by[0], cols - by[1], border)


def crop_equivariance(
    original: PatchMap, cropped: PatchMap, box: tuple[float, float, float, float], *, border: int = BORDER
) -> float:
    """Mean cosine of the features of a crop with the features of the whole, at the same places.

    The whole's features are interpolated bilinearly at the centres of the crop's patches. A crop that is
    enlarged shows more detail than the whole, so 1 is out of reach.

    Args:
        original: features of the whole photograph.
        cropped: features of the crop, on a grid of its own.
        box: of the crop, ``(left, top, right, bottom)`` in [0, 1]² of the photograph.
        border: patches dropped on each side of both maps.

    Returns: as `flip_equivariance`.

    Raises:
        ShapeError: different channels.
        InputError: a box without area or outside the photograph, NaN or infinite values, or a negative
            border.
    """
    left, right = as_map(original, "original"), as_map(cropped, "cropped")
    x0, y0, x1, y1 = box
    if not (0.0 <= x0 < x1 <= 1.0 and 0.0 <= y0 < y1 <= 1.0):
        raise InputError(f"a crop is (left, top, right, bottom) in [0, 1]², got {box}")
    h, w, _ = right.shape
    y = y0 + (np.arange(h) + 0.5) / h * (y1 - y0)
    x = x0 + (np.arange(w) + 0.5) / w * (x1 - x0)
    rows, cols = np.meshgrid(y * left.shape[0] - 0.5, x * left.shape[1] - 0.5, indexing="ij")
    return _at(left, right, rows, cols, border)


def _at(
    original: Float64[np.ndarray, "_ _ dim"],
    moved: Float64[np.ndarray, "h w dim_2"],
    rows: Float64[np.ndarray, "h w"],
    cols: Float64[np.ndarray, "h w"],
    border: int,
) -> float:
    """``moved`` against ``original`` at fractional places, where both are inside their borders."""
    if original.shape[2] != moved.shape[2]:
        raise ShapeError("second feature map", expected=f"h w dim={original.shape[2]}", actual=moved.shape)
    last_row, last_col = original.shape[0] - 1 - border, original.shape[1] - 1 - border
    inside = _inside(moved, border)
    inside &= (
        (rows >= border - 1e-9)
        & (rows <= last_row + 1e-9)
        & (cols >= border - 1e-9)
        & (cols <= last_col + 1e-9)
    )
    where = np.stack([rows, cols])
    there = np.stack(
        [map_coordinates(channel, where, order=1, mode="nearest") for channel in np.moveaxis(original, 2, 0)],
        axis=-1,
    )
    return _mean_cosine(there, moved, inside)


def _inside(values: Float64[np.ndarray, "h w dim"], border: int) -> Bool[np.ndarray, "h w"]:
    if border < 0:
        raise InputError(f"the border must not be negative, got {border}")
    mask = np.zeros(values.shape[:2], bool)
    mask[border : values.shape[0] - border, border : values.shape[1] - border] = True
    return mask


def _mean_cosine(
    first: Float64[np.ndarray, "h w dim"],
    second: Float64[np.ndarray, "h w dim_2"],
    where: Bool[np.ndarray, "h w"],
) -> float:
    if first.shape[2] != second.shape[2]:
        raise ShapeError("second feature map", expected=f"h w dim={first.shape[2]}", actual=second.shape)
    if not where.any():
        return float("nan")
    return float(np.einsum("nd,nd->n", unit(first[where]), unit(second[where])).mean())
