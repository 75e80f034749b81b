"""Nearest patches, against a loop in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths import nearest
from dinoscope.maths.nearest import (
    BESIDE,
    TEMPERATURE,
    centres,
    nearest_both_ways,
    nearest_patches,
    thinned,
)


def slow(x: np.ndarray, z: np.ndarray, i: int) -> tuple[int, float, float]:
    """Index, cosine and ratio of one patch."""
    query = x.reshape(-1, x.shape[2])[i]
    cosines = [
        float(query @ key / (np.linalg.norm(query) * np.linalg.norm(key)))
        for key in z.reshape(-1, z.shape[2])
    ]
    best = max(range(len(cosines)), key=cosines.__getitem__)
    w = z.shape[1]
    apart = [c for j, c in enumerate(cosines) if max(abs(j // w - best // w), abs(j % w - best % w)) > BESIDE]
    ratio = math.sqrt(2 - 2 * cosines[best]) / math.sqrt(2 - 2 * max(apart)) if apart else math.nan
    return best, cosines[best], ratio


@pytest.mark.parametrize("block_bytes", [2**26, 2048])
def test_they_are_what_a_loop_finds_in_blocks_of_any_size(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(5, 6, 4)), rng.normal(size=(7, 4, 4))
    found = nearest_patches(x, z)
    for i in range(30):
        index, cosine, ratio = slow(x, z, i)
        assert found.index[i] == index
        assert found.cosine[i] == pytest.approx(cosine, abs=1e-12)
        assert found.ratio[i] == pytest.approx(ratio, abs=1e-9)
    np.testing.assert_allclose(found.places, centres((7, 4))[found.index], atol=1e-12)
    assert not found.tied.any()


@pytest.mark.parametrize("block_bytes", [2**26, 2048])
@pytest.mark.parametrize("masked", [False, True])
def test_both_ways_at_once_are_each_way_alone(
    block_bytes: int, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(5, 6, 4)), rng.normal(size=(7, 4, 4))
    x[1, 1:4], z[2, :3] = x[0, 0], x[0, 0]  # ties, both ways
    of = rng.random((5, 6)) < 0.7 if masked else None
    among = rng.random((7, 4)) < 0.7 if masked else None
    forth, back = nearest_both_ways(x, z, of=of, among=among)
    alone = nearest_patches(x, z, of=of, among=among)
    np.testing.assert_array_equal(forth.index, alone.index)
    np.testing.assert_array_equal(forth.ratio, alone.ratio)
    np.testing.assert_array_equal(back, nearest_patches(z, x, of=among, among=of).index)


def test_lengths_of_vectors_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(4, 4, 5)), rng.normal(size=(4, 4, 5))
    longer = nearest_patches(x * rng.uniform(0.1, 9, (4, 4, 1)), z * rng.uniform(0.1, 9, (4, 4, 1)))
    np.testing.assert_array_equal(longer.index, nearest_patches(x, z).index)


def test_of_equal_patches_that_in_the_same_place_is_taken_and_said_to_be_tied() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(6, 6, 3))
    x[2:4, 1:5] = x[0, 0]  # nine patches alike
    found = nearest_patches(x, x)
    np.testing.assert_array_equal(found.index, np.arange(36))
    assert found.tied.sum() == 9
    assert (found.ratio[found.tied] == 1).all()


def test_a_grid_without_anything_apart_from_the_best_has_no_ratio() -> None:
    x = np.random.default_rng(3).normal(size=(2, 2, 3))
    assert np.isnan(nearest_patches(x, x).ratio).all()


def test_masks_leave_patches_out_on_either_side() -> None:
    rng = np.random.default_rng(4)
    x, z = rng.normal(size=(4, 5, 3)), rng.normal(size=(5, 4, 3))
    of, among = rng.random((4, 5)) > 0.5, rng.random((5, 4)) > 0.5
    found = nearest_patches(x, z, of=of, among=among)
    np.testing.assert_array_equal(found.index >= 0, of.ravel())
    cosines = np.einsum(
        "id,jd->ij", *(a.reshape(-1, 3) / np.linalg.norm(a.reshape(-1, 3), axis=1)[:, None] for a in (x, z))
    )
    cosines[:, ~among.ravel()] = -2
    np.testing.assert_array_equal(found.index[of.ravel()], cosines.argmax(axis=1)[of.ravel()])


def test_the_soft_argmax_is_an_expectation_over_what_lies_around() -> None:
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(1, 1, 3)), rng.normal(size=(5, 5, 3))
    z[2, 3] = 3 * x[0, 0] + 0.1 * z[2, 3]
    place = nearest_patches(x, z, refine=True).places[0]
    query = x[0, 0] / np.linalg.norm(x[0, 0])
    weights, sums = 0.0, np.zeros(2)
    for row in (1, 2, 3):
        for col in (2, 3, 4):
            weight = math.exp(float(query @ z[row, col] / np.linalg.norm(z[row, col])) / TEMPERATURE)
            weights += weight
            sums += weight * np.array([(col + 0.5) / 5, (row + 0.5) / 5])
    np.testing.assert_allclose(place, sums / weights, atol=1e-9)


def test_on_a_border_the_place_does_not_move_across_it() -> None:
    z = np.random.default_rng(6).normal(size=(5, 5, 3))
    places = nearest_patches(z, z, refine=True).places.reshape(5, 5, 2)
    middle = centres((5, 5)).reshape(5, 5, 2)
    np.testing.assert_allclose(places[[0, 4], :, 1], middle[[0, 4], :, 1], atol=1e-12)
    np.testing.assert_allclose(places[:, [0, 4], 0], middle[:, [0, 4], 0], atol=1e-12)


def test_refinement_finds_the_place_between_patches() -> None:
    # Features that are samples of a smooth field: random waves, the same in both, seen from places moved
    # by a part of a patch.
    rng = np.random.default_rng(7)
    waves, phases = rng.normal(size=(2, 400)) * 8, rng.uniform(0, 2 * np.pi, 400)

    def field(places: np.ndarray) -> np.ndarray:
        return np.cos(places @ waves + phases)

    grid = centres((16, 16))
    move = np.array([0.3, -0.4]) / 16
    source, target = field(grid + move).reshape(16, 16, -1), field(grid).reshape(16, 16, -1)
    inner = np.zeros((16, 16), bool)
    inner[2:-2, 2:-2] = True
    errors = [
        np.linalg.norm(nearest_patches(source, target, refine=refine).places - grid - move, axis=1)[
            inner.ravel()
        ].mean()
        for refine in (False, True)
    ]
    assert errors[1] < 0.6 * errors[0]


def test_thinning_keeps_the_strongest_and_what_is_far_enough_from_it() -> None:
    rng = np.random.default_rng(8)
    places, strength = rng.random((80, 2)), rng.random(80)
    kept = thinned(places, strength, 0.2)
    assert strength.argmax() in kept and (np.diff(kept) > 0).all()
    for i in range(80):
        away = np.linalg.norm(places[kept] - places[i], axis=1)
        if i in kept:
            assert np.sort(away)[1] >= 0.2
        else:  # something stronger stands in its way
            assert (strength[kept][away < 0.2] > strength[i]).any()


def test_what_cannot_be_matched_is_refused() -> None:
    x = np.ones((3, 3, 2))
    with pytest.raises(ShapeError, match="target"):
        nearest_patches(x, np.ones((3, 3, 4)))
    with pytest.raises(InputError, match="the source mask is empty"):
        nearest_patches(x, x, of=np.zeros((3, 3), bool))
    with pytest.raises(InputError, match="the target mask is empty"):
        nearest_patches(x, x, among=np.zeros((3, 3), bool))
    with pytest.raises(ShapeError, match="target mask"):
        nearest_patches(x, x, among=np.ones((2, 3), bool))
