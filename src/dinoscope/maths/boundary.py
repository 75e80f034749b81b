"""Do features change where the regions of a mask change, and agree inside them?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dinoscope.errors import InputError
from dinoscope.maths.auc import DIGITS, auc, auc_of_many
from dinoscope.maths.masks import PatchLabels, check_same_grid
from dinoscope.maths.patches import PatchMap, as_directions, as_map

APART = 4.0
"""Patches between the centres of a pair, at least, to count for coherence."""

MAX_PAIRS = 600_000
"""Up to this many pairs all are used; a 32x32 grid has 523,776."""

MATRIX_ROWS = 2048
"""Up to this many patches the cosines of drawn pairs are read off one matrix of all, of 32 MiB: several times
as fast as pair by pair."""


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
        alike, unlike: pairs of one region and of two, as first patch times their number plus second patch.
        exact: every pair is there, none drawn.
    """

    usable: Bool[np.ndarray, "h w"]
    alike: Int64[np.ndarray, " a"]
    unlike: Int64[np.ndarray, " u"]
    exact: bool


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
    cosines = pair_cosines(as_directions(features)[pairs.usable])
    alike, unlike = cosines(pairs.alike), cosines(pairs.unlike)
    return PairAuc(auc_of_many(alike, unlike), len(alike), len(unlike), pairs.exact)


def pair_cosines(
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
