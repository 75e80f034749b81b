"""What is said of paired differences, on differences whose truth is planted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from dinoscope.data.results import FEWEST_TO_JUDGE, Interval, PairedDifference
from dinoscope.drawing.verdicts import agreement, direction, shares, sign_test
from dinoscope.maths.intervals import paired_difference


def differing(values: list[float]) -> PairedDifference:
    return paired_difference(np.array(values), np.zeros(len(values)))


def test_shares_are_whole_and_add_up_to_100() -> None:
    assert shares(differing([0.0] * 8)) == "0 / 100 / 0"
    assert shares(differing([1.0] * 22 + [0.0] * 65 + [-1.0] * 13)) == "22 / 65 / 13"
    for n in range(1, 30):
        for above in range(n + 1):
            whole = [int(v) for v in shares(differing([1.0] * above + [-1.0] * (n - above))).split(" / ")]
            assert sum(whole) == 100 and abs(whole[0] - 100 * above / n) <= 1
    assert shares(differing([math.nan])) == "–"


def test_the_sign_test_is_scipys_without_ties() -> None:
    for above, below, tied in ((11, 1, 0), (3, 3, 5), (0, 6, 2), (40, 22, 1), (200, 120, 0)):
        found = sign_test(differing([1.0] * above + [-1.0] * below + [0.0] * tied))
        assert found == pytest.approx(binomtest(above, above + below).pvalue, rel=1e-9)
    assert sign_test(differing([0.0] * 4)) == 1.0


def test_direction_needs_a_whole_interval_and_enough_photographs() -> None:
    up = [0.1, 0.12, 0.11, 0.1, 0.12, 0.11]
    assert direction(differing(up).interval) == 1
    assert direction(differing([-v for v in up]).interval) == -1
    assert direction(differing(up[: FEWEST_TO_JUDGE - 1]).interval) == 0
    assert direction(differing([0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1]).interval) == 0
    assert direction(Interval(0.1, math.nan, math.nan, 9)) == 0


def test_a_mean_that_holds_0_although_nearly_all_photographs_agree_is_told_with_the_reason() -> None:
    few_large = differing([0.01] * 10 + [0.012, -0.3])
    assert few_large.interval.low < 0 < few_large.interval.high
    said = agreement(few_large)
    assert "the mean is not told from 0, yet 11 of 12 photographs are above 0" in said
    assert "p = 0.006" in said and "a few large differences" in said
    assert "11 of 12 scenes are below 0" in agreement(differing([-0.01] * 10 + [-0.012, 0.3]), "scenes")
    assert agreement(differing([0.1, -0.1] * 6)) == ""
    assert agreement(differing([0.1, 0.11] * 6)) == ""
    assert agreement(differing([0.01] * 4 + [-0.3])) == ""


def test_six_is_the_fewest_that_a_sign_test_can_tell_from_chance() -> None:
    assert sign_test(differing([1.0] * (FEWEST_TO_JUDGE - 1))) > 0.05 > sign_test(differing([1.0] * 6))
