"""What became of a backbone's dense features, photograph by photograph: before, after, with controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.plane_words import plane_axes
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison, Interval, PairedDifference
from dinoscope.drawing.verdicts import direction
from dinoscope.errors import ImageError
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.intervals import mean_interval, paired_difference
from dinoscope.maths.patches import unit
from dinoscope.maths.reduced import reduced_patches
from dinoscope.metrics.registry import AXES, METRICS, range_of
from dinoscope.pipeline.extract import ImageLike, extract, load_photograph

AIM = "gram_distance_finer"
OWN = {
    AIM: "Gram distance to the unchanged model at twice the resolution",
    "patches_kept": "cosine of patches with the unchanged model's",
    "cls_kept": "cosine of the class token with the unchanged model's",
}
"""Measured here, beside the project's metrics: what was aimed at, and what was to be kept."""

TOLD = ("neighbour", "random_pair", "locality", "effective_rank", "cls_patch")


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One number of all models.

    Attributes:
        key: of the metric.
        title: what it is called.
        values: one column a model: the unchanged one, the refined one, controls.
    """

    key: str
    title: str
    values: Float64[np.ndarray, "images models"]

    def interval(self, model: int) -> Interval:
        """The interval of one model."""
        return mean_interval(self.values[:, model], range_of(self.key))

    def gain(self, model: int, over: int = 0) -> PairedDifference:
        """One model minus another, on the same photographs."""
        return paired_difference(self.values[:, model], self.values[:, over], range_of(self.key))


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a refinement did, by every number that is told.

    Attributes:
        models: the unchanged one, the refined one, controls.
        axes: keys of sharpness and coherence, by masks or by proxies.
        rows: every number that is told.
        n_images: held-out photographs.
    """

    models: tuple[str, ...]
    axes: tuple[str, ...]
    rows: tuple[Row, ...]
    n_images: int

    def row(self, key: str) -> Row:
        """By its key."""
        return next(row for row in self.rows if row.key == key)

    @property
    def ways(self) -> Mapping[str, int]:
        """For each axis, whether the refined model lies above (1) or below (-1) the unchanged one."""
        return {key: direction(self.row(key).gain(1).interval) for key in self.axes}

    @property
    def worse(self) -> bool:
        """Whether it measures worse on an axis."""
        return -1 in self.ways.values()


def findings(compared: Comparison, before: Backbone, held_out: Iterable[ImageLike]) -> Findings:
    """The numbers of a comparison whose first model is the unchanged one and whose second the refined.

    Args:
        compared: with the controls behind.
        before: the unchanged model, to look at the photographs at twice the resolution.
        held_out: the photographs that were compared, as they are; others among them do not matter.
    """
    measured = compared.measurements
    held = plane_axes(measured)
    axes = tuple(AXES[held[0]]) if held else ()
    rows = [
        Row(key, METRICS[key].short, np.asarray(measured.values[key], np.float64))
        for key in (*axes, *TOLD)
        if key in measured.values
    ]
    by_digest = {p.digest: f for p, f in zip(compared.photographs, compared.features, strict=True)}
    own: dict[str, dict[str, list[float]]] = {}
    for image in held_out:
        with suppress(ImageError):  # was told when it was compared
            photograph = load_photograph(image)
            if photograph.digest in by_digest and photograph.digest not in own:
                own[photograph.digest] = _own(photograph, before, by_digest[photograph.digest])
    table = [own[p.digest] for p in compared.photographs]
    rows += [Row(key, title, np.array([line[key] for line in table])) for key, title in OWN.items()]
    labels = tuple(model.label for model in compared.models)
    return Findings(labels, axes, tuple(rows), len(table))


def _own(
    photograph: Photograph, before: Backbone, features: Sequence[PatchFeatures]
) -> dict[str, list[float]]:
    first = features[0]
    h, w = first.grid.shape
    fine = next(extract([photograph], before, grid=(2 * h, 2 * w)))
    rows = torch.from_numpy(fine.values.reshape(1, -1, fine.dim).astype(np.float64))
    aim = reduced_patches(rows, fine.grid.shape, first.grid.shape)[0].numpy()
    return {
        AIM: [gram_distance(f.values.reshape(-1, f.dim), aim) for f in features],
        "patches_kept": [
            float((unit(_wide(f.values)) * unit(_wide(first.values))).sum(-1).mean()) for f in features
        ],
        "cls_kept": [_kept(f, first) for f in features],
    }


def _kept(f: PatchFeatures, first: PatchFeatures) -> float:
    if f.cls is None or first.cls is None:
        return float("nan")
    return float((unit(_wide(f.cls)) * unit(_wide(first.cls))).sum())


def _wide(values: np.ndarray) -> Float64[np.ndarray, "*grid dim"]:
    return np.asarray(values, np.float64)
