"""How fast do features change over the grid?"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from dinoscope.maths.frequency import rings, share_above, total_variation
from dinoscope.metrics.facts import CurveOf, Metric, OfPhotograph, Planted, Values, read_off
from dinoscope.metrics.subject import Subject

FREQUENCIES = np.arange(1.0, 33.0)
"""Cycles per image side."""


def _measure(subject: Subject) -> Values:
    return {"high_frequency": share_above(subject.energy), "spectral_slope": rings(subject.energy).slope}


def _variation(subject: Subject) -> Values:
    return {"total_variation": total_variation(subject.features)}


def _radial(subject: Subject) -> Float64[np.ndarray, " points"]:
    spectrum = rings(subject.energy)
    return read_off(FREQUENCIES, spectrum.frequency, spectrum.density)


HIGH = Metric(
    "high_frequency",
    "High-frequency energy",
    "frequency",
    0,
    "share of the variance over the grid above 4 cycles per image side, 0 to 1",
    warning="rises with a finer grid, which holds higher frequencies: compare at equal token counts",
    planted=Planted(
        "blur:- half_blur:- noise:+ shuffle:+ collapse:= position:- outliers:+ rotation:= rescale:= finer:0",
        traps=("finer",),
    ),
)
SLOPE = Metric(
    "spectral_slope",
    "Slope of the radial spectrum",
    "frequency",
    1,
    "of log energy density against log frequency; 0 for white noise, steeper is smoother",
    range=(-math.inf, math.inf),
    warning="depends on the frequencies that the grid holds: compare at equal token counts",
    planted=Planted(
        "blur:- half_blur:- noise:+ shuffle:+ collapse:= position:- outliers:+ rotation:= rescale:= finer:0",
        traps=("finer",),
    ),
)
VARIATION = Metric(
    "total_variation",
    "Total variation",
    "frequency",
    2,
    "mean length of the difference of neighbouring patches of unit length, 0 to 2",
    range=(0.0, 2.0),
    warning="falls with a finer grid: compare at equal token counts",
    reported=False,
    planted=Planted(
        "blur:- half_blur:- noise:+ shuffle:+ collapse:- position:- outliers:+ rotation:= rescale:= finer:0",
        traps=("finer",),
    ),
)

FAMILIES = (OfPhotograph((HIGH, SLOPE), _measure), OfPhotograph((VARIATION,), _variation))
CURVES = (
    CurveOf(
        "radial",
        "cycles per image side",
        "share of the variance per frequency",
        FREQUENCIES,
        _radial,
        looks_at=frozenset({"places"}),
    ),
)
