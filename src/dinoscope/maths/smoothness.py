"""How alike are neighbouring patches, and is that more than any two patches are?"""

from __future__ import annotations

import numpy as np

from dinoscope.data.maps import Smoothness
from dinoscope.maths.patches import PatchMap, as_directions

COLLAPSED = 1e-9
"""Below this mean random-pair distance (1 - cosine) a map is called collapsed."""


def smoothness(features: PatchMap) -> Smoothness:
    """Neighbour cosine, random-pair cosine and locality of one feature map.

    Source: methods as in "Vision Transformers Need Registers" (arXiv 2309.16588, Fig. 5: mean
    4-neighbour cosine); the random-pair mean is the closed form (||Σx||² - Σ||x||²) / (P(P - 1));
    locality = 1 - (1 - neighbour)/(1 - random_pair) equals 1 - Geary's C of the unit patches with
    rook weights.

    Args:
        features: a feature map, as `PatchFeatures` or as an array ``h w dim``.

    Returns:
        The triple, NaN where undefined: everything for a one-patch grid, locality for a map whose
        mean random-pair distance is below `COLLAPSED`.

    Raises:
        ShapeError: not ``h w dim``.
        InputError: NaN or infinite values.

    >>> import numpy as np
    >>> checkerboard = np.stack([np.indices((4, 4)).sum(0) % 2, 1 - np.indices((4, 4)).sum(0) % 2], -1)
    >>> smoothness(checkerboard.astype(np.float32)).neighbour
    0.0
    """
    patches = as_directions(features)
    h, w, dim = patches.shape
    n = h * w
    if n < 2:
        return Smoothness(float("nan"), float("nan"), float("nan"))
    down = np.einsum("hwd,hwd->", patches[1:], patches[:-1])
    right = np.einsum("hwd,hwd->", patches[:, 1:], patches[:, :-1])
    neighbour = float((down + right) / ((h - 1) * w + h * (w - 1)))
    flat = patches.reshape(n, dim)
    total = flat.sum(axis=0)
    random_pair = float((total @ total - np.einsum("nd,nd->", flat, flat)) / (n * (n - 1)))
    distance = 1.0 - random_pair
    locality = 1.0 - (1.0 - neighbour) / distance if distance > COLLAPSED else float("nan")
    return Smoothness(neighbour, random_pair, locality)
