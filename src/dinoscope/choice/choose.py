"""Choose: a sweep over backbones, layers, grids and facets, on photographs held out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.facets import FACETS, TOKEN, facet_of
from dinoscope.choice.choice import Choice, Setting
from dinoscope.choice.decide import OF_MAPS, READOUTS, decided
from dinoscope.choice.gathered import Gathered, Gathering
from dinoscope.choice.places import PLACES, drawn_places, vectors_at
from dinoscope.comparison.masks import Masks, OpenMasks, open_masks
from dinoscope.comparison.numbers import axes_of, seen_on
from dinoscope.comparison.plan import as_backbones, unique_labels
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.data.spec import check_layers
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.maths.masks import UNKNOWN
from dinoscope.pipeline.extract import ImageLike, each_image, extract_layers, failure_of, load_photograph
from dinoscope.pipeline.memory import check_grid, forward_bytes
from dinoscope.pipeline.run import Run

METRICS = (*READOUTS, *OF_MAPS)
EXACT = str(torch.float32)
FEWEST = 6
"""Photographs with classes that a choice needs at least."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which settings are tried, and how they are compared.

    Attributes:
        layers: absolute 0-based block numbers, or ``all``.
        grids: patches on the short side.
        facets: as for `extract`.
        by: the metric that the best has most of.
        group: a regular expression; photographs of which it matches the same text of the name are held out
            together. None: each photograph by itself.
        mask_kind: as for `measure`.
    """

    layers: Sequence[int] | Literal["all"] = "all"
    grids: Sequence[int] = (32,)
    facets: Sequence[str] = (TOKEN,)
    by: str = READOUTS[0]
    group: str | None = None
    mask_kind: str | None = None

    def __post_init__(self) -> None:
        for name in ("layers", "grids", "facets"):
            if (asked := getattr(self, name)) != "all":
                object.__setattr__(self, name, tuple(dict.fromkeys(asked)))  # each once
        try:
            re.compile(self.group or "")
        except re.error as error:
            raise InputError(f"the group pattern {self.group!r} is no regular expression: {error}") from error
        if self.by not in METRICS:
            raise InputError(f"choose by {', '.join(METRICS)}, not {self.by!r}")
        if not self.grids or not self.facets or not self.layers:
            raise InputError("choosing needs at least one layer, one grid and one facet")
        if self.by in OF_MAPS and len(self.grids) > 1:
            raise InputError(
                f"{self.by} changes with the grid whatever the features are: choose by it on one grid, or "
                f"by {READOUTS[0]}, which counts pixels"
            )
        for facet in self.facets:
            if facet not in FACETS:
                raise InputError(f"no facet {facet!r}; there are {', '.join(FACETS)}")


def choose(
    photos: ImageLike | Iterable[ImageLike],
    masks: Masks,
    backbones: Backbone | str | Sequence[Backbone | str],
    *,
    layers: Sequence[int] | Literal["all"] = "all",
    grids: Sequence[int] = (32,),
    facets: Sequence[str] = (TOKEN,),
    by: str = READOUTS[0],
    group: str | None = None,
    mask_kind: str | None = None,
    folder: str | Path | None = None,
    on_failure: Callable[[Failure], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
    on_readout: Callable[[int, int], None] = lambda _done, _total: None,
) -> Choice:
    """Which backbone, layer, grid and facet is best for these photographs, on photographs held out.

    Classes are read off patches at the same places for all settings, by nearest neighbours and by a linear
    readout, from photographs of other folds. The best setting is chosen without each fold in turn and scored
    on it: that score is honest. One forward pass for all layers of a model, grid and facet.

    Args:
        photos: as for `extract`.
        masks: of classes; of any kind when choosing by a metric of maps.
        backbones: one or more; the first one's last layer is what the choice is compared with.
        layers: absolute 0-based block numbers, the same for all backbones, or ``all``.
        grids: patches on the short side.
        facets: as for `extract`.
        by: ``place_knn_miou``, ``place_linear_miou``, or on a single grid ``boundary_auc`` or
            ``matched_coherence_auc``.
        group: a regular expression; photographs of which it matches the same text of the name are held out
            together, and count as one. None: each photograph by itself.
        mask_kind: as for `measure`.
        folder: keep what is gathered there, and go on from what is there.
        on_failure: called with each photograph left out.
        on_progress: called with how many photographs are done with.
        on_readout: called after that, with how many readouts of settings are done, and how many there are.

    Raises:
        InputError: masks without classes, too few photographs or groups, an impossible sweep.
        LayerError: a layer that some backbone does not have.
    """
    chosen = layers if layers == "all" else tuple(layers)
    sweep = Sweep(chosen, tuple(grids), tuple(facets), by, group, mask_kind)
    return chosen_of(
        photos,
        masks,
        backbones,
        sweep,
        folder=folder,
        on_failure=on_failure,
        on_progress=on_progress,
        on_readout=on_readout,
    )


def chosen_of(
    photos: ImageLike | Iterable[ImageLike],
    masks: Masks,
    backbones: Backbone | str | Sequence[Backbone | str],
    plan: Sweep,
    *,
    folder: str | Path | None = None,
    on_failure: Callable[[Failure], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
    on_readout: Callable[[int, int], None] = lambda _done, _total: None,
) -> Choice:
    """`choose` by a sweep that is made already."""
    opened = open_masks(masks, plan.mask_kind)
    if len(opened) != 1:
        raise InputError(f"choosing takes one folder of label images, got {len(opened)}")
    (known,) = opened
    if plan.by in READOUTS and not known.kind.has_classes:
        raise InputError(
            f"the masks are {known.kind.name} ({known.kind.because}): which are alike in other photographs "
            f"is not known, so that no class can be read out. Choose by {' or '.join(OF_MAPS)} (--by)"
            + ("" if known.laid_out else ", or say that they are classes (--mask-kind)")
        )
    models = as_backbones(backbones)
    labels = unique_labels(models)
    runs = _runs(models, labels, plan)
    tried = tuple(setting for _, _, of_run in runs for setting in of_run)
    gathering = Gathering(None if folder is None else Path(folder), _settings(models, tried, known, plan))
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        failures.append(failure)
        on_failure(failure)

    order: list[str] = []
    for done, image in enumerate(each_image(photos), 1):
        try:
            photograph = load_photograph(image)
            if photograph.digest in order:
                raise InputError("the same photograph as one before; used once")
            if photograph.digest not in gathering:
                one = _gather(photograph, known, runs, plan, failed)
                if one is not None:
                    gathering.add(photograph.digest, one)
            if photograph.digest in gathering:
                order.append(photograph.digest)
        except DinoscopeError as error:
            failed(failure_of(image, error))
        on_progress(done)
    if len(order) < FEWEST:
        some = f"{len(order)} photograph{'s' * (len(order) != 1)}"
        raise InputError(
            f"{some} with masks can be used, and choosing needs at least {FEWEST}: with fewer the best is a "
            "matter of luck"
        )
    n_bytes = [_bytes(b, setting.grid) for b, _, of_run in runs for setting in of_run]
    rows = [gathering.read(digest) for digest in order]
    choice = decided(tried, rows, order, plan.by, n_bytes, on_readout)
    return replace(choice, failures=tuple(failures))


_Runs = Sequence[tuple[Backbone, Run, tuple[Setting, ...]]]


def _runs(models: Sequence[Backbone], labels: Sequence[str], plan: Sweep) -> _Runs:
    """One for each forward pass: what goes through, how, and the settings that it answers."""
    runs = []
    for model, label in zip(models, labels, strict=True):
        depth = model.spec.depth
        asked = None if plan.layers == "all" else tuple(plan.layers)
        layers = tuple(range(depth)) if asked is None else check_layers(asked, depth, model.spec.name)
        for facet in plan.facets:
            for grid in plan.grids:
                check_grid(model.spec, grid)
                settings = tuple(Setting(label, layer, grid, facet) for layer in layers)
                runs.append((facet_of(model, facet), Run(grid=grid, layers=layers), settings))
    return runs


def _gather(
    photograph: Photograph, known: OpenMasks, runs: _Runs, plan: Sweep, failed: Callable[[Failure], None]
) -> Gathered | None:
    group = _group(photograph.name, plan.group)
    annotation = known.read(photograph, failed, so="left out, for its mask")
    if annotation is None:
        return None
    classes = annotation.classes if annotation.classes is not None else np.full((1, 1), UNKNOWN)
    places, labels = drawn_places(photograph, classes)
    vectors, seconds = [], []
    values: dict[str, list[float]] = {key: [] for key in OF_MAPS}
    for backbone, run, settings in runs:
        started = time.perf_counter()
        (by_layer,) = extract_layers([photograph], backbone, run)
        seconds += [time.perf_counter() - started] * len(settings)
        seen = replace(
            seen_on(by_layer[settings[0].layer].grid, photograph, annotation=annotation), pixels=None
        )
        for setting in settings:
            features = by_layer[setting.layer]
            vectors.append(vectors_at(features, places))
            axes = axes_of(features, seen, masked=True)
            for key in OF_MAPS:
                values[key].append(axes[key])
    return Gathered(photograph.name, group, labels, tuple(vectors), values, seconds)


def _group(name: str, pattern: str | None) -> str:
    if pattern is None:
        return ""
    found = re.search(pattern, name)
    if found is None:
        raise InputError(f"the group pattern {pattern!r} matches nothing in the name {name!r}")
    return found.group(0)


def _bytes(backbone: Backbone, grid: int) -> int:
    side = grid * backbone.spec.patch_size
    return forward_bytes(backbone.spec, PatchGrid(grid, grid, backbone.spec.patch_size, (side, side)))


def _settings(
    models: Sequence[Backbone], tried: Sequence[Setting], known: OpenMasks, plan: Sweep
) -> dict[str, object]:
    settings: dict[str, object] = {
        "weights": [model.origin.digest for model in models],
        "settings": [str(setting) for setting in tried],
        "masks": [known.name, known.kind.name, known.digest],
        "group": plan.group,
        "places": PLACES,
    }
    dtypes = [str(model.dtype) for model in models]
    if set(dtypes) != {EXACT}:  # else as journals have it that were written before
        settings["dtypes"] = dtypes
    return settings
