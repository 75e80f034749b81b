"""The loop that measures photographs: of `measure`, of `compare` and of the live page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from dinoscope.comparison.axes import with_standardised
from dinoscope.comparison.collected import Collected
from dinoscope.comparison.content_free import position_curve
from dinoscope.comparison.controls import MOVED, with_controls
from dinoscope.comparison.finished import FinishedRows
from dinoscope.comparison.others import others_beside
from dinoscope.comparison.passes import numbers_of_passes
from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.comparison.row import Job, Row
from dinoscope.comparison.rows import rows_of
from dinoscope.comparison.sample import Features
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure, Measurements
from dinoscope.errors import GridMismatchError, InputError, NoUsablePhotographError
from dinoscope.pipeline.extract import ImageLike
from dinoscope.pipeline.together import extract_together


def features_of(
    images: Iterable[ImageLike],
    plan: MeasuringPlan,
    *,
    failed: Callable[[Failure], None],
    on_progress: Callable[[int], None],
) -> Iterator[tuple[Photograph, Features]]:
    """Every photograph that all can use, with its features by the plan's models, then by its controls."""
    beside = plan.controls.backbones if plan.controls else ()
    return extract_together(
        images,
        [*plan.models, *beside],
        plan.run,
        [*plan.layers, *([None] * len(beside))],
        on_failure=failed,
        on_progress=on_progress,
    )


def measurements_of(
    stream: Iterable[tuple[Photograph, Features]],
    plan: MeasuringPlan,
    *,
    failed: Callable[[Failure], None],
    finished: FinishedRows | None = None,
) -> Measurements:
    """Every metric of every photograph by every model and control.

    Features are let go as soon as they are measured, but for those of the sample.

    Args:
        stream: photographs, or previews of them, each with its features as by `features_of`.
        plan: what is measured.
        failed: called with each mask that cannot be used.
        finished: rows that need not be measured again, in whose order all are counted.

    Raises:
        NoUsablePhotographError: there is no row.
        GridMismatchError: the models' grids differ.
    """
    rows = FinishedRows() if finished is None else finished
    collected = Collected.of(plan)

    def jobs() -> Iterator[Job]:
        for photograph, features in stream:
            check_equal_grids(features)
            annotation = plan.annotation(photograph, failed)
            collected.sample.add(photograph, features, annotation)
            if photograph.digest in rows:
                continue
            extra = [
                numbers_of_passes(f, photograph, model, plan.run.at(layer), annotation)
                for f, model, layer in zip(features, plan.models, plan.layers, strict=False)
                if plan.passes
            ]
            every = with_controls(plan.controls, features) if plan.controls else features
            moved = {len(every) - 1: MOVED} if plan.controls else {}
            seen = collected.sample.seen.get(photograph.digest)
            others = plan.others(photograph, failed)
            yield Job(photograph, every, annotation, extra, others, seen, moved=moved)

    with closing(rows_of(jobs(), masked=bool(plan.masks), n_models=len(plan.models))) as measured:
        for row in measured:
            rows.add(row)
    own: dict[str, Row] = {}
    for row in rows.in_order():
        collected.add(row)
        if row.digest in collected.sample.rows:
            own[row.digest] = row
    if not collected.images:
        raise NoUsablePhotographError("none of the photographs could be used")
    return _over_all(collected, own, plan)


def _over_all(collected: Collected, own: Mapping[str, Row], plan: MeasuringPlan) -> Measurements:
    """With what needs the whole sample: a control, standardised channels, and the curve of position."""
    sample, beside, seed = collected.sample, plan.controls, plan.run.seed
    if beside is None:
        measured = collected.measurements(seed=seed)
    else:
        masked = bool(plan.masks)
        other = others_beside(sample, beside.other, plan.annotation, own, masked=masked, seed=beside.seed)
        moved = {len(plan.models) + len(beside.labels) - 1: MOVED}
        derive = partial(with_controls, beside)
        measured = collected.measurements(seed=seed, derive=derive, moved=moved, other=other)
    measured = with_standardised(measured, sample, plan.annotation)
    measured = replace(measured, warnings=(*plan.notes, *measured.warnings))
    if not plan.passes:
        return measured
    columns = zip(*(features for features, _ in sample.rows.values()), strict=True)
    curve = position_curve(list(zip(plan.models, plan.layers, columns, strict=False)), plan.run.grid)
    return replace(measured, curves={**measured.curves, "position": curve})


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


def raise_failure(failure: Failure) -> None:
    """What to do with a failure where nobody asked to be told: stop."""
    raise InputError(f"{failure.source!r}: {failure.reason}")
