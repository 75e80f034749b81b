"""What a bank of normal patches says of others."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import dinoscope.normality.normal as normal_module
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, MissingExtraError, ProvenanceMismatchError, ShapeError
from dinoscope.normality.lists import own_rows
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


def clustered(seed: int) -> PatchFeatures:
    """As patches of photographs are: near some of others."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(12, 16)) + 2.0
    values = centres[rng.integers(0, 12, (6, 8))] + 0.3 * rng.normal(size=(6, 8, 16))
    return PatchFeatures.from_array(values.astype(np.float32), image_size=(80, 60), name="array")


def test_lists_that_leave_nothing_out_give_the_exact_distances() -> None:
    normal, other = [clustered(seed) for seed in range(8)], clustered(50)
    exact, listed = fit_normal(normal, exact=True), fit_normal(normal, exact=False)
    assert exact.lists is None and listed.lists is not None
    whole = replace(listed, lists=replace(listed.lists, probes=listed.lists.lists.partitions))
    np.testing.assert_allclose(whole.score(other), exact.score(other), atol=1e-7)
    assert all((listed.score(f) == 0).all() for f in normal)
    assert (listed.score(other) >= exact.score(other) - 1e-9).all()
    assert (listed.held_out >= exact.held_out - 1e-9).all()
    np.testing.assert_allclose(listed.held_out[:, 0], exact.held_out[:, 0], rtol=0.05)


def test_the_recall_of_lists_is_how_often_they_find_the_nearest() -> None:
    normal = [clustered(seed) for seed in range(12)]
    bank = fit_normal(normal, exact=False)
    assert bank.lists is not None
    assert 0.9 <= bank.lists.recall <= 1 and bank.lists.n_queries == 6 * (500 // 12)
    shares, far, near = [], [], []
    for i, f in enumerate(normal):
        own = f.values.reshape(-1, 16)
        rows = own / np.linalg.norm(own, axis=1, keepdims=True)
        others = np.concatenate([g.values.reshape(-1, 16) for j, g in enumerate(normal) if j != i])
        truth = 1 - (rows @ (others / np.linalg.norm(others, axis=1, keepdims=True)).T).max(axis=1)
        found = bank.lists.distances(rows, bank.vectors, without=own_rows(bank.owner, i))
        shares.append(np.isclose(found, truth, atol=1e-6).mean())
        far.append(found.mean())
        near.append(truth.mean())
    assert bank.lists.recall == pytest.approx(np.mean(shares), abs=0.05)
    assert bank.lists.excess == pytest.approx(np.mean(far) / np.mean(near) - 1, abs=0.02)


def test_a_photograph_given_twice_is_held_out_whole_of_lists_too() -> None:
    normal = [
        replace(f, provenance=replace(f.provenance, image_digest=f"{seed}" * 64))
        for seed, f in ((seed, clustered(seed)) for seed in (0, 1, 2, 3, 0))
    ]
    bank = fit_normal(normal, exact=False)
    assert bank.n_photographs == len(bank.held_out)
    assert (bank.held_out[:, 0] > 0).all()


def test_lists_are_for_large_banks_and_where_faiss_is(monkeypatch: pytest.MonkeyPatch) -> None:
    normal = [clustered(seed) for seed in range(4)]
    assert fit_normal(normal).lists is None
    monkeypatch.setattr(normal_module, "EXACT_UP_TO", 150)
    assert fit_normal(normal).lists is not None
    with pytest.raises(InputError, match="at least two"):
        fit_normal(normal[:1], hold_out=False, exact=False)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert fit_normal(normal).lists is None
    with pytest.raises(MissingExtraError, match=r"dinoscope\[index\]"):
        fit_normal(normal, exact=False)
