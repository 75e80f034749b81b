"""Areas within strata: counted off sorted whole numbers, against scipy's ranks stratum by stratum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from dinoscope.maths.auc import MANY
from dinoscope.maths.strata import UNDECIDED, Strata

N = 2 * MANY


def drawn(seed: int, n_strata: int) -> tuple[Strata, np.ndarray]:
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, n_strata, N)
    positive = rng.uniform(size=N) < 0.3
    positive[stratum == 0] = True  # a stratum of one kind alone is compared with nothing
    scores = np.clip(rng.normal(0.1 * positive + stratum / n_strata - 0.5, 0.05), -1, 1)
    return Strata(positive, stratum), scores


def by_ranks(strata: Strata, scores: np.ndarray) -> float:
    won = every = 0.0
    for s in range(int(strata.stratum.max()) + 1):
        here = strata.stratum == s
        p, n = scores[here & strata.positive], scores[here & ~strata.positive]
        if len(p) and len(n):
            won += mannwhitneyu(p, n, method="asymptotic").statistic
            every += len(p) * len(n)
    return won / every


def refused() -> np.ndarray:
    raise AssertionError("asked for all digits")


@pytest.mark.parametrize("n_strata", [2, 300])
def test_one_sorting_counts_what_ranks_of_each_stratum_give(n_strata: int) -> None:
    strata, scores = drawn(n_strata, n_strata)
    want = by_ranks(strata, scores)
    assert strata.auc(scores) == pytest.approx(want, abs=1e-12)
    rough = scores.astype(np.float32)
    assert strata.auc_of_many(rough.copy, refused) == pytest.approx(want, abs=UNDECIDED / 2)


def test_ends_of_the_range_keep_their_order() -> None:
    positive = np.arange(N) % 2 == 0
    strata = Strata(positive, np.zeros(N, np.int64))
    spread = np.linspace(0, 1e-1, N)
    for scores in (np.where(positive, 1 - spread, -1 + spread), np.where(positive, -1 + spread, 1 - spread)):
        rough = scores.astype(np.float32)
        assert strata.auc_of_many(rough.copy, refused) == float(scores[0] > 0)


@pytest.mark.parametrize("levels", [1, 7])
def test_ties_are_counted_half_by_all_digits(levels: int) -> None:
    strata, scores = drawn(levels, 5)
    scores = np.round(scores * levels) / levels
    noisy = (scores + np.random.default_rng(0).normal(0, 3e-8, N)).astype(
        np.float32
    )  # as products in 32 bits
    asked = []

    def finely() -> np.ndarray:
        asked.append(1)
        return scores + np.random.default_rng(1).uniform(-1e-14, 1e-14, N)

    assert strata.auc_of_many(noisy.copy, finely) == pytest.approx(by_ranks(strata, scores), abs=1e-12)
    assert asked


def test_more_strata_than_fit_beside_few_decimals_are_compared_by_all() -> None:
    strata, scores = drawn(0, 3000)
    assert strata.auc_of_many(refused, lambda: scores) == pytest.approx(by_ranks(strata, scores), abs=1e-12)


def test_nothing_to_compare_is_undefined() -> None:
    assert np.isnan(Strata(np.array([True, True]), np.array([0, 1])).auc(np.array([0.1, 0.2])))
