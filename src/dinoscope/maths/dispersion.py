"""Are dense features spread in clusters, without labels? The dense representation structure estimator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float64

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.kmeans import kmeans
from dinoscope.maths.nuclear import nuclear_norms
from dinoscope.maths.patches import PatchMap, as_map, centred, unit

LOCAL_CLUSTERS = 3
GROUP_CLUSTERS = 24
GROUP = 8
ROUNDS = 20
"""Rounds of k-means at most."""

HELD = 1 << 17
"""Entries of the draws that are multiplied at a time: they stay in the cache."""

ROUNDING = 1e-12
"""The reference's constant in the entropy of the singular values."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The parts of DSE for one model; higher is held to be better for all but ``intra``.

    Attributes:
        inter: mean distance of a patch to the nearest centre of another cluster of its group.
        intra: mean of the radii of the clusters of one image and of those of one group.
        dim: effective rank of patches of different images, over its maximum, in (0, 1]; NaN for one
            photograph. It depends on how many photographs there are: compare at equal numbers.
        dse: ``inter - intra + dim``: with weight 1 on ``dim`` until rescaled by `dse_over_checkpoints`.
    """

    inter: float
    intra: float
    dim: float
    dse: float


def dispersion(
    features: Sequence[PatchMap],
    *,
    local_clusters: int = LOCAL_CLUSTERS,
    group_clusters: int = GROUP_CLUSTERS,
    group: int = GROUP,
    seed: int = 0,
) -> Dispersion:
    """Class separability and effective dimension of dense features, with k-means clusters as classes.

    Patches are scaled to unit length. A cluster's radius is the nuclear norm of its centred patches over
    ``sqrt(max(n - 1, dim))``; distances and radii are divided by the mean distance of a patch to the mean
    of all. Source: Dai et al. (arXiv 2510.17299, section 4) with the settings of
    EldercatSAM/SSL-Degradation@73c5f6a ``estimator.py``; here k-means is scikit-learn's (`kmeans`), one
    k-means++ start, so figures agree with that code only in law.

    Args:
        features: one model's maps, all on one grid.
        local_clusters: of one photograph.
        group_clusters: of ``group`` photographs pooled.
        group: photographs pooled, in the order given; the last group may be smaller.
        seed: of k-means and of the shuffling of patches.

    Returns:
        NaN for maps that are all one constant.

    Raises:
        InputError: no maps, too few patches for the clusters, NaN or infinite values.
        ShapeError: different shapes.
    """
    if not features or group < 1:
        raise InputError("dispersion needs at least one feature map, and groups of at least one")
    h, w, dim = as_map(features[0], "feature map 0").shape
    rows = np.empty((len(features), h * w, dim))
    for i, f in enumerate(features):
        values = as_map(f, f"feature map {i}")
        if values.shape != (h, w, dim):
            raise ShapeError(f"feature map {i}", expected=f"{h} {w} {dim}", actual=values.shape)
        rows[i] = unit(values).reshape(h * w, dim)
    last = (len(rows) % group or group) * h * w
    if local_clusters < 1 or group_clusters < 2 or h * w < local_clusters or last < group_clusters:
        raise InputError(
            f"{h * w} patches a photograph and {last} in the last group are too few for "
            f"{local_clusters} and {group_clusters} clusters"
        )
    dims = _dimension(rows, seed)
    # Neither a cluster nor a distance knows about the mean of all, and around it products lose the least.
    rows -= rows[0, 0].copy()  # as `centred`, in place
    rows -= rows.mean(axis=(0, 1))
    spread = float(np.sqrt(np.einsum("ind,ind->in", rows, rows)).mean())
    if spread < 1e-9:
        return Dispersion(float("nan"), float("nan"), float("nan"), float("nan"))
    local, pooled, inters = [], [], []
    for start in range(0, len(rows), group):
        some = rows[start : start + group]
        local += _alone(some, local_clusters, seed)
        x = some.reshape(-1, dim)
        labels, centres = _clusters(x, group_clusters, seed)
        inters.append(_other_centre(x, labels, centres))
        pooled += _radii(_members(x, labels))
    inter = float(np.mean(inters)) / spread
    intra = (float(np.mean(local)) + _mean(pooled)) / (2 * spread)
    return Dispersion(inter, intra, dims, inter - intra + dims)


def dse_over_checkpoints(measures: Sequence[Dispersion]) -> Float64[np.ndarray, " checkpoints"]:
    """DSE of several checkpoints, ``dim`` weighted so that both of its parts vary equally.

    Source: Dai et al. (arXiv 2510.17299): ``λ = Std(inter - intra) / Std(dim)`` over the checkpoints.

    Returns:
        NaN where ``dim`` does not vary, and for fewer than two checkpoints.
    """
    separability = np.array([m.inter - m.intra for m in measures])
    dims = np.array([m.dim for m in measures])
    if len(measures) < 2 or not dims.std() > 0:
        return np.full(len(measures), np.nan)
    return np.asarray(separability + separability.std() / dims.std() * dims)


def _clusters(
    rows: Float64[np.ndarray, "n dim"], k: int, seed: int
) -> tuple[np.ndarray, Float64[np.ndarray, "k dim"]]:
    """Labels and centres; fewer clusters where there are fewer distinct patches."""
    distinct = len(np.unique(rows[:, 0]))
    if distinct < k:
        distinct = len(np.unique(rows, axis=0))
    return kmeans(rows, min(k, distinct), seed=seed, most_rounds=ROUNDS)


def _alone(rows: Float64[np.ndarray, "images n dim"], k: int, seed: int) -> list[float]:
    """The mean radius of each photograph's own clusters."""
    clusters = [_members(x, _clusters(x, k, seed)[0]) for x in rows]
    radii = iter(_radii([cluster for several in clusters for cluster in several]))
    return [_mean(islice(radii, len(several))) for several in clusters]


def _members(rows: Float64[np.ndarray, "n dim"], labels: np.ndarray) -> list[Float64[np.ndarray, "_ dim"]]:
    """Every cluster of at least two patches, around its own mean."""
    clusters = (rows[labels == k] for k in np.unique(labels))
    return [centred(cluster) for cluster in clusters if len(cluster) > 1]


def _radii(clusters: Sequence[Float64[np.ndarray, "_ dim"]]) -> list[float]:
    sizes = np.array([max(len(cluster) - 1, cluster.shape[1]) for cluster in clusters])
    return list(nuclear_norms(clusters) / np.sqrt(sizes))


def _mean(radii: Iterable[float]) -> float:
    """1 where there is none."""
    found = list(radii)
    return float(np.mean(found)) if found else 1.0


def _other_centre(
    rows: Float64[np.ndarray, "n dim"], labels: np.ndarray, centres: Float64[np.ndarray, "k dim"]
) -> float:
    if len(centres) < 2:
        return 0.0
    squared = centres @ rows.T
    squared *= -2.0
    squared += np.einsum("nd,nd->n", rows, rows)
    squared += (centres**2).sum(axis=1, keepdims=True)
    squared[labels, np.arange(len(rows))] = np.inf
    return float(np.sqrt(np.maximum(squared.min(axis=0), 0.0)).mean())


def _dimension(rows: Float64[np.ndarray, "images n dim"], seed: int) -> float:
    """Mean effective rank of one shuffled patch of each photograph, over its maximum."""
    images, n, dim = rows.shape
    if images < 2:
        return float("nan")
    shuffled = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (images, 1)), axis=1)
    smaller = min(images, dim)
    step = max(1, HELD // (images * dim))
    ranks: list[float] = []
    for start in range(0, n, step):
        some = rows[np.arange(images), shuffled[:, start : start + step].T]
        some = some if images <= dim else np.ascontiguousarray(some.transpose(0, 2, 1))
        energy = np.linalg.eigvalsh(some @ some.transpose(0, 2, 1))
        energy[energy < smaller * np.finfo(np.float64).eps * energy[:, -1:]] = 0.0  # noise of the product
        sigma = np.sqrt(energy)
        sums = sigma.sum(axis=1, keepdims=True)
        p = np.divide(sigma, sums, out=np.full_like(sigma, np.nan), where=sums > 0) + ROUNDING
        ranks.extend(np.exp(-(p * np.log(p)).sum(axis=1)))
    return float(np.mean(ranks)) / smaller
