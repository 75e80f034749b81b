"""Populations whose mean is known, and what is measured of them: single means and paired differences."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy import stats

Kind = Literal["mean", "alike", "unlike"]

KINDS: dict[Kind, str] = {
    "mean": "mean of one column",
    "alike": "paired difference of two columns of this population, correlated 0.7",
    "unlike": "paired difference to a column of another shape, correlated 0.7",
}
POPULATIONS: dict[str, tuple[Any, Any, str]] = {
    "normal": (stats.norm(), stats.norm(0, 2), "normal; the other: twice as wide"),
    "AUC-like": (stats.beta(8, 2), stats.beta(16, 2), "beta(8, 2); the other: beta(16, 2)"),
    "near 1": (stats.beta(20, 0.8), stats.beta(8, 2), "beta(20, 0.8); the other: beta(8, 2)"),
    "lognormal": (stats.lognorm(1), stats.lognorm(0.5), "lognormal, sigma 1; the other: sigma 0.5"),
}
"""The population, the other column of ``unlike``, and both in words."""

SIZES = (6, 10, 20, 50, 100)
_CORRELATION = 0.7
_Z = np.linspace(-6.5, 6.5, 20_001)


def draw(
    rng: np.random.Generator, population: str, kind: Kind, shape: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """Worlds as columns of so many images, and the mean that their intervals should hold."""
    first, other, _ = POPULATIONS[population]
    own = rng.standard_normal(shape)
    if kind == "mean":
        return _turned(first, own), float(first.mean())
    second = first if kind == "alike" else other
    paired = _CORRELATION * own + np.sqrt(1 - _CORRELATION**2) * rng.standard_normal(shape)
    return _turned(second, paired) - _turned(first, own), float(second.mean() - first.mean())


def _turned(population: Any, normal: np.ndarray) -> np.ndarray:
    """Standard normal numbers turned into a population, by its quantiles on a fine grid."""
    return np.interp(normal, _Z, population.ppf(stats.norm.cdf(_Z)))
