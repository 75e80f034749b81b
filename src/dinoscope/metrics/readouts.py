"""Can the class of a patch be read off it, from patches of other photographs?"""

from __future__ import annotations

import math

import numpy as np

from dinoscope.maths.masks import UNKNOWN
from dinoscope.maths.segments import knn_miou, linear_miou
from dinoscope.metrics.facts import Metric, OfCollection, Planted, Values
from dinoscope.metrics.subject import Collection

MAX_TRAIN = 2_000
"""Patches that a linear readout is fitted on."""


def _measure(collection: Collection) -> Values:
    """Both readouts, each half of the photographs labelled by the other; a single class is no question."""
    maps, classes = collection.labelled, collection.classes
    if len(maps) < 2 or len(set(np.unique(np.concatenate([c.ravel() for c in classes]))) - {UNKNOWN}) < 2:
        return {"knn_miou": math.nan, "linear_miou": math.nan}
    even, odd = range(0, len(maps), 2), range(1, len(maps), 2)
    nearest, linear = [], []
    for train, test in ((even, odd), (odd, even)):
        split = (
            [maps[i] for i in train],
            [classes[i] for i in train],
            [maps[i] for i in test],
            [classes[i] for i in test],
        )
        nearest.append(knn_miou(*split, seed=collection.seed).miou)
        linear.append(linear_miou(*split, max_train=MAX_TRAIN, seed=collection.seed).miou)
    return {"knn_miou": float(np.mean(nearest)), "linear_miou": float(np.mean(linear))}


KNN = Metric(
    "knn_miou",
    "k-NN mIoU",
    "with masks",
    11,
    "patches labelled by their nearest neighbours in other photographs, mean intersection over union, 0 to 1",
    needs="classes",
    collection=True,
    planted=Planted(
        "blur:. half_blur:. noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        reasons=((("blur",), "detail is lost and noise is averaged away, as for PCK; so `linear_miou`"),),
    ),
)
LINEAR = Metric(
    "linear_miou",
    "Linear mIoU",
    "with masks",
    12,
    "patches labelled by a linear readout fitted on other photographs, mean intersection over union, 0 to 1",
    needs="classes",
    collection=True,
    planted=Planted(
        "blur:. half_blur:. noise:- shuffle:- collapse:0 position:- outliers:- rotation:0 rescale:0 finer:0",
        reasons=(
            (
                ("rotation", "rescale"),
                "equal in law, but the optimiser stops at a tolerance; DSE's k-means likewise",
            ),
        ),
    ),
)

FAMILIES = (OfCollection((KNN, LINEAR), _measure),)
