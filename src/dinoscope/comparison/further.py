"""Further layers of a comparison's models: looked at, not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import check_layers
from dinoscope.pipeline.extract import extract_layers


@dataclass(frozen=True, slots=True, eq=False)
class FurtherLayers:
    """Features of layers beside the measured one; one more forward pass of each photograph and model.

    Attributes:
        plan: the models, on their terms.
        layers: absolute 0-based block numbers for each model, without the measured one.
        found: by model and layer, one map a photograph.
    """

    plan: MeasuringPlan
    layers: tuple[tuple[int, ...], ...]
    found: dict[tuple[int, int], list[PatchFeatures]] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: MeasuringPlan, layers: Sequence[int]) -> FurtherLayers:
        """Those layers of every model; of a control those that it has.

        Raises:
            LayerError: a trained model has no such layer.
            InputError: the same layer twice.
        """
        chosen = []
        for model, block in zip(plan.models, plan.blocks, strict=True):
            depth = model.spec.depth
            known = tuple(k for k in layers if not model.spec.control or k < depth)
            others = check_layers(known, depth, model.spec.name) if known else ()
            chosen.append(tuple(k for k in others if k != block))
        return cls(plan, tuple(chosen))

    def add(self, photograph: Photograph, features: Sequence[PatchFeatures]) -> None:
        """A photograph, decoded, with its measured features, whose grids are kept."""
        for m, (model, layers) in enumerate(zip(self.plan.models, self.layers, strict=True)):
            if not layers:
                continue
            run = replace(self.plan.run, grid=features[m].grid.shape, layers=layers)
            (by_layer,) = extract_layers([photograph], model, run)
            for layer, values in by_layer.items():
                self.found.setdefault((m, layer), []).append(values)
