"""Does the nearest patch of another photograph lie where the same thing lies? PCK."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import PatchMap, as_map, unit

ALPHA = 0.1
BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Nearest-neighbour matches from one photograph to another, against the truth.

    Attributes:
        pck: share of matches whose error is at most ``alpha`` of the target's longer side, in [0, 1];
            NaN without valid patches.
        mean_error: in units of the target's longer side.
        n: valid patches matched.
    """

    pck: float
    mean_error: float
    n: int


def pck(
    source: PatchMap,
    target: PatchMap,
    places: Float[np.ndarray, "h w 2"],
    valid: Bool[np.ndarray, "h w"],
    *,
    alpha: float = ALPHA,
    aspect: float | None = None,
) -> Correspondence:
    """Percentage of correct keypoints, every valid source patch being one.

    A patch is matched to the centre of the target patch of largest cosine; of equal ones the first. A
    match can be off by half a patch and still be the best there is: compare models on one grid.
    Source: Yang & Ramanan, Articulated human detection with flexible mixtures of parts (2013).

    Args:
        source, target: maps of one model.
        places: the true place (x, y) in [0, 1]² of the target, for each source patch.
        valid: source patches that are visible in the target.
        alpha: tolerance, in units of the target's longer side; above 0.
        aspect: width over height of the target photograph; None for that of `PatchFeatures`, or of a
            bare grid.

    Raises:
        ShapeError: different channels, or places that do not fit the source's grid.
        InputError: NaN or infinite values (in ``places`` only where valid), ``alpha`` not above 0.
    """
    if not alpha > 0:
        raise InputError(f"alpha must be above 0, got {alpha}")
    x, z = as_map(source, "source"), as_map(target, "target")
    if z.shape[2] != x.shape[2]:
        raise ShapeError("target", expected=f"h w dim={x.shape[2]}", actual=z.shape)
    for name, value, want in (("places", places, (*x.shape[:2], 2)), ("valid", valid, x.shape[:2])):
        if value.shape != want:
            raise ShapeError(name, expected=" ".join(map(str, want)), actual=value.shape)
    truth = np.asarray(places[valid], dtype=np.float64)
    if not np.isfinite(truth).all():
        raise InputError("places: NaN or infinite at valid patches")
    if not len(truth):
        return Correspondence(float("nan"), float("nan"), 0)
    h, w, dim = z.shape
    ratio = aspect if aspect is not None else _aspect(target, h, w)
    queries, keys = unit(x[valid]), unit(z).reshape(-1, dim)
    best = np.concatenate(
        [(queries[i : i + BLOCK] @ keys.T).argmax(axis=1) for i in range(0, len(queries), BLOCK)]
    )
    centres = np.stack([(best % w + 0.5) / w, (best // w + 0.5) / h], axis=1)
    side = np.array([min(1.0, ratio), min(1.0, 1.0 / ratio)])
    error = np.linalg.norm((centres - truth) * side, axis=1)
    return Correspondence(float((error <= alpha).mean()), float(error.mean()), len(error))


def _aspect(target: PatchMap, h: int, w: int) -> float:
    if isinstance(target, PatchFeatures):
        return target.grid.image_size[0] / target.grid.image_size[1]
    return w / h
