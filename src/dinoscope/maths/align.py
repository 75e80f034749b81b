"""How must one model's scores be turned to look like another's?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dinoscope.data.maps import ColourAlignment
from dinoscope.errors import InputError, ShapeError


def align_colours(
    scores: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "n 3"], *, reference_name: str = ""
) -> ColourAlignment:
    """The orthogonal matrix R that minimises ||reference - scores R||² (reflections allowed).

    Both are taken as given: centre them and divide them by their bases' standard deviations first.
    Source: Schönemann, A generalized solution of the orthogonal Procrustes problem (1966): with
    ``scoresᵀ reference = U S Vᵀ``, ``R = U Vᵀ``; the residual is the Procrustes disparity
    ``1 - (Σ S)² / (||scores||² ||reference||²)``, what is left at the best common scale.

    Returns:
        R and the residual, in [0, 1]: 0 for the same map up to rotation and scale, 1 for maps without
        any linear relation.

    Raises:
        ShapeError: the two differ in shape.
        InputError: one of the two is zero everywhere.
    """
    if scores.shape != reference.shape or scores.ndim != 2 or scores.shape[1] != 3:
        raise ShapeError("scores", expected=f"n={len(reference)} 3", actual=scores.shape)
    energy = float((reference**2).sum()) * float((scores**2).sum())
    if energy == 0:
        raise InputError("cannot align colours to a map without any variance")
    left, strengths, right = np.linalg.svd(scores.T @ reference)
    rotation = left @ right
    residual = max(0.0, 1.0 - float(strengths.sum()) ** 2 / energy)
    return ColourAlignment(rotation=rotation, residual=residual, reference=reference_name)
