"""How must one model's scores be turned to look like another's?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dinoscope.data.results import ColourAlignment
from dinoscope.errors import InputError, ShapeError


def align_colours(
    scores: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "n 3"], *, reference_name: str = ""
) -> ColourAlignment:
    """The orthogonal matrix R that minimises ||reference - scores R||² (reflections allowed).

    Both are taken as given: centre them and divide them by their bases' standard deviations first.
    Source: Schönemann, A generalized solution of the orthogonal Procrustes problem (1966): with
    ``scoresᵀ reference = U S Vᵀ``, ``R = U Vᵀ``.

    Returns:
        R and the residual: ||reference - scores R||² / ||reference||², clipped to [0, 1] (scores of
        unit variance cannot do worse than 1 by much; 1 means that nothing agrees).

    Raises:
        ShapeError: the two differ in shape.
        InputError: the reference is zero everywhere.
    """
    if scores.shape != reference.shape or scores.ndim != 2 or scores.shape[1] != 3:
        raise ShapeError("scores", expected=f"n={len(reference)} 3", actual=scores.shape)
    energy = float((reference**2).sum())
    if energy == 0:
        raise InputError("cannot align colours to a map without any variance")
    left, _, right = np.linalg.svd(scores.T @ reference)
    rotation = left @ right
    residual = float(((reference - scores @ rotation) ** 2).sum()) / energy
    return ColourAlignment(rotation=rotation, residual=residual, reference=reference_name)
