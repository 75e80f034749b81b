"""What a bank of normal patches says of others."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ProvenanceMismatchError, ShapeError
from dinoscope.normality.normal import fit_normal, photograph_score


def features(seed: int, *, h: int = 6, w: int = 8, dim: int = 16, name: str = "array") -> PatchFeatures:
    values = np.random.default_rng(seed).normal(size=(h, w, dim)) + 2.0
    return PatchFeatures.from_array(values.astype(np.float32), image_size=(80, 60), name=name)


def test_a_photograph_of_the_bank_scores_zero_and_others_do_not() -> None:
    normal = [features(seed) for seed in range(4)]
    bank = fit_normal(normal)
    assert bank.n_photographs == 4 and bank.n_patches == len(bank.vectors) == 4 * 48
    for f in normal:
        assert (bank.score(f) == 0).all()
    other = bank.score(features(9))
    assert other.shape == (6, 8) and (other > 0).all() and (other <= 2).all()


def test_the_distance_is_to_the_nearest_patch_of_any_photograph() -> None:
    normal, other = [features(seed) for seed in range(3)], features(9)
    rows = np.concatenate([f.values.reshape(-1, 16) for f in normal]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query = other.values[2, 3].astype(float)
    expected = 1 - (rows @ query / np.linalg.norm(query)).max()
    assert fit_normal(normal).score(other)[2, 3] == pytest.approx(expected, abs=1e-6)


def test_each_normal_photograph_is_held_out_of_the_bank_it_is_compared_with() -> None:
    normal = [features(seed) for seed in range(4)]
    bank = fit_normal(normal)
    for i in range(4):
        others = fit_normal([f for j, f in enumerate(normal) if j != i]).score(normal[i])
        assert bank.held_out[i, 0] == pytest.approx(photograph_score(others), abs=1e-9)
        assert bank.held_out[i, 1] == pytest.approx(others.max(), abs=1e-9)
    found = bank.threshold()
    assert found.rate == pytest.approx(1 / 5)
    assert (found.photograph, found.patch) == tuple(bank.held_out.max(axis=0))
    with pytest.raises(InputError, match=r"cannot hold a false-alarm rate of 0\.05"):
        bank.threshold(0.05)


def test_a_cover_moves_no_distance_by_more_than_its_radius_allows() -> None:
    normal, other = [features(seed) for seed in range(4)], features(9)
    whole, covered = fit_normal(normal), fit_normal(normal, coverage=0.1)
    assert covered.coverage == 0.1 and len(covered.vectors) < len(whole.vectors) / 2
    before, after = (np.sqrt(2 * bank.score(other)) for bank in (whole, covered))
    assert (after >= before - 1e-9).all()
    assert (after <= before + np.sqrt(2 * 0.1) + 1e-6).all()  # the triangle, on the unit sphere
    assert (covered.score(normal[1]) <= 0.1 + 1e-6).all()


def test_a_photographs_score_is_the_mean_of_its_farthest_hundredth() -> None:
    assert photograph_score(np.arange(200.0)) == pytest.approx(198.5)
    assert photograph_score(np.array([[1.0, 3.0], [2.0, 0.0]])) == 3.0


def test_what_cannot_be_a_bank_is_refused() -> None:
    with pytest.raises(InputError, match="no normal photograph"):
        fit_normal([])
    with pytest.raises(InputError, match="one normal photograph"):
        fit_normal([features(0)])
    assert len(fit_normal([features(0)], hold_out=False).held_out) == 0
    with pytest.raises(InputError, match="coverage is a distance"):
        fit_normal([features(0), features(1)], coverage=0)
    with pytest.raises(InputError, match="ask for a smaller one"):
        fit_normal([features(0), features(1)], coverage=1.9)
    with pytest.raises(ShapeError):
        fit_normal([features(0), features(1, dim=8)])
    with pytest.raises(ProvenanceMismatchError, match="backbone 'array' and 'theirs'"):
        fit_normal([features(0), features(1, name="theirs")])
    bank = fit_normal([features(0), features(1)])
    with pytest.raises(ShapeError, match="dim=16"):
        bank.score(features(2, dim=8))
    with pytest.raises(ProvenanceMismatchError):
        bank.score(features(2, name="theirs"))
