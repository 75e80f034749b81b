"""The rules of the confirmatory experiment answer as written, each condition on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.confirmatory.rules import (
    CLASS_TOKEN,
    PRIMARY,
    RIVALS,
    credit,
    degradation,
    estimate,
    holm_levels,
    power,
)

NOISE = np.array([0.004, -0.004, 0.002, -0.002, 0.003, -0.003])


def around(mean: float, scale: float = 1.0) -> np.ndarray:
    return mean + scale * NOISE


def test_an_estimate_is_scipys_and_its_sign_flips_are_counted_one_by_one():
    values = np.array([0.03, 0.01, 0.025, -0.004, 0.02, 0.015])
    found = estimate(values)
    low, high = stats.t.interval(0.95, 5, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    exact = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert found.sign_flip == pytest.approx(exact.pvalue)


def test_a_trunk_without_a_value_is_refused():
    with pytest.raises(ValueError, match="finite"):
        estimate(np.array([0.1, math.nan]))


@pytest.mark.parametrize(
    ("p", "levels"),
    [
        ((0.001, 0.04), (0.975, 0.95)),  # the first is rejected, so the second is asked at 5%
        ((0.04, 0.03), (0.975, 0.975)),  # neither passes 2.5%
        ((0.04, 0.02), (0.95, 0.975)),
    ],
)
def test_holm_widens_the_interval_that_is_asked_first(p, levels):
    assert holm_levels(p) == pytest.approx(levels)


def change(matched: float, boundary: float, token: float, scale: float = 1.0) -> dict[str, np.ndarray]:
    means = (matched, boundary, token)
    return {n: around(m, scale) for n, m in zip((*PRIMARY, CLASS_TOKEN), means, strict=True)}


@pytest.mark.parametrize(
    ("matched", "boundary", "token", "scale", "answer"),
    [
        (-0.03, 0.0, 0.01, 1.0, "yes"),
        (0.0, -0.03, 0.0, 1.0, "yes"),
        (-0.03, 0.0, -0.01, 1.0, "not settled"),  # the class token fell, too
        (-0.03, 0.0, 0.01, 12.0, "not settled"),  # too much noise
        (0.0, 0.005, 0.0, 1.0, "no"),
        (-0.019, 0.0, 0.01, 1.0, "not settled"),  # below the threshold, and not within it either
    ],
)
def test_degradation_asks_for_a_fall_an_interval_and_a_class_token_that_holds(
    matched, boundary, token, scale, answer
):
    assert degradation(change(matched, boundary, token, scale))[0].answer == answer


def arms(gain: float, token: float = 0.0, but: dict[str, float] | None = None) -> dict:
    found = {"gram-x2": {PRIMARY[0]: around(0.7 + gain), PRIMARY[1]: around(0.7)}}
    for rival in RIVALS:
        found[rival] = {PRIMARY[0]: around((but or {}).get(rival, 0.7), -1.0), PRIMARY[1]: around(0.7, -1.0)}
    for name, values in found.items():
        values[CLASS_TOKEN] = np.full(6, 0.1 - (token if name == "gram-x2" else 0.0))
    return found


TEACHER = {name: np.full(6, 0.65) for name in PRIMARY}


def test_the_anchor_is_credited_when_it_beats_every_rival_and_its_teacher():
    assert credit(arms(0.04), TEACHER)[0].answer == "yes"


@pytest.mark.parametrize("rival", RIVALS)
def test_one_rival_that_comes_near_takes_the_credit_away(rival):
    verdict, found = credit(arms(0.04, but={rival: 0.73}), TEACHER)
    assert verdict.answer == "no"
    assert any(rival in reason for reason in verdict.reasons)
    assert found[PRIMARY[0]][rival].mean == pytest.approx(0.01, abs=1e-6)


def test_a_class_token_that_pays_for_it_takes_the_credit_away():
    assert credit(arms(0.04, token=0.029), TEACHER)[0].answer == "yes"
    assert credit(arms(0.04, token=0.031), TEACHER)[0].answer == "no"


def test_one_trunk_below_its_own_teacher_takes_the_credit_away():
    teacher = {name: values.copy() for name, values in TEACHER.items()}
    teacher[PRIMARY[0]][2] = 0.9
    assert credit(arms(0.04), teacher)[0].answer == "no"


def test_power_is_that_of_a_simulation():
    drawn = np.random.default_rng(0).normal(0.03, 0.012, (20_000, 6)).mean(axis=1)
    assert power(0.03, 0.012, 6) == pytest.approx((drawn >= 0.02).mean(), abs=0.01)
    assert power(0.02, 0.012, 6) == pytest.approx(0.5)
