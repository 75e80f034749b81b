"""One vector for a photograph: mean, generalised mean, and the mean over its own foreground."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import PatchPCA
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.foreground import foreground_by_pc1
from dinoscope.maths.pca import PatchMoments, patch_moments

GEM_POWER = 3.0
GEM_FLOOR = 1e-6
"""Values below it are raised to it before the power is taken: negative features count as nothing."""

LANCZOS_VECTORS = 20

FOREGROUND_RULE = (
    "first component of the photograph's own patches, Otsu's threshold, the side with fewer border patches "
    "is foreground, 3x3 median filter; the plain mean where no patch is left"
)


def mean_pool(values: Float[np.ndarray, "n dim"]) -> Float64[np.ndarray, " dim"]:
    """The mean patch, accumulated in float64; not normalised.

    Raises:
        ShapeError: no patches.
    """
    _check(values)
    return values.mean(axis=0, dtype=np.float64)


def gem_pool(
    values: Float[np.ndarray, "n dim"], *, power: float = GEM_POWER, floor: float = GEM_FLOOR
) -> Float64[np.ndarray, " dim"]:
    """Generalised mean ``(mean max(x, floor)^power)^(1/power)`` of each channel, in float64.

    Features of a vision transformer are signed, and the floor discards every negative value: this is
    a mean of what is positive, not a smooth step from mean to maximum. A channel that is negative
    everywhere gives ``floor``.
    Source: Radenović, Tolias & Chum, Fine-tuning CNN image retrieval with no human annotation
    (arXiv 1711.02512, eq. 3); the floor is that of its published code.

    Raises:
        ShapeError: no patches.
        InputError: a power or a floor that is not positive.
    """
    _check(values)
    if power <= 0 or floor <= 0:
        raise InputError(f"power and floor must be positive, got {power} and {floor}")
    clamped = np.maximum(values.astype(np.float64), floor)
    return (clamped**power).mean(axis=0) ** (1.0 / power)


def weighted_pool(
    values: Float[np.ndarray, "n dim"], weights: Float[np.ndarray, " n"]
) -> Float64[np.ndarray, " dim"]:
    """The mean patch under weights of any positive sum, in float64; the plain mean where all are 0.

    Raises:
        ShapeError: no patches, or another number of weights.
        InputError: a negative, infinite or NaN weight.
    """
    _check(values)
    if weights.shape != (len(values),):
        raise ShapeError("weights", expected=f"n={len(values)}", actual=weights.shape)
    wide = weights.astype(np.float64)
    if not np.isfinite(wide).all() or (wide < 0).any():
        raise InputError("weights must be finite and not negative")
    total = float(wide.sum())
    if total == 0.0:
        return mean_pool(values)
    some = wide > 0
    return (wide[some] @ values[some].astype(np.float64)) / total


def own_foreground(features: PatchFeatures, moments: PatchMoments | None = None) -> Bool[np.ndarray, "h w"]:
    """The photograph's foreground by its own first component alone: the rule `FOREGROUND_RULE`.

    No other photograph is looked at, so that the mask never depends on the collection. A grid of one
    patch, or patches that are all equal, have no foreground.

    Args:
        features: the photograph.
        moments: of exactly its patches as they are, where at hand already.

    Raises:
        ShapeError: moments with other channels.
    """
    if moments is None:
        moments = patch_moments(features.values.reshape(-1, features.dim))
    if moments.mean.shape != (features.dim,):
        raise ShapeError("moments", expected=f"dim={features.dim}", actual=moments.mean.shape)
    total = float(np.trace(moments.scatter))
    size = float(moments.n * (moments.mean @ moments.mean))
    if moments.n < 2 or total <= 1e-12 * size:
        return np.zeros(features.grid.shape, bool)
    largest, component = _leading_component(moments.scatter)
    variance = np.array([max(largest, 0.0) / (moments.n - 1)])
    own = PatchPCA(
        mean=moments.mean,
        components=component[None],
        explained_variance=variance,
        explained_variance_ratio=variance * (moments.n - 1) / total,
        limits=np.zeros((1, 2)),
        n_patches=moments.n,
    )
    return foreground_by_pc1([features], own)[0]


def _leading_component(scatter: Float64[np.ndarray, "dim dim"]) -> tuple[float, Float64[np.ndarray, " dim"]]:
    """Largest eigenvalue and its vector: Lanczos from a fixed start, without the others."""
    import scipy.linalg
    import scipy.sparse.linalg

    dim = len(scatter)
    start = scatter[np.argmax(np.diagonal(scatter))]  # never at right angles to it, unless by design
    if dim > 2 * LANCZOS_VECTORS:
        try:
            values, vectors = scipy.sparse.linalg.eigsh(scatter, k=1, v0=start, ncv=LANCZOS_VECTORS, tol=1e-8)
            return float(values[0]), vectors[:, 0]
        except scipy.sparse.linalg.ArpackNoConvergence:
            pass  # two leading components of nearly equal variance: the slow way finds the larger
    values, vectors = scipy.linalg.eigh(scatter, subset_by_index=[dim - 1, dim - 1])
    return float(values[0]), vectors[:, 0]


def _check(values: Float[np.ndarray, "n dim"]) -> None:
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError("patches", expected="n dim", actual=values.shape)
