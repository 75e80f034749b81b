import math

import numpy as np
import pytest

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.norms import norm_map, norm_outliers


def maps(count=3, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, 8, 10, 32)))


def test_norms_are_euclidean():
    f = maps(1)[0]
    want = [[math.sqrt(sum(v * v for v in f[r, c])) for c in range(10)] for r in range(8)]
    np.testing.assert_allclose(norm_map(f), want, rtol=1e-12)


def test_planted_long_tokens_are_found_and_only_they():
    features = maps()
    planted = [np.zeros((8, 10), bool) for _ in features]
    for i, (row, col) in enumerate([(1, 2), (7, 9), (0, 0)]):
        features[i][row, col] *= 10
        planted[i][row, col] = True
    found = norm_outliers(features)
    for mask, want in zip(found.masks, planted, strict=True):
        np.testing.assert_array_equal(mask, want)
    assert found.share == pytest.approx(3 / 240)
    assert 8 < found.ratio < 12


def test_the_threshold_is_median_and_mad_of_all_maps_together():
    features = maps()
    norms = np.sort(np.concatenate([norm_map(f).ravel() for f in features]))
    middle = (norms[119] + norms[120]) / 2
    gaps = np.sort(np.abs(norms - middle))
    want = middle + 4 * 1.4826 * (gaps[119] + gaps[120]) / 2
    assert norm_outliers(features, deviations=4.0).threshold == pytest.approx(want)


def test_scale_changes_only_the_threshold():
    features = maps()
    features[0][0, 0] *= 9
    one, two = norm_outliers(features), norm_outliers([3.0 * f for f in features])
    assert two.threshold == pytest.approx(3 * one.threshold)
    assert two.ratio == pytest.approx(one.ratio) and two.share == one.share


def test_nothing_stands_out_of_equal_lengths():
    found = norm_outliers([np.ones((3, 3, 4))])
    assert found.share == 0.0 and math.isnan(found.ratio)
    assert not found.masks[0].any()


def test_bad_input_is_named():
    with pytest.raises(InputError, match="at least one"):
        norm_outliers([])
    with pytest.raises(InputError, match="deviations"):
        norm_outliers(maps(), deviations=0.0)
    with pytest.raises(ShapeError):
        norm_map(np.ones((3, 4)))
    broken = maps(1)[0]
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        norm_outliers([broken])
