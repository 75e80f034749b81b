"""How alike are neighbouring patches, and is that more than any two patches are?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Smoothness
from dinoscope.errors import InputError, ShapeError

COLLAPSED = 1e-9
"""Below this mean random-pair distance (1 - cosine) a map is called collapsed."""


def unit_patches(values: Float[np.ndarray, "h w dim"]) -> Float64[np.ndarray, "h w dim"]:
    """Patches scaled to unit length, in float64; a patch without length stays zero.

    Raises:
        ShapeError: not ``h w dim``.
        InputError: NaN or infinite values.
    """
    if values.ndim != 3 or 0 in values.shape:
        raise ShapeError("feature map", expected="h w dim", actual=values.shape)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("the feature map holds NaN or infinite values")
    lengths = np.linalg.norm(values, axis=2, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)


def smoothness(features: PatchFeatures | Float[np.ndarray, "h w dim"]) -> Smoothness:
    """Neighbour cosine, random-pair cosine and locality of one feature map.

    Source: methods as in "Vision Transformers Need Registers" (arXiv 2309.16588, Fig. 5: mean
    4-neighbour cosine); the random-pair mean is the closed form (||Σx||² - Σ||x||²) / (P(P - 1));
    locality = 1 - (1 - neighbour)/(1 - random_pair) equals 1 - Geary's C of the unit patches with
    rook weights.

    Returns:
        The triple, NaN where undefined: everything for a one-patch grid, locality for a map whose
        mean random-pair distance is below `COLLAPSED`.

    >>> import numpy as np
    >>> checkerboard = np.stack([np.indices((4, 4)).sum(0) % 2, 1 - np.indices((4, 4)).sum(0) % 2], -1)
    >>> smoothness(checkerboard.astype(np.float32)).neighbour
    0.0
    """
    values = features.values if isinstance(features, PatchFeatures) else np.asarray(features)
    unit = unit_patches(values)
    h, w, dim = unit.shape
    n = h * w
    if n < 2:
        return Smoothness(float("nan"), float("nan"), float("nan"))
    down = np.einsum("hwd,hwd->", unit[1:], unit[:-1])
    right = np.einsum("hwd,hwd->", unit[:, 1:], unit[:, :-1])
    neighbour = float((down + right) / ((h - 1) * w + h * (w - 1)))
    flat = unit.reshape(n, dim)
    total = flat.sum(axis=0)
    random_pair = float((total @ total - np.einsum("nd,nd->", flat, flat)) / (n * (n - 1)))
    distance = 1.0 - random_pair
    locality = 1.0 - (1.0 - neighbour) / distance if distance > COLLAPSED else float("nan")
    return Smoothness(neighbour, random_pair, locality)
