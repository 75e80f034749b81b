"""PC1 against a mask: laws, an independent reference, and a null that a smooth map does not beat."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from dinoscope.errors import GridMismatchError, InputError
from dinoscope.maths.foreground_auc import SHIFTS, foreground_auc
from dinoscope.maths.masks import UNKNOWN, PatchLabels
from dinoscope.metrics.foreground import FAMILIES
from dinoscope.metrics.subject import Regions, Seen, Subject

H, W = 9, 11


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(H, W, 6))


def rectangle() -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[2:6, 3:8] = True
    return mask


def by_hand(f: np.ndarray, mask: np.ndarray, known: np.ndarray | None = None) -> float:
    flat = f.reshape(H * W, -1) - f.reshape(H * W, -1).mean(0)
    pc1 = flat @ np.linalg.eigh(flat.T @ flat)[1][:, -1]
    use = np.ones(H * W, bool) if known is None else known.ravel()
    area = roc_auc_score(mask.ravel()[use], pc1[use])
    return float(max(area, 1 - area))


def test_it_finds_a_planted_object_whatever_the_sign() -> None:
    f, mask = noise(), rectangle()
    f[mask] += 6
    got = foreground_auc(f, mask)
    assert got.auc > 0.99 > 0.9 > got.null > 0.5 and got.null_high > got.null
    assert foreground_auc(f, ~mask).auc == pytest.approx(got.auc)
    assert got.auc == pytest.approx(by_hand(f, mask))


def test_the_null_is_the_mean_over_every_shift_of_the_mask() -> None:
    f, mask = gaussian_filter(noise(), (1, 1, 0)), rectangle()
    f[4:6] = f[:2]  # ties
    assert H * W <= SHIFTS
    areas = [
        by_hand(f, np.roll(mask, (r, c), (0, 1))) for r in range(H) for c in range(W) if (r, c) != (0, 0)
    ]
    assert foreground_auc(f, mask).null == pytest.approx(np.mean(areas))


def test_a_smooth_map_that_saw_nothing_scores_about_its_null() -> None:
    scores = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        f = gaussian_filter(rng.normal(size=(16, 16, 16)), (3, 3, 0), mode="wrap")
        mask = np.zeros((16, 16), bool)
        mask[:7, :7] = True
        mask = np.roll(mask, rng.integers(0, 16, 2), (0, 1))
        scores.append(foreground_auc(f, mask))
    found, null = (np.mean([getattr(s, name) for s in scores]) for name in ("auc", "null"))
    assert found > 0.6 and found == pytest.approx(null, abs=0.03)


def test_unknown_patches_count_for_nothing() -> None:
    f = np.zeros((8, 8, 2))
    f[2:5, 2:5, 0] = 1.0
    f[5:, :, 0] = 1.0  # as the object, but nobody knows what it is
    labels = np.zeros((8, 8), np.int64)
    labels[2:5, 2:5], labels[5:] = 1, UNKNOWN
    patches = PatchLabels(labels, np.ones((8, 8)))
    found = FAMILIES[0].measure(Subject(f, Seen((8, 8), regions=Regions(patches, patches, ()))))
    assert found["foreground_auc"] == 1.0
    known = labels != UNKNOWN
    other = noise()
    assert foreground_auc(
        other, rectangle(), known=rectangle() | (noise(3)[..., 0] > 0)
    ).auc == pytest.approx(by_hand(other, rectangle(), rectangle() | (noise(3)[..., 0] > 0)))
    assert known.sum() == 40


def test_it_is_undefined_without_both_kinds_or_without_variance() -> None:
    mask = np.zeros((H, W), bool)
    assert math.isnan(foreground_auc(noise(), mask).auc)
    mask[0, 0] = True
    assert math.isnan(foreground_auc(np.ones((H, W, 2)), mask).null)
    assert math.isnan(foreground_auc(noise(), mask, known=~mask).auc)
    assert math.isnan(foreground_auc(np.ones((1, 1, 2)), np.ones((1, 1), bool)).auc)


def test_bad_input_is_named() -> None:
    with pytest.raises(GridMismatchError):
        foreground_auc(noise(), np.ones((2, 2), bool))
    broken = noise()
    broken[0, 0] = np.nan
    with pytest.raises(InputError, match="1 of 99 patches"):
        foreground_auc(broken, np.ones((H, W), bool))
