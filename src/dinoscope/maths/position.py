"""How much do patches say about where they are, whatever they show?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import Patches, PatchMap, as_map, as_rows, centred, lower_product

RIDGE = 1e-2
"""Ridge penalty as a share of the mean channel variance times the number of training patches."""

ROUNDING = 1e-6
"""Singular values below this share of the features' length are rounding noise."""


@dataclass(frozen=True, slots=True)
class PositionFit:
    """How well place can be read off patches of photographs that were not fitted on.

    Attributes:
        row, col: R² of the vertical and the horizontal place; 1 is perfect, 0 or below is no better
            than the centre of the image; NaN for a grid of one row, of one column.
        mean: of the two; NaN where either is.
        n_images: photographs, each held out once.
    """

    row: float
    col: float
    mean: float
    n_images: int


def position_fit(features: Sequence[PatchMap], *, folds: int = 5, ridge: float = RIDGE) -> PositionFit:
    """Held-out R² of a linear readout of (row, col) from patch features.

    An upper bound of what positional bias explains: content correlates with place too (sky is above).
    Features are centred on the training photographs; the penalty scales with their mean variance, so
    that a rotation or a positive scale of the features changes nothing.
    Source: ridge regression, Hoerl & Kennard (1970); a linear stand-in for the mutual information of
    Denoising Vision Transformers (arXiv 2401.02957, Table 1).

    Args:
        features: one model's maps; grids may differ. Places are patch centres in [0, 1].
        folds: the photographs are dealt out to folds in the order given; at most one per photograph.
        ridge: above 0.

    Raises:
        InputError: fewer than two photographs, fewer than two folds, ``ridge`` not above 0, NaN or
            infinite values.
        ShapeError: different channels.
    """
    if len(features) < 2:
        raise InputError("position is fitted on some photographs and tested on others: give at least two")
    if folds < 2 or not ridge > 0:
        raise InputError(f"folds must be at least 2 and ridge above 0, got {folds} and {ridge}")
    maps = [as_map(f, f"feature map {i}") for i, f in enumerate(features)]
    dim = maps[0].shape[2]
    for i, m in enumerate(maps):
        if m.shape[2] != dim:
            raise ShapeError(f"feature map {i}", expected=f"h w dim={dim}", actual=m.shape)
    rows = [m.reshape(-1, dim) for m in maps]
    places = [_places(m.shape[0], m.shape[1]) for m in maps]
    fold_of = np.arange(len(maps)) % min(folds, len(maps))
    n_folds = min(folds, len(maps))
    near = rows[0][0] + np.mean([(x - rows[0][0]).mean(axis=0) for x in rows], axis=0)
    moments = [
        _Moments.of([(rows[i] - near, places[i]) for i in np.flatnonzero(fold_of == fold)])
        for fold in range(n_folds)
    ]
    missed, total = np.zeros(2), np.zeros(2)
    for fold in range(n_folds):
        weight, mean, base = _ridge([m for i, m in enumerate(moments) if i != fold], ridge)
        for held_out in np.flatnonzero(fold_of == fold):
            found = rows[held_out] @ weight - (near + mean) @ weight
            missed += ((places[held_out] - base - found) ** 2).sum(axis=0)
            total += ((places[held_out] - 0.5) ** 2).sum(axis=0)
    r2 = [1.0 - missed[k] / total[k] if total[k] > 0 else float("nan") for k in range(2)]
    return PositionFit(float(r2[0]), float(r2[1]), float(np.mean(r2)), len(maps))


def content_free_basis(features: Sequence[PatchMap], n: int | None = None) -> Float64[np.ndarray, "n dim"]:
    """Orthonormal directions in which patches vary although the photograph shows nothing.

    Source: INSID3 (arXiv 2603.28480): the centred singular value decomposition of the features of a
    constant image. Here of several, each centred by itself, so that their colours are no direction.

    Args:
        features: maps of content-free images (constant colours).
        n: directions, strongest first; None for every one with a singular value above rounding noise
            (of float32 features: 1e-6 of their length).

    Raises:
        InputError: no maps, more directions asked for than vary, or NaN or infinite values.
    """
    if not features:
        raise InputError("a content-free basis needs the features of at least one content-free image")
    maps = [as_rows(f) for f in features]
    _, sigma, directions = np.linalg.svd(np.concatenate([centred(m) for m in maps]), full_matrices=False)
    length = float(np.sqrt(sum((m**2).sum() for m in maps)))
    rank = int((sigma > ROUNDING * length).sum())
    keep = rank if n is None else n
    if not 0 <= keep <= rank:
        raise InputError(f"cannot take {n} directions: the content-free features vary in {rank}")
    return np.ascontiguousarray(directions[:keep])


def energy_curve(patches: Patches, basis: Float[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    """Share of the patches' variance inside the first 1, 2, …, n directions of a basis.

    Returns:
        Rising, in [0, 1]; NaN for a constant map. Compare models at an equal share of their channels:
        a random subspace of rank k holds k / dim of isotropic features.

    Raises:
        ShapeError: different channels.
        InputError: the basis is not orthonormal, or NaN or infinite values.
    """
    rows = centred(as_rows(patches))
    directions = _orthonormal(basis, rows.shape[1])
    total = (rows**2).sum()
    if total == 0:
        return np.full(len(directions), np.nan)
    return np.minimum(np.cumsum(((rows @ directions.T) ** 2).sum(axis=0)) / total, 1.0)


def remove_subspace(
    features: Float[np.ndarray, "*grid dim"], basis: Float[np.ndarray, "n dim"]
) -> Float64[np.ndarray, "*grid dim"]:
    """``x (I - BᵀB)``: features without their part in a subspace. Nothing is renormalised.

    Raises:
        ShapeError: different channels.
        InputError: the basis is not orthonormal, or NaN or infinite values.
    """
    values = np.asarray(features, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("features: NaN or infinite values")
    directions = _orthonormal(basis, values.shape[-1])
    return np.asarray(values - (values @ directions.T) @ directions)


def _places(h: int, w: int) -> Float64[np.ndarray, "n 2"]:
    row, col = np.mgrid[:h, :w]
    return np.stack([(row.ravel() + 0.5) / h, (col.ravel() + 0.5) / w], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Sums over the patches of a fold, of which other folds' regressions are made up; ``scatter`` holds what
    lies on its diagonal and below.
    """

    n: int
    rows: Float64[np.ndarray, " dim"]
    places: Float64[np.ndarray, " 2"]
    scatter: Float64[np.ndarray, "dim dim"]
    cross: Float64[np.ndarray, "dim 2"]

    @classmethod
    def of(cls, parts: list[tuple[Float64[np.ndarray, "_ dim"], Float64[np.ndarray, "_ 2"]]]) -> _Moments:
        """Sums of patches from which a point near their mean has been taken."""
        return cls(
            sum(len(x) for x, _ in parts),
            np.sum([x.sum(axis=0) for x, _ in parts], axis=0),
            np.sum([y.sum(axis=0) for _, y in parts], axis=0),
            np.sum([lower_product(x) for x, _ in parts], axis=0),
            np.sum([x.T @ y for x, y in parts], axis=0),
        )


def _ridge(
    moments: list[_Moments], ridge: float
) -> tuple[Float64[np.ndarray, "dim 2"], Float64[np.ndarray, " dim"], Float64[np.ndarray, " 2"]]:
    """Weights, and the means of what they apply to."""
    from scipy.linalg import solve  # slow to import, and not every command measures

    n = sum(m.n for m in moments)
    mean = np.sum([m.rows for m in moments], axis=0) / n
    base = np.sum([m.places for m in moments], axis=0) / n
    scatter = np.sum([m.scatter for m in moments], axis=0) - n * np.outer(mean, mean)
    cross = np.sum([m.cross for m in moments], axis=0) - n * np.outer(mean, base)
    penalty = ridge * np.trace(scatter) / len(mean)
    if not penalty > 0:
        return np.zeros((len(mean), 2)), mean, base
    scatter[np.diag_indices(len(mean))] += penalty
    return solve(scatter, cross, lower=True, assume_a="pos", check_finite=False), mean, base


def _orthonormal(basis: Float[np.ndarray, "n dim"], dim: int) -> Float64[np.ndarray, "n dim"]:
    directions = np.asarray(basis, dtype=np.float64)
    if directions.ndim != 2 or directions.shape[1] != dim:
        raise ShapeError("basis", expected=f"n dim={dim}", actual=directions.shape)
    if not np.allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-5):
        raise InputError("the basis must be orthonormal: its rows unit vectors at right angles")
    return directions
