"""Which patches are of one kind, over all photographs? And which kinds of two models are the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from dinoscope.data.features import PatchFeatures
from dinoscope.data.kinds import each_features
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import unit
from dinoscope.maths.spectral import fit_spectral, n_clusters

MOST = 50_000
"""Patches that centres are fitted on, evenly spaced over all; every patch is labelled."""

RESTARTS = 4
LARGEST_K = 16
"""Clusters at most where their number is left to the rule."""

RULE = "by the largest fall of the normalised cut's spectrum, as a ratio"


@dataclass(frozen=True, slots=True, eq=False)
class PatchClusters:
    """Centres of patches' directions.

    Attributes:
        centres: largest cluster first.
        sizes: patches of each, of those fitted on.
        chosen_by: `RULE`, or ``given`` where the caller said how many.
    """

    centres: Float64[np.ndarray, "k dim"]
    sizes: Int64[np.ndarray, " k"]
    chosen_by: str

    def __repr__(self) -> str:
        k, dim = self.centres.shape
        return f"PatchClusters({k} of {self.sizes.sum():,} patches, {dim} channels; number {self.chosen_by})"

    def label(self, features: PatchFeatures) -> Int64[np.ndarray, "h w"]:
        """The number of each patch's nearest centre, 0-based.

        Raises:
            ShapeError: other channels.
        """
        if features.dim != self.centres.shape[1]:
            raise ShapeError(
                "feature map", expected=f"h w dim={self.centres.shape[1]}", actual=features.values.shape
            )
        directions = unit(features.values.astype(np.float64))
        # Squared distance without the patch's own length, which is the same to every centre.
        distances = (self.centres**2).sum(axis=1) - 2.0 * directions @ self.centres.T
        return distances.argmin(axis=2)


def fit_clusters(
    features: PatchFeatures | Sequence[PatchFeatures], k: int | None = None, seed: int = 0
) -> PatchClusters:
    """k-means over the patches of any number of photographs by one backbone, each scaled to unit length.

    Source: Lloyd, Least squares quantization in PCM (1982), by scikit-learn, with the starts of Arthur &
    Vassilvitskii, k-means++ (2007).

    Args:
        features: by one backbone.
        k: clusters; None for as many as `dinoscope.maths.spectral.n_clusters` counts, 16 at most.
        seed: of the starts.

    Raises:
        InputError: no photographs, NaN, or ``k`` not between 1 and the number of patches.
        ShapeError: different channels.
    """
    several = list(each_features(features))
    if not several:
        raise InputError("fit_clusters needs at least one photograph")
    if any(f.dim != several[0].dim for f in several):
        raise ShapeError("patches", expected=f"dim={several[0].dim}", actual=several[-1].values.shape)
    patches = np.concatenate([f.values.reshape(-1, f.dim) for f in several])
    if not np.isfinite(patches).all():
        raise InputError("the patches hold NaN or infinite values")
    chosen_by = "given"
    if k is None:
        k, chosen_by = _counted(several, len(patches)), RULE
    if not 1 <= k <= len(patches):
        raise InputError(f"cannot make {k} clusters of {len(patches)} patches")
    step = -(-len(patches) // MOST)
    directions = unit(patches[::step].astype(np.float64))
    found = KMeans(k, n_init=RESTARTS, random_state=seed).fit(directions)
    sizes = np.bincount(found.labels_, minlength=k)
    order = np.argsort(-sizes, kind="stable")
    return PatchClusters(found.cluster_centers_[order], sizes[order].astype(np.int64), chosen_by)


def _counted(features: Sequence[PatchFeatures], n_patches: int) -> int:
    n = min(LARGEST_K + 1, n_patches, features[0].dim)
    if n < 3:
        raise InputError(f"{n_patches} patches of {features[0].dim} channels are too few to count clusters")
    return n_clusters(fit_spectral(features, n=n).eigenvalues)


def match_labels(
    labels: Int64[np.ndarray, " n"], reference: Int64[np.ndarray, " m"]
) -> Int64[np.ndarray, " k"]:
    """New numbers for clusters, so that they agree with a reference on as many patches as can be.

    Clusters without a partner get the numbers that come after the reference's.

    Source: Kuhn, The Hungarian method for the assignment problem, Naval Res. Logist. Quart. 2 (1955).

    Args:
        labels, reference: of the same patches, 0-based.

    Raises:
        ShapeError: not one label each for the same patches.

    Returns:
        The new number of every cluster: ``match_labels(a, b)[a]`` is drawn in the colours of ``b``.
    """
    if labels.shape != reference.shape or labels.ndim != 1 or not len(labels):
        raise ShapeError("labels", expected=f"n={len(reference)}", actual=labels.shape)
    k, theirs = int(labels.max()) + 1, int(reference.max()) + 1
    together = np.zeros((k, theirs), dtype=np.int64)
    np.add.at(together, (labels, reference), 1)
    mine, partners = linear_sum_assignment(together, maximize=True)
    numbers = np.full(k, -1, dtype=np.int64)
    numbers[mine] = partners
    alone = np.flatnonzero(numbers < 0)
    numbers[alone] = theirs + np.arange(len(alone))
    return numbers
