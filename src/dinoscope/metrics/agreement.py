"""Do two models arrange the patches of a photograph alike?"""

from __future__ import annotations

import math

from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.gram import gram_distance
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    f, g = subject.features, subject.reference
    if g is None:
        return {"gram_distance": math.nan, "gram_correlation": math.nan, "cka": math.nan}
    return {
        "gram_distance": gram_distance(f, g),
        "gram_correlation": gram_correlation(f, g),
        "cka": linear_cka(f, g),
    }


DISTANCE = Metric(
    "gram_distance",
    "Gram distance to the first model",
    "between models",
    0,
    "mean squared difference of the two models' cosine Gram matrices; 0 for the same geometry",
    short="Gram distance",
    range=(0.0, 4.0),
    reference=True,
    planted=Planted(
        "blur:+ half_blur:+ noise:+ shuffle:+ collapse:+ position:+ outliers:+ rotation:= rescale:= finer:0",
    ),
)
CORRELATION = Metric(
    "gram_correlation",
    "Gram correlation with the first model",
    "between models",
    1,
    "Pearson correlation of the off-diagonal cosines of the two models, -1 to 1",
    short="Gram correlation",
    range=(-1.0, 1.0),
    warning="falls where one model's patches share a larger common mean, at the same geometry around it",
    reference=True,
    planted=Planted(
        "blur:- half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        traps=("collapse",),
        reasons=((("collapse",), "the geometry is the same but for a common part"),),
        revised=(Revision("half_blur", "-", "noise that each model has of its own is averaged away"),),
    ),
)
CKA = Metric(
    "cka",
    "Linear CKA with the first model",
    "between models",
    2,
    "centred kernel alignment of the two models' patches, 0 to 1",
    short="linear CKA",
    reference=True,
    planted=Planted(
        "blur:- half_blur:0 noise:- shuffle:- collapse:= position:- outliers:- rotation:= rescale:= finer:0",
        revised=(Revision("half_blur", "-", "noise that each model has of its own is averaged away"),),
    ),
)

FAMILIES = (OfPhotograph((DISTANCE, CORRELATION, CKA), _measure),)
