"""Every metric there is: its key, its name, its range and chance level, what it must be read with."""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = (
    "smoothness",
    "with masks",
    "proxies",
    "spectrum",
    "tokens",
    "frequency",
    "between models",
    "passes",
)
"""In the order they are shown; masked metrics and proxies never share a picture."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, of a photograph or of a collection.

    Attributes:
        key: in files and in `Measurements.values`.
        title: to show; a noun phrase without its unit.
        group: one of `GROUPS`.
        meaning: one sentence: what it is, its range, what chance gives.
        chance: its value for features that know nothing; None where there is no such value.
        collection: measured once over many photographs, so that it has no interval over them.
        warning: what moves it though it should not; shown wherever it is shown.
        passes: further forward passes of every photograph that it needs.
    """

    key: str
    title: str
    group: str
    meaning: str
    chance: float | None = None
    collection: bool = False
    warning: str = ""
    passes: int = 0


_SMOOTHNESS = (
    Metric(
        "neighbour",
        "Neighbour cosine",
        "smoothness",
        "mean cosine of patches that share a side, -1 to 1",
        warning="rises with blur, with collapse, with a positional field and with a finer grid: never a "
        "headline alone",
    ),
    Metric(
        "random_pair",
        "Random-pair cosine",
        "smoothness",
        "mean cosine over all pairs of different patches, -1 to 1; 1 for a collapsed map",
    ),
    Metric(
        "locality",
        "Locality",
        "smoothness",
        "1 - (1 - neighbour) / (1 - random pair): 0 for shuffled patches, 1 for the smoothest map",
        chance=0.0,
        warning="rises with blur, with a positional field and with a finer grid: smoother is not sharper",
    ),
)
_MASKED = (
    Metric(
        "boundary_auc",
        "Sharpness (boundary AUC)",
        "with masks",
        "chance that neighbours across a mask border are less alike than neighbours within a mask; 0.5 "
        "is chance",
        chance=0.5,
        warning="falls with a finer grid, where a soft border spreads over more patches: compare at equal"
        " token counts",
    ),
    Metric(
        "boundary_auc_pure",
        "Sharpness, pure patches",
        "with masks",
        "boundary AUC on patches with at least three quarters of their pixels in one label",
        chance=0.5,
        warning="falls with a finer grid, where a soft border spreads over more patches: compare at equal"
        " token counts",
    ),
    Metric(
        "coherence_auc",
        "Coherence (region AUC)",
        "with masks",
        "chance that two patches of one region, at least 4 patches apart, are more alike than two of "
        "different "
        "regions; 0.5 is chance",
        chance=0.5,
    ),
    Metric(
        "coherence_auc_pure",
        "Coherence, pure patches",
        "with masks",
        "region AUC on patches with at least three quarters of their pixels in one label",
        chance=0.5,
    ),
    Metric(
        "foreground_auc",
        "Foreground AUC of PC1",
        "with masks",
        "how well the first principal component separates labelled from background (label 0) patches; "
        "above 0.5 "
        "by construction: read it beside its shuffled null",
        chance=None,
    ),
    Metric(
        "foreground_auc_null",
        "Foreground AUC, shuffled masks",
        "with masks",
        "the same with the mask shuffled: what no knowledge gives",
    ),
    Metric(
        "tokencut_hit",
        "Object found by TokenCut",
        "with masks",
        "1 where TokenCut's box overlaps an object's box by more than half (IoU); its mean is CorLoc",
    ),
    Metric(
        "lost_hit",
        "Object found by LOST",
        "with masks",
        "1 where LOST's box overlaps an object's box by more than half (IoU); its mean is CorLoc",
    ),
    Metric(
        "pck",
        "Correspondence PCK@0.1",
        "with masks",
        "share of patches whose best match in the second view lies within a tenth of the longer side of "
        "the true "
        "place",
        passes=1,
    ),
    Metric(
        "knn_miou",
        "k-NN mIoU",
        "with masks",
        "patches labelled by their nearest neighbours in other photographs, mean intersection over "
        "union, 0 to 1",
        collection=True,
    ),
    Metric(
        "linear_miou",
        "Linear mIoU",
        "with masks",
        "patches labelled by a linear readout fitted on other photographs, mean intersection over "
        "union, 0 to 1",
        collection=True,
    ),
)
_PROXIES = (
    Metric(
        "proxy_sharpness",
        "Proxy of sharpness (photograph's edges)",
        "proxies",
        "rank correlation of 1 - cosine of neighbours with the strength of the photograph's own edges "
        "between "
        "them; a proxy: edges are not object borders",
        chance=0.0,
        warning="falls with a finer grid: compare at equal token counts",
    ),
    Metric(
        "proxy_coherence",
        "Proxy of coherence (photograph's superpixels)",
        "proxies",
        "region AUC with regions of equal colour instead of masks; a proxy: colours are not objects; "
        "0.5 is chance",
        chance=0.5,
        warning="rises with a positional field, since its regions are compact, and with a finer grid: "
        "read it with position R² and at equal token counts",
    ),
)
_SPECTRUM = (
    Metric(
        "effective_rank",
        "Effective rank",
        "spectrum",
        "exponential of the entropy of the singular values, uncentred (RankMe); 1 for a collapsed map",
        warning="rises with the number of patches: compare at equal token counts",
    ),
    Metric(
        "effective_rank_centred",
        "Effective rank, centred",
        "spectrum",
        "the same after the mean patch is taken away",
        warning="rises with the number of patches: compare at equal token counts",
    ),
    Metric(
        "dse",
        "DSE",
        "spectrum",
        "inter-cluster distance minus cluster radius plus relative effective rank; compare only at "
        "equal numbers "
        "of photographs",
        collection=True,
        warning="rises with blur and with a positional field, and falls with a finer grid: not comparable"
        " between smoothed and unsmoothed features or between token counts",
    ),
)
_TOKENS = (
    Metric(
        "cls_patch",
        "CLS-patch cosine",
        "tokens",
        "mean cosine of the class token with the patches, -1 to 1; undefined without a class token",
    ),
    Metric(
        "outlier_share",
        "Norm outliers",
        "tokens",
        "share of patches whose norm exceeds median + 6 x 1.4826 x MAD over all photographs of the "
        "model, after "
        "the final norm where it was applied",
        collection=True,
    ),
    Metric(
        "position_r2",
        "Position R²",
        "tokens",
        "how much of the row and column a linear readout of held-out photographs explains; an upper bound of "
        "positional leakage, since content correlates with place",
        collection=True,
    ),
)
_FREQUENCY = (
    Metric(
        "high_frequency",
        "High-frequency energy",
        "frequency",
        "share of the variance over the grid above 4 cycles per image side, 0 to 1",
        warning="rises with a finer grid, which holds higher frequencies: compare at equal token counts",
    ),
    Metric(
        "spectral_slope",
        "Slope of the radial spectrum",
        "frequency",
        "of log energy density against log frequency; 0 for white noise, steeper is smoother",
        warning="depends on the frequencies that the grid holds: compare at equal token counts",
    ),
)
_BETWEEN = (
    Metric(
        "gram_distance",
        "Gram distance to the first model",
        "between models",
        "mean squared difference of the two models' cosine Gram matrices; 0 for the same geometry",
    ),
    Metric(
        "gram_correlation",
        "Gram correlation with the first model",
        "between models",
        "Pearson correlation of the off-diagonal cosines of the two models, -1 to 1",
        warning="falls where one model's patches share a larger common mean, at the same geometry around it",
    ),
    Metric(
        "cka",
        "Linear CKA with the first model",
        "between models",
        "centred kernel alignment of the two models' patches, 0 to 1",
    ),
)
_PASSES = (
    Metric(
        "resolution_cka",
        "Resolution consistency (CKA)",
        "passes",
        "centred linear CKA of the map with that of the same photograph at twice the resolution, on one grid",
        passes=1,
        warning="rises with a positional field: agreement about place is no agreement about content",
    ),
    Metric(
        "resolution_gram",
        "Resolution consistency (Gram)",
        "passes",
        "correlation of the off-diagonal cosines at one and two times the resolution, on one grid",
        passes=0,
        warning="rises with a positional field and falls with collapse: agreement about place is no "
        "agreement about content",
    ),
    Metric(
        "flip",
        "Flip equivariance",
        "passes",
        "mean cosine of the mirrored map with the map of the mirrored photograph, two border patches dropped",
        passes=2,
        warning="rises with blur and with collapse: read it with random-pair cosine",
    ),
    Metric(
        "shift",
        "Whole-patch shift equivariance",
        "passes",
        "mean cosine after the photograph is moved by whole patches, two border patches dropped",
        passes=1,
        warning="rises with blur and with collapse: read it with random-pair cosine",
    ),
    Metric(
        "half_shift",
        "Half-patch shift equivariance",
        "passes",
        "mean cosine, with values between patches interpolated, after the photograph is moved by half a "
        "patch",
        passes=1,
        warning="rises with blur, with collapse, with a positional field, which hardly changes over half "
        "a patch, and with a finer grid",
    ),
    Metric(
        "crop",
        "Crop equivariance",
        "passes",
        "mean cosine of the map with that of the central three quarters seen alone, interpolated",
        passes=1,
        warning="rises with blur, with collapse and with a finer grid: read it with random-pair cosine",
    ),
)

METRICS = {
    metric.key: metric
    for metric in (
        *_SMOOTHNESS,
        *_MASKED,
        *_PROXIES,
        *_SPECTRUM,
        *_TOKENS,
        *_FREQUENCY,
        *_BETWEEN,
        *_PASSES,
    )
}
"""By key, in the order they are shown."""

AXES = {"with masks": ("boundary_auc", "coherence_auc"), "proxies": ("proxy_sharpness", "proxy_coherence")}
"""Sharpness and coherence, measured against masks or against the photograph itself."""
