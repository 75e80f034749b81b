"""Which patches belong together in the whole graph of patches? The normalised cut, exact, in two passes.

Patches are nodes; the weight of an edge is ``(1 + cosine) / 2``, in [0, 1]. That matrix is ``F Fᵀ`` with the
``dim + 1`` columns ``F = [1, x/|x|] / √2``, so its normalised cut is an eigenproblem of that size, whatever
the number of patches: nothing is sampled and nothing is approximated.

Source: Shi & Malik, Normalized cuts and image segmentation, TPAMI 22 (2000), eq. 11 and 12; exact from the
factor: with ``deg = F (Fᵀ 1)`` and ``M = Fᵀ diag(1/deg) F = V diag(λ) Vᵀ`` the eigenvectors of
``diag(deg)^-1/2 F Fᵀ diag(deg)^-1/2`` are ``diag(deg)^-1/2 F V diag(λ)^-1/2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.kinds import each_features
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.eigen import leading_directions

BLOCK = 8192
"""Patches in one matrix product."""

SMALLEST = 1e-12
"""An eigenvalue below this is 0: nothing can be projected on it."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchTotals:
    """What the first pass leaves of any number of patches; two of them are added with ``+``.

    Attributes:
        n: patches.
        total: sum of their factors ``[1, x/|x|] / √2``.
    """

    n: int
    total: Float64[np.ndarray, " dim_plus_1"]

    def __add__(self, other: PatchTotals) -> PatchTotals:
        _check_equal(self.total, other.total)
        return PatchTotals(self.n + other.n, self.total + other.total)


@dataclass(frozen=True, slots=True, eq=False)
class DegreeMoments:
    """What the second pass leaves; two of them are added with ``+``.

    Attributes:
        scatter: sum of the factors' outer products, each divided by the patch's degree.
    """

    scatter: Float64[np.ndarray, "dim_plus_1 dim_plus_1"]

    def __add__(self, other: DegreeMoments) -> DegreeMoments:
        _check_equal(self.scatter, other.scatter)
        return DegreeMoments(self.scatter + other.scatter)


@dataclass(frozen=True, slots=True, eq=False)
class PatchSpectral:
    """The leading eigenvectors of the normalised affinity of all patches.

    Attributes:
        eigenvalues: in [0, 1], largest first; the first is 1, and its vector says how central a patch is.
        vectors: of the small problem; each one's sign makes its entry of largest magnitude positive.
        total: sum of all patches' factors: what a patch's degree is computed from.
        n_patches: fitted on.
    """

    eigenvalues: Float64[np.ndarray, " n"]
    vectors: Float64[np.ndarray, "n dim_plus_1"]
    total: Float64[np.ndarray, " dim_plus_1"]
    n_patches: int

    def __repr__(self) -> str:
        values = ", ".join(f"{value:.3g}" for value in self.eigenvalues[:4])
        more = ", …" if len(self.eigenvalues) > 4 else ""
        return f"PatchSpectral(eigenvalues {values}{more} of {self.n_patches:,} patches)"

    def project(self, features: PatchFeatures) -> Float64[np.ndarray, "h w n"]:
        """Every patch's entries of the eigenvectors, which have unit length over the patches fitted on.

        Patches of other photographs get the value that they would have beside those (Nyström, exact here).

        Raises:
            ShapeError: other channels.
            InputError: NaN or infinite values.
        """
        factors = _factors(features.values.reshape(-1, features.dim))
        if factors.shape[1] != len(self.total):
            raise ShapeError(
                "feature map", expected=f"h w dim={len(self.total) - 1}", actual=features.values.shape
            )
        degrees = factors @ self.total
        scores = factors @ (self.vectors / np.sqrt(self.eigenvalues)[:, None]).T
        return (scores / np.sqrt(degrees)[:, None]).reshape(*features.grid.shape, -1)


def patch_totals(values: Float[np.ndarray, "patches dim"]) -> PatchTotals:
    """The first pass over some patches.

    Raises:
        ShapeError: not ``patches dim`` with at least one patch.
        InputError: NaN or infinite values.
    """
    total = np.zeros(values.shape[-1] + 1)
    for factors in _blocks(values):
        total += factors.sum(axis=0)
    return PatchTotals(len(values), total)


def degree_moments(values: Float[np.ndarray, "patches dim"], totals: PatchTotals) -> DegreeMoments:
    """The second pass over some patches, when the totals of all are known."""
    scatter = np.zeros((len(totals.total),) * 2)
    for factors in _blocks(values):
        _check_equal(factors[0], totals.total)
        scatter += factors.T @ (factors / (factors @ totals.total)[:, None])
    return DegreeMoments(scatter)


def spectral_of_moments(totals: PatchTotals, moments: DegreeMoments, n: int = 8) -> PatchSpectral:
    """The leading ``n`` eigenvectors.

    Raises:
        InputError: ``n`` not between 1 and ``dim + 1``, or more than the patches span.
    """
    size = len(totals.total)
    if not 1 <= n <= size:
        raise InputError(f"cannot take {n} eigenvectors of features with {size - 1} channels")
    eigenvalues, vectors = leading_directions((moments.scatter + moments.scatter.T) / 2, n)
    spanned = int((eigenvalues > SMALLEST).sum())
    if spanned < n:
        raise InputError(f"these patches span {spanned} directions, {n} eigenvectors were asked for")
    return PatchSpectral(eigenvalues, vectors, totals.total, totals.n)


def fit_spectral(features: PatchFeatures | Sequence[PatchFeatures], n: int = 8) -> PatchSpectral:
    """The normalised cut of all patches of any number of photographs by one backbone.

    Two passes, so the features must be there twice. For features that do not fit in memory: `patch_totals`
    of each part, added; then `degree_moments` of each part, added; then `spectral_of_moments`. Time is
    that of two products with the features; memory is ``dim²``.

    Args:
        features: by one backbone.
        n: eigenvectors.

    Raises:
        InputError: no photographs, NaN, or more eigenvectors than the patches span.
        ShapeError: different channels.
    """
    several = list(each_features(features))
    if not several:
        raise InputError("fit_spectral needs at least one photograph")
    rows = [f.values.reshape(-1, f.dim) for f in several]
    totals = patch_totals(rows[0])
    for values in rows[1:]:
        totals += patch_totals(values)
    moments = degree_moments(rows[0], totals)
    for values in rows[1:]:
        moments += degree_moments(values, totals)
    return spectral_of_moments(totals, moments, n)


def n_clusters(eigenvalues: Float[np.ndarray, " n"]) -> int:
    """How many clusters the spectrum speaks for: where it falls most, as a ratio, beyond the first pair.

    Source: the eigengap heuristic, von Luxburg, A tutorial on spectral clustering, Statistics and Computing
    17 (2007), section 8.3; the ratio instead of the difference, since these eigenvalues span decades.

    Args:
        eigenvalues: largest first; at least three.

    Returns:
        Between 2 and ``n - 1``.
    """
    if len(eigenvalues) < 3:
        raise ShapeError("eigenvalues", expected="n>=3", actual=eigenvalues.shape)
    held = np.maximum(np.asarray(eigenvalues, dtype=np.float64), SMALLEST)
    return int(np.argmax(held[1:-1] / held[2:])) + 2


def _blocks(values: Float[np.ndarray, "patches dim"]) -> Iterator[Float64[np.ndarray, "_ dim_plus_1"]]:
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError("patches", expected="patches dim", actual=values.shape)
    for start in range(0, len(values), BLOCK):
        yield _factors(values[start : start + BLOCK])


def _factors(values: Float[np.ndarray, "patches dim"]) -> Float64[np.ndarray, "patches dim_plus_1"]:
    """``[1, x/|x|] / √2`` of each patch, in float64; a patch without length has cosine 0 with all."""
    factors = np.empty((len(values), values.shape[1] + 1))
    factors[:, 0] = 1.0
    factors[:, 1:] = values
    lengths = np.linalg.norm(factors[:, 1:], axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise InputError("the patches hold NaN or infinite values")
    np.divide(factors[:, 1:], lengths, out=factors[:, 1:], where=lengths > 0)
    factors *= np.sqrt(0.5)
    return factors


def _check_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    if ours.shape != theirs.shape:
        raise ShapeError("patches", expected=f"dim={theirs.shape[-1] - 1}", actual=ours.shape)
