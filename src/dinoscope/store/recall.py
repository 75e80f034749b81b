"""What share of the nearest does an index find? One sample of a table to choose by, one to state it of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float64, Int64

from dinoscope.maths.ranking import top_k
from dinoscope.store.built_index import MEASURED_K

_ERRORS = 2

Setting = tuple[int, int]
"""Lists looked into, and candidates compared exactly over hits asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a table as queries, and the true nearest of each, without itself."""

    rows: Int64[np.ndarray, " q"]
    vectors: Float16[np.ndarray, "q dim"]
    truth: Int64[np.ndarray, "q k"]


def sampled_rows(count: int, queries: int, seed: int) -> Int64[np.ndarray, " m"]:
    """Rows of both samples, at most ``2 * queries`` and an even number."""
    half = min(queries, count // 2)
    return np.random.default_rng(seed).permutation(count)[: 2 * half].astype(np.int64)


def samples_of(
    rows: Int64[np.ndarray, " m"],
    vectors: Float16[np.ndarray, "m dim"],
    every: Iterable[Float16[np.ndarray, "_ dim"]] | Float16[np.ndarray, "n dim"],
) -> tuple[Sample, Sample]:
    """Two samples of equal size without a common row; one exact search among all vectors for both."""
    truth = top_k(vectors, every, MEASURED_K, exclude=rows).indices
    half = len(rows) // 2
    return (
        Sample(rows[:half], vectors[:half], truth[:half]),
        Sample(rows[half:], vectors[half:], truth[half:]),
    )


def first_to_reach(
    settings: Iterable[Setting], shares: Callable[[Setting], Float64[np.ndarray, " q"]], wanted: float
) -> Setting:
    """The first setting that reaches the recall; the last where none does.

    By `_ERRORS` standard errors, so that other queries reach it, too.
    """
    setting = (1, 1)
    for setting in settings:
        found = shares(setting)
        if found.mean() - _ERRORS * found.std() / math.sqrt(len(found)) >= wanted:
            break
    return setting


def share_found(found: Int64[np.ndarray, " f"], truth: Int64[np.ndarray, " k"]) -> float:
    """The share of the true nearest that is among what was found."""
    return len(np.intersect1d(found, truth)) / len(truth)
