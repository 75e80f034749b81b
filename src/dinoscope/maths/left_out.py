"""What would every ranking score if one photograph had never been there?

Queries share the collection that they are ranked in, so their scores are not independent. How sure their
mean is follows from leaving each photograph out, as a query and from the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from dinoscope.data.results import Interval
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.intervals import ANYWHERE, ends, half_width
from dinoscope.maths.retrieval_scores import DECIMALS, Ranks, Score


def standings(
    scores: Float[np.ndarray, "q n"], relevant: Bool[np.ndarray, "q n"], ignored: Bool[np.ndarray, "q n"]
) -> tuple[list[Ranks], Int[np.ndarray, "q n"]]:
    """`relevant_ranks`, and how many relevant images stand above each image in each ranking.

    Raises:
        InputError: NaN scores.
    """
    if np.isnan(scores).any():
        raise InputError("the scores hold NaN")
    rounded = np.where(ignored, -np.inf, np.round(scores.astype(np.float64), DECIMALS))
    order = np.argsort(-rounded, axis=1, kind="stable")
    hit = np.take_along_axis(relevant & ~ignored, order, axis=1)
    row, place = np.nonzero(hit)
    stops = np.cumsum(np.bincount(row, minlength=len(hit)))
    above = np.empty(hit.shape, np.int64)
    np.put_along_axis(above, order, np.cumsum(hit, axis=1) - hit, axis=1)
    return np.split(place.astype(np.int64) + 1, stops[:-1]) if len(hit) else [], above


def sums_left_out(
    ranks: Sequence[Ranks],
    above: Int[np.ndarray, "q n"],
    relevant: Bool[np.ndarray, "q n"],
    ignored: Bool[np.ndarray, "q n"],
    scores: Mapping[str, Score],
) -> dict[str, Float64[np.ndarray, " n"]]:
    """For each image, the sum over queries of their scores once it is left out.

    An image that a query ignores is that query itself: it goes, too. So does a query that loses its only
    relevant image; `counts_left_out` says how many are summed.

    Cost: one table of 2 R + 1 scores for each query with R relevant images, and one look-up for each image.
    """
    q, n = above.shape
    relevant = relevant & ~ignored
    r = np.array([len(one) for one in ranks], np.int64)
    others = n - ignored.sum(axis=1)
    every = np.concatenate([*ranks, np.zeros(0, np.int64)])
    owner, start = np.repeat(np.arange(q), r), np.cumsum(r) - r
    nth = np.arange(1, len(every) + 1) - start[owner]
    shifted = np.maximum(every - 1, 1)
    base = 2 * start + np.arange(q)
    asker = np.repeat(np.arange(q), r + 1)
    gap = np.arange(len(asker)) - (start + np.arange(q))[asker]
    where = base[:, None] + above + np.where(relevant, (r + 1)[:, None], 0)
    counted = ~ignored & (r[:, None] > np.where(relevant, 1, 0))
    found = {}
    for name, (weight, finish) in scores.items():
        same, up = _running(weight(nth, every, r[owner])), _running(weight(nth, shifted, r[owner]))
        fewer = np.maximum(r - 1, 1)
        kept = _running(weight(nth, every, fewer[owner]))
        moved = _running(weight(nth - 1, shifted, fewer[owner]))
        table = np.zeros(2 * len(every) + q)
        at, first, last = start[asker] + gap, start[asker], (start + r)[asker]
        total = same[at] - same[first] + up[last] - up[at]
        table[base[asker] + gap] = finish(total, np.maximum(r, 1)[asker], others[asker] - 1)
        at, first, last = start[owner] + nth, start[owner], (start + r)[owner]
        total = kept[at - 1] - kept[first] + moved[last] - moved[at]
        table[(base + r)[owner] + nth] = finish(total, fewer[owner], others[owner] - 1)
        found[name] = np.where(counted, table[where], 0.0).sum(axis=0)
    return found


def counts_left_out(
    relevant: Bool[np.ndarray, "q n"], ignored: Bool[np.ndarray, "q n"]
) -> Int64[np.ndarray, " n"]:
    """For each image, how many queries still have a relevant image once it is left out."""
    wanted = relevant & ~ignored
    r = wanted.sum(axis=1)[:, None]
    return np.asarray((~ignored & (r > np.where(wanted, 1, 0))).sum(axis=0), dtype=np.int64)


def jackknife_intervals(
    values: Mapping[str, Float64[np.ndarray, " queries"]],
    sums: Mapping[str, Float64[np.ndarray, " n"]],
    counts: Int64[np.ndarray, " n"],
    bounds: Mapping[str, tuple[float, float]] = MappingProxyType({}),
) -> dict[str, Interval]:
    """Means over queries and their 95% intervals: jackknife over photographs, Student's t, cut at bounds.

    NaN without interval where some photograph cannot be left out, because nothing would be left.
    Source: Tukey, Bias and confidence in not-quite large samples (1958); Efron & Stein, The jackknife
    estimate of variance, Annals of Statistics 9 (1981): on average it is not too small.

    Args:
        values: by name, NaN for queries without relevant images.
        sums: of the same names, as `sums_left_out` gives them, over all queries.
        counts: as `counts_left_out` gives them, over all queries.
        bounds: by name, what each can be at all; without any where there is none.

    Raises:
        InputError: scores that are undefined for different queries.
        ShapeError: scores of different queries.
    """
    if not values:
        return {}
    table = _columns(list(values.values()))
    known = ~np.isnan(table[:, 0])
    n = int(known.sum())
    middle = table[known].mean(axis=0) if n else np.full(table.shape[1], np.nan)
    reach = np.full(table.shape[1], np.nan)
    if n > 1 and counts.all():
        left = np.stack([sums[name] for name in values], axis=1) / counts[:, None]
        reach = half_width(jackknife_error(left), n - 1)
    low, high = ends(middle, reach, np.array([bounds.get(name, ANYWHERE) for name in values]))
    return {
        name: Interval(float(m), float(a), float(b), n)
        for name, m, a, b in zip(values, middle, low, high, strict=True)
    }


def jackknife_error(left: Float64[np.ndarray, "units columns"]) -> Float64[np.ndarray, " columns"]:
    """The standard error of each column, from its values with every unit left out in turn.

    Source: Efron & Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    n = len(left)
    return np.sqrt(((left - left.mean(axis=0)) ** 2).sum(axis=0) * (n - 1) / n)


def _columns(columns: list[Float64[np.ndarray, " queries"]]) -> Float64[np.ndarray, "queries columns"]:
    for column in columns:
        if column.shape != columns[0].shape:
            raise ShapeError("scores", expected=f"queries={len(columns[0])}", actual=column.shape)
        if (np.isnan(column) != np.isnan(columns[0])).any():
            raise InputError("the scores are undefined for different queries")
    return np.stack(columns, axis=1)


def _running(weights: np.ndarray) -> Float64[np.ndarray, " _"]:
    return np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
