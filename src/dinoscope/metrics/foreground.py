"""Does the first principal component separate objects from the background?"""

from __future__ import annotations

import math

import numpy as np

from dinoscope.maths.foreground_auc import foreground_auc
from dinoscope.maths.masks import UNKNOWN
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    regions = subject.seen.regions
    if regions is None or regions.objects is None:
        return {"foreground_auc": math.nan, "foreground_auc_null": math.nan}
    labels = regions.objects.labels
    found = foreground_auc(subject.features, np.asarray(labels > 0), known=np.asarray(labels != UNKNOWN))
    return {"foreground_auc": found.auc, "foreground_auc_null": found.null}


FOREGROUND = Metric(
    "foreground_auc",
    "Foreground AUC of PC1",
    "with masks",
    5,
    "how well the first principal component separates labelled from background (label 0) patches; above 0.5 "
    "by construction: read it beside that of shifted masks",
    short="foreground AUC",
    range=(0.5, 1.0),
    needs="background",
    planted=Planted(
        "blur:. half_blur:. noise:. shuffle:- collapse:= position:- outliers:- rotation:= rescale:= finer:0",
        reasons=(
            (("collapse",), "PC1 is centred, and the order along it counts alone"),
            (("blur", "noise"), "the first component is an average over the map already"),
        ),
        revised=(Revision("noise", "-", "the first component averages it away"),),
    ),
)
NULL = Metric(
    "foreground_auc_null",
    "Foreground AUC, shifted masks",
    "with masks",
    6,
    "mean foreground AUC of PC1 with the mask moved over the grid, round its edges: what a map of this "
    "smoothness gives that knows nothing of the object; somewhat high for objects in the middle of the frame",
    short="foreground AUC of shifted masks",
    range=(0.5, 1.0),
    needs="background",
    planted=Planted(
        "blur:. half_blur:. noise:. shuffle:- collapse:= position:. outliers:- rotation:= rescale:= finer:0",
        reasons=(
            (("shuffle",), "a component without spatial structure separates no compact mask"),
            (("outliers",), "a few scattered patches become the first component"),
            (("finer",), "the same field and the same mask, so only sampling differs"),
        ),
    ),
)

FAMILIES = (OfPhotograph((FOREGROUND, NULL), _measure),)
