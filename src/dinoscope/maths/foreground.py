"""Which patches are foreground? Two named rules, never an unnamed threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import PatchPCA
from dinoscope.errors import InputError, ShapeError

PC1_RULE = (
    "first component of the shared basis, Otsu's threshold over all photographs, the side with fewer "
    "border patches is foreground, 3x3 median filter"
)


def foreground_by_pc1(features: Sequence[PatchFeatures], pca: PatchPCA) -> list[Bool[np.ndarray, "_ _"]]:
    """Foreground by the first principal component, without any label: the rule `PC1_RULE`.

    The sign of a principal component is a convention; here the border votes for it.
    Source: DINOv2 (arXiv 2304.07193, §7.5) thresholds the first component; the threshold is Otsu's
    (1979), the filter that of DINOv3's `pca.ipynb`.

    Raises:
        InputError: no photographs.
    """
    from scipy.ndimage import median_filter

    if not features:
        raise InputError("a foreground rule needs at least one photograph")
    scores = [pca.project(f)[..., 0] for f in features]
    threshold = otsu(np.concatenate([s.ravel() for s in scores]))
    border = np.concatenate([_border(s) > threshold for s in scores])
    bright_is_background = border.mean() > 0.5
    masks = (((s > threshold) != bright_is_background).astype(np.uint8) for s in scores)
    return [np.asarray(median_filter(mask, size=3, mode="nearest") > 0) for mask in masks]


def otsu(values: Float[np.ndarray, " n"], bins: int = 256) -> float:
    """The threshold that maximises the between-class variance of a histogram.

    Source: Otsu, A threshold selection method from gray-level histograms (1979).
    """
    counts, edges = np.histogram(values, bins=bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap**2)
    best = between >= between.max() * (1.0 - 1e-12)  # an empty gap is a plateau: take its middle
    return float(edges[1:][best].mean())


@dataclass(frozen=True, slots=True, eq=False)
class ForegroundClassifier:
    """A linear foreground rule of one backbone, fitted on labelled photographs.

    Attributes:
        weight, bias: of the logistic regression on patch features.
        n_patches: fitted on.
    """

    weight: Float[np.ndarray, " dim"]
    bias: float
    n_patches: int

    def mask(self, features: PatchFeatures) -> Bool[np.ndarray, "h w"]:
        """Where the median-filtered probability is above one half."""
        from scipy.ndimage import median_filter

        if features.dim != len(self.weight):
            raise ShapeError(
                "feature map", expected=f"h w dim={len(self.weight)}", actual=features.values.shape
            )
        logit = features.values.astype(np.float64) @ self.weight + self.bias
        return np.asarray(median_filter(logit, size=3, mode="nearest") > 0.0)


def fit_foreground(
    features: Sequence[PatchFeatures], masks: Sequence[Float[np.ndarray, "_ _"]], *, c: float = 0.1
) -> ForegroundClassifier:
    """A logistic regression from patch to foreground; it belongs to one backbone.

    Source: DINOv3's `foreground_segmentation.ipynb`: patches whose foreground share is below 0.01 or
    above 0.99 are used, inverse regularisation 0.1. (A median filter on log-odds keeps the sign of
    one on probabilities.)

    Args:
        features: training photographs.
        masks: foreground share of each patch, in [0, 1].
        c: inverse regularisation strength.

    Raises:
        InputError: nothing to fit on, or only one class.
        ShapeError: a mask of another shape.
    """
    from sklearn.linear_model import LogisticRegression

    rows, labels = [], []
    for f, share in zip(features, masks, strict=True):
        if share.shape != f.grid.shape:
            raise ShapeError("mask", expected=f"h={f.grid.h} w={f.grid.w}", actual=share.shape)
        sure = (share < 0.01) | (share > 0.99)
        rows.append(f.values[sure])
        labels.append(share[sure] > 0.5)
    y = np.concatenate(labels) if labels else np.zeros(0, bool)
    if len(np.unique(y)) < 2:
        raise InputError("fitting a foreground rule needs patches of both foreground and background")
    model = LogisticRegression(C=c, max_iter=10_000).fit(np.concatenate(rows), y)
    return ForegroundClassifier(model.coef_[0].astype(np.float64), float(model.intercept_[0]), len(y))


def foreground_colours(
    scores: Float[np.ndarray, "h w n"],
    pca: PatchPCA,
    mask: Bool[np.ndarray, "h w"],
    components: tuple[int, int, int] = (0, 1, 2),
) -> Float[np.ndarray, "h w 3"]:
    """Colours of a foreground-only basis: sigmoid(2 z) of whitened scores, background black.

    Source: DINOv3's `pca.ipynb`.
    """
    chosen = list(components)
    deviation = np.sqrt(pca.explained_variance[chosen])
    whitened = np.divide(
        scores[..., chosen], deviation, out=np.zeros((*scores.shape[:2], 3)), where=deviation > 0
    )
    return np.where(mask[..., None], 1.0 / (1.0 + np.exp(-2.0 * whitened)), 0.0)


def _border(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, " border"]:
    edge = np.ones(values.shape, bool)
    edge[1:-1, 1:-1] = False
    return values[edge]
