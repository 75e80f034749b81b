"""Are neighbouring patches alike, and more so than any two?"""

from __future__ import annotations

from dinoscope.maths.smoothness import smoothness
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    triple = smoothness(subject.features)
    return {"neighbour": triple.neighbour, "random_pair": triple.random_pair, "locality": triple.locality}


NEIGHBOUR = Metric(
    "neighbour",
    "Neighbour cosine",
    "smoothness",
    0,
    "mean cosine of patches that share a side, -1 to 1",
    range=(-1.0, 1.0),
    warning="rises with blur, with collapse, with a positional field and with a finer grid: never a headline "
    "alone",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "collapse", "position", "finer"),
        reasons=(
            (
                ("blur", "collapse", "position", "finer"),
                "nothing is learned about the photograph by smoothing, by collapsing, by adding place, or by "
                "cutting the same field finer",
            ),
        ),
    ),
)
RANDOM_PAIR = Metric(
    "random_pair",
    "Random-pair cosine",
    "smoothness",
    1,
    "mean cosine over all pairs of different patches, -1 to 1; 1 for a collapsed map",
    range=(-1.0, 1.0),
    planted=Planted(
        "blur:+ half_blur:+ noise:- shuffle:= collapse:+ position:- outliers:- rotation:= rescale:= finer:0",
        reasons=(
            (
                ("shuffle",),
                "it does not ask where patches are; so the ranks, the common direction, the class token's "
                "cosine, the outliers and the positional energy",
            ),
        ),
    ),
)
LOCALITY = Metric(
    "locality",
    "Locality",
    "smoothness",
    2,
    "1 - (1 - neighbour) / (1 - random pair): 0 for shuffled patches, 1 for the smoothest map",
    range=(float("-inf"), 1.0),
    chance=0.0,
    warning="rises with blur, with a positional field and with a finer grid: smoother is not sharper",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("blur", "half_blur", "position", "finer"),
        reasons=(
            (
                ("blur", "position", "finer"),
                "nothing is learned by smoothing, by adding place or by cutting finer; the collapse cancels "
                "in its ratio",
            ),
        ),
    ),
)

FAMILIES = (OfPhotograph((NEIGHBOUR, RANDOM_PAIR, LOCALITY), _measure),)
