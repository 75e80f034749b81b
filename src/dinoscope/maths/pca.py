"""Which directions carry the variance of the patches? From the whole covariance, in one pass, mergeable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, UInt64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import whole_number
from dinoscope.data.kinds import check_kind, each_features
from dinoscope.data.maps import PatchPCA
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.eigen import leading_directions

SAMPLE = 8192
"""Patches kept to fit the colour limits; with fewer in all, the limits are exact."""

QUANTILES = (0.01, 0.99)
BLOCK = 8192
"""Patches in one matrix product."""

WIDENED = 1024
"""Patches of the sample in float64 at a time: they stay in the cache."""

HASHED = 32
"""Channels, the first ones, whose bits make a patch's key."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchMoments:
    """What exact PCA needs to remember of any number of patches.

    Attributes:
        n: patches seen.
        mean: of the patches.
        scatter: sum of outer products of the centred patches.
        sample: patches for quantiles, in parts: those with the smallest keys, at least `SAMPLE` of them
            where there are as many, at most twice that.
        keys: a hash of each sampled patch's content, part by part, so that the sample does not depend on
            the order or on how the patches were split.
        normalised: whether patches were scaled to unit length first.
    """

    n: int
    mean: Float64[np.ndarray, " dim"]
    scatter: Float64[np.ndarray, "dim dim"]
    sample: tuple[Float32[np.ndarray, "_ dim"], ...]
    keys: tuple[UInt64[np.ndarray, " _"], ...]
    normalised: bool


def patch_moments(values: Float[np.ndarray, "n dim"], *, normalise: bool = False) -> PatchMoments:
    """Moments of some patches around their own mean.

    Products are float32, of patches from which their block's mean has been taken, and blocks are added in
    float64: the error is that of one block's rounding, about 1e-7 of the scatter, whatever their number.

    Args:
        values: patches.
        normalise: scale each to unit length first.

    Raises:
        ShapeError: not ``n dim`` with at least one patch.
        InputError: NaN or infinite values.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError("patches", expected="n dim", actual=values.shape)
    blocks = _in_blocks(_as_compared(values, normalise=normalise))
    return cast(PatchMoments, _together(blocks, normalised=normalise))  # there is at least one


def _as_compared(values: Float[np.ndarray, "n dim"], *, normalise: bool) -> Float32[np.ndarray, "n dim"]:
    values = np.ascontiguousarray(values, dtype=np.float32)
    if not normalise:
        return values
    _check_finite(values)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)


def _in_blocks(values: Float32[np.ndarray, "n dim"]) -> Iterator[Float32[np.ndarray, "_ dim"]]:
    return (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))


def _together(blocks: Iterable[Float32[np.ndarray, "_ dim"]], *, normalised: bool) -> PatchMoments | None:
    """Moments of all blocks, None of none; a patch that cannot be of the sample any more is not copied."""
    found, room = None, np.empty((0, 0), np.float32)
    for block in blocks:
        if len(room) < len(block):
            room = np.empty_like(block)
        most = None if found is None else _largest_key(found)
        part = _block_moments(block, room, normalised=normalised, most=most)
        found = part if found is None else merge_moments(found, part)
    return found


def _block_moments(
    block: Float32[np.ndarray, "n dim"],
    room: Float32[np.ndarray, "m dim"],
    *,
    normalised: bool,
    most: np.uint64 | None,
) -> PatchMoments:
    """Moments from one matrix product, taken around a point near the mean, and then moved to the mean.

    Args:
        block: at most `BLOCK` patches.
        room: at least as many rows, for the centred patches: new memory would cost as much as filling it.
        normalised: of the block.
        most: key of a sampled patch at most; None for any.
    """
    near = block[::8].mean(axis=0)
    centred = np.subtract(block, near, out=room[: len(block)])
    rest = centred.mean(axis=0, dtype=np.float64)
    _check_finite(rest)  # one value that is not makes the mean so
    scatter = np.multiply.outer(-len(block) * rest, rest)
    scatter += centred.T @ centred
    keys = _keys(block)
    keep = np.argsort(keys, kind="stable")[:SAMPLE]
    if most is not None:
        keep = keep[keys[keep] <= most]
    return PatchMoments(
        n=len(block),
        mean=near + rest,
        scatter=scatter,
        sample=(block[keep],),
        keys=(keys[keep],),
        normalised=normalised,
    )


def _largest_key(moments: PatchMoments) -> np.uint64 | None:
    """The largest key of the `SAMPLE` patches with the smallest keys; None where there are fewer."""
    if sum(map(len, moments.keys)) < SAMPLE:
        return None
    return cast(np.uint64, np.partition(np.concatenate(moments.keys), SAMPLE - 1)[SAMPLE - 1])


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
    scatter = np.multiply.outer(shift * (first.n * second.n / n), shift)
    scatter += first.scatter
    scatter += second.scatter
    sample, keys = _trimmed((*first.sample, *second.sample), (*first.keys, *second.keys), 2 * SAMPLE)
    return PatchMoments(
        n=n,
        mean=first.mean + shift * (second.n / n),
        scatter=scatter,
        sample=sample,
        keys=keys,
        normalised=first.normalised,
    )


def with_sample(moments: PatchMoments, most: int) -> PatchMoments:
    """Moments with at most ``most`` sampled patches, in one part, smallest keys first."""
    keys = np.concatenate(moments.keys)
    chosen = np.argsort(keys, kind="stable")[:most]
    sample = np.empty((len(chosen), len(moments.mean)), np.float32)
    start = 0
    for part in moments.sample:  # not joined first: that would copy what is left out, too
        inside = (chosen >= start) & (chosen < start + len(part))
        sample[inside] = part[chosen[inside] - start]
        start += len(part)
    return replace(moments, sample=(sample,), keys=(keys[chosen],))


def pca_of_moments(moments: PatchMoments, n: int = 3) -> PatchPCA:
    """The leading ``n`` principal components, from the eigenvectors of the covariance.

    Order: largest variance first. Sign: the entry of largest magnitude is positive. Variances are
    divided by ``n_patches - 1``. Where all patches are equal the ratios are NaN.

    Raises:
        InputError: fewer than two patches, or ``n`` not between 1 and the number of channels.
    """
    dim, n = len(moments.mean), whole_number(n, "a number of components")
    if moments.n < 2:
        raise InputError(f"a basis needs at least two patches, got {moments.n}")
    if not 1 <= n <= dim:
        raise InputError(f"cannot take {n} components of {dim} channels")
    variances, components = leading_directions(moments.scatter / (moments.n - 1), n)
    total = float(np.trace(moments.scatter)) / (moments.n - 1)
    ratio = variances / total if total > 0 else np.full(n, np.nan)
    (sample,) = with_sample(moments, SAMPLE).sample
    parts = (sample[start : start + WIDENED] for start in range(0, len(sample), WIDENED))
    scores = np.concatenate([(part.astype(np.float64) - moments.mean) @ components.T for part in parts])
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
    fitted_on = _fitted_on(each_features(features), masks)
    several = (_as_compared(v, normalise=normalise) for v in _blocks(fitted_on))
    found = _together((block for v in several for block in _in_blocks(v)), normalised=normalise)
    if found is None:
        raise InputError("fit_pca needs at least one photograph with at least one patch to fit on")
    return pca_of_moments(found, n)


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
        InputError: a component that the scores do not have, or no arrays.
        ShapeError: no map, or limits for another number of components.
    """
    for value in (scores, limits):
        check_kind(value, np.ndarray, "pca.project(features) gives scores, pca.limits their limits")
    if scores.ndim != 3:
        raise ShapeError("scores", expected="h w n", actual=scores.shape)
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


def _fitted_on(
    features: Iterable[PatchFeatures], masks: Sequence[Bool[np.ndarray, "_ _"]] | None
) -> Iterator[Float[np.ndarray, "_ _"]]:
    for i, f in enumerate(features):
        values = f.values.reshape(-1, f.dim)
        if masks is not None:
            mask = masks[i]
            if mask.shape != f.grid.shape:
                raise ShapeError(f"mask {i}", expected=f"h={f.grid.h} w={f.grid.w}", actual=mask.shape)
            values = values[mask.ravel()]
        if len(values):
            yield values


def _blocks(parts: Iterable[Float[np.ndarray, "_ _"]]) -> Iterator[Float[np.ndarray, "_ _"]]:
    """Patches in fewer, larger blocks: many small products and merges cost more than few."""
    waiting: list[Float[np.ndarray, "_ _"]] = []
    for part in parts:
        if waiting and part.shape[1] != waiting[0].shape[1]:
            raise ShapeError("patches", expected=f"dim={waiting[0].shape[1]}", actual=part.shape)
        if waiting and sum(map(len, waiting)) + len(part) > BLOCK:
            yield np.concatenate(waiting)
            waiting = []
        waiting.append(part)
    if waiting:
        yield np.concatenate(waiting)


def _check_finite(values: Float[np.ndarray, "..."]) -> None:
    if not np.isfinite(values).all():
        raise InputError("the patches hold NaN or infinite values")


def _keys(block: Float32[np.ndarray, "n dim"]) -> UInt64[np.ndarray, " n"]:
    """A well-mixed 64-bit hash of each patch's bits (multiply-add, then the finaliser of splitmix64)."""
    words = np.ascontiguousarray(block[:, :HASHED]).view(np.uint32)
    odd = np.random.default_rng(0x5EED).integers(0, 2**63, words.shape[1], dtype=np.uint64) * 2 + 1
    with np.errstate(over="ignore"):
        key = words.astype(np.uint64) @ odd
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
        return key ^ (key >> np.uint64(31))


def _trimmed(
    sample: tuple[Float32[np.ndarray, "_ dim"], ...], keys: tuple[UInt64[np.ndarray, " _"], ...], most: int
) -> tuple[tuple[Float32[np.ndarray, "_ dim"], ...], tuple[UInt64[np.ndarray, " _"], ...]]:
    """A sample of up to ``most`` patches unchanged, of a larger one the `SAMPLE` of the smallest keys."""
    total = sum(map(len, keys))
    if total <= most:
        return sample, keys
    cutoff = np.partition(np.concatenate(keys), SAMPLE - 1)[SAMPLE - 1]
    kept = [part <= cutoff for part in keys]
    pairs = [
        (patches[inside], part[inside])
        for patches, part, inside in zip(sample, keys, kept, strict=True)
        if inside.any()
    ]
    return tuple(patches for patches, _ in pairs), tuple(part for _, part in pairs)
