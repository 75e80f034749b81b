"""Can the place of a patch be read off it?"""

from __future__ import annotations

import math

from dinoscope.maths.position import energy_curve, position_fit
from dinoscope.metrics.facts import Metric, OfCollection, OfPhotograph, Planted, Values
from dinoscope.metrics.subject import Collection, Subject

FOLDS = 5


def _r2(collection: Collection) -> Values:
    if len(collection.maps) < FOLDS:
        return {"position_r2": math.nan}
    return {"position_r2": position_fit(collection.maps, folds=FOLDS).mean}


def _energy(subject: Subject) -> Values:
    if subject.place_basis is None:
        return {"position_energy": math.nan}
    return {"position_energy": float(energy_curve(subject.features, subject.place_basis)[-1])}


R2 = Metric(
    "position_r2",
    "Position R²",
    "tokens",
    2,
    "how much of the row and column a linear readout of held-out photographs explains; an upper bound of "
    "positional leakage, since content correlates with place",
    range=(float("-inf"), 1.0),
    collection=True,
    planted=Planted(
        "blur:0 half_blur:0 noise:0 shuffle:0 collapse:0 position:+ outliers:0 rotation:= rescale:= finer:0",
        tolerance=0.05,
        floor=0.0,
        reasons=(
            (
                ("blur", "noise", "shuffle", "outliers"),
                "there is no place to be read in the planted features; an R² below 0 is counted as 0",
            ),
        ),
    ),
)
ENERGY = Metric(
    "position_energy",
    "Positional energy",
    "tokens",
    3,
    "share of the variance inside the directions that place alone moves patches in, 0 to 1",
    reported=False,
    planted=Planted(
        "blur:0 half_blur:0 noise:. shuffle:= collapse:= position:+ outliers:. rotation:= rescale:= finer:0",
        reasons=((("noise", "outliers"), "they bring their own share in these directions"),),
        note="this row gives the metric the true directions of the planted field.",
    ),
)

FAMILIES = (OfCollection((R2,), _r2), OfPhotograph((ENERGY,), _energy))
