"""Do the backgrounds of a collection carry its classes? They are searched with alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.results import Interval
from dinoscope.errors import EmptyIndexError, InputError, ShapeError
from dinoscope.evaluation.pictures_values import CARRIED, PARTLY, BackgroundAlone
from dinoscope.io.labels import Labels, labels_of
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import (
    chance_average_precision,
    mean_intervals,
    relevant_ranks,
    score_columns,
)
from dinoscope.maths.selection import LEAST_BACKGROUND, background_means
from dinoscope.store.store import FeatureStore, each_row, pooled_vectors

QUERY_BLOCK = 512


def background_alone(
    store: FeatureStore, *, labels: Labels, table: str | None = None, max_queries: int = 2000, seed: int = 0
) -> BackgroundAlone:
    """How well a stored collection is found by its backgrounds alone (`CASE_RULE`).

    Background and foreground are those of `FOREGROUND_RULE`, from the vectors that every table keeps.

    Args:
        store: with vectors.
        labels: as `dinoscope.io.labels.labels_of` takes them.
        table: name of the table or of its backbone, where the store has several.
        max_queries: a random choice of so many, where there are more.
        seed: of that choice and of the intervals.

    Raises:
        EmptyIndexError: a table without photographs.
        InputError: fewer than two classes, or no query with a relevant photograph, among the labelled
            photographs that have a background and a foreground.
    """
    chosen = store.table(table)
    rows = list(each_row(chosen))
    if not rows:
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    known = labels_of(labels, [row.source for row in rows], [row.digest for row in rows])
    shares = np.array([row.foreground_share for row in rows])
    both = (shares > 0) & (1.0 - shares >= LEAST_BACKGROUND)
    foreground = pooled_vectors(chosen, "foreground").astype(np.float64)[both]
    means = pooled_vectors(chosen, "mean").astype(np.float64)[both]
    return background_case(
        background_means(means, foreground, shares[both]),
        foreground,
        [label for label, kept in zip(known, both, strict=True) if kept],
        n_left_out=sum(label is not None and not kept for label, kept in zip(known, both, strict=True)),
        max_queries=max_queries,
        seed=seed,
    )


def background_case(
    background: Float[np.ndarray, "n dim"],
    foreground: Float[np.ndarray, "n dim"],
    labels: Sequence[str | None],
    *,
    n_left_out: int = 0,
    max_queries: int = 2000,
    seed: int = 0,
) -> BackgroundAlone:
    """The same from one background and one foreground vector of each photograph.

    Raises:
        ShapeError: the shapes differ.
        InputError: as `background_alone`; NaN.
    """
    if foreground.shape != background.shape or len(labels) != len(background):
        raise ShapeError(
            "foreground and labels", expected=f"n dim = {background.shape}", actual=foreground.shape
        )
    kept = np.array([i for i, label in enumerate(labels) if label is not None], np.int64)
    named, class_of = np.unique(np.array([str(labels[i]) for i in kept], object), return_inverse=True)
    if len(named) < 2:
        raise InputError(
            f"background and foreground are compared over at least two classes, the labels name {len(named)}"
        )
    queries = np.arange(len(kept))
    if len(queries) > max_queries:
        queries = np.sort(np.random.default_rng(seed).choice(queries, max_queries, replace=False))
    sizes = np.bincount(class_of)[class_of[queries]] - 1
    if not sizes.any():
        raise InputError("no query has a relevant photograph: every label is used once")
    chance = np.array([chance_average_precision(int(r), len(kept) - 1) for r in sizes])
    back = _average_precision(background[kept], class_of, queries)
    front = _average_precision(foreground[kept], class_of, queries)
    found = mean_intervals(
        {
            "background": back,
            "foreground": front,
            "excess": (back - chance) / (1.0 - chance),
            "foreground_excess": (front - chance) / (1.0 - chance),
            "ahead": front - back,
        }
    )
    return BackgroundAlone(
        **found,
        chance=float(np.nanmean(chance)),
        n_images=len(kept),
        n_left_out=n_left_out,
        case=_case(found["excess"]),
    )


def _average_precision(
    vectors: Float[np.ndarray, "n dim"], class_of: np.ndarray, queries: np.ndarray
) -> Float64[np.ndarray, " queries"]:
    turned = unit(vectors.astype(np.float64))
    ranks = []
    for start in range(0, len(queries), QUERY_BLOCK):
        part = queries[start : start + QUERY_BLOCK]
        ranks += relevant_ranks(
            turned[part] @ turned.T,
            class_of[part][:, None] == class_of,
            ignored=part[:, None] == np.arange(len(turned)),
        )
    return score_columns(ranks, ())["ap"]


def _case(excess: Interval) -> str:
    if excess.high < PARTLY:
        return "independent"
    if excess.low > CARRIED:
        return "carried"
    return "partly" if excess.low > PARTLY and excess.high < CARRIED else "unclear"
