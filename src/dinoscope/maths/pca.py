"""Which directions carry the variance of the patches? Exact, in one pass, mergeable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, UInt64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import PatchPCA
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.eigen import eigenvectors

SAMPLE = 8192
"""Patches kept to fit the colour limits; with fewer in all, the limits are exact."""

QUANTILES = (0.01, 0.99)
BLOCK = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class PatchMoments:
    """What exact PCA needs to remember of any number of patches.

    Attributes:
        n: patches seen.
        mean: of the patches.
        scatter: sum of outer products of the centred patches.
        sample: at most `SAMPLE` patches, for quantiles: those with the smallest keys.
        keys: a hash of each sampled patch's content, so that the sample does not depend on the
            order or on how the patches were split.
        normalised: whether patches were scaled to unit length first.
    """

    n: int
    mean: Float64[np.ndarray, " dim"]
    scatter: Float64[np.ndarray, "dim dim"]
    sample: Float32[np.ndarray, "s dim"]
    keys: UInt64[np.ndarray, " s"]
    normalised: bool


def patch_moments(values: Float[np.ndarray, "n dim"], *, normalise: bool = False) -> PatchMoments:
    """Moments of some patches, accumulated in float64 around their own mean.

    Args:
        values: patches.
        normalise: scale each to unit length first.

    Raises:
        ShapeError: not ``n dim`` with at least one patch.
        InputError: NaN or infinite values.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError("patches", expected="n dim", actual=values.shape)
    values = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError("the patches hold NaN or infinite values")
    if normalise:
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        values = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    moments: PatchMoments | None = None
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        wide = block.astype(np.float64)
        mean = wide.mean(axis=0)
        wide -= mean
        keys = _keys(block)
        keep = _smallest(keys)
        part = PatchMoments(
            n=len(block),
            mean=mean,
            scatter=wide.T @ wide,
            sample=block[keep],
            keys=keys[keep],
            normalised=normalise,
        )
        moments = part if moments is None else merge_moments(moments, part)
    if moments is None:
        raise ShapeError("patches", expected="n dim", actual=values.shape)
    return moments


def merge_moments(first: PatchMoments, second: PatchMoments) -> PatchMoments:
    """Moments of both sets of patches together; neither is changed.

    Source: Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample
    variances (1979), in matrix form.

    Raises:
        ShapeError: different channels.
        InputError: one was normalised and the other not.
    """
    if first.mean.shape != second.mean.shape:
        raise ShapeError("moments", expected=f"dim={len(first.mean)}", actual=second.mean.shape)
    if first.normalised != second.normalised:
        raise InputError("cannot merge moments of normalised patches with moments of patches as they are")
    n = first.n + second.n
    shift = second.mean - first.mean
    keys = np.concatenate([first.keys, second.keys])
    keep = _smallest(keys)
    return PatchMoments(
        n=n,
        mean=first.mean + shift * (second.n / n),
        scatter=first.scatter + second.scatter + np.outer(shift * (first.n * second.n / n), shift),
        sample=_taken(first.sample, second.sample, keep),
        keys=keys[keep],
        normalised=first.normalised,
    )


def pca_of_moments(moments: PatchMoments, n: int = 3) -> PatchPCA:
    """The leading ``n`` principal components, from the eigenvectors of the covariance.

    Order: largest variance first. Sign: the entry of largest magnitude is positive. Variances are
    divided by ``n_patches - 1``. Where all patches are equal the ratios are NaN.

    Raises:
        InputError: fewer than two patches, or ``n`` not between 1 and the number of channels.
    """
    dim = len(moments.mean)
    if moments.n < 2:
        raise InputError(f"a basis needs at least two patches, got {moments.n}")
    if not 1 <= n <= dim:
        raise InputError(f"cannot take {n} components of {dim} channels")
    values, vectors = eigenvectors(moments.scatter / (moments.n - 1), dim - n, dim - 1)
    variances = np.maximum(values[::-1], 0.0)
    components = np.ascontiguousarray(vectors[:, ::-1].T)
    largest = np.abs(components).argmax(axis=1)
    components *= np.where(components[np.arange(n), largest] < 0, -1.0, 1.0)[:, None]
    total = float(np.trace(moments.scatter)) / (moments.n - 1)
    ratio = variances / total if total > 0 else np.full(n, np.nan)
    scores = (moments.sample.astype(np.float64) - moments.mean) @ components.T
    return PatchPCA(
        mean=moments.mean,
        components=components,
        explained_variance=variances,
        explained_variance_ratio=ratio,
        limits=np.quantile(scores, QUANTILES, axis=0).T.copy(),
        n_patches=moments.n,
        normalised=moments.normalised,
    )


def fit_pca(
    features: PatchFeatures | Iterable[PatchFeatures],
    n: int = 3,
    *,
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
    normalise: bool = False,
) -> PatchPCA:
    """One basis over any number of photographs, exact, in one pass.

    Args:
        features: by one backbone; streamed, only the moments are kept.
        n: components to keep.
        masks: fit only on patches where these are true (foreground-only fitting), one for each.
        normalise: scale patches to unit length first. Off by default, as in DINOv3's `pca.ipynb`.

    Raises:
        InputError: no photographs, fewer than two patches, or NaN.
        ShapeError: different channels, or a mask of another shape.
    """
    if isinstance(features, PatchFeatures):
        features = [features]
    moments: PatchMoments | None = None
    for i, f in enumerate(features):
        values = f.values.reshape(-1, f.dim)
        if masks is not None:
            mask = masks[i]
            if mask.shape != f.grid.shape:
                raise ShapeError(f"mask {i}", expected=f"h={f.grid.h} w={f.grid.w}", actual=mask.shape)
            values = values[mask.ravel()]
            if not len(values):
                continue
        part = patch_moments(values, normalise=normalise)
        moments = part if moments is None else merge_moments(moments, part)
    if moments is None:
        raise InputError("fit_pca needs at least one photograph with at least one patch to fit on")
    return pca_of_moments(moments, n)


def to_rgb(
    scores: Float[np.ndarray, "h w n"],
    *,
    limits: Float[np.ndarray, "n 2"],
    components: tuple[int, int, int] = (0, 1, 2),
) -> Float[np.ndarray, "h w 3"]:
    """Pseudo-colour of three components: red, green, blue, each linear between its limits.

    Args:
        scores: component scores.
        limits: per component (low, high), fitted once for a basis: scores outside are clipped.
        components: which three, 0-based.

    Returns:
        In [0, 1]; 0.5 where a component has no spread.

    Raises:
        InputError: a component that the scores do not have.
        ShapeError: limits for another number of components.
    """
    n = scores.shape[2]
    if limits.shape != (n, 2):
        raise ShapeError("limits", expected=f"n={n} 2", actual=limits.shape)
    if not all(0 <= c < n for c in components):
        raise InputError(f"components {components} of scores with {n}: fit the basis with more components")
    chosen = list(components)
    low, high = limits[chosen, 0], limits[chosen, 1]
    span = high - low
    scaled = np.divide(
        scores[..., chosen] - low, span, out=np.full((*scores.shape[:2], 3), 0.5), where=span > 0
    )
    return np.clip(scaled, 0.0, 1.0)


def _keys(block: Float32[np.ndarray, "n dim"]) -> UInt64[np.ndarray, " n"]:
    """A well-mixed 64-bit hash of each patch's bits (multiply-add, then the finaliser of splitmix64)."""
    words = block.view(np.uint32)
    odd = np.random.default_rng(0x5EED).integers(0, 2**63, words.shape[1], dtype=np.uint64) * 2 + 1
    with np.errstate(over="ignore"):
        key = words.astype(np.uint64) @ odd
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
        return key ^ (key >> np.uint64(31))


def _taken(
    first: Float32[np.ndarray, "n dim"], second: Float32[np.ndarray, "m dim"], chosen: np.ndarray
) -> Float32[np.ndarray, "k dim"]:
    """Chosen rows of one array followed by another, without putting them behind each other first."""
    out = np.empty((len(chosen), first.shape[1]), first.dtype)
    mine = chosen < len(first)
    out[mine] = first[chosen[mine]]
    out[~mine] = second[chosen[~mine] - len(first)]
    return out


def _smallest(keys: UInt64[np.ndarray, " n"]) -> np.ndarray:
    return np.argsort(keys, kind="stable")[:SAMPLE]
