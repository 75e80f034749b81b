"""Two photographs matched by several models, on the same points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import WeightsOrigin
from dinoscope.matching.keypoints import KeypointScore
from dinoscope.matching.matches import Matches


@dataclass(frozen=True, slots=True, eq=False)
class MatchedModel:
    """One model's matches of a pair of photographs.

    Attributes:
        label: to show.
        origin: where its weights came from.
        layer: absolute 0-based block number.
        points: of the places that every model was asked for.
        every: of every patch, before anything is left out.
        kept: of every patch, with what was asked to be left out left out.
        score: of keypoints; None without them.
    """

    label: str
    origin: WeightsOrigin
    layer: int | None
    points: Matches
    every: Matches
    kept: Matches
    score: KeypointScore | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPair:
    """A pair of photographs, and what the models say of it.

    Attributes:
        first, second: the photographs.
        models: in the order given.
        settings: what was asked for.
    """

    first: Photograph
    second: Photograph
    models: tuple[MatchedModel, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
