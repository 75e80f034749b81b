"""What every metric must do under every cause, written down from its definition before it was measured.

Signs: ``+`` rises, ``-`` falls, ``0`` must not move (within the tolerance below), ``=`` must not move at all
(to rounding), ``.`` no expectation.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALL = 0.5
"""Tolerance of ``0``: the whole interval of the effect within so many standard deviations: Cohen's medium."""

ROUNDING = 1e-6
"""Tolerance of ``=``: of the metric's value, or absolutely where that is below 1."""

NATIVE = {"foreground_auc_null": 0.01, "outlier_share": 0.002, "position_r2": 0.05}
"""Tolerance of ``0`` in the metric's own unit, where its spread over planted data is all but nothing."""

TABLE = """
                        blur noise shuffle collapse position outliers rotation rescale finer
neighbour                 0    -      -       0        0        -        =        =      0
random_pair               +    -      =       +        -        -        =        =      0
locality                  0    -      -       0        0        -        =        =      0
cosine_at_quarter         +    -      .       +        .        -        =        =      0
boundary_auc              -    -      -       0        0        -        =        =      0
boundary_auc_pure         -    -      -       0        0        -        =        =      0
coherence_auc             0    -      -       0        -        -        =        =      0
coherence_auc_pure        0    -      -       0        -        -        =        =      0
foreground_auc            .    .      -       =        -        -        =        =      0
foreground_auc_null       0    0      0       =        0        0        =        =      -
tokencut_hit              .    .      -       0        .        .        =        =      .
lost_hit                  .    .      -       0        .        .        =        =      .
pck                       .    -      -       0        -        -        =        =      0
knn_miou                  .    -      -       0        -        -        =        =      0
linear_miou               .    -      -       0        -        -        0        0      0
proxy_sharpness           -    -      -       0        0        -        =        =      0
proxy_coherence           0    -      -       0        0        -        =        =      0
effective_rank            -    +      =       -        .        -        =        =      0
effective_rank_centred    -    +      =       =        .        -        =        =      0
common_direction          +    -      =       +        -        -        =        =      0
dse                       0    -      0       0        0        .        0        0      0
cls_patch                 +    -      =       +        -        -        =        =      0
outlier_share             0    0      =       0        0        +        =        =      0
position_r2               0    0      0       0        +        0        =        =      0
position_energy           0    .      =       =        +        .        =        =      0
high_frequency            -    +      +       =        -        +        =        =      0
spectral_slope            -    +      +       =        -        +        =        =      0
total_variation           -    +      +       -        -        +        =        =      0
gram_distance             +    +      +       +        +        +        =        =      0
gram_correlation          -    -      -       0        -        -        =        =      0
cka                       -    -      -       =        -        -        =        =      0
resolution_cka            .    -      -       =        0        -        =        =      0
resolution_gram           .    -      -       0        0        -        =        =      0
flip                      0    -      -       0        -        -        =        =      0
shift                     0    -      -       0        -        -        =        =      0
half_shift                0    -      -       0        0        -        =        =      0
crop                      0    -      -       0        -        -        =        =      0
"""


def expected() -> dict[str, dict[str, str]]:
    """Signs by metric and cause."""
    lines = TABLE.strip().splitlines()
    causes = lines[0].split()
    rows = (line.split() for line in lines[1:])
    return {key: dict(zip(causes, signs, strict=True)) for key, *signs in rows}


GROUPS = {
    "smoothness": ("neighbour", "random_pair", "locality", "cosine_at_quarter"),
    "with masks": (
        "boundary_auc",
        "boundary_auc_pure",
        "coherence_auc",
        "coherence_auc_pure",
        "foreground_auc",
        "foreground_auc_null",
        "tokencut_hit",
        "lost_hit",
        "pck",
        "knn_miou",
        "linear_miou",
    ),
    "proxies": ("proxy_sharpness", "proxy_coherence"),
    "spectrum": ("effective_rank", "effective_rank_centred", "common_direction", "dse"),
    "tokens": ("cls_patch", "outlier_share", "position_r2", "position_energy"),
    "frequency": ("high_frequency", "spectral_slope", "total_variation"),
    "models": ("gram_distance", "gram_correlation", "cka"),
    "passes": ("resolution_cka", "resolution_gram", "flip", "shift", "half_shift", "crop"),
}
"""The rows, in the order of the table."""

REASONS = {
    ("neighbour", ("blur", "collapse", "position", "finer")): "nothing is learned about the photograph by "
    "smoothing, by collapsing, by adding place, or by cutting the same field finer",
    ("locality", ("blur", "position", "finer")): "the same; the collapse cancels in its ratio",
    ("cosine_at_quarter", ("finer",)): "distances are in image sides, so the grid must not matter",
    (
        "random_pair",
        ("shuffle",),
    ): "it does not ask where patches are; so the ranks, the common direction, the "
    "class token's cosine, the outliers and the positional energy",
    ("boundary_auc", ("collapse",)): "only the order of the cosines counts",
    ("coherence_auc", ("blur",)): "a blurred map knows no more about distant patches",
    ("foreground_auc", ("collapse",)): "PC1 is centred, and the order along it counts alone",
    ("foreground_auc", ("blur", "noise")): "the first component is an average over the map already",
    (
        "foreground_auc_null",
        ("finer",),
    ): "chance shrinks with the number of patches; nothing else may move it",
    ("tokencut_hit", ("blur", "noise", "position", "outliers", "finer")): "yes or no for each photograph: a "
    "small change may flip a few either way; so `lost_hit`",
    ("pck", ("blur",)): "detail is lost and noise is averaged away: either may win",
    ("pck", ("position",)): "the camera moved by more than the tolerance; with less motion place would help",
    ("knn_miou", ("blur",)): "as for PCK; so `linear_miou`",
    ("linear_miou", ("rotation", "rescale")): "equal in law, but the optimiser stops at a tolerance; DSE's "
    "k-means likewise",
    ("proxy_coherence", ("position",)): "place says nothing about colour",
    ("effective_rank", ("position",)): "four directions are added and others shrink in proportion",
    ("effective_rank_centred", ("collapse",)): "after centring it is a change of scale; so CKA and the "
    "frequencies",
    ("dse", ("blur", "position")): "higher is held to be better, and neither says more about content",
    ("position_r2", ("blur", "noise", "shuffle", "outliers")): "there is no place to be read in the planted "
    "features; an R² below 0 is counted as 0",
    ("position_energy", ("noise", "outliers")): "they bring their own share in these directions",
    ("gram_correlation", ("collapse",)): "the geometry is the same but for a common part",
    ("resolution_cka", ("position",)): "agreement about place alone is no agreement about the photograph",
    ("resolution_cka", ("blur",)): "the blur is as wide in patches, hence half as wide in the finer map",
    ("flip", ("blur", "collapse")): "neither makes features follow the photograph better; so the other "
    "equivariances",
    ("half_shift", ("position",)): "place does not follow the photograph, so it must not help",
}
"""Where a sign is not obvious."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A metric that moves though it must not, and what every report must say beside it.

    Attributes:
        causes: that move it.
        warning: the words.
    """

    causes: tuple[str, ...]
    warning: str


TRAPS = {
    "neighbour": Trap(
        ("blur", "collapse", "position", "finer"),
        "rises with blur, with collapse, with a positional field and with a finer grid: never a headline "
        "alone",
    ),
    "locality": Trap(
        ("blur", "position", "finer"),
        "rises with blur, with a positional field and with a finer grid: smoother is not sharper",
    ),
    "boundary_auc": Trap(
        ("finer",),
        "falls with a finer grid, where a soft border spreads over more patches: compare at equal token "
        "counts",
    ),
    "boundary_auc_pure": Trap(
        ("finer",),
        "falls with a finer grid, where a soft border spreads over more patches: compare at equal token "
        "counts",
    ),
    "proxy_sharpness": Trap(("finer",), "falls with a finer grid: compare at equal token counts"),
    "proxy_coherence": Trap(
        ("position", "finer"),
        "rises with a positional field, since its regions are compact, and with a finer grid: read it with "
        "position R² and at equal token counts",
    ),
    "effective_rank": Trap(("finer",), "rises with the number of patches: compare at equal token counts"),
    "effective_rank_centred": Trap(
        ("finer",), "rises with the number of patches: compare at equal token counts"
    ),
    "dse": Trap(
        ("blur", "position", "finer"),
        "rises with blur and with a positional field, and falls with a finer grid: not comparable between "
        "smoothed and unsmoothed features or between token counts",
    ),
    "high_frequency": Trap(
        ("finer",), "rises with a finer grid, which holds higher frequencies: compare at equal token counts"
    ),
    "spectral_slope": Trap(
        ("finer",), "depends on the frequencies that the grid holds: compare at equal token counts"
    ),
    "total_variation": Trap(("finer",), "falls with a finer grid: compare at equal token counts"),
    "gram_correlation": Trap(
        ("collapse",),
        "falls where one model's patches share a larger common mean, at the same geometry around it",
    ),
    "resolution_cka": Trap(
        ("position",), "rises with a positional field: agreement about place is no agreement about content"
    ),
    "resolution_gram": Trap(
        ("collapse", "position"),
        "rises with a positional field and falls with collapse: agreement about place is no agreement about "
        "content",
    ),
    "flip": Trap(("blur", "collapse"), "rises with blur and with collapse: read it with random-pair cosine"),
    "shift": Trap(("blur", "collapse"), "rises with blur and with collapse: read it with random-pair cosine"),
    "half_shift": Trap(
        ("blur", "collapse", "position", "finer"),
        "rises with blur, with collapse, with a positional field, which hardly changes over half a patch, "
        "and with a finer grid",
    ),
    "crop": Trap(
        ("blur", "collapse", "finer"),
        "rises with blur, with collapse and with a finer grid: read it with random-pair cosine",
    ),
}
"""By metric."""

NOTES = {
    "boundary_auc": "white noise between patches hides a border, and a blur of less than a patch may uncover "
    "it: on noisier planted photographs the blur raised it.",
    "position_energy": "this row gives the metric the true directions of the planted field.",
}
"""What a reader should know besides."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A sign that was changed after it had been measured once."""

    metric: str
    cause: str
    first: str
    now: str
    why: str


REVISED = (
    Revision("boundary_auc", "position", "-", "0", "a smooth field changes all neighbours alike"),
    Revision("boundary_auc_pure", "position", "-", "0", "a smooth field changes all neighbours alike"),
    Revision(
        "cosine_at_quarter", "shuffle", "-", ".", "a quarter of a side may lie on either side of the mean"
    ),
    Revision("foreground_auc", "noise", "-", ".", "the first component averages it away"),
    Revision("tokencut_hit", "noise", "-", ".", "too few photographs change"),
    Revision("lost_hit", "noise", "-", ".", "too few photographs change"),
    Revision("pck", "blur", "-", ".", "the noise between views is averaged away"),
    Revision("proxy_sharpness", "position", "-", "0", "a smooth field changes all neighbours alike"),
    Revision("proxy_coherence", "position", "-", "0", "it rose: the trap was not foreseen"),
    Revision("dse", "blur", ".", "0", "it rose: the trap was not foreseen"),
    Revision("dse", "position", ".", "0", "it rose: the trap was not foreseen"),
    Revision("dse", "collapse", "-", "0", "its parts are divided by the spread; the rank hardly weighs"),
    Revision("half_shift", "position", "-", "0", "it rose: the trap was not foreseen"),
)
"""All of them."""
