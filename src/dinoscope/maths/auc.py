"""How often does one score exceed another? Areas under the ROC curve."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer

LEVELS = 1 << 31
MANY = 20_000
"""Scores of each kind from which on areas are read off one sorting of levels."""

UNDECIDED = 1e-7

STEP = 2.0**-23
"""Between levels of rough scores, which err by about as much: many equal ones are partly on one, and seen."""

UNDECIDED_ROUGHLY = 1e-5

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


def auc_of_many(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """`auc` of scores that are equal where they agree in `DIGITS` decimals, for many scores.

    Many are brought to `LEVELS` equal levels and sorted as whole numbers of 32 bits, which takes a small part
    of the time of two sortings and a search. Scores of both kinds on one level count half. They are at most
    `UNDECIDED` of all comparisons: the area errs by half of that share at the very most. Where they are more,
    as where patches are equal, and where levels would gain nothing, the scores are sorted as they are.

    Args:
        scores: of both kinds.
        positive: which are of the first.
    """
    span = float(scores.max() - scores.min()) if len(scores) else 0.0
    area = _on_levels(scores, positive, span / (LEVELS - 1), UNDECIDED)
    if area is not None:
        return area
    rounded = np.round(scores, DIGITS)
    return auc(rounded[positive], rounded[~positive])


def auc_roughly(scores: Float32[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float | None:
    """`auc` of many scores in [-1, 1] to 6 decimals, where these decide nearly all comparisons.

    It errs by half of `UNDECIDED_ROUGHLY` at the very most. None where more are left undecided.
    """
    return _on_levels(scores, positive, STEP, UNDECIDED_ROUGHLY)


def negatives_first(keys: Integer[np.ndarray, " n"]) -> tuple[int, int]:
    """Pairs whose negative comes before their positive, and how many of them are on one level.

    Args:
        keys: sorted levels, whose last bit says whether positive: on one level the negatives come first.
    """
    places = np.flatnonzero((keys.astype(np.uint8) & 1).view(bool))
    before = int(places.sum()) - len(places) * (len(places) - 1) // 2
    last = np.flatnonzero((keys[1:] ^ keys[:-1]) == 1)  # negative of every level that holds both kinds
    starts, ends = last.copy(), last + 2
    # Only where there are more of a kind than one is there anything to look for.
    more = np.flatnonzero(keys[last - 1] == keys[last])
    starts[more] = np.searchsorted(keys, keys[last[more]])
    more = np.flatnonzero(keys[np.minimum(ends, len(keys) - 1)] == keys[last + 1])
    ends[more] = np.searchsorted(keys, keys[last[more] + 1], "right")
    return before, int((last + 1 - starts) @ (ends - last - 1))


def _on_levels(
    scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], step: float, most: float
) -> float | None:
    """None where more than a share of all comparisons is on one level."""
    n_positive = int(np.count_nonzero(positive))
    if min(n_positive, len(scores) - n_positive) < MANY or not step > 0:
        return None
    keys = np.empty(len(scores), np.uint32)
    np.multiply(scores - scores.min(), scores.dtype.type(1 / step), out=keys, casting="unsafe")
    keys <<= 1
    keys |= positive
    keys.sort()
    below, undecided = negatives_first(keys)
    every = n_positive * (len(scores) - n_positive)
    return None if undecided > most * every else (below - undecided / 2) / every
