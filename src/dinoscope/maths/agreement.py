"""Do two models find the same patches alike? Agreement of their similarity structures."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.errors import ShapeError
from dinoscope.maths.patches import (
    Patches,
    PreparedMap,
    as_centred,
    as_rows,
    centred,
    known_cosines,
    square_scale,
    unit,
)

FLAT = 1e-12
"""Standard deviation of cosines below which a Gram matrix is called constant."""

SPREAD = 1e-2
"""Standard deviation of cosines from which on known ones are correlated as they are: it keeps ten digits."""


def gram_correlation(f: Patches, g: Patches) -> float:
    """Pearson correlation of the off-diagonal entries of two cosine Gram matrices.

    No n x n matrix is made. With unit patches ``x_i = m + z_i`` (m their mean), ``a_i = <z_i, m>`` and Z
    the rows z_i, the Gram minus its mean is ``a 1ᵀ + 1 aᵀ + Z Zᵀ``, whose parts are orthogonal, so that its
    product with another's is ``2 n <a, b> + ||Z_fᵀ Z_g||²``; the diagonals are then taken off. Nothing
    large is subtracted, also for nearly constant maps.

    Args:
        f, g: patches of the same places in the same order; channels and scales may differ.

    Returns:
        In [-1, 1]; NaN with fewer than 3 patches, or where either Gram is constant off its diagonal.

    Raises:
        ShapeError: different numbers of patches.
        InputError: NaN or infinite values.
    """
    known = known_cosines(f, g)
    if known is not None and (correlation := _correlation(*known)) is not None:
        return correlation
    left, right = _same_places(f, g)
    n = len(left)
    if n < 3:
        return float("nan")
    first, second = _Centred(left), _Centred(right)
    deviations = [_covariance(part, part) ** 0.5 for part in (first, second)]
    if min(deviations) < FLAT:
        return float("nan")
    return float(np.clip(_covariance(first, second) / (deviations[0] * deviations[1]), -1.0, 1.0))


def linear_cka(f: Patches, g: Patches) -> float:
    """Linear centred kernel alignment, of features as they are (not normalised).

    Source: Kornblith et al., Similarity of Neural Network Representations Revisited (arXiv 1905.00414),
    section 3: ``||YᵀX||² / (||XᵀX|| ||YᵀY||)`` with X, Y centred over the patches.

    Returns:
        In [0, 1]; 1 for a rotation or a positive scale of the same features; NaN where either is
        constant, and for one patch.

    Raises:
        ShapeError: different numbers of patches.
        InputError: NaN or infinite values.
    """
    left, right = as_centred(f, "f"), as_centred(g, "g")
    _check_same_places(left, right)
    scales = square_scale(left), square_scale(right)
    if 0 in scales:
        return float("nan")
    size = (_size(f, left, scales[0]) * _size(g, right, scales[1])) ** 0.5
    left, right = (x if scale == 1 else x / scale for x, scale in zip((left, right), scales, strict=True))
    return float(min(_product(left, right) / size, 1.0))


def _size(patches: Patches, rows: Float64[np.ndarray, "n dim"], scale: float) -> float:
    """||XᵀX||² of centred rows over their scale."""
    if scale != 1:
        return _product(rows / scale, rows / scale)
    if not isinstance(patches, PreparedMap) or len(rows) < rows.shape[1]:
        return _product(rows, rows)
    diagonal = np.diagonal(patches.scatter)
    return float(2.0 * np.vdot(patches.scatter, patches.scatter) - diagonal @ diagonal)


def _correlation(first: Float64[np.ndarray, "n n"], second: Float64[np.ndarray, "n n"]) -> float | None:
    """From the cosines above the diagonal, which are all there is below it; None where they hardly spread."""
    if len(first) < 3:
        return None
    pairs = len(first) * (len(first) - 1) / 2
    diagonals = np.diagonal(first), np.diagonal(second)
    means = [(m.sum() - d.sum()) / pairs for m, d in zip((first, second), diagonals, strict=True)]

    def covariance(i: int, j: int) -> float:
        both = (first, second)
        off = np.vdot(both[i], both[j]) - diagonals[i] @ diagonals[j]
        return float(off / pairs - means[i] * means[j])

    variances = covariance(0, 0), covariance(1, 1)
    if min(variances) < SPREAD**2:
        return None
    return float(np.clip(covariance(0, 1) / (variances[0] * variances[1]) ** 0.5, -1.0, 1.0))


class _Centred:
    """A cosine Gram matrix minus its mean, without the matrix."""

    def __init__(self, rows: Float64[np.ndarray, "n dim"]) -> None:
        directions = unit(rows)
        mean = directions.mean(axis=0)
        self.spread = centred(directions)
        self.along = self.spread @ mean
        self.diagonal = 2.0 * self.along + np.einsum("nd,nd->n", self.spread, self.spread)


def _covariance(first: _Centred, second: _Centred) -> float:
    """Covariance of the off-diagonal entries; for one and the same, its variance."""
    n = len(first.along)
    pairs = n * (n - 1)
    total = 2.0 * n * (first.along @ second.along) + _product(first.spread, second.spread)
    total -= first.diagonal @ second.diagonal
    product_of_means = first.diagonal.sum() / pairs * (second.diagonal.sum() / pairs)
    return (
        max(float(total / pairs - product_of_means), 0.0)
        if first is second
        else float(total / pairs - product_of_means)
    )


def _product(left: Float64[np.ndarray, "n dim"], right: Float64[np.ndarray, "n dim_2"]) -> float:
    """<left leftᵀ, right rightᵀ> = ||leftᵀ right||², by whichever matrix is smaller."""
    if len(left) < min(left.shape[1], right.shape[1]):
        return float(((left @ left.T) * (right @ right.T)).sum())
    return float(((left.T @ right) ** 2).sum())


def _same_places(
    f: Patches, g: Patches
) -> tuple[Float64[np.ndarray, "n dim"], Float64[np.ndarray, "n dim_2"]]:
    left, right = as_rows(f, "f"), as_rows(g, "g")
    _check_same_places(left, right)
    return left, right


def _check_same_places(left: Float64[np.ndarray, "n dim"], right: Float64[np.ndarray, "m dim_2"]) -> None:
    if len(left) != len(right):
        raise ShapeError("g", expected=f"n={len(left)} dim", actual=right.shape)
