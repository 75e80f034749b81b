"""How many directions do the patches really use?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.errors import InputError
from dinoscope.maths.eigen import eigenvalues, eigenvalues_of_both, eigenvectors
from dinoscope.maths.patches import (
    Patches,
    PreparedMap,
    as_centred,
    as_rows,
    centred,
    lower_product,
    square_scale,
    unit,
)

EPSILON = 1e-7
"""RankMe's constant for float32."""

TRUSTED = 1e-12
"""Roots of eigenvalues of a product XᵀX above this share of the largest err by less than 1e-9 of the largest
root in float64: far less than float32 features do."""

FEW = 4
"""So many smaller ones are left as they are: the root of one errs by some 1e-8 of the largest root at most. A
final layer normalisation alone makes one of zero."""


def effective_rank(patches: Patches, *, centre: bool = False, epsilon: float = EPSILON) -> float:
    """The exponential of the entropy of the normalised singular values.

    Source: RankMe (arXiv 2210.02885), eqs. 1 and 2: ``p_k = σ_k / ||σ||₁ + ε``, ``exp(-Σ p_k log p_k)``;
    the idea is Roy & Vetterli's (2007). Features as they are, not normalised.

    Args:
        patches: of one photograph or of many.
        centre: subtract the mean patch first; uncentred, a large mean hides everything else.
        epsilon: RankMe's ε; it raises a low rank slightly. 0 gives Roy & Vetterli's rank.

    Returns:
        At least 1 and, but for ε, at most ``min(n, dim)``; NaN where every singular value is zero
        (a constant map, when centred).

    Raises:
        InputError: NaN or infinite values, or a negative ``epsilon``.
    """
    rows = as_rows(patches)
    return rank_of(singular_values(centred(rows) if centre else rows), epsilon=epsilon)


def rank_of(values: Float64[np.ndarray, " k"], *, epsilon: float = EPSILON) -> float:
    """`effective_rank` of patches with these singular values."""
    if not epsilon >= 0:
        raise InputError(f"epsilon must not be negative, got {epsilon}")
    if not values.any():
        return float("nan")
    p = values / values.sum() + epsilon
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def gram_spectrum(patches: Patches) -> Float64[np.ndarray, " k"]:
    """Eigenvalues of the cosine Gram matrix over their sum, largest first.

    The first is the energy in one common direction: near 1 for a collapsed map.

    Returns:
        ``min(n, dim)`` shares that sum to 1 (the Gram's other eigenvalues are zero); NaN where every
        patch is zero.
    """
    return shares_of(singular_values(unit(as_rows(patches))))


def singular_values(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " k"]:
    """All ``min(n, dim)`` singular values, largest first.

    They are the roots of the eigenvalues of the smaller of XᵀX and XXᵀ, which takes a fraction of an SVD's
    time. Eigenvalues below `TRUSTED` of the largest have lost too many digits to the product: where they are
    more than `FEW`, their own subspace is cut out of the rows, and is measured again at its own scale.
    """
    scale = square_scale(rows)
    if scale == 0:
        return np.zeros(min(rows.shape))
    scaled = rows if scale == 1 else rows / scale
    scaled = scaled if len(rows) >= rows.shape[1] else scaled.T
    product = lower_product(scaled)
    return np.asarray(scale * _roots(eigenvalues(product), product, scaled))


def singular_values_both(
    patches: Patches,
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """`singular_values` of patches as they are, and of the centred ones; with ``n > dim`` from one product.

    With m the mean and Z the centred rows, XᵀX is ZᵀZ + n m mᵀ: nothing is subtracted.
    """
    rows, z = as_rows(patches), as_centred(patches)
    scale = square_scale(rows)
    if len(rows) <= rows.shape[1] or not scale > 0:
        return singular_values(rows), singular_values(z)
    z, scaled = (z, rows) if scale == 1 else (z / scale, rows / scale)
    product = patches.scatter if isinstance(patches, PreparedMap) and scale == 1 else lower_product(z)
    common = len(rows) ** 0.5 * scaled.mean(axis=0)
    of_centred, of_whole = eigenvalues_of_both(product, common)
    whole = _roots(of_whole, product + np.outer(common, common), scaled)
    return scale * whole, scale * _roots(of_centred, product, z)


def _roots(
    energy: Float64[np.ndarray, " k"],
    product: Float64[np.ndarray, "k k"],
    scaled: Float64[np.ndarray, "_ k"],
) -> Float64[np.ndarray, " k"]:
    """Singular values of what the product is of, from its eigenvalues."""
    weak = int(np.searchsorted(energy, TRUSTED * energy[-1]))
    if weak <= FEW:
        return np.asarray(np.sqrt(np.maximum(energy, 0.0))[::-1])
    _, directions = eigenvectors(product, 0, weak - 1)
    return np.concatenate([np.sqrt(energy[weak:])[::-1], singular_values(scaled @ directions)])


def shares_of(values: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    """Share of the energy along each principal direction, largest first, from the singular values.

    Those of centred patches give shares of the variance. NaN where there is none.
    """
    energy = values**2
    total = energy.sum()
    return np.asarray(energy / total) if total > 0 else np.full(len(energy), np.nan)
