import math

import numpy as np
import pytest
from scipy.linalg import eigh

from dinoscope.errors import InputError
from dinoscope.maths.discovery import box_iou, lost, tokencut


def scene(spread=0.1, seed=0, negative=False):
    """A 3 x 4 object in a 10 x 12 background; features point one way inside and another outside."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((10, 12), bool)
    mask[4:7, 2:6] = True
    base = np.eye(6)[:2] if not negative else np.array([np.eye(6)[0], np.eye(6)[1] - 0.3 * np.eye(6)[0]])
    return base[mask.astype(int)] + spread * rng.normal(size=(10, 12, 6)), mask


def test_tokencut_finds_the_planted_object_and_its_box():
    f, mask = scene()
    got = tokencut(f)
    np.testing.assert_array_equal(got.mask, mask)
    assert got.box == pytest.approx((2 / 12, 4 / 10, 6 / 12, 7 / 10))


def test_tokencut_solves_the_generalised_problem_of_the_paper():
    f = np.random.default_rng(3).normal(size=(5, 6, 3))
    x = (f / np.linalg.norm(f, axis=2, keepdims=True)).reshape(30, 3)
    a = np.where(x @ x.T > 0.2, 1.0, 1e-5)
    d = np.diag(a.sum(axis=1))
    values, vectors = eigh(d - a, d)
    assert values[2] - values[1] > 1e-3  # else the vector is not unique
    y = vectors[:, 1]
    y = y * np.sign(y[np.abs(y).argmax()])
    side = y > y.mean()
    got = tokencut(f).mask.ravel()
    assert got[np.abs(y).argmax()] and not (got & ~side).any()


def test_lost_finds_the_planted_object():
    f, mask = scene(spread=0.02, negative=True)
    got = lost(f)
    np.testing.assert_array_equal(got.mask, mask)
    assert got.box == pytest.approx((2 / 12, 4 / 10, 6 / 12, 7 / 10))


@pytest.mark.parametrize(("find", "negative"), [(tokencut, False), (lost, True)])
def test_rotation_and_scale_change_nothing_and_a_mirror_mirrors(find, negative):
    f, _ = scene(0.1, negative=negative)
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    base = find(f).mask
    np.testing.assert_array_equal(find(f @ q * 40).mask, base)
    np.testing.assert_array_equal(find(f[:, ::-1].copy()).mask, base[:, ::-1])


def test_what_is_common_to_all_patches_is_nothing_to_lost():
    f, mask = scene(spread=0.02, negative=True)
    np.testing.assert_array_equal(lost(f + 30 * np.arange(1, 7)).mask, mask)


@pytest.mark.parametrize("find", [tokencut, lost])
def test_nothing_is_found_where_nothing_differs(find):
    for f in (np.ones((4, 5, 3)), np.ones((1, 1, 3)), np.zeros((3, 3, 2))):
        got = find(f)
        assert got.box is None and not got.mask.any()


def test_box_iou_by_hand():
    whole, half, quarter = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.0, 0.5, 0.5)
    assert box_iou(whole, half) == 0.5 and box_iou(half, quarter) == 0.5
    assert box_iou(whole, whole) == 1.0 and box_iou(quarter, (0.6, 0.6, 1.0, 1.0)) == 0.0
    assert math.isnan(box_iou((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)))


def test_bad_input_is_named():
    f, _ = scene()
    with pytest.raises(InputError, match="k must"):
        lost(f, k=0)
    f[0, 0, 0] = np.nan
    for find in (tokencut, lost):
        with pytest.raises(InputError, match="1 of 120"):
            find(f)
