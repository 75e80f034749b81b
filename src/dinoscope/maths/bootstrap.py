"""How sure is a mean over images?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.results import Interval, PairedDifference
from dinoscope.errors import ShapeError

RESAMPLES = 10_000
FEW_IMAGES = 20
"""With fewer images, percentile intervals are too narrow: they cover less than they say."""


def mean_interval(values: Float[np.ndarray, " images"], *, seed: int = 0) -> Interval:
    """The mean over images and its 95% percentile bootstrap interval; NaN entries are left out.

    Images are resampled `RESAMPLES` times with replacement. With fewer than two the interval is NaN.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
    """
    return column_intervals(np.asarray(values, dtype=np.float64)[:, None], seed=seed)[0]


def column_intervals(table: Float[np.ndarray, "images columns"], *, seed: int = 0) -> tuple[Interval, ...]:
    """`mean_interval` of every column, resampled together: the same numbers, at about the cost of one.

    Columns that are undefined for different images are resampled apart.
    """
    table = np.asarray(table, dtype=np.float64)
    alike: dict[bytes, list[int]] = {}
    for column, known in enumerate(~np.isnan(table.T)):
        alike.setdefault(known.tobytes(), []).append(column)
    intervals: dict[int, Interval] = {}
    for columns in alike.values():
        defined = table[~np.isnan(table[:, columns[0]])][:, columns]
        intervals |= zip(columns, _resampled(defined, seed), strict=True)
    return tuple(intervals[column] for column in range(table.shape[1]))


def _resampled(table: Float64[np.ndarray, "n columns"], seed: int) -> list[Interval]:
    n, columns = table.shape
    if n < 2:
        middle = table[0] if n else np.full(columns, np.nan)
        return [Interval(float(mean), float("nan"), float("nan"), n) for mean in middle]
    rng = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, columns))
    block = max(1, 2_000_000 // n)
    for start in range(0, RESAMPLES, block):
        stop = min(start + block, RESAMPLES)
        drawn = rng.integers(0, n, (stop - start, n)) + n * np.arange(stop - start)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n * (stop - start)).reshape(stop - start, n)
        means[start:stop] = counts.astype(np.float64) @ table / n
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    middle = table.mean(axis=0)
    return [Interval(float(middle[i]), float(low[i]), float(high[i]), n) for i in range(columns)]


def paired_difference(
    values: Float[np.ndarray, " images"], reference: Float[np.ndarray, " images"], *, seed: int = 0
) -> PairedDifference:
    """``values - reference`` image by image, with the interval of the mean difference.

    Images where either is NaN are left out. The share counts ties half; NaN without any image.
    """
    if values.shape != reference.shape:
        raise ShapeError("values", expected=f"images={len(reference)}", actual=values.shape)
    difference = np.asarray(values, dtype=np.float64) - reference
    return column_differences(difference[:, None], seed=seed)[0]


def column_differences(
    table: Float[np.ndarray, "images columns"], *, seed: int = 0
) -> tuple[PairedDifference, ...]:
    """`paired_difference` of columns that already hold differences, resampled together."""
    shares = []
    for column in np.asarray(table, dtype=np.float64).T:
        known = column[~np.isnan(column)]
        above = (known > 0).sum() + 0.5 * (known == 0).sum()
        shares.append(float(above / len(known)) if len(known) else float("nan"))
    return tuple(
        PairedDifference(interval, share)
        for interval, share in zip(column_intervals(table, seed=seed), shares, strict=True)
    )
