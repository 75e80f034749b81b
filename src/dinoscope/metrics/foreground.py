"""Does the first principal component separate objects from the background?"""

from __future__ import annotations

import math

import numpy as np

from dinoscope.maths.boundary import foreground_auc
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    regions = subject.seen.regions
    if regions is None or regions.objects is None:
        return {"foreground_auc": math.nan, "foreground_auc_null": math.nan}
    found = foreground_auc(subject.features, np.asarray(regions.objects.labels > 0))
    return {"foreground_auc": found.auc, "foreground_auc_null": found.null}


FOREGROUND = Metric(
    "foreground_auc",
    "Foreground AUC of PC1",
    "foreground AUC",
    "with masks",
    4,
    "how well the first principal component separates labelled from background (label 0) patches; above 0.5 "
    "by construction: read it beside its shuffled null",
    range=(0.5, 1.0),
    needs_masks=True,
    needs="background",
    planted=Planted(
        blur=".",
        noise=".",
        shuffle="-",
        collapse="=",
        position="-",
        outliers="-",
        rotation="=",
        rescale="=",
        finer="0",
        reasons=(
            (("collapse",), "PC1 is centred, and the order along it counts alone"),
            (("blur", "noise"), "the first component is an average over the map already"),
        ),
        revised=(Revision("noise", "-", "the first component averages it away"),),
    ),
)
NULL = Metric(
    "foreground_auc_null",
    "Foreground AUC, shuffled masks",
    "foreground AUC of shuffled masks",
    "with masks",
    5,
    "the same with the mask shuffled: what patches in random order give",
    range=(0.5, 1.0),
    needs_masks=True,
    needs="background",
    planted=Planted(
        blur="0",
        noise="0",
        shuffle="0",
        collapse="=",
        position="0",
        outliers="0",
        rotation="=",
        rescale="=",
        finer="-",
        tolerance=0.01,
        reasons=((("finer",), "chance shrinks with the number of patches; nothing else may move it"),),
    ),
)

FAMILIES = (OfPhotograph((FOREGROUND, NULL), _measure),)
