"""Two or more models on the same photographs: numbers, and the maps to look at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import torch_dtype
from dinoscope.comparison.controls import plan_controls, with_controls
from dinoscope.comparison.exactness import exact_enough
from dinoscope.comparison.fairness import fairness_ledger
from dinoscope.comparison.masks import Masks, masks_entry, open_masks
from dinoscope.comparison.measure import (
    as_backbones,
    check_equal_grids,
    raise_failure,
    read_others,
    tallied,
    tally_for,
    unique_labels,
)
from dinoscope.comparison.rows import Job, rows_of
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison, Failure, Maps, Measurements, ModelResult, PatchPCA
from dinoscope.data.spec import check_layers
from dinoscope.errors import InputError, NoUsablePhotographError
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.maths.align import align_colours
from dinoscope.maths.foreground import PC1_RULE, foreground_by_pc1, foreground_colours
from dinoscope.maths.pca import QUANTILES, fit_pca, to_rgb
from dinoscope.maths.similarity import similarity_map
from dinoscope.pipeline.certificate import way_of
from dinoscope.pipeline.extract import ImageLike
from dinoscope.pipeline.memory import check_grid, check_memory
from dinoscope.pipeline.run import Arithmetic, Run
from dinoscope.pipeline.together import extract_together

COMPONENTS = 6
POINTS = ((0.5, 0.5), (0.12, 0.12), (0.7, 0.75))
"""Reference places unless others are named: fixed, so that nobody picks the pretty ones."""

FOREGROUNDS = ("none", "pc1")
VERSIONS = ("dinoscope", "torch", "transformers", "numpy", "pillow", "scikit-learn", "matplotlib")


def compare(
    images: ImageLike | Iterable[ImageLike],
    backbones: Backbone | str | Sequence[Backbone | str],
    grid: int | tuple[int, int] = 32,
    *,
    at: Sequence[tuple[float, float]] = POINTS,
    components: tuple[int, int, int] = (0, 1, 2),
    foreground: str = "none",
    masks: Masks | Sequence[Masks] | None = None,
    mask_kind: str | None = None,
    controls: bool = True,
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
) -> Comparison:
    """Compare backbones on photographs, on fair terms; see the result's ledger.

    Features of all photographs are held in memory: about 3 MB a photograph and model on a 32-patch
    grid with 768 channels. For thousands of photographs use `measure`.

    Args:
        images: as for `extract`.
        backbones: one or more, or names of some; the first is the reference of differences and colours.
        grid: patches on the short side, or exact ``(h, w)``; the same for all models.
        at: reference places ``(x, y)`` in ``[0, 1]²``, for every photograph the same.
        components: the three 0-based components shown as red, green and blue.
        foreground: ``none``; or ``pc1``: mask by the rule `PC1_RULE` of each model, refit the basis on
            its foreground, black elsewhere.
        masks, mask_kind, controls: as for `measure`; controls are measured, not shown.
        layers: one for each backbone; None for the last.
        resize: as for `extract`.
        seed: of the controls, and of what is drawn over the collection.
        batch_size: as for `extract`.
        dtype, autocast, compiled, allow_inexact: as for `measure`; the certificates are in the settings, too.
        on_failure: called with each photograph left out (they are listed in the result, too); None
            raises at the first.
        on_progress: called with how many photographs are done with.

    Raises:
        NoUsablePhotographError: none could be used.
        InputError: an impossible grid, place, component, filter or foreground rule; a way of computing that
            is too far from float32.
        GridMismatchError: the models cannot be brought to one grid.
    """
    run = Run(grid, resize=resize, batch_size=batch_size, seed=seed)
    arithmetic = Arithmetic(None if dtype is None else torch_dtype(dtype), autocast, compiled, allow_inexact)
    models = as_backbones(backbones)
    if foreground not in FOREGROUNDS:
        raise InputError(f"no foreground rule {foreground!r}; there are {', '.join(FOREGROUNDS)}")
    check_request(models, grid, at, components)
    if isinstance(images, Sized) and not isinstance(images, str):
        _check_kept(len(images), models, grid)
    labels = unique_labels(models)
    chosen_layers = [
        check_layers(None if layer is None else (layer,), backbone.spec.depth)[0]
        for layer, backbone in zip(layers or [None] * len(models), models, strict=True)
    ]
    beside = plan_controls(models, seed=seed) if controls else None
    known = open_masks(masks, mask_kind)
    fast = exact_enough(
        models,
        images,
        arithmetic,
        run,
        chosen_layers,
    )
    models = fast.backbones
    tally = tally_for(labels, beside, known)
    photographs: list[Photograph] = []
    rows: list[tuple[PatchFeatures, ...]] = []
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        failures.append(failure)
        (on_failure or raise_failure)(failure)

    sources = [*models, *(beside.backbones if beside else ())]

    def jobs() -> Iterator[Job]:
        for photograph, features in extract_together(
            fast.images,
            sources,
            run,
            [*chosen_layers, *([None] * (len(sources) - len(models)))],
            on_failure=failed,
            on_progress=on_progress,
        ):
            check_equal_grids(features)
            annotation = known[0].read(photograph, failed) if known else None
            mine = features[: len(models)]
            tally.sample.add(photograph, features, annotation)
            photographs.append(preview(photograph, longest_px=PREVIEW_PX))
            rows.append(mine)
            every = with_controls(beside, features) if beside else mine
            others = read_others(known, photograph, failed)
            yield Job(photograph, every, annotation, others=others)

    with closing(rows_of(jobs(), masked=tally.masked, n_models=len(models))) as measured:
        for row in measured:
            tally.add(row)
    if not rows:
        raise NoUsablePhotographError("none of the photographs could be used")

    measurements = tallied(tally, beside, known, seed=seed)
    return assemble(
        photographs,
        rows,
        models,
        labels,
        chosen_layers,
        measurements=fast.noted(measurements),
        grid=grid,
        at=at,
        components=components,
        foreground=foreground,
        resize=resize,
        seed=seed,
        failures=failures,
        arithmetic=fast.notes,
    )


def assemble(
    photographs: Sequence[Photograph],
    rows: Sequence[tuple[PatchFeatures, ...]],
    models: Sequence[Backbone],
    labels: Sequence[str],
    layers: Sequence[int],
    *,
    measurements: Measurements,
    grid: int | tuple[int, int],
    at: Sequence[tuple[float, float]] = POINTS,
    components: tuple[int, int, int] = (0, 1, 2),
    foreground: str = "none",
    resize: str = "bilinear",
    seed: int = 0,
    failures: Sequence[Failure] = (),
    arithmetic: Sequence[str] = (),
) -> Comparison:
    """The comparison of features that are there already; see `compare`.

    Args:
        photographs: previews, at least one.
        rows: one for each photograph, with one map for each model.
        labels, layers: one for each model.
        measurements: of these rows.
        arithmetic: certificates of models that compute otherwise than in float32 eager.
    """
    n_components = max(COMPONENTS, max(components) + 1)
    columns = [
        _draw(
            label,
            backbone,
            layer,
            [row[j] for row in rows],
            at=at,
            components=components,
            n=min(n_components, backbone.spec.dim),
            foreground=foreground,
        )
        for j, (label, backbone, layer) in enumerate(zip(labels, models, layers, strict=True))
    ]
    aligned = [columns[0]] + [_align(column, columns[0], components, foreground) for column in columns[1:]]
    results = tuple(result for result, _ in aligned)
    return Comparison(
        photographs=tuple(photographs),
        models=results,
        features=tuple(rows),
        maps=tuple(tuple(maps[i] for _, maps in aligned) for i in range(len(rows))),
        points=tuple((float(x), float(y)) for x, y in at),
        components=components,
        measurements=measurements,
        ledger=(
            *fairness_ledger(results, photographs, rows, official_resize=resize == "official"),
            *masks_entry(measurements),
        ),
        failures=tuple(failures),
        settings={
            "grid": list(grid) if isinstance(grid, tuple) else grid,
            "resize": resize,
            "foreground": PC1_RULE if foreground == "pc1" else "none",
            "seed": seed,
            **({"arithmetic": list(arithmetic)} if arithmetic else {}),
            "versions": _versions(),
        },
    )


def check_request(
    models: Sequence[Backbone],
    grid: int | tuple[int, int],
    at: Sequence[tuple[float, float]],
    components: tuple[int, int, int],
) -> None:
    """Refuse what is impossible for any photograph, before any work.

    Raises:
        InputError: a grid, component or place that cannot be.
    """
    for backbone in models:
        check_grid(backbone.spec, grid)
        if not all(0 <= c < backbone.spec.dim for c in components):
            raise InputError(
                f"components {components}: {backbone.spec.name} has {backbone.spec.dim} channels"
            )
    if not at:
        raise InputError("at least one reference place is needed")
    for x, y in at:
        if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            raise InputError(f"a reference place is (x, y) in [0, 1]², got ({x}, {y})")


def _check_kept(n_images: int, models: Sequence[Backbone], grid: int | tuple[int, int]) -> None:
    """All features are kept: refuse a collection that cannot be, on square photographs at that."""
    h, w = grid if isinstance(grid, tuple) else (grid, grid)
    kept = n_images * h * w * 4 * sum(backbone.spec.dim for backbone in models)
    check_memory(
        kept,
        f"keeping the features of {n_images} photographs by {len(models)} models",
        "`dinoscope measure` keeps none; or ask for fewer photographs or a smaller grid.",
    )


def _draw(
    label: str,
    backbone: Backbone,
    layer: int,
    features: Sequence[PatchFeatures],
    *,
    at: Sequence[tuple[float, float]],
    components: tuple[int, int, int],
    n: int,
    foreground: str,
) -> tuple[ModelResult, list[Maps]]:
    pca = fit_pca(features, n=n)
    masks = None
    if foreground == "pc1":
        masks = foreground_by_pc1(features, pca)
        pca = fit_pca(features, n=n, masks=masks)
    result = ModelResult(
        label=label,
        spec=backbone.spec,
        origin=backbone.origin,
        layer=layer,
        dtype=way_of(backbone),
        pca=pca,
    )
    maps = []
    for i, f in enumerate(features):
        scores = pca.project(f)
        mask = masks[i] if masks is not None else None
        colours = (
            to_rgb(scores, limits=pca.limits, components=components)
            if mask is None
            else foreground_colours(scores, pca, mask, components)
        )
        similarity = tuple(similarity_map(f, at=place) for place in at)
        maps.append(Maps(scores=scores, colours=colours, similarity=similarity, foreground=mask))
    return result, maps


def _align(
    column: tuple[ModelResult, list[Maps]],
    reference: tuple[ModelResult, list[Maps]],
    components: tuple[int, int, int],
    foreground: str,
) -> tuple[ModelResult, list[Maps]]:
    """The same maps with their colours turned to look like the reference's.

    A foreground-only basis keeps its own colours: the two models' masks differ.
    """
    result, maps = column
    first, first_maps = reference
    if foreground != "none":
        return column
    mine = np.concatenate([_whitened(m.scores, result.pca, components) for m in maps])
    theirs = np.concatenate([_whitened(m.scores, first.pca, components) for m in first_maps])
    if not theirs.any():
        return column
    alignment = align_colours(mine, theirs, reference_name=first.label)
    turned = mine @ alignment.rotation
    limits = np.quantile(turned, QUANTILES, axis=0).T
    coloured = []
    for m in maps:
        scores = (_whitened(m.scores, result.pca, components) @ alignment.rotation).reshape(
            *m.scores.shape[:2], 3
        )
        coloured.append(replace(m, colours=to_rgb(scores, limits=limits)))
    return replace(result, alignment=alignment), coloured


def _whitened(scores: np.ndarray, pca: PatchPCA, components: tuple[int, int, int]) -> np.ndarray:
    chosen = list(components)
    deviation = np.sqrt(pca.explained_variance[chosen])
    flat = scores[..., chosen].reshape(-1, 3)
    return np.divide(flat, deviation, out=np.zeros_like(flat), where=deviation > 0)


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
