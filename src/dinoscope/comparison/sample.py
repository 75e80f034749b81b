"""What only a collection has: numbers that need the patches of many photographs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType

import numpy as np
from jaxtyping import Int64

from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.maths.masks import UNKNOWN, patch_labels
from dinoscope.metrics.facts import OfCollection, Values
from dinoscope.metrics.registry import COLLECTION
from dinoscope.metrics.subject import Collection, Seen
from dinoscope.pipeline.workers import measuring, worker_count

KEPT = 48
"""Photographs held for these numbers: those whose digests are smallest, which is a random choice that does
not depend on the order of the photographs."""

LARGE_BYTES = 2**28
"""One model's maps: above that models are measured one at a time, each takes several times as much."""


Features = tuple[PatchFeatures, ...]


@dataclass
class Sample:
    """The photographs with the smallest digests: features by each model, classes, previews, what is seen."""

    kept: int = KEPT
    rows: dict[str, tuple[Features, Int64[np.ndarray, "h w"] | None]] = field(default_factory=dict)
    photographs: dict[str, Photograph] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)

    def wants(self, digest: str) -> bool:
        """Whether a photograph belongs to the sample, as far as is known."""
        return digest not in self.rows and (len(self.rows) < self.kept or digest < max(self.rows))

    def add(self, photograph: Photograph, features: Features, annotation: Annotation | None) -> None:
        """Keep a photograph, and let go the one with the largest digest where there are too many."""
        digest = photograph.digest
        if not self.wants(digest):
            return
        classes = None if annotation is None else annotation.classes
        labels = None if classes is None else patch_labels(classes, features[0].grid).labels
        self.rows[digest] = (features, labels)
        self.photographs[digest] = preview(photograph, longest_px=PREVIEW_PX)
        self.seen[digest] = Seen(features[0].grid.shape, self.photographs[digest].pixels)
        if len(self.rows) > self.kept:
            last = max(self.rows)
            del self.rows[last], self.photographs[last], self.seen[last]

    def n_classes(self) -> int:
        """How many classes its labels hold."""
        known = [np.unique(labels) for _, labels in self.rows.values() if labels is not None]
        return len(set(np.concatenate(known).tolist()) - {UNKNOWN}) if known else 0


def collection_numbers(
    sample: Sample,
    derive: Callable[[Features], Features] = lambda features: features,
    *,
    moved: Mapping[int, frozenset[str]] = MappingProxyType({}),
    masked: bool = False,
    seed: int = 0,
) -> dict[str, tuple[float, ...]]:
    """One value for each metric and model; NaN where there are too few photographs.

    Args:
        sample: of the collection.
        derive: from the kept features to those measured, one for each model.
        moved: columns of the first model's features again, with what is changed in them, of
            `dinoscope.metrics.facts.SIGHTS`. Where that moves nothing the first column's number is theirs; of
            a first column that is one itself, metrics that nothing moves are left out.
        masked: whether masks were asked for.
    """
    rows = [(derive(features), labels) for _, (features, labels) in sorted(sample.rows.items())]
    n_models = len(rows[0][0]) if rows else 0
    columns = [[features[j] for features, _ in rows] for j in range(n_models)]
    labelled = [i for i, (_, labels) in enumerate(rows) if labels is not None]
    classes = [labels for _, labels in rows if labels is not None]
    collections = [
        Collection(column, [column[i] for i in labelled], classes, seed=seed) for column in columns
    ]
    asked = [
        (family, j)
        for family in COLLECTION
        for j in range(n_models)
        if (masked or not any(m.needs_masks for m in family.metrics))
        and (j not in moved or any(m.is_moved_by(moved[j]) for m in family.metrics))
    ]
    numbers: dict[str, dict[int, float]] = {}
    large = any(sum(features.values.nbytes for features in column) > LARGE_BYTES for column in columns)
    answers = _of_each([(family, collections[j]) for family, j in asked], one_at_a_time=large)
    for (_, j), found in zip(asked, answers, strict=True):
        for name, value in found.items():
            numbers.setdefault(name, {})[j] = value
    return {
        name: tuple(by_column.get(j, by_column[0]) for j in range(n_models))
        for name, by_column in numbers.items()
    }


def _of_each(asked: Sequence[tuple[OfCollection, Collection]], *, one_at_a_time: bool) -> Iterator[Values]:
    """What each was asked, in that order, on one thread for each core.

    What the metrics import when they need it is imported here, on one thread: two that import it at once find
    it half made.
    """
    import_module("sklearn.linear_model")
    with measuring(1 if one_at_a_time else worker_count()) as pool:
        answers = [pool.submit(family.measure, model) for family, model in asked]
        for answer in answers:
            yield answer.result()
