"""Are distant patches of one region alike beyond what their distance explains?

Patches of one region lie nearer to each other than patches of two, and near patches are alike in any smooth
map. So only pairs that are equally far apart are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from dinoscope.maths.auc import auc_within
from dinoscope.maths.boundary import DistantPairs, PairAuc, distant_pairs, pair_cosines
from dinoscope.maths.masks import PatchLabels, check_same_grid
from dinoscope.maths.patches import PatchMap, as_directions, as_map


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPairs:
    """Distant pairs of one region and of two, and their distances.

    Attributes:
        pairs: those whose distance pairs of both kinds have; the others can be compared with none.
        alike, unlike: number of each pair's distance, among all distances there are.
    """

    pairs: DistantPairs
    alike: Int64[np.ndarray, " a"]
    unlike: Int64[np.ndarray, " u"]


def matched_coherence_auc(features: PatchMap, labels: PatchLabels, *, seed: int = 0) -> PairAuc:
    """Are two patches of one region more alike than two of different regions that are as far apart?

    Every pair of one region is compared with every pair of two whose centres have exactly the same distance
    (in patches; at least `dinoscope.maths.boundary.APART`), each comparison counts once, and ties half. So
    both kinds enter with one distribution of distances: with a pairs of one region and u of two at a
    distance, it is in proportion to a·u. A map whose cosines are any function of the distance scores 0.5.

    Args:
        features: the map.
        labels: of its patches.
        seed: of the draw, where there are too many pairs.

    Returns:
        NaN where pairs of one region and of two share no distance.

    Raises:
        GridMismatchError: labels on another grid.
        InputError: NaN or infinite values.
    """
    h, w, _ = as_map(features).shape
    check_same_grid(labels, h, w)
    return coherence_of_matched(features, matched(distant_pairs(labels, seed=seed)))


def matched(pairs: DistantPairs) -> MatchedPairs:
    """The pairs that `matched_coherence_auc` compares; they do not depend on the features."""
    places = np.argwhere(pairs.usable)
    alike, unlike = (_squared_distances(places, kind) for kind in (pairs.alike, pairs.unlike))
    shared = np.intersect1d(alike, unlike)
    keep, keep_unlike = np.isin(alike, shared), np.isin(unlike, shared)
    return MatchedPairs(
        DistantPairs(pairs.usable, pairs.alike[keep], pairs.unlike[keep_unlike], pairs.exact),
        np.searchsorted(shared, alike[keep]),
        np.searchsorted(shared, unlike[keep_unlike]),
    )


def coherence_of_matched(features: PatchMap, known: MatchedPairs) -> PairAuc:
    """`matched_coherence_auc` where the pairs are known, for a map on their grid; raises as `as_map`."""
    pairs = known.pairs
    cosines = pair_cosines(as_directions(features)[pairs.usable])
    area = auc_within(cosines(pairs.alike), cosines(pairs.unlike), known.alike, known.unlike)
    return PairAuc(area, len(pairs.alike), len(pairs.unlike), pairs.exact)


def _squared_distances(
    places: Int64[np.ndarray, "n 2"], pairs: Int64[np.ndarray, " pairs"]
) -> Int64[np.ndarray, " pairs"]:
    """Squared distances of the centres of each pair, in patches: whole numbers."""
    first, second = np.divmod(pairs, max(len(places), 1))
    return np.asarray(((places[first] - places[second]) ** 2).sum(axis=1))
