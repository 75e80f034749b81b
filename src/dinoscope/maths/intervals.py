"""How sure is a mean over images?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import stdtrit

from dinoscope.data.results import Interval, PairedDifference
from dinoscope.errors import ShapeError

LEVEL = 0.95
ANYWHERE = (-np.inf, np.inf)
SHARE = (0.0, 1.0)

Bounds = tuple[float, float] | Float[np.ndarray, "*each 2"]
"""The least and the largest that values can be, for all columns or for each. A mean lies between them, and
differences reach no further than they are apart: an interval is cut there, which leaves out nothing that may
be true, so that the truth is held as often as before."""

TIE = 1e-12
"""A difference no larger is a tie: sums in another order differ so much."""


def mean_interval(values: Float[np.ndarray, " images"], bounds: Bounds = ANYWHERE) -> Interval:
    """The mean over images and its 95% interval by Student's t, cut at `Bounds`; NaN entries are left out.

    With fewer than two images the interval is NaN. How often it holds the truth: docs/validation/coverage.md.
    Source: Student, The probable error of a mean, Biometrika 6 (1908).
    """
    return column_intervals(np.asarray(values, dtype=np.float64)[:, None], bounds)[0]


def column_intervals(
    table: Float[np.ndarray, "images columns"], bounds: Bounds = ANYWHERE
) -> tuple[Interval, ...]:
    """`mean_interval` of every column."""
    table = np.asarray(table, dtype=np.float64)
    known = ~np.isnan(table)
    n = known.sum(axis=0)
    mean = np.divide(np.where(known, table, 0.0).sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    squares = np.where(known, (table - mean) ** 2, 0.0).sum(axis=0)
    enough = n > 1
    error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(len(n), np.nan), where=enough))
    low, high = ends(mean, half_width(error, n - 1), bounds)
    return tuple(
        Interval(float(m), float(a), float(b), int(k)) for m, a, b, k in zip(mean, low, high, n, strict=True)
    )


def ends(
    mean: Float64[np.ndarray, " columns"], reach: Float64[np.ndarray, " columns"], bounds: Bounds = ANYWHERE
) -> tuple[Float64[np.ndarray, " columns"], Float64[np.ndarray, " columns"]]:
    """Both ends of intervals that reach so far from their means, cut at bounds; NaN where ``reach`` is.

    A mean that breaks its bounds is its own end.
    """
    least, largest = np.broadcast_to(np.asarray(bounds, np.float64), (len(mean), 2)).T
    return np.minimum(np.maximum(mean - reach, least), mean), np.maximum(
        np.minimum(mean + reach, largest), mean
    )


def half_width(error: Float[np.ndarray, " columns"], freedom: np.ndarray | int) -> np.ndarray:
    """How far an interval reaches from its mean: t's quantile times the standard error; NaN where that is."""
    return np.asarray(error * stdtrit(np.maximum(freedom, 1), 0.5 + LEVEL / 2))


def paired_difference(
    values: Float[np.ndarray, " images"], reference: Float[np.ndarray, " images"], bounds: Bounds = ANYWHERE
) -> PairedDifference:
    """``values - reference`` image by image, with the interval of the mean difference.

    Images where either is NaN are left out. The bounds are of the values, not of their differences.
    """
    if values.shape != reference.shape:
        raise ShapeError("values", expected=f"images={len(reference)}", actual=values.shape)
    difference = np.asarray(values, dtype=np.float64) - reference
    return column_differences(difference[:, None], bounds)[0]


def column_differences(
    table: Float[np.ndarray, "images columns"], bounds: Bounds = ANYWHERE
) -> tuple[PairedDifference, ...]:
    """`paired_difference` of columns that already hold differences; the bounds are of the values."""
    table = np.asarray(table, dtype=np.float64)
    apart = np.ptp(np.asarray(bounds, np.float64), axis=-1)
    of_differences = np.stack([-apart, apart], axis=-1)
    return tuple(
        with_shares(interval, column)
        for interval, column in zip(column_intervals(table, of_differences), table.T, strict=True)
    )


def with_shares(interval: Interval, differences: Float[np.ndarray, " images"]) -> PairedDifference:
    """An interval beside the shares of images above 0, at 0 (within `TIE`) and below; NaN without any."""
    known = differences[~np.isnan(differences)]
    counts = (known > TIE).sum(), (np.abs(known) <= TIE).sum(), (known < -TIE).sum()
    above, tied, below = (float(count / len(known)) if len(known) else float("nan") for count in counts)
    return PairedDifference(interval, above, tied, below)


def by_chance(n: int) -> str:
    """How many of ``n`` intervals of differences leave out 0 where nothing differs; empty for a single one.

    Intervals are not adjusted for how many there are: this is said beside them instead.
    """
    if n < 2:
        return ""
    return (
        f"where nothing differs, about {n * (1 - LEVEL):.1f} of these {n} intervals of differences leave out "
        "0 all the same: one in 40 lies above it and one in 40 below"
    )
