"""Coherence: are distant patches of one region alike?"""

from __future__ import annotations

import math

from dinoscope.maths.boundary import coherence_of_pairs
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    regions = subject.seen.regions
    if regions is None:
        return {"coherence_auc": math.nan, "coherence_auc_pure": math.nan}
    return {
        "coherence_auc": coherence_of_pairs(subject.features, regions.pairs).auc,
        "coherence_auc_pure": coherence_of_pairs(subject.features, regions.pure_pairs).auc,
    }


COHERENCE = Metric(
    "coherence_auc",
    "Coherence (region AUC)",
    "with masks",
    3,
    "chance that two patches of one region, at least 4 patches apart, are more alike than two of different "
    "regions; 0.5 for features without spatial structure; smooth ones that saw nothing reach about 0.63",
    short="coherence AUC",
    chance=0.5,
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        reasons=((("blur",), "a blurred map knows no more about distant patches"),),
    ),
)
PURE_COHERENCE = Metric(
    "coherence_auc_pure",
    "Coherence, pure patches",
    "with masks",
    4,
    "region AUC on patches with at least three quarters of their pixels in one label",
    short="coherence AUC of pure patches",
    chance=0.5,
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
    ),
)

FAMILIES = (OfPhotograph((COHERENCE, PURE_COHERENCE), _measure),)
