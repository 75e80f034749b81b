"""Are the plane's differences more than a light blur does, and do they survive standardised channels?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64

from dinoscope.backbones.controls import blur
from dinoscope.comparison.numbers import axes_of, seen_on
from dinoscope.comparison.sample import Sample
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import AxisChecks, Measurements, PairedDifference
from dinoscope.maths.channels import channels_of, standardised
from dinoscope.maths.intervals import column_differences
from dinoscope.metrics.registry import range_of
from dinoscope.metrics.subject import Seen
from dinoscope.pipeline.workers import measuring, worker_count

HALF_BLUR = 0.5
"""Standard deviation of the light blur, in patches."""

Table = Float64[np.ndarray, "images models"]


def half_blurred_axes(first: PatchFeatures, seen: Seen, *, masked: bool) -> dict[str, float]:
    """The plane's metrics of the first model's map, blurred by `HALF_BLUR`.

    Args:
        seen: what it is a map of.
        masked: whether masks were asked for.
    """
    values = torch.from_numpy(np.array(first.values))
    return axes_of(blur(values[None], HALF_BLUR)[0].numpy(), seen, masked=masked)


def blur_checks(
    half: Mapping[str, Float64[np.ndarray, " images"]], values: Mapping[str, Table]
) -> AxisChecks:
    """What half a patch of blur does to the first model, and what the others differ by beyond that."""
    columns = {key: column[:, None] for key, column in half.items()}
    return AxisChecks(
        half_blur_patches=HALF_BLUR,
        half_blur={
            key: column_differences(one - values[key][:, :1], range_of(key))[0]
            for key, one in columns.items()
        },
        beyond_blur={
            key: column_differences(values[key][:, 1:] - one, range_of(key)) for key, one in columns.items()
        },
    )


def with_standardised(
    measured: Measurements, sample: Sample, read: Callable[[Photograph], Annotation | None] = lambda _: None
) -> Measurements:
    """The measurements with the plane's differences once more, every channel of every model standardised.

    Of the photographs of the sample, whose features are there; mean and deviation are over all their patches.

    Args:
        measured: with `AxisChecks`, or of a single model, which has no differences.
        sample: of the same photographs and models.
        read: a photograph's masks.
    """
    if measured.checks is None or not sample.rows:
        return measured
    masked, digests = bool(measured.masks), sorted(sample.rows)
    maps = [sample.rows[digest][0][: len(measured.models)] for digest in digests]
    channels = [channels_of(column) for column in zip(*maps, strict=True)]

    def measure(k: int) -> list[dict[str, float]]:
        photograph = sample.photographs[digests[k]]
        before = sample.seen[digests[k]]
        seen = seen_on(maps[k][0].grid, photograph, annotation=read(photograph), before=before)
        return [
            axes_of(standardised(one, its), seen, masked=masked)
            for one, its in zip(maps[k], channels, strict=True)
        ]

    with measuring(worker_count()) as pool:
        found = list(pool.map(measure, range(len(maps))))
    rows = [measured.digests.index(digest) for digest in digests]
    return replace(
        measured,
        checks=replace(
            measured.checks,
            n_sampled=len(rows),
            sampled={key: _minus_first(key, measured.values[key][rows]) for key in found[0][0]},
            standardised={
                key: _minus_first(key, np.array([[values[key] for values in row] for row in found]))
                for key in found[0][0]
            },
        ),
    )


def _minus_first(key: str, table: Table) -> tuple[PairedDifference, ...]:
    return column_differences(table[:, 1:] - table[:, :1], range_of(key))
