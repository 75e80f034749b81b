"""What is measured, and how: decided before the first photograph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dinoscope.backbones.base import Backbone, check_backbone
from dinoscope.backbones.load import as_backbone
from dinoscope.comparison.controls import Controls
from dinoscope.comparison.exactness import exact_enough
from dinoscope.comparison.masks import OpenMasks
from dinoscope.data.annotation import Annotation
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.data.spec import check_layers
from dinoscope.errors import InputError
from dinoscope.pipeline.extract import ImageLike
from dinoscope.pipeline.memory import check_grid
from dinoscope.pipeline.run import Arithmetic, Run


@dataclass(frozen=True, slots=True, eq=False)
class MeasuringPlan:
    """Models on their terms, and what runs beside them.

    Attributes:
        models: at least one; the first is the reference of differences.
        labels: one for each model, each only once.
        layers: as asked for, one for each model; None for its last.
        run: the same for all, but for the layers.
        controls: None to measure none.
        masks: one entry a person; the first's are scored against.
        passes: also what needs further forward passes.
        notes: certificates of models that compute otherwise than in float32 eager.
    """

    models: tuple[Backbone, ...]
    labels: tuple[str, ...]
    layers: tuple[int | None, ...]
    run: Run
    controls: Controls | None = None
    masks: tuple[OpenMasks, ...] = ()
    passes: bool = False
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[int, ...]:
        """Absolute layers, one for each model."""
        return tuple(
            check_layers(None if layer is None else (layer,), model.spec.depth, model.spec.name)[0]
            for layer, model in zip(self.layers, self.models, strict=True)
        )

    def proven(
        self, arithmetic: Arithmetic, images: ImageLike | Iterable[ImageLike]
    ) -> tuple[MeasuringPlan, Iterator[ImageLike]]:
        """The plan with its models computing this way, proven on the first photographs; and all of these.

        Raises:
            InputError: a way that is too far from float32, unless that is allowed.
        """
        models, every, notes = exact_enough(self.models, images, arithmetic, self.run, self.layers)
        return replace(self, models=tuple(models), notes=notes), every

    def annotation(
        self, photograph: Photograph, failed: Callable[[Failure], None] = lambda _: None
    ) -> Annotation | None:
        """The masks that are scored against; None, and a failure told, where a photograph has none."""
        return self.masks[0].read(photograph, failed, second_view=self.passes) if self.masks else None

    def others(self, photograph: Photograph, failed: Callable[[Failure], None]) -> list[Annotation | None]:
        """Further people's masks of a photograph; that somebody did not segment it is no failure."""
        return [one.read(photograph, failed) if one.has(photograph) else None for one in self.masks[1:]]


def plan_for(
    models: Sequence[Backbone], run: Run, layers: Sequence[int | None] | None = None
) -> MeasuringPlan:
    """A plan of models alone.

    Raises:
        InputError: an impossible grid.
        LayerError: no such layer.
    """
    for model in models:
        check_grid(model.spec, run.grid)
    chosen = tuple(layers or [None] * len(models))
    plan = MeasuringPlan(tuple(models), unique_labels(models), chosen, run)
    _ = plan.blocks
    return plan


def as_backbones(backbones: Backbone | str | Sequence[Backbone | str]) -> list[Backbone]:
    """A list, of one or more; those that are named are loaded.

    Raises:
        InputError: none.
        UnknownBackboneError, WeightsError: as `load_backbone`.
    """
    if not isinstance(backbones, Iterable):
        check_backbone(backbones)
    several = [backbones] if isinstance(backbones, Backbone | str) else backbones
    models = [as_backbone(backbone) for backbone in several]
    if not models:
        raise InputError("at least one backbone is needed")
    return models


def unique_labels(backbones: Sequence[Backbone]) -> tuple[str, ...]:
    """Names, numbered where they repeat."""
    labels: list[str] = []
    for backbone in backbones:
        name, k = backbone.spec.name, 2
        while name in labels:
            name, k = f"{backbone.spec.name} ({k})", k + 1
        labels.append(name)
    return tuple(labels)
