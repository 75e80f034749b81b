"""Leaving photographs out, against taking each away and ranking again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.intervals import mean_interval
from dinoscope.maths.left_out import counts_left_out, jackknife_intervals, standings, sums_left_out
from dinoscope.maths.retrieval_scores import (
    EXCESS,
    chance_average_precision,
    relevant_ranks,
    score_columns,
    scores_named,
)

KS = (1, 3)


def world(seed: int, n: int = 17) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places of queries, scores with ties, relevance, and what is ignored; classes of one among them."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 9, (n, n)).astype(np.float64) if seed % 2 else rng.standard_normal((n, n))
    label = rng.integers(0, 5, n)
    label[0] = 9
    queries = np.sort(rng.choice(n, n if seed % 3 else n // 2, replace=False))
    ignored = queries[:, None] == np.arange(n)
    return queries, scores[queries], label[queries][:, None] == label, ignored


def slow_scores(scores: np.ndarray, relevant: np.ndarray, ignored: np.ndarray) -> dict[str, np.ndarray]:
    ranks = relevant_ranks(scores, relevant, ignored=ignored)
    found = score_columns(ranks, KS)
    others = scores.shape[1] - ignored.sum(axis=1)
    chance = [
        chance_average_precision(len(r), int(m)) if len(r) else math.nan
        for r, m in zip(ranks, others, strict=True)
    ]
    room = 1 - np.array(chance)
    found["excess"] = np.where(room > 0, (found["ap"] - chance) / np.where(room > 0, room, 1), 0 * room)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_every_sum_is_that_of_rankings_made_again_without_the_photograph(seed: int) -> None:
    queries, scores, relevant, ignored = world(seed)
    ranks, above = standings(scores, relevant, ignored)
    for one, other in zip(ranks, relevant_ranks(scores, relevant, ignored=ignored), strict=True):
        np.testing.assert_array_equal(one, other)
    got = sums_left_out(ranks, above, relevant, ignored, scores_named(KS) | {"excess": EXCESS})
    counts = counts_left_out(relevant, ignored)
    for i in range(scores.shape[1]):
        stay = np.arange(scores.shape[1]) != i
        rows = queries != i
        again = slow_scores(*(table[rows][:, stay] for table in (scores, relevant, ignored)))
        assert counts[i] == np.count_nonzero(~np.isnan(again["ap"]))
        assert set(got) == set(again)
        for name, values in again.items():
            assert got[name][i] == pytest.approx(np.nansum(values), abs=1e-9), name


def test_the_interval_is_the_jackknifes_written_out() -> None:
    _, scores, relevant, ignored = world(4, n=30)
    ranks, above = standings(scores, relevant, ignored)
    values = {"ap": score_columns(ranks, KS)["ap"]}
    sums = sums_left_out(ranks, above, relevant, ignored, scores_named(KS))
    counts = counts_left_out(relevant, ignored)
    got = jackknife_intervals(values, {"ap": sums["ap"]}, counts)["ap"]
    known = values["ap"][~np.isnan(values["ap"])]
    left = sums["ap"] / counts
    error = math.sqrt(29 / 30 * sum((v - left.mean()) ** 2 for v in left))
    reach = t.ppf(0.975, len(known) - 1) * error
    assert (got.mean, got.n) == (pytest.approx(known.mean()), len(known))
    assert (got.low, got.high) == (pytest.approx(got.mean - reach), pytest.approx(got.mean + reach))


def test_without_a_gallery_to_share_it_is_students_interval() -> None:
    """Means of independent values: leaving one out changes nothing but its own share of the mean."""
    values = np.random.default_rng(0).random(20)
    sums = values.sum() - values
    got = jackknife_intervals({"a": values}, {"a": sums}, np.full(20, 19))["a"]
    own = mean_interval(values)
    assert (got.low, got.high) == (pytest.approx(own.low), pytest.approx(own.high))


def test_where_nothing_would_be_left_there_is_no_interval() -> None:
    relevant = np.array([[True, True, False], [True, True, False], [False, False, True]])
    ignored = np.eye(3, dtype=bool)
    scores = np.random.default_rng(0).random((3, 3))
    ranks, above = standings(scores, relevant, ignored)
    values = score_columns(ranks, KS)
    sums = sums_left_out(ranks, above, relevant, ignored, scores_named(KS))
    counts = counts_left_out(relevant, ignored)
    assert counts.tolist() == [0, 0, 2]
    found = jackknife_intervals(values, sums, counts)["ap"]
    assert found.n == 2 and math.isnan(found.low) and math.isfinite(found.mean)


def test_scores_of_different_queries_are_refused() -> None:
    counts = np.array([1, 1])
    assert jackknife_intervals({}, {}, counts) == {}
    values = {"a": np.array([1.0, np.nan]), "b": np.array([np.nan, 1.0])}
    with pytest.raises(InputError, match="different queries"):
        jackknife_intervals(values, values, counts)
    with pytest.raises(ShapeError):
        jackknife_intervals({"a": np.ones(2), "b": np.ones(3)}, {}, counts)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        standings(np.full((1, 2), np.nan), np.ones((1, 2), bool), np.zeros((1, 2), bool))
