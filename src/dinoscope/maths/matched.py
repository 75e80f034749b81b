"""Are distant patches of one region alike beyond what their distance explains?

Patches of one region lie nearer to each other than patches of two, and near patches are alike in any smooth
map. So only pairs that are equally far apart are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from dinoscope.maths.boundary import DistantPairs, PairAuc, distant_pairs, pair_cosines
from dinoscope.maths.masks import PatchLabels, check_same_grid
from dinoscope.maths.patches import PatchMap, as_map
from dinoscope.maths.strata import Strata


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPairs:
    """Distant pairs of one region and of two, and their distances.

    Attributes:
        pairs: those whose distance pairs of both kinds have; the others can be compared with none.
        strata: pairs of one region against those of two of the same distance.
    """

    pairs: DistantPairs
    strata: Strata


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
    squares = pairs.squares
    largest = squares.max(initial=0) + 1
    one, two = (np.bincount(squares[kind], minlength=largest) for kind in (pairs.is_alike, ~pairs.is_alike))
    shared = (one > 0) & (two > 0)
    keep, number = shared[squares], np.cumsum(shared) - 1
    kept = DistantPairs(pairs.usable, pairs.pairs[keep], squares[keep], pairs.is_alike[keep], pairs.exact)
    return MatchedPairs(kept, Strata(kept.is_alike, number[kept.squares]))


def coherence_of_matched(features: PatchMap, known: MatchedPairs) -> PairAuc:
    """`matched_coherence_auc` where the pairs are known, for a map on their grid; raises as `as_map`."""
    pairs = known.pairs

    def cosines(precision: type[np.floating]) -> Float[np.ndarray, " pairs"]:
        return pair_cosines(features, pairs.usable, precision)(pairs.pairs)

    area = known.strata.auc_of_many(partial(cosines, np.float32), partial(cosines, np.float64))
    n_alike = known.strata.n_positive
    return PairAuc(area, n_alike, len(pairs.pairs) - n_alike, pairs.exact)
