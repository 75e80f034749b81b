from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from dinoscope.errors import ShapeError
from dinoscope.maths.intervals import (
    SHARE,
    by_chance,
    column_differences,
    column_intervals,
    mean_interval,
    paired_difference,
)


@pytest.mark.parametrize("n", [2, 3, 6, 60])
def test_agrees_with_scipy(n: int) -> None:
    values = np.random.default_rng(n).gamma(2.0, size=n)
    ours, theirs = mean_interval(values), ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert ours.n == n
    np.testing.assert_allclose([ours.mean, ours.low, ours.high], [values.mean(), *theirs], rtol=1e-12)


def test_undefined_images_are_left_out_and_counted() -> None:
    interval = mean_interval(np.array([1.0, np.nan, 3.0]))
    assert (interval.mean, interval.n) == (2.0, 2)
    assert math.isnan(mean_interval(np.array([np.nan])).mean)
    one = mean_interval(np.array([4.0]))
    assert (one.mean, one.n) == (4.0, 1)
    assert math.isnan(one.low) and math.isnan(one.high)


def test_values_that_are_all_the_same_have_an_interval_without_width() -> None:
    same = mean_interval(np.full(7, 0.25))
    assert (same.low, same.mean, same.high) == (0.25, 0.25, 0.25)


def test_pairing_removes_what_both_share() -> None:
    rng = np.random.default_rng(2)
    shared = 10 * rng.standard_normal(50)
    difference = paired_difference(shared + 0.1 + 0.01 * rng.standard_normal(50), shared)
    assert 0.09 < difference.interval.low < difference.interval.high < 0.11
    assert (difference.above, difference.tied, difference.below) == (1.0, 0.0, 0.0)


@pytest.mark.usefixtures("unchecked_shapes")
def test_ties_are_counted_apart_and_unknown_pairs_not_at_all() -> None:
    values, reference = np.array([1.0, 1.0, 3.0, 2.0, np.nan]), np.array([1.0, 2.0, 2.0, 1.0, 0.0])
    difference = paired_difference(values, reference)
    assert (difference.above, difference.tied, difference.below) == (0.5, 0.25, 0.25)
    assert difference.interval.n == 4
    rounding = paired_difference(np.full(3, 0.1 + 0.2), np.full(3, 0.3))
    assert rounding.tied == 1.0
    same = paired_difference(values[:4], values[:4])
    assert (same.above, same.tied, same.below) == (0.0, 1.0, 0.0)
    assert (same.interval.low, same.interval.high) == (0.0, 0.0)
    with pytest.raises(ShapeError):
        paired_difference(np.ones(2), np.ones(3))


def test_columns_together_give_what_each_gives_alone() -> None:
    table = np.random.default_rng(2).gamma(2.0, size=(30, 5))
    table[3, 1] = table[7, 2] = table[3, 4] = np.nan
    table[:, 3] = np.nan
    for column, interval in zip(table.T, column_intervals(table), strict=True):
        known = column[~np.isnan(column)]
        assert interval.n == len(known)
        if len(known):
            theirs = ttest_1samp(known, 0.0).confidence_interval(0.95)
            np.testing.assert_allclose([interval.low, interval.high], [*theirs], rtol=1e-12)
    differences = column_differences(table[:, 1:] - table[:, :1])
    alone = paired_difference(table[:, 1], table[:, 0])
    assert differences[0].above == alone.above and differences[0].interval.n == alone.interval.n == 29
    assert differences[0].interval.low == pytest.approx(alone.interval.low, abs=1e-12)
    assert differences[0].above + differences[0].tied + differences[0].below == pytest.approx(1.0)
    assert all(math.isnan(v) for v in (differences[2].above, differences[2].tied, differences[2].below))
    assert column_intervals(np.empty((4, 0))) == ()


def test_intervals_are_cut_at_what_can_be_and_hold_the_truth_as_often() -> None:
    rng = np.random.default_rng(3)
    shares = rng.binomial(4, 0.9, (5, 4000)) / 4
    free, cut = column_intervals(shares), column_intervals(shares, SHARE)
    assert max(i.high for i in free) > 1 >= max(i.high for i in cut) and min(i.low for i in cut) >= 0
    for truth in (0.0, 0.9, 1.0):
        assert [i.low <= truth <= i.high for i in free] == [i.low <= truth <= i.high for i in cut]
    inside = [k for k, i in enumerate(free) if i.low >= 0 and i.high <= 1]
    assert inside and all(free[k] == cut[k] for k in inside)
    assert math.isnan(mean_interval(np.array([0.5]), SHARE).high)
    broken = mean_interval(np.array([2.0, 4.0]), SHARE)
    assert broken.low == 0.0 and broken.high == broken.mean == 3.0  # never beyond its own mean
    ahead = paired_difference(np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.2, 0.3]), SHARE).interval
    assert (ahead.low, ahead.high) == (-1.0, 1.0)
    both = column_intervals(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([SHARE, (-1.0, 9.0)]))
    assert [(i.low, i.high) for i in both] == [(0.0, 1.0), (-1.0, pytest.approx(6.853, abs=1e-3))]


def test_how_many_leave_out_0_by_chance_is_what_happens() -> None:
    tables = np.random.default_rng(8).standard_normal((12, 40_000))
    above = np.mean([i.low > 0 for i in column_intervals(tables)])
    below = np.mean([i.high < 0 for i in column_intervals(tables)])
    assert above == pytest.approx(1 / 40, abs=0.002) and below == pytest.approx(1 / 40, abs=0.002)
    assert "about 2.1 of these 42" in by_chance(42) and "one in 40 lies above" in by_chance(42)
    assert by_chance(1) == by_chance(0) == ""
