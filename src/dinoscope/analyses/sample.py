"""What only a collection has: numbers that need the patches of many photographs at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from dinoscope.analyses.workers import measuring, worker_count
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.maths.dispersion import GROUP, GROUP_CLUSTERS, LOCAL_CLUSTERS, dispersion
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.norms import norm_outliers
from dinoscope.maths.position import position_fit
from dinoscope.maths.segments import knn_miou, linear_miou

KEPT = 48
"""Photographs held for these numbers: those whose digests are smallest, which is a random choice that does
not depend on the order of the photographs."""

MAX_TRAIN = 2_000
"""Patches that a linear readout is fitted on."""

FOLDS = 5
DSE_KEPT = 16
"""Photographs that DSE is measured on: two of its groups."""

LARGE_BYTES = 2**28
"""Of one model's maps: above that models are measured one at a time, each takes several times as much."""


Features = tuple[PatchFeatures, ...]


@dataclass
class Sample:
    """The photographs with the smallest digests, with their features by each model."""

    kept: int = KEPT
    rows: dict[str, tuple[Features, Int64[np.ndarray, "h w"] | None]] = field(default_factory=dict)

    def wants(self, digest: str) -> bool:
        """Whether a photograph belongs to the sample, as far as is known."""
        return digest not in self.rows and (len(self.rows) < self.kept or digest < max(self.rows))

    def add(self, digest: str, features: Features, annotation: Annotation | None) -> None:
        """Keep a photograph, and let go the one with the largest digest where there are too many."""
        if not self.wants(digest):
            return
        labels = None if annotation is None else patch_labels(annotation.classes, features[0].grid).labels
        self.rows[digest] = (features, labels)
        if len(self.rows) > self.kept:
            del self.rows[max(self.rows)]


def collection_numbers(
    sample: Sample,
    derive: Callable[[Features], Features] = lambda features: features,
    *,
    masked: bool = False,
    seed: int = 0,
) -> dict[str, tuple[float, ...]]:
    """One value for each metric and model; NaN where there are too few photographs.

    Args:
        sample: of the collection.
        derive: from the kept features to those measured, one for each model.
        masked: whether masks were asked for.
    """
    rows = [(derive(features), labels) for _, (features, labels) in sorted(sample.rows.items())]
    n_models = len(rows[0][0]) if rows else 0
    columns = [[features[j] for features, _ in rows] for j in range(n_models)]
    asked: list[Callable[[int], dict[str, float]]] = [
        lambda j: {"dse": _dse(columns[j], seed)},
        lambda j: {"outlier_share": norm_outliers(columns[j]).share if columns[j] else math.nan},
        lambda j: {"position_r2": _position(columns[j])},
    ]
    if masked:
        labelled = [i for i, (_, labels) in enumerate(rows) if labels is not None]
        labels = [labels for _, labels in rows if labels is not None]
        asked.append(lambda j: _miou([columns[j][i] for i in labelled], labels, seed))
    numbers: dict[str, list[float]] = {}
    for found in _of_each(asked, range(n_models), one_at_a_time=_large(columns)):
        for name, value in found.items():
            numbers.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in numbers.items()}


def _of_each(
    asked: Sequence[Callable[[int], dict[str, float]]], models: Sequence[int], *, one_at_a_time: bool
) -> Iterator[dict[str, float]]:
    """What was asked of every model, question by question, on one thread for each core."""
    with measuring(1 if one_at_a_time else worker_count()) as pool:
        answers = [pool.submit(question, j) for question in asked for j in models]
        for answer in answers:
            yield answer.result()


def _large(columns: Sequence[Sequence[PatchFeatures]]) -> bool:
    return any(sum(features.values.nbytes for features in column) > LARGE_BYTES for column in columns)


def _dse(column: Sequence[PatchFeatures], seed: int) -> float:
    """Of the photographs of the commonest grid, at most `DSE_KEPT`; NaN where they have too few patches."""
    shapes = Counter(f.grid.shape for f in column)
    if not shapes:
        return float("nan")
    shape, _ = max(shapes.items(), key=lambda item: (item[1], item[0]))
    chosen = [f for f in column if f.grid.shape == shape][:DSE_KEPT]
    last_group = len(chosen) % GROUP or GROUP
    if shape[0] * shape[1] < LOCAL_CLUSTERS or last_group * shape[0] * shape[1] < GROUP_CLUSTERS:
        return float("nan")
    return dispersion(chosen, seed=seed).dse


def _position(column: Sequence[PatchFeatures]) -> float:
    if len(column) < FOLDS:
        return float("nan")
    return position_fit(column, folds=FOLDS).mean


def _miou(
    column: Sequence[PatchFeatures], labels: Sequence[Int64[np.ndarray, "_ _"]], seed: int
) -> dict[str, float]:
    """Both readouts, each half of the photographs labelled by the other."""
    if len(column) < 2:
        return {"knn_miou": math.nan, "linear_miou": math.nan}
    even, odd = range(0, len(column), 2), range(1, len(column), 2)
    nearest, linear = [], []
    for train, test in ((even, odd), (odd, even)):
        split = (
            [column[i] for i in train],
            [labels[i] for i in train],
            [column[i] for i in test],
            [labels[i] for i in test],
        )
        nearest.append(knn_miou(*split, seed=seed).miou)
        linear.append(linear_miou(*split, max_train=MAX_TRAIN, seed=seed).miou)
    return {"knn_miou": float(np.mean(nearest)), "linear_miou": float(np.mean(linear))}
