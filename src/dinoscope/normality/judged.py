"""What models say of photographs: distances, thresholds, and how right they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure, Interval
from dinoscope.data.spec import Kind, WeightsOrigin
from dinoscope.normality.normal import Normal, Threshold

SCORES = {
    "image_auroc": "image AUROC",
    "pixel_auroc": "pixel AUROC",
    "pro": "PRO",
}
"""How well defects are told from what is normal, with the names that are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedModel:
    """One model's bank, and its distances of every query.

    Attributes:
        label: in files.
        kind: as in `BackboneSpec.kind`; ``control`` for every model that was run beside.
        origin: where its weights came from.
        bank: fitted on the normal photographs.
        threshold: at the false-alarm rate.
        scores: of each query.
        maps: of each query that is kept for pictures, by its place among the queries.
        summaries: by the keys of `SCORES`; none without masks.
        differences: from the first model, likewise; none for the first.
    """

    label: str
    kind: Kind
    origin: WeightsOrigin
    bank: Normal
    threshold: Threshold
    scores: Float64[np.ndarray, " queries"]
    maps: Mapping[int, Float64[np.ndarray, "_ _"]]
    summaries: Mapping[str, Interval] = field(default_factory=dict)
    differences: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def control(self) -> bool:
        """Whether it is no trained model."""
        return self.kind == "control"

    @property
    def shown(self) -> str:
        """The label, in brackets for a control."""
        return f"({self.label})" if self.control else self.label


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Queries judged by several models.

    Attributes:
        models: in the order given, then controls.
        names, kinds, digests: of the queries.
        defective: of each, whether it is; None where that is not known.
        shown: photographs kept for pictures, by their places among the queries, with their defects.
        settings: what was asked for.
        failures: photographs that could not be used, and queries whose truth is not known.
    """

    models: tuple[JudgedModel, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    digests: tuple[str, ...]
    defective: tuple[bool | None, ...]
    shown: Mapping[int, tuple[Photograph, Bool[np.ndarray, "H W"] | None]]
    settings: Mapping[str, object] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    @property
    def in_bank(self) -> tuple[bool, ...]:
        """Whether each query is one of the normal photographs: its distance to itself says nothing."""
        held = set(self.models[0].bank.digests)
        return tuple(digest in held for digest in self.digests)
