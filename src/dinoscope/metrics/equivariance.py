"""Does a map move as the photograph moves?"""

from __future__ import annotations

from dinoscope.maths.equivariance import crop_equivariance, flip_equivariance, shift_equivariance
from dinoscope.metrics.facts import Metric, OfViews, Planted, Revision, Values
from dinoscope.metrics.subject import Subject, Views


def _measure(subject: Subject, views: Views) -> Values:
    return {
        "flip": flip_equivariance(views.base, views.mirrored),
        "shift": shift_equivariance(views.base, *views.shifted),
        "half_shift": shift_equivariance(views.base, *views.half_shifted),
        "crop": crop_equivariance(subject.features, *views.crop),
    }


FLIP = Metric(
    "flip",
    "Flip equivariance",
    "passes",
    2,
    "mean cosine of the mirrored map with the map of the mirrored photograph, two border patches dropped",
    range=(-1.0, 1.0),
    passes=2,
    warning="rises with blur and with collapse: read it with random-pair cosine",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "collapse"),
        reasons=(
            (
                ("blur", "collapse"),
                "neither makes features follow the photograph better; so the other equivariances",
            ),
        ),
    ),
)
SHIFT = Metric(
    "shift",
    "Whole-patch shift equivariance",
    "passes",
    3,
    "mean cosine after the photograph is moved by whole patches, two border patches dropped",
    range=(-1.0, 1.0),
    passes=1,
    warning="rises with blur and with collapse: read it with random-pair cosine",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "collapse"),
    ),
)
HALF_SHIFT = Metric(
    "half_shift",
    "Half-patch shift equivariance",
    "passes",
    4,
    "mean cosine, with values between patches interpolated, after the photograph is moved by half a patch",
    range=(-1.0, 1.0),
    passes=1,
    warning="rises with blur, with collapse, with a positional field, which hardly changes over half a "
    "patch, and with a finer grid",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "collapse", "position", "finer"),
        reasons=((("position",), "place does not follow the photograph, so it must not help"),),
        revised=(Revision("position", "-", "it rose: the trap was not foreseen"),),
    ),
)
CROP = Metric(
    "crop",
    "Crop equivariance",
    "passes",
    5,
    "mean cosine of the map with that of the central three quarters seen alone, interpolated",
    range=(-1.0, 1.0),
    passes=1,
    warning="rises with blur, with collapse and with a finer grid: read it with random-pair cosine",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:- outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "collapse", "finer"),
    ),
)

FAMILIES = (OfViews((FLIP, SHIFT, HALF_SHIFT, CROP), _measure),)
