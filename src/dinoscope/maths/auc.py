"""How often does one score exceed another? Areas under the ROC curve."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64

BINS = 1 << 20
MANY = 20_000
"""Scores of each kind from which on areas are counted in bins."""

UNDECIDED = 4e-5

DIGITS = 12
"""Cosines are rounded to this many decimals before they are ranked, so that equal pairs are ties."""


def auc(positive: Float[np.ndarray, " p"], negative: Float[np.ndarray, " n"]) -> float:
    """Chance that a positive scores above a negative; ties count half; NaN if either is empty.

    Source: Mann & Whitney (1947).
    """
    p, n = len(positive), len(negative)
    if p == 0 or n == 0:
        return float("nan")
    negative, positive = np.sort(negative), np.sort(positive)
    below = np.searchsorted(negative, positive, "left").sum()
    upto = np.searchsorted(negative, positive, "right").sum()
    return float((below + upto) / (2 * p * n))


def auc_of_many(positive: Float64[np.ndarray, " p"], negative: Float64[np.ndarray, " n"]) -> float:
    """`auc` of scores that are equal where they agree in `DIGITS` decimals, for many scores.

    Many are counted in `BINS` equal bins, which takes a third of sorting's time. Scores of both kinds in one
    bin count half. They are at most `UNDECIDED` of all, and as many fall one way as the other: the area errs
    by less than 1e-7, and at the very most by half of that share. Where they are more, as where patches are
    equal, and where counting would gain nothing, they are sorted.
    """
    area = _counted(positive, negative)
    return auc(np.round(positive, DIGITS), np.round(negative, DIGITS)) if area is None else area


def auc_within(
    positive: Float64[np.ndarray, " p"],
    negative: Float64[np.ndarray, " n"],
    positive_strata: Int64[np.ndarray, " p"],
    negative_strata: Int64[np.ndarray, " n"],
) -> float:
    """Chance that a positive scores above a negative of its own stratum; ties count half.

    Every positive meets every negative of its stratum once, and no other. Source: the stratified Mann-Whitney
    statistic, with each comparison of equal weight; van Elteren (1960) weights strata instead.

    Args:
        positive, negative: scores in [-1, 1]; equal where they agree in `DIGITS` decimals.
        positive_strata, negative_strata: of each, from 0.

    Returns:
        NaN where no stratum holds both kinds.
    """
    largest = max(positive_strata.max(initial=0), negative_strata.max(initial=0)) + 1
    p, n = (np.bincount(strata, minlength=largest) for strata in (positive_strata, negative_strata))
    comparisons = int(p @ n)
    if comparisons == 0:
        return float("nan")
    # Strata lie 4 apart on one line: one search finds a score among those of its own.
    ranked = np.sort(np.round(negative, DIGITS) + 4.0 * negative_strata)
    sought = np.sort(np.round(positive, DIGITS) + 4.0 * positive_strata)
    below, upto = (int(np.searchsorted(ranked, sought, side).sum()) for side in ("left", "right"))
    before = int(p @ (np.cumsum(n) - n))
    return (below + upto - 2 * before) / (2 * comparisons)


def _counted(positive: Float64[np.ndarray, " p"], negative: Float64[np.ndarray, " n"]) -> float | None:
    if min(len(positive), len(negative)) < MANY:
        return None
    low = min(positive.min(), negative.min())
    span = max(positive.max(), negative.max()) - low
    if not span > 0:
        return None
    scale = (BINS - 1) / span
    p, n = (
        np.bincount(((scores - low) * scale).astype(np.int64), minlength=BINS)
        for scores in (positive, negative)
    )
    every, undecided = len(positive) * len(negative), int(p @ n)
    if undecided > UNDECIDED * every:
        return None
    return (int(p @ np.cumsum(n)) - undecided / 2) / every
