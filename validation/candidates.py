"""Intervals for a mean that were tried and not taken."""

from __future__ import annotations

import numpy as np
from scipy import stats

RESAMPLES = 2000

Ends = tuple[np.ndarray, np.ndarray]


def candidates(worlds: np.ndarray, rng: np.random.Generator) -> dict[str, Ends]:
    """Ends of 95% intervals for every column; one draw of resamples serves all columns.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 12 to 14; of the last, Hall, On
    the removal of skewness by transformation, JRSS B 54 (1992), with Student's quantiles.
    """
    n = len(worlds)
    mean = worlds.mean(axis=0)
    gap = worlds - mean
    spread = np.sqrt((gap**2).mean(axis=0))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64) / n
    shifts = drawn @ gap
    spreads = np.sqrt(np.maximum(drawn @ gap**2 - shifts**2, 0.0))
    ordered = np.sort(shifts, axis=0)
    skew = (gap**3).mean(axis=0) / spread**3

    ratio = np.divide(shifts, spreads, out=np.full_like(shifts, np.nan), where=spreads > 1e-9 * spread)
    low, high = np.nanquantile(ratio, (0.025, 0.975), axis=0)

    z0 = stats.norm.ppf(np.clip((shifts < 0).mean(axis=0), 1 / RESAMPLES, 1 - 1 / RESAMPLES))
    pull = skew / (6 * np.sqrt(n))
    ends = []
    for z in stats.norm.ppf((0.025, 0.975)):
        level = stats.norm.cdf(z0 + (z0 + z) / (1 - pull * (z0 + z)))
        place = np.clip((level * RESAMPLES).astype(int), 0, RESAMPLES - 1)
        ends.append(mean + np.take_along_axis(ordered, place[None], axis=0)[0])

    return {
        "percentile bootstrap": tuple(mean + np.quantile(shifts, (0.025, 0.975), axis=0)),
        "BCa bootstrap": (ends[0], ends[1]),
        "studentised bootstrap": (mean - high * spread, mean - low * spread),
        "skewness-corrected t": _skewness(mean, spread * np.sqrt(n / (n - 1)), skew, n),
    }


def _skewness(mean: np.ndarray, deviation: np.ndarray, skew: np.ndarray, n: int) -> Ends:
    a = np.where(np.abs(skew) < 1e-6, 1e-6, skew) / np.sqrt(n)
    reach = stats.t.ppf(0.975, n - 1)

    def back(y: float) -> np.ndarray:
        return np.asarray(3 / a * (np.cbrt(1 + a * (y - a / 6)) - 1))

    return mean - back(reach) * deviation / np.sqrt(n), mean - back(-reach) * deviation / np.sqrt(n)
