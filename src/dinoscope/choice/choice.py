"""Choice: every setting's held-out scores and cost, the best one, and how much of that is luck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from dinoscope.data.results import Failure, Interval, PairedDifference


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to features.

    Attributes:
        model: label.
        layer: absolute 0-based block number.
        grid: patches on the short side.
        facet: as for `extract`.
    """

    model: str
    layer: int
    grid: int
    facet: str

    def __str__(self) -> str:
        facet = "" if self.facet == "token" else f", {self.facet}"
        return f"{self.model}, layer {self.layer}, grid {self.grid}{facet}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one photograph costs.

    Attributes:
        seconds: of the forward pass with what surrounds it, as measured on this machine: median over
            photographs. Every layer is run, whichever is taken.
        n_bytes: about so much memory beside the weights, as estimated.
    """

    seconds: float
    n_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What settings reach on photographs that nothing was learned from.

    Attributes:
        settings: in the order of models, facets, grids and layers.
        costs: of each.
        images, groups: names of the photographs, and what is held out together.
        by: the metric chosen by.
        values: by metric, one row a setting and one column a photograph.
        summaries: by metric, the mean of each setting; over groups where there are any.
        best: index of the setting of the highest mean.
        honest: what choosing the best reaches on photographs that took no part in the choice.
        chosen: the setting chosen without each fold.
        from_best: the best setting minus each.
        default: index of the first model's last layer on the finest grid, by the first facet.
        gain: honest score minus the default's, paired.
        recommended: the cheapest of the settings that cannot be told from the best; the best itself with too
            few photographs or groups to tell anything.
        failures: photographs that could not be used.
    """

    settings: tuple[Setting, ...]
    costs: tuple[Cost, ...]
    images: tuple[str, ...]
    groups: tuple[str, ...]
    by: str
    values: Mapping[str, Float64[np.ndarray, "settings photographs"]]
    summaries: Mapping[str, tuple[Interval, ...]]
    best: int
    honest: Interval
    chosen: tuple[int, ...]
    from_best: tuple[PairedDifference, ...]
    default: int
    gain: PairedDifference
    recommended: int
    failures: tuple[Failure, ...] = field(default=())

    def pareto(self) -> tuple[int, ...]:
        """Settings that no cheaper one equals, by time and the chosen metric's mean, cheapest first."""
        means = [interval.mean for interval in self.summaries[self.by]]
        order = sorted(range(len(means)), key=lambda s: (self.costs[s].seconds, -means[s]))
        front: list[int] = []
        for s in order:
            if not front or means[s] > means[front[-1]]:
                front.append(s)
        return tuple(front)
