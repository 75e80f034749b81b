"""Is the same place found again in a second view?"""

from __future__ import annotations

import math

from dinoscope.maths.correspondence import pck
from dinoscope.metrics.facts import Metric, OfViews, Planted, Revision, Values
from dinoscope.metrics.subject import Subject, Views


def _measure(subject: Subject, views: Views) -> Values:
    second = views.second
    if second is None:
        return {"pck": math.nan}
    return {"pck": pck(subject.features, second.features, second.places, second.valid).pck}


PCK = Metric(
    "pck",
    "Correspondence PCK@0.1",
    "with masks",
    10,
    "share of patches whose best match in the second view lies within a tenth of the longer side of the true "
    "place",
    short="PCK@0.1",
    needs_masks=False,
    passes=1,
    planted=Planted(
        "blur:. half_blur:. noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        reasons=(
            (("blur",), "detail is lost and noise is averaged away: either may win"),
            (
                ("position",),
                "the camera moved by more than the tolerance; with less motion place would help",
            ),
        ),
        revised=(Revision("blur", "-", "the noise between views is averaged away"),),
    ),
)

FAMILIES = (OfViews((PCK,), _measure),)
