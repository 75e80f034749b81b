"""What of a stored collection can be scored, and what is fitted on: vectors, and moments of each fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int64

from dinoscope.errors import EmptyIndexError, MissingFeaturesError
from dinoscope.evaluation.protocol import FoldStatistics
from dinoscope.io.labels import Labels, labels_of
from dinoscope.maths.background import background_means
from dinoscope.maths.pca import PatchMoments, patch_moments
from dinoscope.maths.pooling import FOREGROUND_RULE, own_foreground
from dinoscope.maths.suppression import background_moments, merged
from dinoscope.store.reading import StoredRow, each_dense, each_row, pooled_vectors
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureStore, FeatureTable, table_of


def labelled_rows(
    store: FeatureStore, labels: Labels, table: str | None
) -> tuple[FeatureTable, list[StoredRow], list[str | None]]:
    """The table that is meant, its photographs, and their labels, None where unknown.

    Raises:
        EmptyIndexError: a table without photographs.
    """
    chosen = table_of(store, table)
    rows = list(each_row(chosen))
    if not rows:
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    known = labels_of(labels, [row.source for row in rows], [row.digest for row in rows])
    return chosen, rows, list(known)


def stored_vectors(
    table: FeatureTable, poolings: Sequence[str] | None
) -> dict[str, Float[np.ndarray, "n dim"]]:
    """Those asked for, and the plain mean; a class token is left out where nobody asked and there is none.

    Raises:
        MissingFeaturesError: a pooling that was asked for and that the table does not have.
    """
    vectors = {}
    for name in dict.fromkeys(("mean", *(POOLED if poolings is None else poolings))):
        try:
            vectors[name] = pooled_vectors(table, name).astype(np.float32)
        except MissingFeaturesError:
            if poolings is not None:
                raise
    return vectors


def fold_statistics(
    table: FeatureTable,
    rows: Sequence[StoredRow],
    fold: Int64[np.ndarray, " n"],
    means: Float[np.ndarray, "n dim"],
) -> FoldStatistics:
    """Moments of each fold's background and of all its patches, from whole maps where there are any."""
    n_folds = int(fold.max()) + 1
    if table.settings.dense is not None:
        parts: list[list[tuple[PatchMoments | None, PatchMoments]]] = [[] for _ in range(n_folds)]
        for place, pair in enumerate(_of_maps(table)):
            parts[fold[place]].append(pair)
        return FoldStatistics(
            [merged([background for background, _ in part]) for part in parts],
            [merged([whole for _, whole in part]) for part in parts],
            f"background patches by this rule: {FOREGROUND_RULE}",
        )
    shares = np.array([row.foreground_share for row in rows])
    foreground = pooled_vectors(table, "foreground").astype(np.float32)
    backgrounds: list[PatchMoments | None] = []
    for number in range(n_folds):
        inside = fold == number
        found = background_means(means[inside], foreground[inside], shares[inside])
        backgrounds.append(patch_moments(found) if len(found) else None)
    wholes = [patch_moments(means[fold == n]) if (fold == n).any() else None for n in range(n_folds)]
    rule = f"each photograph's mean background patch by this rule: {FOREGROUND_RULE}"
    return FoldStatistics(backgrounds, wholes, rule)


def _of_maps(table: FeatureTable) -> Iterator[tuple[PatchMoments | None, PatchMoments]]:
    for _, features in each_dense(table):
        values = features.values.reshape(-1, features.dim)
        whole = patch_moments(values)
        yield background_moments(values, own_foreground(features, whole).ravel()), whole
