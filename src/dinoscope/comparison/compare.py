"""Two or more models on the same photographs: numbers, and the maps to look at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import torch_dtype
from dinoscope.comparison.closer.attention import AttentionLook
from dinoscope.comparison.closer.repaired import with_repaired
from dinoscope.comparison.closer.upsampled import check_way, upsampled_ledger, upsampled_look
from dinoscope.comparison.controls import plan_controls
from dinoscope.comparison.fairness import fairness_ledger
from dinoscope.comparison.further import FurtherLayers
from dinoscope.comparison.maps import POINTS, MapOptions, aligned, drawn
from dinoscope.comparison.masks import Masks, masks_entry, open_masks
from dinoscope.comparison.measuring import features_of, measurements_of, raise_failure
from dinoscope.comparison.plan import MeasuringPlan, as_backbones, plan_for
from dinoscope.comparison.recolour import recoloured
from dinoscope.comparison.sample import Features
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison, Failure, FurtherLayer, Measurements
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.maths.foreground import PC1_RULE
from dinoscope.pipeline.extract import ImageLike
from dinoscope.pipeline.memory import check_memory
from dinoscope.pipeline.run import Arithmetic, Run

VERSIONS = ("dinoscope", "torch", "transformers", "numpy", "pillow", "scikit-learn", "matplotlib")


def compare(
    images: ImageLike | Iterable[ImageLike],
    backbones: Backbone | str | Sequence[Backbone | str],
    grid: int | tuple[int, int] = 32,
    *,
    at: Sequence[tuple[float, float]] = POINTS,
    components: tuple[int, int, int] = (0, 1, 2),
    foreground: str = "none",
    colours: str = "pca",
    masks: Masks | Sequence[Masks] | None = None,
    mask_kind: str | None = None,
    controls: bool = True,
    layers: Sequence[int | None] | None = None,
    further_layers: Sequence[int] = (),
    attention: str | tuple[float, float] | None = None,
    repair: str = "none",
    upsample: str = "none",
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
        colours: of the maps: ``pca``; ``spectral``: the second to fourth eigenvector of the normalised cut;
            ``clusters``: k-means. Over all photographs at once, a further model's made to look like the
            first's.
        masks, mask_kind, controls: as for `measure`; controls are measured, not shown.
        layers: one for each backbone; None for the last.
        further_layers: of every backbone, to look at beside that one; not measured.
        attention: a place ``(x, y)`` in ``[0, 1]²``, or ``cls``: what it attends to in the first photographs,
            for one more forward pass each; None for none.
        repair: ``registers``: beside each model that has high-norm patches, itself with a test-time register,
            fitted on the first photographs (`dinoscope.pipeline.repair.repair`); or ``none``.
        upsample: a way as for `dinoscope.pipeline.upsample.upsample`: colours between the patches of the
            first photographs, to look at; or ``none``.
        resize: as for `extract`.
        seed: of the controls, and of what is drawn over the collection.
        batch_size: as for `extract`.
        dtype, autocast, compiled, allow_inexact: as for `measure`; the certificates are in the settings, too.
        on_failure: called with each photograph left out (they are listed in the result, too); None
            raises at the first.
        on_progress: called with how many photographs are done with.

    Raises:
        NoUsablePhotographError: none could be used.
        InputError: an impossible grid, place, component, filter, foreground rule or kind of colours; a way
            of computing that is too far from float32.
        GridMismatchError: the models cannot be brought to one grid.
    """
    run = Run(grid, resize=resize, batch_size=batch_size, seed=seed)
    arithmetic = Arithmetic(None if dtype is None else torch_dtype(dtype), autocast, compiled, allow_inexact)
    options = MapOptions(tuple(at), components, foreground, colours)
    models = as_backbones(backbones)
    options.check(models)
    check_way(upsample)
    plan_for(models, run, layers)
    n_images = len(images) if isinstance(images, Sized) and not isinstance(images, str) else None
    repaired, images = with_repaired(models, layers, images, run, repair)
    plan = plan_for(repaired.models, run, repaired.layers)
    if n_images is not None:
        _check_kept(n_images, plan.models, grid)
    plan = replace(
        plan,
        controls=plan_controls(models, seed=seed) if controls else None,
        masks=open_masks(masks, mask_kind),
    )
    plan, images = plan.proven(arithmetic, images)
    further = FurtherLayers.of(plan, further_layers)
    looked = AttentionLook(plan, attention)
    photographs: list[Photograph] = []
    rows: list[Features] = []
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        failures.append(failure)
        (on_failure or raise_failure)(failure)

    def kept() -> Iterator[tuple[Photograph, Features]]:
        for photograph, features in features_of(images, plan, failed=failed, on_progress=on_progress):
            photographs.append(preview(photograph, longest_px=PREVIEW_PX))
            rows.append(features[: len(plan.models)])
            further.add(photograph, features)
            looked.add(photograph)
            yield photograph, features

    measurements = measurements_of(kept(), plan, failed=failed)
    made = assemble(plan, photographs, rows, measurements, options, failures=failures, further=further)
    return replace(
        made,
        closer=(*looked.found(), *upsampled_look(made, options, upsample), *repaired.look(made)),
        ledger=(*made.ledger, *repaired.ledger(), *upsampled_ledger(upsample)),
    )


def assemble(
    plan: MeasuringPlan,
    photographs: Sequence[Photograph],
    rows: Sequence[Features],
    measurements: Measurements,
    options: MapOptions,
    *,
    failures: Sequence[Failure] = (),
    further: FurtherLayers | None = None,
) -> Comparison:
    """The comparison of features that are there already; see `compare`.

    Args:
        photographs: previews, at least one.
        rows: one for each photograph, with one map for each model.
        measurements: of these rows.
        options: what the maps show.
        further: layers beside the measured ones.
    """
    beside = further.found if further else {}
    features = [*zip(*rows, strict=True), *(tuple(several) for several in beside.values())]
    places = [*enumerate(plan.blocks), *beside]
    columns = [
        drawn(plan.labels[m], plan.models[m], layer, several, options)
        for (m, layer), several in zip(places, features, strict=True)
    ]
    if options.colours == "pca":
        columns[1:] = [aligned(column, columns[0], options) for column in columns[1:]]
    else:
        columns = recoloured(columns, features, options.colours, plan.run.seed)
    columns, others = columns[: len(plan.models)], columns[len(plan.models) :]
    results = tuple(result for result, _ in columns)
    run = plan.run
    return Comparison(
        photographs=tuple(photographs),
        models=results,
        features=tuple(rows),
        maps=tuple(tuple(maps[i] for _, maps in columns) for i in range(len(rows))),
        points=tuple((float(x), float(y)) for x, y in options.at),
        components=options.components,
        measurements=measurements,
        ledger=(
            *fairness_ledger(
                results, photographs, rows, official_resize=run.resize == "official", colours=options.colours
            ),
            *masks_entry(measurements),
        ),
        failures=tuple(failures),
        settings={
            "grid": list(run.grid) if isinstance(run.grid, tuple) else run.grid,
            "resize": run.resize,
            "foreground": PC1_RULE if options.foreground == "pc1" else "none",
            "seed": run.seed,
            **({"arithmetic": list(plan.notes)} if plan.notes else {}),
            "versions": _versions(),
        },
        colours=options.colours,
        further=tuple(
            FurtherLayer(m, result, several, tuple(maps))
            for (m, _), several, (result, maps) in zip(
                beside, features[len(plan.models) :], others, strict=True
            )
        ),
    )


def _check_kept(n_images: int, models: Sequence[Backbone], grid: int | tuple[int, int]) -> None:
    """All features are kept: refuse a collection that cannot be, on square photographs at that."""
    h, w = grid if isinstance(grid, tuple) else (grid, grid)
    kept = n_images * h * w * 4 * sum(backbone.spec.dim for backbone in models)
    check_memory(
        kept,
        f"keeping the features of {n_images} photographs by {len(models)} models",
        "`dinoscope measure` keeps none; or ask for fewer photographs or a smaller grid.",
    )


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
