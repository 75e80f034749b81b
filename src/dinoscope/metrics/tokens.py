"""Is the class token like the patches, and do some patches have lengths of their own?"""

from __future__ import annotations

import math

from dinoscope.maths.distance import cls_patch_cosine
from dinoscope.maths.norms import norm_outliers
from dinoscope.metrics.facts import Metric, OfCollection, OfPhotograph, Planted, Values
from dinoscope.metrics.subject import Collection, Subject


def _cls(subject: Subject) -> Values:
    return {"cls_patch": math.nan if subject.cls is None else cls_patch_cosine(subject.features, subject.cls)}


def _outliers(collection: Collection) -> Values:
    return {"outlier_share": norm_outliers(collection.maps).share if collection.maps else math.nan}


CLS_PATCH = Metric(
    "cls_patch",
    "CLS-patch cosine",
    "tokens",
    0,
    "mean cosine of the class token with the patches, -1 to 1; undefined without a class token",
    short="CLS–patch cosine",
    range=(-1.0, 1.0),
    planted=Planted(
        "blur:+ half_blur:+ noise:- shuffle:= collapse:+ position:- outliers:- rotation:= rescale:= finer:0",
    ),
)
OUTLIERS = Metric(
    "outlier_share",
    "Norm outliers",
    "tokens",
    1,
    "share of patches whose norm exceeds median + 6 x 1.4826 x MAD over all photographs of the model, after "
    "the final norm where it was applied",
    collection=True,
    planted=Planted(
        "blur:0 half_blur:0 noise:0 shuffle:= collapse:0 position:0 outliers:+ rotation:= rescale:= finer:0",
        tolerance=0.002,
    ),
)

FAMILIES = (OfPhotograph((CLS_PATCH,), _cls), OfCollection((OUTLIERS,), _outliers))
