"""Coherence at equal distance, against pairs compared one by one, and by its laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dinoscope.errors import GridMismatchError, InputError
from dinoscope.maths.boundary import APART, coherence_auc
from dinoscope.maths.masks import UNKNOWN, PatchLabels
from dinoscope.maths.matched import matched_coherence_auc

RNG = np.random.default_rng(0)
SIDES = (8, 11)


def whole(labels: np.ndarray) -> PatchLabels:
    return PatchLabels(np.asarray(labels, dtype=np.int64), np.ones(labels.shape))


def blocks(h: int, w: int, seed: int = 0, n: int = 4) -> PatchLabels:
    """Voronoi regions."""
    sites = np.random.default_rng(seed).uniform(size=(n, 2)) * (h, w)
    places = np.argwhere(np.ones((h, w), bool))
    return whole(((places[:, None] - sites) ** 2).sum(-1).argmin(1).reshape(h, w))


def by_hand(f: np.ndarray, labels: PatchLabels) -> float:
    kinds: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
    for a, b in itertools.combinations(np.ndindex(*labels.labels.shape), 2):
        la, lb = labels.labels[a], labels.labels[b]
        square = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
        if UNKNOWN in (la, lb) or square < APART**2:
            continue
        cosine = f[a] @ f[b] / np.linalg.norm(f[a]) / np.linalg.norm(f[b])
        kinds[bool(la == lb)].append((square, round(float(cosine), 12)))
    won = [
        1.0 if mine > theirs else 0.5 if mine == theirs else 0.0
        for here, mine in kinds[True]
        for there, theirs in kinds[False]
        if here == there
    ]
    return float(np.mean(won)) if won else math.nan


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_share_of_comparisons_won_at_equal_distance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array(blocks(*SIDES, seed).labels)
    labels[rng.uniform(size=SIDES) < 0.1] = UNKNOWN
    f = rng.normal(size=(*SIDES, 3)) + np.eye(4)[np.maximum(labels, 0)][..., :3]
    f[:3] = np.sign(f[:3])  # ties
    assert matched_coherence_auc(f, whole(labels)).auc == pytest.approx(by_hand(f, whole(labels)), abs=1e-12)


def test_cosines_that_depend_on_distance_alone_say_nothing() -> None:
    labels = blocks(12, 12)
    places = np.argwhere(np.ones((12, 12), bool))
    kernel = np.exp(-((places[:, None] - places[None]) ** 2).sum(-1) / 30.0)
    values, vectors = np.linalg.eigh(kernel)
    f = (vectors * np.sqrt(np.maximum(values, 0))).reshape(12, 12, -1)
    assert matched_coherence_auc(f, labels).auc == pytest.approx(0.5, abs=1e-3)
    assert coherence_auc(f, labels).auc > 0.65


def test_smooth_fields_that_saw_nothing_stay_near_chance() -> None:
    plain, equal = [], []
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(size=(48, 48, 32))
        f = gaussian_filter(noise, (4, 4, 0))[16:32, 16:32]  # far from the edge it is the same everywhere
        labels = blocks(16, 16, seed, 6)
        plain.append(coherence_auc(f, labels).auc)
        equal.append(matched_coherence_auc(f, labels).auc)
    assert np.mean(plain) > 0.7 and abs(np.mean(equal) - 0.5) < 0.07


def test_perfect_regions_are_perfect_and_rotation_changes_nothing() -> None:
    labels = blocks(12, 14, seed=3)
    f = np.eye(5)[labels.labels] + 0.2
    assert matched_coherence_auc(f, labels).auc == 1.0
    mixed = f + RNG.normal(size=f.shape)
    turn = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
    got = matched_coherence_auc(mixed, labels)
    assert 0.5 < got.auc < 0.9
    assert matched_coherence_auc(3.0 * mixed @ turn, labels).auc == pytest.approx(got.auc, abs=1e-9)
    assert matched_coherence_auc(np.ones_like(f), labels).auc == 0.5


def test_a_grid_with_too_many_pairs_is_drawn_and_says_so() -> None:
    labels = blocks(40, 40, seed=1)
    f = np.eye(4)[labels.labels] + RNG.normal(size=(40, 40, 4))
    drawn, again = matched_coherence_auc(f, labels), matched_coherence_auc(f, labels, seed=1)
    assert not drawn.exact and drawn != again
    assert drawn.auc == pytest.approx(again.auc, abs=0.01)


def test_nothing_to_compare_is_undefined_and_bad_input_is_named() -> None:
    assert math.isnan(matched_coherence_auc(np.ones((9, 9, 2)), whole(np.zeros((9, 9)))).auc)
    assert math.isnan(matched_coherence_auc(np.ones((9, 9, 2)), whole(np.full((9, 9), UNKNOWN))).auc)
    assert math.isnan(matched_coherence_auc(np.ones((2, 2, 2)), whole(np.eye(2))).auc)
    with pytest.raises(GridMismatchError):
        matched_coherence_auc(np.ones((9, 9, 2)), whole(np.zeros((9, 8))))
    with pytest.raises(InputError):
        matched_coherence_auc(np.full((9, 9, 2), np.nan), blocks(9, 9))
