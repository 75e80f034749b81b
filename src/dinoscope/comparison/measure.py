"""The numbers of several models on the same photographs, with intervals; nothing is kept but numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import as_backbone, torch_dtype
from dinoscope.comparison.axes import with_standardised
from dinoscope.comparison.content_free import position_basis
from dinoscope.comparison.controls import Controls, plan_controls, with_controls
from dinoscope.comparison.exactness import exact_enough
from dinoscope.comparison.masks import Masks, OpenMasks, open_masks
from dinoscope.comparison.others import others_beside
from dinoscope.comparison.passes import numbers_of_passes
from dinoscope.comparison.rows import Job, rows_of
from dinoscope.comparison.sample import Sample
from dinoscope.comparison.tally import NUMBERS_VERSION, Row, Tally
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Curve, Failure, Measurements
from dinoscope.errors import (
    DinoscopeError,
    GridMismatchError,
    InputError,
    NoUsablePhotographError,
)
from dinoscope.io.journal import Journal
from dinoscope.maths.position import energy_curve
from dinoscope.pipeline.certificate import way_of
from dinoscope.pipeline.extract import ImageLike, failure_of, load_photograph
from dinoscope.pipeline.fast import is_autocast, runs_compiled
from dinoscope.pipeline.memory import check_grid
from dinoscope.pipeline.run import Arithmetic, Run
from dinoscope.pipeline.together import extract_together

MAX_RANK = 64
"""Directions that the sweep of positional energy goes to."""


def measure(
    images: ImageLike | Iterable[ImageLike],
    backbones: Backbone | str | Sequence[Backbone | str],
    grid: int | tuple[int, int] = 32,
    *,
    masks: Masks | Sequence[Masks] | None = None,
    mask_kind: str | None = None,
    controls: bool = True,
    passes: bool = False,
    journal: str | Path | None = None,
    layers: Sequence[int | None] | None = None,
    resize: str = "bilinear",
    seed: int = 0,
    batch_size: int | None = None,
    dtype: torch.dtype | str | None = None,
    autocast: bool = False,
    compiled: bool = False,
    allow_inexact: bool = False,
    on_failure: Callable[[Failure], None] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Measurements:
    """Every metric of every photograph by every model; `dinoscope.metrics` says what they are.

    Features are let go as soon as they are measured, but for those of `comparison.sample.KEPT` photographs.

    Args:
        images: as for `extract`.
        backbones: one or more, or names of some; the first is the reference of differences.
        grid: patches on the short side, or exact ``(h, w)``; the same for all models.
        masks: a folder of label images (see `dinoscope.io.masks.find_masks`), or label images by the
            photograph's name; -1 is unknown. A photograph without one is measured without it, and is a
            failure. Or several people's: the first's are scored against, and each further one's segmentation
            is scored like a model, for the photographs it has, as the ceiling that people reach.
        mask_kind: ``regions``, ``instances`` or ``classes``: what the numbers in the masks mean; None to find
            out, see `dinoscope.io.masks.find_masks`. Scores that need what they do not say are undefined.
        controls: run `pixels`, the first model's architecture with random weights, and its features
            blurred, shuffled, and of another photograph, beside the models.
        passes: also what needs further forward passes, `comparison.passes.N_PASSES` of them for each
            photograph and model: consistency across resolutions, equivariance, and correspondence
            where the masks know a second view. Not for controls.
        journal: a file to write every finished photograph's row to, and to go on from where it is there.
        layers: one for each backbone; None for the last.
        resize: as for `extract`.
        seed: of the controls, and of whatever is drawn.
        batch_size: as for `extract`.
        dtype, autocast, compiled: a faster way for all ``backbones``, which are in float32: weights and
            arithmetic in 16 bits; with ``autocast`` the products alone; the blocks through ``torch.compile``.
            Its cosine to float32 is measured on the first photographs and kept in the result's warnings.
        allow_inexact: measure even where that cosine is below 0.999 on average.
        on_failure: called with each photograph left out, and with each mask; None raises at the first.
        on_progress: called with how many photographs are done with.

    Raises:
        NoUsablePhotographError: none could be used.
        InputError: no backbone, an impossible grid, no masks there, a journal of other settings, or a way of
            computing that is too far from float32.
    """
    run = Run(grid, resize=resize, batch_size=batch_size, seed=seed)
    arithmetic = Arithmetic(None if dtype is None else torch_dtype(dtype), autocast, compiled, allow_inexact)
    models = as_backbones(backbones)
    for backbone in models:
        check_grid(backbone.spec, grid)
    failed = on_failure or raise_failure
    labels = unique_labels(models)
    chosen = list(layers or [None] * len(models))
    beside = plan_controls(models, seed=seed) if controls else None
    known = open_masks(masks, mask_kind)
    fast = exact_enough(
        models,
        images,
        arithmetic,
        run,
        chosen,
    )
    models = fast.backbones
    sources = [*models, *(beside.backbones if beside else ())]
    source_layers = [*chosen, *([None] * (len(sources) - len(models)))]
    tally = tally_for(labels, beside, known)
    finished = None
    if journal is not None:
        finished = Journal(
            journal,
            _settings(models, labels, tally.controls, chosen, grid, resize, known, passes, seed),
        )
    queue = _Queue(fast.images, finished, failed)

    def jobs() -> Iterator[Job]:
        for photograph, features in extract_together(
            queue.wanted(),
            sources,
            run,
            source_layers,
            on_failure=failed,
            on_progress=lambda n: on_progress(n + queue.skipped),
        ):
            check_equal_grids(features)
            annotation = known[0].read(photograph, failed, second_view=passes) if known else None
            mine = features[: len(models)]
            tally.sample.add(photograph, features, annotation)
            if finished is not None and photograph.digest in finished:
                continue
            extra = (
                [
                    numbers_of_passes(f, photograph, b, run.at(layer), annotation)
                    for f, b, layer in zip(mine, models, chosen, strict=True)
                ]
                if passes
                else []
            )
            every = with_controls(beside, features) if beside else mine
            yield Job(photograph, every, annotation, extra, read_others(known, photograph, failed))

    with closing(rows_of(jobs(), masked=tally.masked, n_models=len(models))) as measured:
        for row in measured:
            if finished is not None:
                finished.add(row.digest, row.as_json())
            else:
                queue.rows[row.digest] = row
    on_progress(queue.done)
    for digest in queue.order:
        if finished is not None and digest in finished:
            tally.add(Row.from_json(finished.read(digest)))
        elif digest in queue.rows:
            tally.add(queue.rows.pop(digest))
    if not tally.images:
        raise NoUsablePhotographError("none of the photographs could be used")
    result = fast.noted(tallied(tally, beside, known, seed=seed))
    if not passes:
        return result
    curve = _position_curve(tally.sample, models, grid, chosen)
    return replace(result, curves={**result.curves, "position": curve})


def tally_for(labels: tuple[str, ...], beside: Controls | None, masks: Sequence[OpenMasks]) -> Tally:
    """An empty tally of models, controls and masks."""
    return Tally(
        labels,
        beside.labels if beside else (),
        masks=tuple(m.name for m in masks),
        kind=masks[0].kind if masks else None,
    )


def tallied(tally: Tally, beside: Controls | None, masks: Sequence[OpenMasks], *, seed: int) -> Measurements:
    """The measurements, with what needs the whole sample: a control, and standardised channels."""

    def read(photograph: Photograph) -> Annotation | None:
        return masks[0].read(photograph, lambda _: None) if masks else None

    if beside is None:
        measured = tally.measurements(seed=seed)
    else:
        other = others_beside(tally.sample, beside.other, read, masked=bool(masks), seed=beside.seed)
        measured = tally.measurements(seed=seed, derive=partial(with_controls, beside), other=other)
    return with_standardised(measured, tally.sample, read)


def read_others(
    masks: Sequence[OpenMasks], photograph: Photograph, failed: Callable[[Failure], None]
) -> list[Annotation | None]:
    """Further people's masks of a photograph; that somebody did not segment it is no failure."""
    return [one.read(photograph, failed) if one.has(photograph) else None for one in masks[1:]]


def _position_curve(
    sample: Sample,
    models: Sequence[Backbone],
    grid: int | tuple[int, int],
    layers: Sequence[int | None],
) -> Curve:
    """Variance of patches inside the directions that place alone moves them in, swept over their number."""
    ranks = np.arange(1, MAX_RANK + 1)
    lines = []
    for j, (backbone, layer) in enumerate(zip(models, layers, strict=True)):
        basis = position_basis(backbone, grid, layer=layer)[:MAX_RANK]
        shares = [energy_curve(features[j], basis) for features, _ in sample.rows.values()]
        line = np.full(MAX_RANK, np.nan)
        line[: len(basis)] = np.nanmean(shares, axis=0) if len(basis) else []
        lines.append(line)
    return Curve(
        "directions that place alone moves patches in",
        "share of the variance inside them",
        ranks.astype(np.float64),
        np.array(lines),
    )


class _Queue:
    """Photographs in the order given: those still to be measured, and the order of all."""

    def __init__(
        self,
        images: Iterator[ImageLike],
        finished: Journal | None,
        failed: Callable[[Failure], None],
    ) -> None:
        self._images = images
        self._finished = finished
        self._failed = failed
        self.order: list[str] = []
        self.rows: dict[str, Row] = {}
        self.skipped = 0
        self.done = 0

    def wanted(self) -> Iterator[Photograph]:
        """Photographs whose features are needed: those without a row, and those of the sample."""
        needed = set(sorted(self._finished)[: Sample().kept]) if self._finished is not None else set()
        passed: set[str] = set()
        for image in self._images:
            self.done += 1
            try:
                photograph = load_photograph(image)
            except DinoscopeError as error:
                self._failed(failure_of(image, error))
                self.skipped += 1
                continue
            digest = photograph.digest
            if digest not in passed:
                self.order.append(digest)
                passed.add(digest)
                if self._finished is not None and digest in self._finished and digest not in needed:
                    self.skipped += 1
                    continue
            elif self._finished is not None and digest in self._finished and digest not in needed:
                self._failed(Failure(photograph.source, "the same photograph as one before; used once"))
                self.skipped += 1
                continue
            yield photograph


def _settings(
    models: Sequence[Backbone],
    labels: Sequence[str],
    controls: Sequence[str],
    layers: Sequence[int | None],
    grid: int | tuple[int, int],
    resize: str,
    masks: Sequence[OpenMasks],
    passes: object,
    seed: int,
) -> dict[str, object]:
    return {
        "numbers": NUMBERS_VERSION,
        "models": [
            [label, model.origin.digest, layer, str(model.dtype), *_otherwise(model)]
            for label, model, layer in zip(labels, models, layers, strict=True)
        ],
        "controls": list(controls),
        "grid": grid,
        "resize": resize,
        "masks": [[m.name, m.kind.name, m.digest] for m in masks],
        "passes": bool(passes),
        "seed": seed,
    }


def _otherwise(model: Backbone) -> list[str]:
    """How a model computes, where its dtype does not say it all."""
    return [way_of(model)] if is_autocast(model) or runs_compiled(model) else []


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


def as_backbones(backbones: Backbone | str | Sequence[Backbone | str]) -> list[Backbone]:
    """A list, of one or more; those that are named are loaded.

    Raises:
        InputError: none.
        UnknownBackboneError, WeightsError: as `load_backbone`.
    """
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


def raise_failure(failure: Failure) -> None:
    """What to do with a failure where nobody asked to be told: stop."""
    raise InputError(f"{failure.source!r}: {failure.reason}")
