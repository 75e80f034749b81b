from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from dinoscope.errors import ShapeError
from dinoscope.maths.bootstrap import column_differences, column_intervals, mean_interval, paired_difference


def test_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=60)
    ours = mean_interval(values)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, random_state=1)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = sum(i.low <= 0 <= i.high for i in (mean_interval(rng.standard_normal(40)) for _ in range(200)))
    assert 0.88 <= hits / 200 <= 0.99


def test_undefined_images_are_left_out_and_counted() -> None:
    interval = mean_interval(np.array([1.0, np.nan, 3.0]))
    assert (interval.mean, interval.n) == (2.0, 2)
    assert math.isnan(mean_interval(np.array([np.nan])).mean)
    one = mean_interval(np.array([4.0]))
    assert one.mean == 4.0
    assert math.isnan(one.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).standard_normal(30)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_pairing_removes_what_both_share() -> None:
    rng = np.random.default_rng(2)
    shared = 10 * rng.standard_normal(50)
    difference = paired_difference(shared + 0.1 + 0.01 * rng.standard_normal(50), shared)
    assert 0.09 < difference.interval.low < difference.interval.high < 0.11
    assert difference.share == 1.0


@pytest.mark.usefixtures("unchecked_shapes")
def test_ties_count_half_and_unknown_pairs_not_at_all() -> None:
    difference = paired_difference(np.array([1.0, 1.0, 2.0, np.nan]), np.array([1.0, 2.0, 1.0, 0.0]))
    assert difference.share == 0.5
    assert difference.interval.n == 3
    with pytest.raises(ShapeError):
        paired_difference(np.ones(2), np.ones(3))


def test_columns_together_give_what_each_gives_alone() -> None:
    table = np.random.default_rng(2).gamma(2.0, size=(30, 5))
    table[3, 1] = table[7, 2] = table[3, 4] = np.nan
    table[:, 3] = np.nan
    for column, interval in zip(table.T, column_intervals(table, seed=4), strict=True):
        known = column[~np.isnan(column)]
        alone = bootstrap_of(known, seed=4)
        np.testing.assert_allclose([interval.mean, interval.low, interval.high], alone, rtol=1e-12)
        assert interval.n == len(known)
    differences = column_differences(table[:, 1:] - table[:, :1], seed=4)
    first = paired_difference(table[:, 1], table[:, 0], seed=4)
    assert differences[0].share == first.share and differences[0].interval.n == first.interval.n == 29
    assert differences[0].interval.low == pytest.approx(first.interval.low, abs=1e-12)
    assert math.isnan(differences[2].share)


def bootstrap_of(values: np.ndarray, *, seed: int) -> tuple[float, float, float]:
    """Written out: one resample at a time."""
    if not len(values):
        return math.nan, math.nan, math.nan
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (10_000, len(values)))].mean(axis=1)
    return values.mean(), *np.quantile(means, (0.025, 0.975))
