"""The numbers of several models on the same photographs, with intervals; nothing is kept but numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import torch_dtype
from dinoscope.comparison.closer.repaired import with_repaired
from dinoscope.comparison.controls import plan_controls
from dinoscope.comparison.finished import FinishedRows, Queue, open_journal
from dinoscope.comparison.masks import Masks, open_masks
from dinoscope.comparison.measuring import features_of, measurements_of, raise_failure
from dinoscope.comparison.plan import as_backbones, plan_for
from dinoscope.data.results import Failure, Measurements
from dinoscope.pipeline.extract import ImageLike
from dinoscope.pipeline.run import Arithmetic, Run


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
    repair: str = "none",
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
        repair: as for `compare`; what it did is among the warnings.
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
    failed = on_failure or raise_failure
    models = as_backbones(backbones)
    plan_for(models, run, layers)
    repaired, images = with_repaired(models, layers, images, run, repair)
    plan = replace(
        plan_for(repaired.models, run, repaired.layers),
        controls=plan_controls(models, seed=seed) if controls else None,
        masks=open_masks(masks, mask_kind),
        passes=passes,
    )
    plan, images = plan.proven(arithmetic, images)
    rows = FinishedRows(None if journal is None else open_journal(journal, plan))
    queue = Queue(images, rows, failed)
    stream = features_of(
        queue.wanted(), plan, failed=failed, on_progress=lambda n: on_progress(n + queue.skipped)
    )
    result = measurements_of(stream, plan, failed=failed, finished=rows)
    on_progress(queue.done)
    told = tuple(f"repair of {words}" for words in repaired.words)
    return replace(result, warnings=(*told, *result.warnings))
