"""Does a map stay the same when the photograph is seen at twice the resolution?"""

from __future__ import annotations

from dinoscope.maths.resample import resolution_consistency
from dinoscope.metrics.facts import Metric, OfViews, Planted, Values
from dinoscope.metrics.subject import Subject, Views


def _measure(subject: Subject, views: Views) -> Values:
    found = resolution_consistency(subject.features, views.double)
    return {"resolution_cka": found.cka, "resolution_gram": found.gram_correlation}


BY_CKA = Metric(
    "resolution_cka",
    "Resolution consistency (CKA)",
    "passes",
    0,
    "centred linear CKA of the map with that of the same photograph at twice the resolution, on one grid",
    short="resolution consistency by CKA",
    passes=1,
    warning="rises with a positional field: agreement about place is no agreement about content",
    planted=Planted(
        "blur:. half_blur:. noise:- shuffle:- collapse:= position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("position",),
        reasons=(
            (("position",), "agreement about place alone is no agreement about the photograph"),
            (("blur",), "the blur is as wide in patches, hence half as wide in the finer map"),
        ),
    ),
)
BY_GRAM = Metric(
    "resolution_gram",
    "Resolution consistency (Gram)",
    "passes",
    1,
    "correlation of the off-diagonal cosines at one and two times the resolution, on one grid",
    short="resolution consistency by Gram",
    range=(-1.0, 1.0),
    warning="rises with a positional field and falls with collapse: agreement about place is no agreement "
    "about content",
    planted=Planted(
        "blur:. half_blur:. noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("collapse", "position"),
    ),
)

FAMILIES = (OfViews((BY_CKA, BY_GRAM), _measure),)
