"""Sharpness: do features change where the regions of a mask do?"""

from __future__ import annotations

import math

from dinoscope.maths.boundary import boundary_aucs
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import PURE, Subject


def _measure(subject: Subject) -> Values:
    regions = subject.seen.regions
    if regions is None:
        return {"boundary_auc": math.nan, "boundary_auc_pure": math.nan}
    whole, pure = boundary_aucs(subject.features, regions.labels, (0.0, PURE))
    return {"boundary_auc": whole.auc, "boundary_auc_pure": pure.auc}


WARNING = (
    "falls with a finer grid, where a soft border spreads over more patches: compare at equal token counts"
)
SMOOTH_FIELD = Revision("position", "-", "a smooth field changes all neighbours alike")

BOUNDARY = Metric(
    "boundary_auc",
    "Sharpness (boundary AUC)",
    "with masks",
    0,
    "chance that neighbours across a mask border are less alike than neighbours within a mask; 0.5 is chance",
    short="boundary AUC",
    chance=0.5,
    warning=WARNING,
    planted=Planted(
        "blur:- half_blur:- noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("finer",),
        reasons=((("collapse",), "only the order of the cosines counts"),),
        note="white noise between patches hides a border, and a blur of less than a patch may uncover it: on "
        "noisier planted photographs the blur raised it.",
        revised=(SMOOTH_FIELD,),
    ),
)
PURE_BOUNDARY = Metric(
    "boundary_auc_pure",
    "Sharpness, pure patches",
    "with masks",
    1,
    "boundary AUC on patches with at least three quarters of their pixels in one label",
    short="boundary AUC of pure patches",
    chance=0.5,
    warning=WARNING,
    planted=Planted(
        "blur:- half_blur:- noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("finer",),
        revised=(SMOOTH_FIELD,),
    ),
)

FAMILIES = (OfPhotograph((BOUNDARY, PURE_BOUNDARY), _measure),)
