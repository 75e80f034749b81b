from __future__ import annotations

import math

import numpy as np
import pytest

from dinoscope.monitoring.check import Check
from dinoscope.monitoring.rule import MARGIN, RANK_SHARE, advice, difference, fall, falls_since

N = 12
PHOTOGRAPHS = np.random.default_rng(0).normal(0.75, 0.05, N)
"""Some are easier than others: paired differences do not see that."""


def seen(means: list[float], ranks: list[float] | None = None, noise: float = 0.003) -> list[Check]:
    random = np.random.default_rng(1)
    ranks = ranks or [10.0] * len(means)
    return [
        Check(
            100 * i,
            {},
            tuple(PHOTOGRAPHS - 0.75 + mean + random.normal(0, noise, N)),
            tuple(rank * np.exp(random.normal(0, 0.02, N))),
        )
        for i, (mean, rank) in enumerate(zip(means, ranks, strict=True))
    ]


def test_a_steady_or_rising_quality_raises_no_alarm() -> None:
    for means in ([0.7] * 8, list(np.linspace(0.6, 0.8, 8)), [0.7, 0.69, 0.71, 0.7, 0.69]):
        checks = seen(means)
        assert all(falls_since(checks[:k]) is None for k in range(len(checks) + 1))


def test_a_fall_is_dated_from_the_best_check_and_needs_two_in_a_row() -> None:
    checks = seen([0.70, 0.75, 0.74, 0.69, 0.68])
    assert falls_since(checks[:4]) is None  # one below could be chance
    assert falls_since(checks) == 100
    assert falls_since(seen([0.70, 0.75, 0.69, 0.75, 0.69])) is None


def test_a_fall_smaller_than_the_margin_is_none() -> None:
    small, large = 0.8 * MARGIN, 1.5 * MARGIN
    assert falls_since(seen([0.75, 0.75 - small, 0.75 - small], noise=1e-4)) is None
    assert falls_since(seen([0.75, 0.75 - large, 0.75 - large], noise=1e-4)) == 0


def test_a_fall_that_photographs_do_not_agree_on_is_none() -> None:
    assert falls_since(seen([0.75, 0.70, 0.70], noise=0.3)) is None


def test_a_collapse_is_seen_by_rank_alone() -> None:
    deep, shallow = 10 * RANK_SHARE * 0.9, 10 * RANK_SHARE * 1.15
    assert falls_since(seen([0.75] * 4, [8, 10, deep, deep])) == 100
    assert falls_since(seen([0.75] * 4, [8, 10, shallow, shallow])) is None
    found = fall(seen([0.75] * 4, [8, 10, deep, deep]))
    assert found is not None and "effective rank was 9.9" in found[1] and "and is 6." in found[1]
    assert advice(seen([0.75] * 3, [8, 10, deep])).startswith("an anchor may help: the patches of step 100")
    assert advice(seen([0.75] * 3, [8, 10, shallow])).startswith("an anchor would not help")
    fallen = fall(seen([0.75, 0.6, 0.6]))
    assert fallen is not None and fallen[1] == "dense quality falls since step 0"


def test_a_warmup_is_no_reference() -> None:
    checks = seen([0.80, 0.70, 0.71, 0.70, 0.70])
    assert falls_since(checks) == 0 and falls_since(checks, warmup=100) is None
    assert advice(checks).startswith("an anchor may help")
    assert advice(checks, warmup=100).startswith("an anchor would not help")
    assert falls_since(checks[:3], warmup=200) is None and advice(checks[:2], warmup=200) == ""


def test_numbers_that_are_none_are_no_reference() -> None:
    checks = seen([0.75, 0.75, 0.75])
    broken = Check(150, {}, (math.nan,) * N, (math.nan,) * N, finite=False)
    assert falls_since([broken, *checks]) is None
    assert falls_since([checks[0], broken, broken]) is None
    assert difference(checks[0], broken) is None


def test_the_interval_is_that_of_paired_differences() -> None:
    first, second = seen([0.75, 0.70])
    gap = np.array(second.quality) - np.array(first.quality)
    found = difference(first, second)
    assert found is not None
    reach = 2.200985 * gap.std(ddof=1) / math.sqrt(N)  # Student's t, 11 degrees of freedom
    assert found.mean == pytest.approx(gap.mean())
    assert (found.low, found.high) == pytest.approx((gap.mean() - reach, gap.mean() + reach), rel=1e-5)


def test_it_says_whether_an_anchor_would_help() -> None:
    assert advice(seen([0.7])) == ""
    assert advice(seen([0.7, 0.75, 0.68])).startswith("an anchor may help: the features of step 100")
    assert advice(seen([0.6, 0.7, 0.75])).startswith("an anchor would not help now")
    nothing = [Check(i, {}, (math.nan,) * N, (1.0,) * N) for i in range(2)]
    assert "too few photographs" in advice(nothing)
