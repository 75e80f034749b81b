"""Do features change where the regions of a mask change, and agree inside them?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import rankdata

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.eigen import eigenvectors
from dinoscope.maths.masks import PatchLabels, check_same_grid
from dinoscope.maths.patches import PatchMap, as_directions, as_map, centred

APART = 4.0
"""Patches between the centres of a pair, at least, to count for coherence."""

MAX_PAIRS = 600_000
"""Up to this many pairs all are used; a 32x32 grid has 523,776."""

MATRIX_ROWS = 2048
"""Up to this many patches the cosines of drawn pairs are read off one matrix of all, of 32 MiB: several times
as fast as pair by pair."""

BINS = 1 << 20
MANY = 20_000
"""Pairs of each kind from which on areas are counted in bins."""

UNDECIDED = 4e-5

SHUFFLES = 200
DIGITS = 12
"""Cosines are rounded to this many decimals before they are ranked, so that equal pairs are ties."""


@dataclass(frozen=True, slots=True)
class PairAuc:
    """An area under the ROC curve over pairs of patches.

    Attributes:
        auc: chance that a pair of the first kind scores above one of the second, ties half; in
            [0, 1], 0.5 says nothing; NaN where either kind is missing.
        n_positive, n_negative: pairs of each kind that were used.
        exact: every pair was used, none sampled.
    """

    auc: float
    n_positive: int
    n_negative: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class ForegroundAuc:
    """How well the first principal component separates foreground from background.

    Attributes:
        auc: max(AUC, 1 - AUC): above 0.5 by construction, so read it beside ``null``.
        null: mean of the same over shuffled masks.
        null_high: its 95% quantile.
    """

    auc: float
    null: float
    null_high: float


@dataclass(frozen=True, slots=True, eq=False)
class DistantPairs:
    """Pairs of patches far apart, the same for every map on one grid.

    Attributes:
        usable: the patches that pairs are made of; they are numbered row by row.
        alike, unlike: pairs of one region and of two, as first patch times their number plus second patch.
        exact: every pair is there, none drawn.
    """

    usable: Bool[np.ndarray, "h w"]
    alike: Int64[np.ndarray, " a"]
    unlike: Int64[np.ndarray, " u"]
    exact: bool


def auc(positive: Float[np.ndarray, " p"], negative: Float[np.ndarray, " n"]) -> float:
    """Chance that a positive scores above a negative; ties count half; NaN if either is empty.

    Source: Mann & Whitney (1947).
    """
    p, n = len(positive), len(negative)
    if p == 0 or n == 0:
        return float("nan")
    negative, positive = np.sort(negative), np.sort(positive)
    below = np.searchsorted(negative, positive, "left").sum()
    upto = np.searchsorted(negative, positive, "right").sum()
    return float((below + upto) / (2 * p * n))


def boundary_auc(features: PatchMap, labels: PatchLabels, *, min_purity: float = 0.0) -> PairAuc:
    """Does 1 - cosine tell neighbours across a mask border from neighbours within one region?

    Over the unique 4-neighbour edges between usable patches. With ``min_purity`` above 0.5 only patches
    that lie (nearly) within one region count, so that a border running through a patch is no excuse.

    Raises:
        GridMismatchError: labels on another grid.
        InputError: NaN or infinite values.
    """
    x = as_directions(features)
    check_same_grid(labels, x.shape[0], x.shape[1])
    usable = labels.usable(min_purity)
    distances, crossing = [], []
    for a, b in (
        ((slice(1, None),), (slice(None, -1),)),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        both = usable[a] & usable[b]
        distances.append(np.round(1.0 - np.einsum("hwd,hwd->hw", x[a], x[b]), DIGITS)[both])
        crossing.append((labels.labels[a] != labels.labels[b])[both])
    return _pair_auc(np.concatenate(distances), np.concatenate(crossing), exact=True)


def coherence_auc(
    features: PatchMap,
    labels: PatchLabels,
    *,
    min_purity: float = 0.0,
    apart: float = APART,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
) -> PairAuc:
    """Does cosine tell distant patches of one region from distant patches of two? Chance is 0.5.

    Args:
        features: the map.
        labels: of its patches.
        min_purity: patches of lower purity are left out.
        apart: patches between centres (Euclidean), at least; neighbours are alike for other reasons.
        max_pairs: with more pairs than this among the usable patches, this many are drawn with
            replacement; those too near are then dropped, and the result says how many were used.
        seed: of the draw.

    Raises:
        GridMismatchError: labels on another grid.
        InputError: NaN or infinite values, or ``max_pairs`` below 1.
    """
    h, w, _ = as_map(features).shape
    check_same_grid(labels, h, w)
    return coherence_of_pairs(
        features, distant_pairs(labels, min_purity=min_purity, apart=apart, max_pairs=max_pairs, seed=seed)
    )


def distant_pairs(
    labels: PatchLabels,
    *,
    min_purity: float = 0.0,
    apart: float = APART,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
) -> DistantPairs:
    """The pairs that `coherence_auc` looks at; they do not depend on the features.

    Raises:
        InputError: ``max_pairs`` below 1.
    """
    if max_pairs < 1:
        raise InputError(f"max_pairs must be at least 1, got {max_pairs}")
    usable = labels.usable(min_purity)
    ids, places = labels.labels[usable], np.argwhere(usable)
    n = len(ids)
    least = apart**2 * (1 - 1e-12)
    exact = n * (n - 1) // 2 <= max_pairs
    if exact:
        squares = sum(np.subtract.outer(axis, axis) ** 2 for axis in places.T)
        first, second = np.nonzero(np.triu(np.greater_equal(squares, least), 1))
    else:
        rng = np.random.default_rng(seed)
        first = rng.integers(0, n, max_pairs)
        second = (first + rng.integers(1, n, max_pairs)) % n
        far = ((places[first] - places[second]) ** 2).sum(axis=1) >= least
        first, second = first[far], second[far]
    alike, pairs = ids[first] == ids[second], first * n + second
    return DistantPairs(usable, pairs[alike], pairs[~alike], exact)


def coherence_of_pairs(features: PatchMap, pairs: DistantPairs) -> PairAuc:
    """`coherence_auc` where the pairs are known, for a map on their grid; raises as `as_map`."""
    cosines = _pair_cosines(as_directions(features)[pairs.usable])
    alike, unlike = cosines(pairs.alike), cosines(pairs.unlike)
    area = _counted(alike, unlike)
    if area is None:
        area = auc(np.round(alike, DIGITS), np.round(unlike, DIGITS))
    return PairAuc(area, len(alike), len(unlike), pairs.exact)


def _counted(positive: Float64[np.ndarray, " p"], negative: Float64[np.ndarray, " n"]) -> float | None:
    """The area by counting in `BINS` equal bins, which takes a third of sorting's time.

    Pairs of both kinds in one bin count half. They are at most `UNDECIDED` of all, and as many fall one way
    as the other: the area errs by less than 1e-7, and at the very most by half of that share. None where
    they are more, as where patches are equal, and where counting would gain nothing.
    """
    if min(len(positive), len(negative)) < MANY:
        return None
    low = min(positive.min(), negative.min())
    span = max(positive.max(), negative.max()) - low
    if not span > 0:
        return None
    scale = (BINS - 1) / span
    p, n = (
        np.bincount(((scores - low) * scale).astype(np.int64), minlength=BINS)
        for scores in (positive, negative)
    )
    every, undecided = len(positive) * len(negative), int(p @ n)
    if undecided > UNDECIDED * every:
        return None
    return (int(p @ np.cumsum(n)) - undecided / 2) / every


def foreground_auc(
    features: PatchMap, foreground: Bool[np.ndarray, "h w"], *, shuffles: int = SHUFFLES, seed: int = 0
) -> ForegroundAuc:
    """Does the first principal component of one map separate foreground from background?

    Source: DINOv2 (arXiv 2304.07193, section 7.5) thresholds that component; the area needs no threshold.

    Returns:
        NaN throughout for a constant map, or a mask that is all one.

    Raises:
        GridMismatchError: a mask on another grid.
        InputError: NaN or infinite values, or ``shuffles`` below 1.
    """
    if shuffles < 1:
        raise InputError(f"shuffles must be at least 1, got {shuffles}")
    values = as_map(features)
    h, w, dim = values.shape
    mask = np.asarray(foreground)
    if mask.ndim != 2:
        raise ShapeError("foreground", expected="h w", actual=mask.shape)
    if mask.shape != (h, w):
        raise GridMismatchError((h, w), (mask.shape[0], mask.shape[1]), "give the mask on the features' grid")
    flat = centred(values.reshape(-1, dim))
    inside = mask.ravel().astype(bool)
    p, n = int(inside.sum()), int((~inside).sum())
    if p == 0 or n == 0 or not flat.any():
        return ForegroundAuc(float("nan"), float("nan"), float("nan"))
    ranks = rankdata(np.round(_leading_scores(flat / np.abs(flat).max()), DIGITS))

    def area(chosen: Bool[np.ndarray, " n"]) -> float:
        one = (ranks[chosen].sum() - p * (p + 1) / 2) / (p * n)
        return float(max(one, 1.0 - one))

    rng = np.random.default_rng(seed)
    null = np.array([area(rng.permutation(inside)) for _ in range(shuffles)])
    return ForegroundAuc(area(inside), float(null.mean()), float(np.quantile(null, 0.95)))


def _leading_scores(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    """Projections of centred rows on their first principal direction, in either sign."""
    product = rows.T @ rows if len(rows) >= rows.shape[1] else rows @ rows.T
    last = len(product) - 1
    values, vectors = eigenvectors(product, last, last)
    if len(rows) >= rows.shape[1]:
        return np.asarray(rows @ vectors[:, 0])
    return np.asarray(vectors[:, 0] * np.sqrt(max(values[0], 0.0)))


def _pair_cosines(
    rows: Float64[np.ndarray, "n dim"], block: int = 16_384
) -> Callable[[Int64[np.ndarray, " pairs"]], Float64[np.ndarray, " pairs"]]:
    """What reads off the cosines of pairs, numbered as in `DistantPairs`."""
    if len(rows) <= MATRIX_ROWS:
        return (rows @ rows.T).ravel().take

    def pair_by_pair(pairs: Int64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
        out = np.empty(len(pairs))
        for start in range(0, len(pairs), block):
            first, second = np.divmod(pairs[start : start + block], len(rows))
            out[start : start + block] = np.einsum("nd,nd->n", rows[first], rows[second])
        return out

    return pair_by_pair


def _pair_auc(scores: Float64[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], *, exact: bool) -> PairAuc:
    return PairAuc(
        auc(scores[positive], scores[~positive]), int(positive.sum()), int((~positive).sum()), exact
    )
