"""Do features change where the regions of a mask change, and agree inside them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from dinoscope.errors import InputError
from dinoscope.maths import patches as of_patches
from dinoscope.maths.auc import DIGITS, auc, auc_of_many, auc_roughly
from dinoscope.maths.masks import PatchLabels, check_same_grid
from dinoscope.maths.patches import PatchMap, PreparedMap, as_directions, as_map, upper_cosines

APART = 4.0
"""Patches between the centres of a pair, at least, to count for coherence."""

MAX_PAIRS = 600_000
"""Up to this many pairs all are used; a 32x32 grid has 523,776."""


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


@dataclass(frozen=True, slots=True, eq=False)
class DistantPairs:
    """Pairs of patches far apart, the same for every map on one grid.

    Attributes:
        usable: the patches that pairs are made of; they are numbered row by row.
        pairs: as the smaller patch number times how many there are, plus the larger.
        squares: of the distances between their centres, in patches: whole numbers.
        is_alike: whether both patches of a pair are of one region.
        exact: every pair is there, none drawn.
    """

    usable: Bool[np.ndarray, "h w"]
    pairs: Int64[np.ndarray, " pairs"]
    squares: Int64[np.ndarray, " pairs"]
    is_alike: Bool[np.ndarray, " pairs"]
    exact: bool

    @property
    def alike(self) -> Int64[np.ndarray, " a"]:
        """Pairs of one region."""
        return self.pairs[self.is_alike]

    @property
    def unlike(self) -> Int64[np.ndarray, " u"]:
        """Pairs of two regions."""
        return self.pairs[~self.is_alike]


def boundary_auc(features: PatchMap, labels: PatchLabels, *, min_purity: float = 0.0) -> PairAuc:
    """Does 1 - cosine tell neighbours across a mask border from neighbours within one region?

    Over the unique 4-neighbour edges between usable patches. With ``min_purity`` above 0.5 only patches
    that lie (nearly) within one region count, so that a border running through a patch is no excuse.

    Raises:
        GridMismatchError: labels on another grid.
        InputError: NaN or infinite values.
    """
    return boundary_aucs(features, labels, (min_purity,))[0]


def boundary_aucs(
    features: PatchMap, labels: PatchLabels, min_purities: Sequence[float]
) -> tuple[PairAuc, ...]:
    """`boundary_auc` for several purities, off one look at the neighbours."""
    x, lengths = _vectors(features)
    check_same_grid(labels, x.shape[0], x.shape[1])
    pairs = (
        ((slice(1, None),), (slice(None, -1),)),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    )
    products = [np.einsum("hwd,hwd->hw", x[a], x[b]) for a, b in pairs]
    distances = [
        np.round(1.0 - part / (lengths[a] * lengths[b]), DIGITS)
        for part, (a, b) in zip(products, pairs, strict=True)
    ]
    crossing = [labels.labels[a] != labels.labels[b] for a, b in pairs]
    found = []
    for min_purity in min_purities:
        usable = labels.usable(min_purity)
        both = [usable[a] & usable[b] for a, b in pairs]
        scores, positive = (
            np.concatenate([part[kept] for part, kept in zip(parts, both, strict=True)])
            for parts in (distances, crossing)
        )
        found.append(_pair_auc(scores, positive, exact=True))
    return tuple(found)


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
        pairs, squares = _far_pairs(usable.shape, usable.tobytes(), least)
        alike = np.equal.outer(ids, ids).ravel().take(pairs)
    else:
        rng = np.random.default_rng(seed)
        first = rng.integers(0, n, max_pairs)
        second = (first + rng.integers(1, n, max_pairs)) % n
        squares = ((places[first] - places[second]) ** 2).sum(axis=1)
        far = squares >= least
        first, second, squares = first[far], second[far], squares[far]
        alike = ids[first] == ids[second]
        pairs = np.minimum(first, second) * n + np.maximum(first, second)
    return DistantPairs(usable, pairs, squares, np.asarray(alike), exact)


@lru_cache(maxsize=4)
def _far_pairs(
    shape: tuple[int, int], usable: bytes, least: float
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Every pair of usable patches whose squared distance is no less, and these: photographs share them."""
    places = np.argwhere(np.frombuffer(usable, bool).reshape(shape))
    squares = np.asarray(sum(np.subtract.outer(axis, axis) ** 2 for axis in places.T))
    pairs = np.flatnonzero(np.triu(squares >= least, 1))
    return pairs, squares.ravel()[pairs]


def coherence_of_pairs(features: PatchMap, pairs: DistantPairs) -> PairAuc:
    """`coherence_auc` where the pairs are known, for a map on their grid; raises as `as_map`."""
    area, n_alike = None, int(np.count_nonzero(pairs.is_alike))
    if isinstance(features, PreparedMap) and features.rough:
        area = auc_roughly(pair_cosines(features, pairs.usable, np.float32)(pairs.pairs), pairs.is_alike)
    if area is None:
        area = auc_of_many(pair_cosines(features, pairs.usable)(pairs.pairs), pairs.is_alike)
    return PairAuc(area, n_alike, len(pairs.pairs) - n_alike, pairs.exact)


def pair_cosines(
    features: PatchMap,
    usable: Bool[np.ndarray, "h w"],
    precision: type[np.floating] = np.float64,
    block: int = 16_384,
) -> Callable[[Int64[np.ndarray, " pairs"]], Float[np.ndarray, " pairs"]]:
    """What reads off the cosines of pairs, numbered as in `DistantPairs`; raises as `as_map`.

    Of not too many patches all are products of one matrix, which is several times as fast as pair by pair.
    """
    if isinstance(features, PreparedMap) and usable.all():
        known = features.cosines if precision is np.float64 else features.rough_cosines
        if known is not None:
            return known.ravel().take
    directions = as_directions(features).astype(precision, copy=False)
    rows = directions.reshape(-1, directions.shape[-1]) if usable.all() else directions[usable]
    if len(rows) <= of_patches.MATRIX_ROWS:
        return upper_cosines(rows).ravel().take

    def pair_by_pair(pairs: Int64[np.ndarray, " pairs"]) -> Float[np.ndarray, " pairs"]:
        out = np.empty(len(pairs), precision)
        for start in range(0, len(pairs), block):
            first, second = np.divmod(pairs[start : start + block], len(rows))
            out[start : start + block] = np.einsum("nd,nd->n", rows[first], rows[second])
        return out

    return pair_by_pair


def _vectors(features: PatchMap) -> tuple[Float64[np.ndarray, "h w dim"], Float64[np.ndarray, "h w"]]:
    """Vectors and what their products are divided by: of few products that is quicker than dividing all."""
    if isinstance(features, PreparedMap) and features.rough and features.source.dtype == np.float32:
        return features.values, features.lengths[..., 0]
    directions = as_directions(features)
    return directions, np.ones(directions.shape[:2])


def _pair_auc(scores: Float64[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], *, exact: bool) -> PairAuc:
    return PairAuc(
        auc(scores[positive], scores[~positive]), int(positive.sum()), int((~positive).sum()), exact
    )
