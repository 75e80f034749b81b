"""Laws of matches: of a photograph with itself, of a shifted one, of features that know nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage.data import chelsea, stereo_motorcycle

import dinoscope as ds
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ProvenanceMismatchError, ShapeError
from dinoscope.matching.match import fixed_places, match
from dinoscope.maths.nearest import centres
from examples.stereo_pair import visible


def features(values: np.ndarray, name: str = "array") -> PatchFeatures:
    h, w = values.shape[:2]
    return PatchFeatures.from_array(values, image_size=(10 * w, 10 * h), name=name)


def random_features(seed: int, h: int = 12, w: int = 12, dim: int = 16) -> PatchFeatures:
    return features(np.random.default_rng(seed).normal(size=(h, w, dim)).astype(np.float32))


def by_model(name: str, *pictures: np.ndarray, grid: int | tuple[int, int]) -> list[PatchFeatures]:
    return list(ds.extract([np.ascontiguousarray(p) for p in pictures], ds.load_backbone(name), grid=grid))


@pytest.mark.parametrize("name", ["pixels", "mini"])
def test_a_photograph_matches_itself_everywhere(name: str) -> None:
    cat = chelsea()
    cat[:120, :200] = 255  # patches without anything in them are all alike
    f, g = by_model(name, cat, cat, grid=16)
    found = match(f, g)
    assert len(found) == found.n_asked == f.grid.n
    np.testing.assert_array_equal(found.source, found.target)
    np.testing.assert_allclose(found.cosine, 1, atol=1e-12)
    at = match(f, g, at=[(0.123, 0.456), (1.0, 0.0)])
    np.testing.assert_allclose(at.target, at.source, atol=1e-12)


def test_pixels_follow_a_shift_by_whole_patches() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(texture).resize((384, 288), Image.Resampling.BICUBIC))
    moved = np.roll(picture, (2 * 16, -3 * 16), axis=(0, 1))
    f, g = by_model("pixels", picture, moved, grid=(18, 24))
    found = match(f, g, mutual=False)
    there = found.source + np.array([-3 / 24, 2 / 18])
    seen = (there > 0).all(axis=1) & (there < 1).all(axis=1)
    assert seen.sum() == 16 * 21
    np.testing.assert_allclose(found.target[seen], there[seen], atol=1e-9)  # PCK is 1 at any tolerance


def test_features_that_know_nothing_are_at_chance() -> None:
    n, mutual, near = 1024, [], []
    for seed in range(4):
        f, g = (random_features(2 * seed + k, 32, 32, 64) for k in (0, 1))
        found = match(f, g, mutual=False)
        mutual.append(found.mutual.mean())
        near.append((np.linalg.norm(found.target - found.source, axis=1) <= 0.1).mean())
    away = np.linalg.norm(centres((32, 32))[:, None] - centres((32, 32))[None], axis=2)
    chance = float((away <= 0.1).mean())
    assert chance == pytest.approx(0.0330, abs=5e-5)
    assert np.mean(near) == pytest.approx(chance, abs=0.01)
    assert np.mean(mutual) == pytest.approx(n / (2 * n - 1), abs=0.03)


def test_swapping_the_photographs_swaps_the_mutual_pairs() -> None:
    f, g = random_features(0, 9, 14), random_features(1, 12, 7)
    forth, back = match(f, g), match(g, f)
    assert 0 < len(forth) < f.grid.n and forth.mutual.all()
    pairs = [(*s, *t) for s, t in zip(forth.source, forth.target, strict=True)]
    swapped = [(*t, *s) for s, t in zip(back.source, back.target, strict=True)]
    assert sorted(pairs) == sorted(swapped)
    np.testing.assert_allclose(np.sort(forth.cosine), np.sort(back.cosine), atol=1e-12)


def test_the_motorcycle_is_found_along_its_measured_disparity() -> None:
    left, right, disparity = stereo_motorcycle()
    (height, width), seen = disparity.shape, visible(disparity)
    f, g = by_model("mini", left, right, grid=32)
    found = match(f, g)
    px = (found.source * (width, height)).astype(int)
    known = seen[px[:, 1], px[:, 0]].astype(bool)
    dx, dy = ((found.target - found.source) * (width, height))[known].T
    patch_px = height / f.grid.h
    off = np.abs(dx + disparity[px[known, 1], px[known, 0]])
    assert known.sum() > 300
    assert np.median(np.abs(dy)) == 0
    assert np.median(off) < patch_px / 2
    chance = np.median(
        np.abs(np.random.default_rng(0).permutation(found.target)[known] - found.source[known])
    )
    assert np.median(off) / width < chance / 5


def test_the_digest_tells_whether_matches_are_the_same() -> None:
    f, g = random_features(0), random_features(1)
    first = match(f, g)
    again = match(f, features(g.values * np.float32(1.0 + 1e-6)))
    assert first.digest == again.digest and len(first.digest) == 64
    others = [
        match(g, f),
        match(f, g, mutual=False),
        match(f, random_features(2)),
        match(f, g, spread=30),
    ]
    assert len({first.digest, *(one.digest for one in others)}) == 5


def test_all_models_can_be_asked_for_the_same_points_in_their_order() -> None:
    f, g = random_features(0, 8, 8), random_features(1, 8, 8)
    at = [(0.9, 0.2), (0.1, 0.1), (0.55, 0.95)]
    found = match(f, g, mutual=False, at=at)
    every = match(f, g, mutual=False)
    np.testing.assert_array_equal(found.source, at)
    for i, place in enumerate(at):
        row, col = f.grid.patch_at(*place)
        assert found.cosine[i] == every.cosine[8 * row + col]
        offset = np.array(place) - f.grid.centre(row, col)
        np.testing.assert_allclose(found.target[i], every.target[8 * row + col] + offset, atol=1e-12)


def test_what_is_left_is_apart_distinct_and_in_the_foreground() -> None:
    f, g = random_features(0), random_features(1)
    mask = np.zeros((12, 12), bool)
    mask[2:9, 3:10] = True
    found = match(f, g, mutual=False, foreground=(mask, ~mask))
    assert found.n_asked == mask.sum()
    for places, inside in ((found.source, mask), (found.target, ~mask)):
        assert all(inside[f.grid.patch_at(*place)] for place in places)
    sparse = match(f, g, mutual=False, spread=35)
    away = np.linalg.norm((sparse.source[:, None] - sparse.source[None]) * f.grid.image_size, axis=2)
    assert 4 < len(sparse) < 40 and np.sort(away, axis=1)[:, 1].min() >= 35
    limit = float(np.median(match(f, g, mutual=False).ratio))
    distinct = match(f, g, mutual=False, ratio=limit)
    assert len(distinct) == 72 and (distinct.ratio <= limit).all()


def test_what_cannot_be_matched_is_refused_with_its_reason() -> None:
    f, g = random_features(0), random_features(1)
    with pytest.raises(ShapeError, match="target"):
        match(f, random_features(1, dim=8))
    with pytest.raises(ProvenanceMismatchError, match="backbone 'array' and 'theirs'"):
        match(f, features(g.values, "theirs"))
    with pytest.raises(InputError, match="spread must be above 0"):
        match(f, g, spread=0)
    with pytest.raises(InputError, match="ratio must be above 0"):
        match(f, g, ratio=-1)
    with pytest.raises(InputError, match="in \\[0, 1\\]"):
        match(f, g, at=[(0.5, 1.5)])
    with pytest.raises(InputError, match="no places to match"):
        match(f, g, at=[])
    none, every = np.zeros((12, 12), bool), np.ones((12, 12), bool)
    with pytest.raises(InputError, match="the source mask is empty"):
        match(f, g, foreground=(none, every))
    left = every.copy()
    left[:, 6:] = False
    with pytest.raises(InputError, match=r"\(0.9, 0.1\) lies outside the foreground"):
        match(f, g, at=[(0.1, 0.1), (0.9, 0.1)], foreground=(left, every))


def test_a_single_patch_has_one_match() -> None:
    found = match(random_features(0, 1, 1), random_features(1, 1, 1))
    assert len(found) == 1 and np.isnan(found.ratio).all()


def test_fixed_places_are_spread_evenly() -> None:
    places = np.array(fixed_places(64))
    assert ((places > 0) & (places < 1)).all()
    away = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(64)
    assert away.min() > 0.5 / 8
    counts = np.histogram2d(*places.T, bins=4, range=[[0, 1], [0, 1]])[0]
    assert counts.min() >= 3 and counts.max() <= 5
