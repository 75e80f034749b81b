"""How sure is a mean over images?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

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
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    n = len(values)
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    block = max(1, 4_000_000 // n)
    for start in range(0, RESAMPLES, block):
        stop = min(start + block, RESAMPLES)
        means[start:stop] = values[rng.integers(0, n, (stop - start, n))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(mean, float(low), float(high), n)


def paired_difference(
    values: Float[np.ndarray, " images"], reference: Float[np.ndarray, " images"], *, seed: int = 0
) -> PairedDifference:
    """``values - reference`` image by image, with the interval of the mean difference.

    Images where either is NaN are left out. The share counts ties half; NaN without any image.
    """
    if values.shape != reference.shape:
        raise ShapeError("values", expected=f"images={len(reference)}", actual=values.shape)
    difference = np.asarray(values, dtype=np.float64) - reference
    known = difference[~np.isnan(difference)]
    share = float(((known > 0).sum() + 0.5 * (known == 0).sum()) / len(known)) if len(known) else float("nan")
    return PairedDifference(mean_interval(difference, seed=seed), share)
