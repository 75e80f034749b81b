"""Do the backgrounds of a collection carry its classes? They are searched with alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from dinoscope.data.results import FEWEST_TO_JUDGE, Interval
from dinoscope.errors import EmptyIndexError, InputError, ShapeError
from dinoscope.evaluation.pictures_values import CARRIED, PARTLY, BackgroundAlone
from dinoscope.io.labels import Labels, labels_of
from dinoscope.maths.left_out import counts_left_out, jackknife_intervals, standings, sums_left_out
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import EXCESS, chance_average_precision, score_columns, scores_named
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
        seed: of that choice.

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
    same = class_of[queries][:, None] == class_of
    itself = queries[:, None] == np.arange(len(kept))
    back, back_sums = _average_precision(background[kept], queries, same, itself)
    front, front_sums = _average_precision(foreground[kept], queries, same, itself)
    found = jackknife_intervals(
        {
            "background": back,
            "foreground": front,
            "excess": (back - chance) / (1.0 - chance),
            "foreground_excess": (front - chance) / (1.0 - chance),
            "ahead": front - back,
        },
        {
            "background": back_sums["ap"],
            "foreground": front_sums["ap"],
            "excess": back_sums["excess"],
            "foreground_excess": front_sums["excess"],
            "ahead": front_sums["ap"] - back_sums["ap"],
        },
        counts_left_out(same, itself),
    )
    return BackgroundAlone(
        **found,
        chance=float(np.nanmean(chance)),
        n_images=len(kept),
        n_left_out=n_left_out,
        case=_case(found["excess"]),
    )


def _average_precision(
    vectors: Float[np.ndarray, "n dim"],
    queries: Int64[np.ndarray, " q"],
    same: Bool[np.ndarray, "q n"],
    itself: Bool[np.ndarray, "q n"],
) -> tuple[Float64[np.ndarray, " q"], dict[str, Float64[np.ndarray, " n"]]]:
    """Of each query; and the sums of it and of its excess over chance without each photograph."""
    turned = unit(vectors.astype(np.float64))
    wanted = {"ap": scores_named(())["ap"], "excess": EXCESS}
    ranks, sums = [], {name: np.zeros(len(turned)) for name in wanted}
    for start in range(0, len(queries), QUERY_BLOCK):
        part = slice(start, start + QUERY_BLOCK)
        mine, above = standings(turned[queries[part]] @ turned.T, same[part], itself[part])
        ranks += mine
        for name, added in sums_left_out(mine, above, same[part], itself[part], wanted).items():
            sums[name] += added
    return score_columns(ranks, ())["ap"], sums


def _case(excess: Interval) -> str:
    if excess.n < FEWEST_TO_JUDGE:
        return "unclear"
    if excess.high < PARTLY:
        return "independent"
    if excess.low > CARRIED:
        return "carried"
    return "partly" if excess.low > PARTLY and excess.high < CARRIED else "unclear"
