"""Is it the background, or just that something was removed? Controls of the same rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve_triangular

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.eigen import leading_directions
from dinoscope.maths.pca import PatchMoments
from dinoscope.maths.suppression import Suppression, second_moment

CONTROLS = ("random", "matched", "all_patches")
"""Random directions; random directions that carry as much variance; top components of all patches."""

MATCHED = 1e-3
"""Relative difference of variance at which the search for matched directions ends."""

FLOOR = 1e-9
"""Smaller variances, relative to the largest, are tilted as if they were this."""

STEP = 12.0
"""Largest logarithm of the ratio by which one step scales rows: keeps the condition below 2e5."""

STEPS = 60


def random_control(suppression: Suppression, *, seed: int = 0) -> Suppression:
    """A suppression's mean and rank with directions drawn uniformly; smaller ranks are nested in it."""
    rng = np.random.default_rng(seed)
    columns, _ = np.linalg.qr(rng.standard_normal((suppression.dim, suppression.k)))
    return _control(suppression, "random", np.ascontiguousarray(columns.T), np.full(suppression.k, np.nan))


def matched_controls(
    suppression: Suppression, moments: PatchMoments, ks: Sequence[int], *, seed: int = 0
) -> dict[int, Suppression]:
    """For the first ``k`` suppressed directions, as many random ones that carry the same variance.

    A uniformly random subspace is tilted by a power of the second moment ``C`` of the vectors (about the
    suppression's mean): the span of ``C^a G``. Its variance ``tr(Q C Q^T)`` grows with ``a``, from the
    smallest to the largest that any ``k`` directions have, and ``a`` is chosen by bisection so that it is
    that of the suppressed directions to a relative `MATCHED`. Where those carry almost all the variance
    that ``k`` directions can, there is only one such subspace and the control becomes the suppression:
    read it with `overlap`. For ``common``, fitted on these very vectors, that is always so.

    Args:
        suppression: what to match.
        moments: of the vectors to be compared.
        ks: how many of its directions; one control for each.
        seed: of the draw.

    Raises:
        ShapeError: moments with other channels.
        InputError: the suppression has fewer directions.
    """
    if moments.mean.shape != (suppression.dim,):
        raise ShapeError("moments", expected=f"dim={suppression.dim}", actual=moments.mean.shape)
    matrix = second_moment(moments, suppression.mean)
    values, rows = leading_directions(matrix, suppression.dim)
    found = {}
    for k in ks:
        own = suppression.leading(k)
        target = float(((own.directions @ matrix) * own.directions).sum())
        columns = _matched_columns(values, k, target, seed)
        directions = np.ascontiguousarray((rows.T @ columns).T)
        energy = ((directions @ matrix) * directions).sum(axis=1)
        found[k] = _control(own, "matched", directions, energy)
    return found


def all_patches_control(suppression: Suppression, moments: PatchMoments) -> Suppression:
    """A suppression's mean and rank with the leading directions of all patches, foreground or not.

    About zero where the suppression's directions are uncentred, about the patches' mean otherwise.

    Args:
        suppression: what to control.
        moments: of all patches of the photographs it was fitted on.

    Raises:
        InputError: fewer patches than directions.
        ShapeError: moments with other channels.
    """
    if moments.mean.shape != (suppression.dim,):
        raise ShapeError("moments", expected=f"dim={suppression.dim}", actual=moments.mean.shape)
    if moments.n < suppression.k:
        raise InputError(f"{moments.n} patches have no {suppression.k} leading directions")
    about = moments.mean if suppression.centred else np.zeros(suppression.dim)
    energy, rows = leading_directions(second_moment(moments, about), suppression.k)
    return replace(
        suppression,
        kind="all_patches",
        directions=rows,
        energy=energy,
        n_fitted=moments.n,
        fitted_on="all patches",
    )


def overlap(first: Suppression, second: Suppression) -> float:
    """How much two sets of directions share, in [0, 1]: mean squared cosine of their principal angles.

    1 where the smaller span lies in the larger; ``k / dim`` is what chance gives for ``k`` directions
    each; NaN where one has none.

    Raises:
        ShapeError: other channels.
    """
    if first.dim != second.dim:
        raise ShapeError("second suppression", expected=f"dim={first.dim}", actual=(second.dim,))
    smaller = min(first.k, second.k)
    if smaller == 0:
        return float("nan")
    return float(((first.directions @ second.directions.T) ** 2).sum()) / smaller


def _matched_columns(
    values: Float64[np.ndarray, " dim"], k: int, target: float, seed: int
) -> Float64[np.ndarray, "dim k"]:
    """A random subspace, in the basis of the eigenvectors, that carries ``target``."""
    columns, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), k)))
    logs = np.log(np.maximum(values / values[0], FLOOR)) if values[0] > 0 else np.zeros(len(values))
    spread = float(logs[0] - logs[-1])
    if k == 0 or spread == 0.0:  # every direction carries the same
        return columns
    step = STEP / spread * (1.0 if _carried(columns, values) < target else -1.0)
    for _ in range(STEPS):  # short steps: a large power at once would make the columns dependent
        further = _tilted(columns, logs, step)
        if (_carried(further, values) >= target) == (step > 0):
            break
        columns = further
    low, high, found = 0.0, 1.0, columns
    for _ in range(40):
        middle = (low + high) / 2
        found = _tilted(columns, logs, middle * step)
        carried = _carried(found, values)
        if abs(carried - target) <= MATCHED * target:
            break
        low, high = (low, middle) if (carried >= target) == (step > 0) else (middle, high)
    return found


def _tilted(
    columns: Float64[np.ndarray, "dim k"], logs: Float64[np.ndarray, " dim"], power: float
) -> Float64[np.ndarray, "dim k"]:
    exponents = power * logs
    weights = np.exp(exponents - exponents.max())
    found = weights[:, None] * columns
    for _ in range(2):  # Cholesky QR, twice: as exact as Householder's up to condition 1e8, and far quicker
        found = solve_triangular(np.linalg.cholesky(found.T @ found), found.T, lower=True).T
    return np.asarray(found)


def _carried(columns: Float64[np.ndarray, "dim k"], values: Float64[np.ndarray, " dim"]) -> float:
    return float(values @ (columns**2).sum(axis=1))


def _control(
    suppression: Suppression,
    kind: str,
    directions: Float64[np.ndarray, "k dim"],
    energy: Float64[np.ndarray, " k"],
) -> Suppression:
    return replace(
        suppression, kind=kind, directions=directions, energy=energy, n_fitted=0, fitted_on="random"
    )
