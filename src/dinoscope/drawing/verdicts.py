"""What a paired difference may be said to show: one rule for every table, figure and sentence."""

from __future__ import annotations

import math

from dinoscope.data.results import FEWEST_TO_JUDGE, Interval, PairedDifference

SHARES = "above / tied / below, %"
"""Heading of `shares`."""

AGREE = 0.05
"""Two-sided p of the sign test below which photographs agree."""


def with_ends(interval: Interval, sign: str = "") -> str:
    """A mean with its interval, to three decimals; alone where there is none.

    >>> with_ends(Interval(0.25, 0.125, 0.5, 6)), with_ends(Interval(0.25, math.nan, math.nan, 1), "+")
    ('0.250 [0.125, 0.500]', '+0.250')
    """
    if math.isnan(interval.mean):
        return "undefined"
    if math.isnan(interval.low):
        return f"{interval.mean:{sign}.3f}"
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def direction(interval: Interval) -> int:
    """1 or -1 where all of it lies above or below 0; 0 otherwise, and with fewer than `FEWEST_TO_JUDGE`."""
    if interval.n < FEWEST_TO_JUDGE:
        return 0
    return int(interval.low > 0) - int(interval.high < 0)


def sign_test(difference: PairedDifference) -> float:
    """Two-sided p of so unequal a split of the images that are not tied; 1 without any.

    Source: the exact binomial sign test, Arbuthnot, Phil. Trans. 27 (1710).
    """
    above, below = counts(difference)
    n, fewer = above + below, min(above, below)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)


def counts(difference: PairedDifference) -> tuple[int, int]:
    """Images above and below 0."""
    n = difference.interval.n
    return (round(difference.above * n), round(difference.below * n)) if n else (0, 0)


def agreement(difference: PairedDifference, noun: str = "photographs") -> str:
    """Where the interval holds 0 though nearly all images agree: both facts, and why; otherwise empty."""
    interval, p = difference.interval, sign_test(difference)
    if direction(interval) or not p < AGREE:
        return ""
    above, below = counts(difference)
    way, most = ("above", above) if above > below else ("below", below)
    shown = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    return (
        f"the mean is not told from 0, yet {most} of {interval.n} {noun} are {way} 0 (sign test, {shown}): a "
        "few large differences widen the interval of the mean"
    )


def shares(difference: PairedDifference) -> str:
    """``22 / 65 / 13``: in how many images above 0, tied and below, as whole percentages that add up to 100.

    >>> from dinoscope.data.results import Interval
    >>> shares(PairedDifference(Interval(0.0, 0.0, 0.0, 3), 1 / 3, 1 / 3, 1 / 3))
    '34 / 33 / 33'
    """
    if not difference.interval.n:
        return "–"
    parts = (difference.above, difference.tied, difference.below)
    whole = [math.floor(100 * part + 1e-9) for part in parts]
    by_rest = sorted(range(3), key=lambda i: whole[i] - 100 * parts[i])
    for i in by_rest[: 100 - sum(whole)]:
        whole[i] += 1
    return " / ".join(map(str, whole))
