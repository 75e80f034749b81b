"""Do the backgrounds of a collection carry its classes? They are searched with alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dinoscope.data.results import FEWEST_TO_JUDGE, Interval
from dinoscope.errors import ShapeError
from dinoscope.evaluation.judged import JudgedCollection
from dinoscope.evaluation.pictures_values import CARRIED, PARTLY, BackgroundAlone
from dinoscope.evaluation.stored import labelled_rows
from dinoscope.io.labels import Labels
from dinoscope.maths.background import LEAST_BACKGROUND, background_means
from dinoscope.maths.intervals import SHARE
from dinoscope.maths.left_out import jackknife_intervals
from dinoscope.maths.retrieval_scores import EXCESS, score_columns, scores_named
from dinoscope.maths.suppression import no_suppression
from dinoscope.store.reading import pooled_vectors
from dinoscope.store.store import FeatureStore


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
    chosen, rows, known = labelled_rows(store, labels, table)
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
    """`background_alone` from one background and one foreground vector of each photograph.

    Raises:
        ShapeError: the shapes differ.
        InputError: as `background_alone`; NaN.
    """
    if foreground.shape != background.shape or len(labels) != len(background):
        raise ShapeError(
            "foreground and labels", expected=f"n dim = {background.shape}", actual=foreground.shape
        )
    judged = JudgedCollection(labels, np.zeros(len(labels), np.int64), max_queries=max_queries, seed=seed)
    scores = {"ap": scores_named(())["ap"], "excess": EXCESS}
    chance, whole = judged.chance(), no_suppression(background.shape[1])
    back_ranks, back_sums = judged.left_out(background.astype(np.float64), whole, 0, scores)
    front_ranks, front_sums = judged.left_out(foreground.astype(np.float64), whole, 0, scores)
    back, front = (score_columns(ranks, ())["ap"] for ranks in (back_ranks, front_ranks))
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
        judged.counts_left_out(),
        {
            "background": SHARE,
            "foreground": SHARE,
            "excess": (-math.inf, 1.0),
            "foreground_excess": (-math.inf, 1.0),
            "ahead": (-1.0, 1.0),
        },
    )
    return BackgroundAlone(
        **found,
        chance=float(np.nanmean(chance)),
        n_images=len(judged.labelled),
        n_left_out=n_left_out,
        case=_case(found["excess"]),
    )


def _case(excess: Interval) -> str:
    if excess.n < FEWEST_TO_JUDGE:
        return "unclear"
    if excess.high < PARTLY:
        return "independent"
    if excess.low > CARRIED:
        return "carried"
    return "partly" if excess.low > PARTLY and excess.high < CARRIED else "unclear"
