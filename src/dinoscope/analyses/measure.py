"""The numbers of several models on the same photographs, with intervals; nothing is kept but numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure, Measurements
from dinoscope.errors import GridMismatchError, InputError, NoUsablePhotographError
from dinoscope.maths.bootstrap import FEW_IMAGES, mean_interval, paired_difference
from dinoscope.maths.smoothness import smoothness
from dinoscope.pipeline.extract import ImageLike, each_image
from dinoscope.pipeline.memory import check_grid
from dinoscope.pipeline.together import extract_together

METRICS = ("neighbour", "random_pair", "locality")


@dataclass
class Tally:
    """Rows of numbers, one a photograph, on their way to `Measurements`."""

    models: tuple[str, ...]
    images: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    rows: list[Mapping[str, tuple[float, ...]]] = field(default_factory=list)

    def add(self, photograph: Photograph, features: Sequence[PatchFeatures]) -> None:
        """Measure one photograph by every model.

        Raises:
            GridMismatchError: the models' grids differ.
        """
        check_equal_grids(features)
        triples = [smoothness(f) for f in features]
        self.images.append(photograph.name)
        self.digests.append(photograph.digest)
        self.rows.append({name: tuple(getattr(t, name) for t in triples) for name in METRICS})

    def measurements(self, *, seed: int) -> Measurements:
        """Per image values, means with intervals, and paired differences to the first model."""
        values = {name: np.array([row[name] for row in self.rows], dtype=np.float64) for name in METRICS}
        return summarise(self.images, self.digests, self.models, values, seed=seed)


def measure(
    images: ImageLike | Iterable[ImageLike],
    backbones: Backbone | Sequence[Backbone],
    grid: int | tuple[int, int] = 32,
    *,
    layers: Sequence[int | None] | None = None,
    resize: str = "bilinear",
    seed: int = 0,
    batch_size: int | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Measurements:
    """The smoothness triple of every photograph by every model.

    Memory does not grow with the number of photographs.

    Args:
        images: as for `extract`.
        backbones: one or more; the first is the reference of differences.
        grid: patches on the short side, or exact ``(h, w)``; the same for all models.
        layers: one for each backbone; None for the last.
        resize: as for `extract`.
        seed: of the bootstrap.
        batch_size: as for `extract`.
        on_failure: called with each photograph left out; None raises at the first.
        on_progress: called with how many photographs are done with.

    Raises:
        NoUsablePhotographError: none could be used.
        InputError: no backbone, or an impossible grid.
    """
    models = as_backbones(backbones)
    for backbone in models:
        check_grid(backbone.spec, grid)
    tally = Tally(unique_labels(models))
    for photograph, features in extract_together(
        each_image(images),
        models,
        grid=grid,
        layers=layers or [None] * len(models),
        resize=resize,
        batch_size=batch_size,
        on_failure=on_failure or raise_failure,
        on_progress=on_progress,
    ):
        tally.add(photograph, features)
    if not tally.rows:
        raise NoUsablePhotographError("none of the photographs could be used")
    return tally.measurements(seed=seed)


def summarise(
    images: Sequence[str],
    digests: Sequence[str],
    models: tuple[str, ...],
    values: Mapping[str, np.ndarray],
    *,
    seed: int,
) -> Measurements:
    """Measurements from a table ``images models`` for each metric."""
    warnings = []
    if len(images) == 1:
        warnings.append("one photograph: no interval can be given")
    elif len(images) < FEW_IMAGES:
        warnings.append(
            f"{len(images)} photographs: with fewer than {FEW_IMAGES}, bootstrap intervals are too narrow"
        )
    warnings.append(
        "neighbour cosine alone rewards blurred and collapsed maps and grows with a finer grid: read it "
        "with random-pair cosine and locality"
    )
    return Measurements(
        images=tuple(images),
        digests=tuple(digests),
        models=models,
        values=values,
        summaries={
            name: tuple(mean_interval(table[:, j], seed=seed) for j in range(len(models)))
            for name, table in values.items()
        },
        differences={
            name: tuple(paired_difference(table[:, j], table[:, 0], seed=seed) for j in range(1, len(models)))
            for name, table in values.items()
        },
        warnings=tuple(warnings),
    )


def check_equal_grids(features: Sequence[PatchFeatures]) -> None:
    """Refuse to compare maps on different grids.

    Raises:
        GridMismatchError: naming the input sizes that would fit.
    """
    first = features[0].grid
    for f in features[1:]:
        if f.grid.shape != first.shape:
            height, width = first.h * f.grid.patch_size, first.w * f.grid.patch_size
            raise GridMismatchError(
                first.shape,
                f.grid.shape,
                f"give {f.provenance.backbone} {height}x{width} px (patch {f.grid.patch_size}), or ask for "
                f"grid=({first.h}, {first.w})",
            )


def as_backbones(backbones: Backbone | Sequence[Backbone]) -> list[Backbone]:
    """A list, of one or more.

    Raises:
        InputError: none.
    """
    models = [backbones] if isinstance(backbones, Backbone) else list(backbones)
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


def raise_failure(failure: Failure) -> None:
    """What to do with a failure where nobody asked to be told: stop."""
    raise InputError(f"{failure.source!r}: {failure.reason}")
