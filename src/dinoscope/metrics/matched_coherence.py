"""Coherence: are distant patches of one region alike beyond what their distance explains?"""

from __future__ import annotations

import math

from dinoscope.maths.matched import coherence_of_matched
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    regions = subject.seen.regions
    if regions is None:
        return {"matched_coherence_auc": math.nan}
    return {"matched_coherence_auc": coherence_of_matched(subject.features, regions.matched_pairs).auc}


MATCHED = Metric(
    "matched_coherence_auc",
    "Coherence (region AUC at equal distance)",
    "with masks",
    2,
    "chance that two patches of one region, at least 4 patches apart, are more alike than two of different "
    "regions that are as far apart; 0.5 for features that know only how far apart two patches are (on 50 "
    "photographs smooth random fields reach 0.52, place alone about 0.6)",
    short="coherence AUC at equal distance",
    chance=0.5,
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        reasons=((("blur",), "a blurred map knows no more about distant patches"),),
    ),
)

FAMILIES = (OfPhotograph((MATCHED,), _measure),)
