"""How many directions do the patches of a photograph use?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.maths.spectrum import gram_spectrum, rank_of, shares_of
from dinoscope.metrics.facts import CurveOf, Metric, OfPhotograph, Planted, Values, read_off
from dinoscope.metrics.subject import Subject

COMPONENTS = np.arange(1.0, 33.0)
WARNING = "rises with the number of patches: compare at equal token counts"


def _measure(subject: Subject) -> Values:
    plain, centred = subject.singular_values
    return {"effective_rank": rank_of(plain), "effective_rank_centred": rank_of(centred)}


def _common(subject: Subject) -> Values:
    return {"common_direction": float(gram_spectrum(subject.features)[0])}


def _variance(subject: Subject) -> Float64[np.ndarray, " points"]:
    shares = shares_of(subject.singular_values[1])
    return read_off(COMPONENTS, np.arange(1, len(shares) + 1), shares)


RANK = Metric(
    "effective_rank",
    "Effective rank",
    "spectrum",
    0,
    "exponential of the entropy of the singular values, uncentred (RankMe); 1 for a collapsed map",
    range=(1.0, float("inf")),
    warning=WARNING,
    planted=Planted(
        "blur:- half_blur:- noise:+ shuffle:= collapse:- position:. outliers:- rotation:= rescale:= finer:0",
        traps=("finer",),
        reasons=((("position",), "four directions are added and others shrink in proportion"),),
    ),
)
CENTRED = Metric(
    "effective_rank_centred",
    "Effective rank, centred",
    "spectrum",
    1,
    "the same after the mean patch is taken away",
    short="centred effective rank",
    range=(1.0, float("inf")),
    warning=WARNING,
    planted=Planted(
        "blur:- half_blur:- noise:+ shuffle:= collapse:= position:. outliers:- rotation:= rescale:= finer:0",
        traps=("finer",),
        reasons=((("collapse",), "after centring it is a change of scale; so CKA and the frequencies"),),
    ),
)
COMMON = Metric(
    "common_direction",
    "Common direction",
    "spectrum",
    2,
    "share of the cosine Gram matrix in its first direction, 0 to 1; 1 for a collapsed map",
    short="energy in one common direction",
    reported=False,
    planted=Planted(
        "blur:+ half_blur:+ noise:- shuffle:= collapse:+ position:- outliers:- rotation:= rescale:= finer:0",
    ),
)

FAMILIES = (OfPhotograph((RANK, CENTRED), _measure), OfPhotograph((COMMON,), _common))
CURVES = (
    CurveOf(
        "variance",
        "principal direction",
        "share of the variance",
        COMPONENTS,
        _variance,
        looks_at=frozenset(),
    ),
)
