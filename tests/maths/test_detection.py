"""Areas under curves of weighted scores, their intervals, and thresholds that hold their rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dinoscope.errors import InputError
from dinoscope.maths.detection import PRO_LIMIT, false_alarm_threshold, jackknife, left_out_areas
from dinoscope.maths.intervals import mean_interval


def test_the_area_is_scikit_learns_of_all_and_without_each_owner() -> None:
    rng = np.random.default_rng(0)
    scores, owner = rng.integers(0, 9, 60).astype(float), rng.integers(0, 5, 60)  # many ties
    bad, weight = rng.random(60) > 0.6, rng.integers(1, 4, 60).astype(float)
    areas = left_out_areas(scores, bad * weight, ~bad * weight, owner)
    assert areas[0] == pytest.approx(roc_auc_score(bad, scores, sample_weight=weight))
    for i in range(5):
        kept = owner != i
        expected = roc_auc_score(bad[kept], scores[kept], sample_weight=weight[kept])
        assert areas[i + 1] == pytest.approx(expected)


def slow_pro(scores: np.ndarray, regions: list[np.ndarray], sound: np.ndarray) -> float:
    """Regions hold pixels of each patch; thresholds one by one."""
    x, y = [0.0], [0.0]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        above = scores >= threshold
        x.append(float(sound[above].sum() / sound.sum()))
        y.append(float(np.mean([r[above].sum() / r.sum() for r in regions])))
    grid = np.linspace(0, PRO_LIMIT, 200_001)
    return float(np.interp(grid, x, y).mean())


def test_per_region_overlap_is_that_of_thresholds_one_by_one() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(80)
    regions = [np.where(rng.random(80) > 0.8, rng.integers(1, 9, 80), 0).astype(float) for _ in range(3)]
    sound = np.maximum(9 - sum(regions), 0)
    shares = sum(r / r.sum() for r in regions)
    area = left_out_areas(scores, shares, sound, np.zeros(80, np.int64), limit=PRO_LIMIT)[0]
    assert area == pytest.approx(slow_pro(scores, regions, sound), abs=1e-4)


def test_perfect_and_reversed_scores_end_at_one_and_zero() -> None:
    scores, bad = np.arange(10.0), np.arange(10) >= 7
    for limit in (1.0, PRO_LIMIT):
        owner = np.zeros(10, np.int64)
        assert left_out_areas(scores, bad * 1.0, ~bad * 1.0, owner, limit=limit)[0] == pytest.approx(1)
    assert left_out_areas(-scores, bad * 1.0, ~bad * 1.0, owner)[0] == 0


def test_without_one_of_the_kinds_there_is_no_area_and_no_interval() -> None:
    ones = np.ones(4)
    assert np.isnan(left_out_areas(np.arange(4.0), ones, 0 * ones, np.arange(4))).all()
    lone = left_out_areas(np.arange(4.0), np.array([0, 0, 0, 1.0]), np.array([1, 1, 1, 0.0]), np.arange(4))
    interval = jackknife(lone)
    assert interval.mean == 1 and math.isnan(interval.low)


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(2).uniform(0.2, 0.7, 12)
    left = (values.sum() - values) / 11
    found, known = jackknife(np.append(values.mean(), left)), mean_interval(values)
    assert (found.low, found.high) == (pytest.approx(known.low), pytest.approx(known.high))
    wide = np.array([0.9, 0.99, 0.5, 0.99])  # of areas, and of differences of areas
    assert jackknife(wide).high == 1.0 and jackknife(wide).low >= 0
    below, beyond = jackknife(-wide, difference=True), jackknife(wide, difference=True)
    assert below.low == -1.0 and beyond.high == 1.0 and beyond.low < 0


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (40, 0.1), (9, None)])
def test_a_threshold_holds_its_rate(n: int, rate: float | None) -> None:
    rng = np.random.default_rng(3)
    false, held = [], 0.0
    for _ in range(4000):
        scores = rng.exponential(size=n + 1)
        threshold, held = false_alarm_threshold(scores[1:], rate)
        false.append(scores[0] > threshold)
    assert held == pytest.approx(rate or 0.1)
    assert np.mean(false) == pytest.approx(held, abs=0.015)


@pytest.mark.parametrize(
    ("n", "rate", "said"),
    [(0, None, "no normal"), (5, 0.1, "the lowest is 0.167"), (5, 1.5, "between 0 and 1")],
)
def test_a_rate_that_cannot_be_held_is_refused(n: int, rate: float | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        false_alarm_threshold(np.arange(float(n)), rate)
