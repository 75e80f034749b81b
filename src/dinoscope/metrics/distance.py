"""How does the likeness of two patches fall with their distance?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.maths.distance import cosine_by_distance
from dinoscope.metrics.facts import CurveOf, Metric, OfPhotograph, Planted, Revision, Values, read_off
from dinoscope.metrics.subject import Subject

DISTANCES = np.linspace(0.025, 1.4, 56)
"""Where cosine against distance is read off, in units of the photograph's longer side."""

QUARTER = 0.25


def _at(subject: Subject, places: Float64[np.ndarray, " points"]) -> Float64[np.ndarray, " points"]:
    curve = cosine_by_distance(subject.features)
    return read_off(places, curve.distance, curve.cosine)


def _curve(subject: Subject) -> Float64[np.ndarray, " points"]:
    return _at(subject, DISTANCES)


def _quarter(subject: Subject) -> Values:
    return {"cosine_at_quarter": float(_at(subject, np.array([QUARTER]))[0])}


AT_QUARTER = Metric(
    "cosine_at_quarter",
    "Cosine at a quarter",
    "smoothness",
    3,
    "mean cosine of patches a quarter of the longer side apart, -1 to 1",
    short="cosine at a quarter of the side",
    range=(-1.0, 1.0),
    reported=False,
    planted=Planted(
        "blur:+ half_blur:+ noise:- shuffle:. collapse:+ position:. outliers:- rotation:= rescale:= finer:0",
        reasons=((("finer",), "distances are in image sides, so the grid must not matter"),),
        revised=(Revision("shuffle", "-", "a quarter of a side may lie on either side of the mean"),),
    ),
)

FAMILIES = (OfPhotograph((AT_QUARTER,), _quarter),)
CURVES = (
    CurveOf(
        "distance",
        "distance, in longer sides of the photograph",
        "mean cosine",
        DISTANCES,
        _curve,
        looks_at=frozenset({"places"}),
    ),
)
