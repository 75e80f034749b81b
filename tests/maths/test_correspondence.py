import math

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.correspondence import pck


def noise(h=6, w=8, dim=16, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def centres(h=6, w=8):
    row, col = np.mgrid[:h, :w]
    return np.stack([(col + 0.5) / w, (row + 0.5) / h], axis=-1)


ALL = np.ones((6, 8), bool)


def test_a_map_matches_itself_and_a_rolled_one_its_flow():
    f = noise()
    got = pck(f, f, centres(), ALL)
    assert got.pck == 1.0 and got.mean_error == pytest.approx(0, abs=1e-12) and got.n == 48
    rolled = np.roll(f, (1, 2), axis=(0, 1))
    flow = np.roll(centres(), (-1, -2), axis=(0, 1))
    assert pck(f, rolled * 3, flow, ALL).pck == 1.0
    assert pck(f, rolled, centres(), ALL).pck < 0.5


def test_matches_and_errors_by_hand():
    f, g = noise(), noise(5, 4, seed=1)
    truth = np.random.default_rng(2).uniform(size=(6, 8, 2))
    valid = np.random.default_rng(3).uniform(size=(6, 8)) > 0.4
    x, z = (m / np.linalg.norm(m, axis=2, keepdims=True) for m in (f, g))
    errors = []
    for r in range(6):
        for c in range(8):
            if valid[r, c]:
                best = max((x[r, c] @ z[i, j], i, j) for i in range(5) for j in range(4))
                dx = ((best[2] + 0.5) / 4 - truth[r, c, 0]) * 0.8  # 4 wide, 5 high: the side is 5
                dy = (best[1] + 0.5) / 5 - truth[r, c, 1]
                errors.append(math.hypot(dx, dy))
    got = pck(f, g, truth, valid, alpha=0.3)
    assert got.pck == pytest.approx(np.mean(np.array(errors) <= 0.3)) and 0 < got.pck < 1
    assert got.mean_error == pytest.approx(np.mean(errors)) and got.n == valid.sum()


def test_tolerance_only_helps_and_noise_only_hurts():
    f = noise()
    values = [pck(f, noise(seed=1), centres(), ALL, alpha=a).pck for a in (0.05, 0.2, 0.5, 2.0)]
    assert values == sorted(values) and values[-1] == 1.0
    noisy = [pck(f, f + s * noise(seed=1), centres(), ALL).pck for s in (0.0, 2.0, 50.0)]
    assert noisy == sorted(noisy, reverse=True) and noisy[-1] < 0.5


def test_the_aspect_of_the_photograph_weighs_the_axes():
    f = noise()
    off = centres() + np.array([0.0, 0.2])
    wide = PatchFeatures.from_array(f, image_size=(400, 100))
    assert pck(f, wide, off, ALL).mean_error == pytest.approx(0.2 / 4, abs=1e-6)
    assert pck(f, f, off, ALL, aspect=0.5).mean_error == pytest.approx(0.2)


def test_rotation_of_both_changes_nothing():
    f, g = noise(), noise(seed=1)
    q = np.linalg.qr(np.random.default_rng(4).normal(size=(16, 16)))[0]
    assert pck(f @ q, g @ q * 5, centres(), ALL).mean_error == pytest.approx(
        pck(f, g, centres(), ALL).mean_error
    )


def test_nothing_valid_is_nan_and_bad_input_is_named():
    f = noise()
    got = pck(f, f, np.full((6, 8, 2), np.nan), ~ALL)
    assert math.isnan(got.pck) and math.isnan(got.mean_error) and got.n == 0
    with pytest.raises(InputError, match="valid"):
        pck(f, f, np.full((6, 8, 2), np.nan), ALL)
    with pytest.raises(InputError, match="alpha"):
        pck(f, f, centres(), ALL, alpha=0.0)
    with pytest.raises(ShapeError):
        pck(f, noise(dim=4), centres(), ALL)
    with pytest.raises(ShapeError):
        pck(f, f, centres(8, 6), np.ones((8, 6), bool))
    f[1, 1] = np.inf
    with pytest.raises(InputError, match="target: 1 of 48"):
        pck(noise(), f, centres(), ALL)
