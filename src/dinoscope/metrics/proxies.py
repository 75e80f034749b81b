"""Without masks: do features follow the photograph's own edges and regions of colour?"""

from __future__ import annotations

import math

from dinoscope.maths.boundary import coherence_of_pairs
from dinoscope.maths.proxies import sharpness_against
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import Subject


def _measure(subject: Subject) -> Values:
    edges, colours = subject.seen.edges, subject.seen.colours
    if edges is None or colours is None:
        return {"proxy_sharpness": math.nan, "proxy_coherence": math.nan}
    return {
        "proxy_sharpness": sharpness_against(subject.features, edges).correlation,
        "proxy_coherence": coherence_of_pairs(subject.features, colours).auc,
    }


SHARPNESS = Metric(
    "proxy_sharpness",
    "Photograph's edges followed (proxy)",
    "proxies",
    0,
    "rank correlation of 1 - cosine of neighbours with the strength of the photograph's own edges between "
    "them; a proxy: edges are not object borders",
    short="edges followed",
    range=(-1.0, 1.0),
    chance=0.0,
    warning="falls with a finer grid: compare at equal token counts",
    planted=Planted(
        "blur:- half_blur:0 noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("finer",),
        revised=(
            Revision("half_blur", "-", "noise between patches is averaged away as much as edges are"),
            Revision("position", "-", "a smooth field changes all neighbours alike"),
        ),
    ),
)
COHERENCE = Metric(
    "proxy_coherence",
    "Photograph's colours grouped (proxy)",
    "proxies",
    1,
    "region AUC with regions of equal colour instead of masks; a proxy: colours are not objects; 0.5 is "
    "chance",
    short="colours grouped",
    chance=0.5,
    warning="rises with a positional field, since its regions are compact, and with a finer grid: read it "
    "with position R² and at equal token counts",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:- collapse:0 position:0 outliers:- rotation:= rescale:= finer:0",
        traps=("position", "finer"),
        reasons=((("position",), "place says nothing about colour"),),
        revised=(Revision("position", "-", "it rose: the trap was not foreseen"),),
    ),
)

FAMILIES = (OfPhotograph((SHARPNESS, COHERENCE), _measure),)
