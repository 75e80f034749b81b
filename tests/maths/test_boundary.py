import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import GridMismatchError, InputError
from dinoscope.maths.auc import MANY, UNDECIDED_ROUGHLY, auc
from dinoscope.maths.boundary import boundary_auc, coherence_auc, coherence_of_pairs, distant_pairs
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import as_directions, prepared


def noise(h=9, w=11, dim=6, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def halves(h=9, w=11):
    labels = np.zeros((h, w), np.int64)
    labels[:, w // 2 :] = 1
    return PatchLabels(labels, np.ones((h, w)))


def regions(labels, spread=0.3, dim=6, seed=1):
    """One direction for each region, and noise."""
    base = np.random.default_rng(7).normal(size=(labels.max() + 2, dim))
    return base[labels] + spread * noise(*labels.shape, dim, seed)


def random_labels(h=9, w=11, seed=2):
    rng = np.random.default_rng(seed)
    return PatchLabels(rng.integers(-1, 3, (h, w)), rng.uniform(0.4, 1, (h, w)))


def pairs_by_hand(f, labels, min_purity, near, far, same):
    x = f / np.linalg.norm(f, axis=2, keepdims=True)
    scores, truth = [], []
    for a, b in itertools.combinations(itertools.product(range(f.shape[0]), range(f.shape[1])), 2):
        if not near <= math.dist(a, b) <= far:
            continue
        if any(labels.labels[p] < 0 or labels.purity[p] < min_purity for p in (a, b)):
            continue
        agree = labels.labels[a] == labels.labels[b]
        scores.append(x[a] @ x[b] if same else 1 - x[a] @ x[b])
        truth.append(agree if same else not agree)
    return np.array(scores), np.array(truth)


@pytest.mark.parametrize("min_purity", [0.0, 0.7])
def test_both_are_roc_areas_over_the_pairs_they_name(min_purity):
    f, labels = noise(), random_labels()
    got = boundary_auc(f, labels, min_purity=min_purity)
    scores, truth = pairs_by_hand(f, labels, min_purity, 1, 1, same=False)
    assert got.auc == pytest.approx(roc_auc_score(truth, scores))
    assert (got.n_positive, got.n_negative) == (truth.sum(), (~truth).sum())
    got = coherence_auc(f, labels, min_purity=min_purity, apart=4.0)
    scores, truth = pairs_by_hand(f, labels, min_purity, 4, math.inf, same=True)
    assert got.auc == pytest.approx(roc_auc_score(truth, scores)) and got.exact
    assert (got.n_positive, got.n_negative) == (truth.sum(), (~truth).sum())


def test_auc_counts_ties_half_and_is_nan_without_either_kind():
    p, n = np.array([3.0, 1, 2, 2]), np.array([2.0, 0, 2])
    want = np.mean([(a > b) + 0.5 * (a == b) for a in p for b in n])
    assert auc(p, n) == pytest.approx(want)
    assert auc(p, n) == pytest.approx(1 - auc(n, p))
    assert math.isnan(auc(p, np.zeros(0))) and math.isnan(auc(np.zeros(0), n))
    assert auc(np.ones(5), np.ones(7)) == 0.5


@pytest.mark.parametrize("measure", [boundary_auc, coherence_auc])
def test_planted_regions_are_found_noise_is_not(measure):
    labels = halves(20, 20)
    assert measure(regions(labels.labels, 0.05), labels).auc > 0.99
    assert measure(noise(60, 20), halves(60, 20)).auc == pytest.approx(0.5, abs=0.12)
    values = [measure(regions(labels.labels, s), labels).auc for s in (0.1, 1.0, 4.0)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("measure", [boundary_auc, coherence_auc])
def test_rotation_and_scale_change_nothing_and_constant_maps_say_nothing(measure):
    f, labels = regions(halves().labels), halves()
    q = np.linalg.qr(noise(6, 6, 1, 3)[..., 0])[0]
    assert measure(f @ q * 30, labels).auc == pytest.approx(measure(f, labels).auc, abs=1e-9)
    assert measure(np.full((9, 11, 3), 0.1), labels).auc == 0.5
    one_direction = noise(9, 11, 1) ** 2 * np.array([0.1, 0.7, 0.3])  # cosines of 1 but for rounding
    assert measure(one_direction, labels).auc == 0.5


def test_blur_that_ignores_the_border_costs_boundary_auc():
    labels = halves(16, 16)
    f = regions(labels.labels, 0.2)
    noisy = f + 0.3 * noise(16, 16, seed=9)
    along = gaussian_filter(noisy, (3, 0, 0))  # along the border: removes noise, keeps the border
    across = gaussian_filter(f, (0, 3, 0))  # across it: smears it
    assert boundary_auc(along, labels).auc > boundary_auc(noisy, labels).auc
    assert boundary_auc(across, labels).auc < boundary_auc(f, labels).auc


@pytest.mark.parametrize("measure", [boundary_auc, coherence_auc])
def test_one_region_is_undefined(measure):
    one = PatchLabels(np.zeros((9, 11), np.int64), np.ones((9, 11)))
    assert math.isnan(measure(noise(), one).auc)
    unknown = PatchLabels(np.full((9, 11), -1), np.ones((9, 11)))
    assert math.isnan(measure(noise(), unknown).auc)
    assert math.isnan(
        measure(np.ones((1, 1, 2)), PatchLabels(np.zeros((1, 1), np.int64), np.ones((1, 1)))).auc
    )


def test_a_sample_of_pairs_says_so_and_repeats_with_its_seed():
    labels = halves(16, 16)
    f = regions(labels.labels, 1.0)
    exact = coherence_auc(f, labels)
    drawn = coherence_auc(f, labels, max_pairs=8000, seed=5)
    assert not drawn.exact and drawn.n_positive + drawn.n_negative <= 8000
    assert drawn.auc == pytest.approx(exact.auc, abs=0.03)
    assert drawn == coherence_auc(f, labels, max_pairs=8000, seed=5)
    assert drawn != coherence_auc(f, labels, max_pairs=8000, seed=6)


def test_drawn_pairs_score_the_same_off_a_matrix_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    f, labels = noise(24, 20), halves(24, 20)
    at_once = coherence_auc(f, labels, max_pairs=5000)
    monkeypatch.setattr("dinoscope.maths.patches.MATRIX_ROWS", 0)
    one_by_one = coherence_auc(f, labels, max_pairs=5000)
    assert not at_once.exact and at_once.n_positive == one_by_one.n_positive
    assert at_once.auc == pytest.approx(one_by_one.auc, abs=1e-9)


def test_bad_input_is_named():
    with pytest.raises(GridMismatchError):
        boundary_auc(noise(), halves(9, 10))
    with pytest.raises(InputError, match="max_pairs"):
        coherence_auc(noise(), halves(), max_pairs=0)
    broken = noise()
    broken[0, 0] = np.nan
    for call in (boundary_auc, coherence_auc):
        with pytest.raises(InputError, match="1 of 99 patches"):
            call(broken, halves())


def test_many_pairs_are_counted_as_they_would_be_sorted() -> None:
    ids = np.array(halves(24, 26).labels)
    ids[4:15, 3:20] = 2
    labels = PatchLabels(ids, np.ones((24, 26)))
    f = regions(labels.labels, 1.5, dim=24)
    pairs = distant_pairs(labels)
    assert min(len(pairs.alike), len(pairs.unlike)) > MANY
    x = as_directions(f).reshape(-1, 24)
    cosines = (x @ x.T).ravel()
    want = auc(cosines[pairs.alike], cosines[pairs.unlike])
    counted = coherence_auc(f, labels).auc
    assert counted == pytest.approx(want, abs=1e-8)
    assert coherence_auc(f[:, :, :6] * 0 + 1, labels).auc == 0.5


@pytest.mark.parametrize("noise_size", [0.0, 1e-9])
def test_equal_patches_are_sorted_however_many_pairs_there_are(noise_size: float) -> None:
    labels = halves(24, 26)
    f = np.eye(3)[labels.labels] + 0.5 + noise_size * noise(24, 26, 3)
    assert coherence_auc(f, labels).auc == 1.0


def test_a_difference_finer_than_the_bins_is_sorted() -> None:
    labels = halves(24, 26)
    f = np.eye(2)[labels.labels] * 1e-4 + 1e-5 * noise(24, 26, 2) + 1.0
    f[0, 0] = -1.0  # its cosines stretch the range to 2, and the rest lies within 1e-7
    x = as_directions(f).reshape(-1, 2)
    pairs, cosines = distant_pairs(labels), (x @ x.T).ravel()
    want = auc(np.round(cosines[pairs.alike], 12), np.round(cosines[pairs.unlike], 12))
    assert want > 0.7
    assert coherence_auc(f, labels).auc == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(("spread", "size_of_noise"), [(1.5, 0.0), (0.02, 0.0), (0.0, 1e-9), (0.0, 0.0)])
def test_rough_cosines_count_as_exact_ones_do_or_are_made_again(spread: float, size_of_noise: float) -> None:
    """Exactly for equal patches and those that float32 cannot tell; else to `UNDECIDED_ROUGHLY`."""
    labels = halves(24, 26)
    f = np.eye(24)[labels.labels] * 0.1 + 0.5 + spread * noise(24, 26, 24) + size_of_noise * noise(24, 26, 24)
    pairs = distant_pairs(labels)
    rough = coherence_of_pairs(prepared(f, rough=True), pairs)
    exact = coherence_of_pairs(prepared(f), pairs)
    assert rough.auc == pytest.approx(exact.auc, abs=UNDECIDED_ROUGHLY / 2 if spread else 1e-12)
    assert (rough.n_positive, rough.n_negative) == (exact.n_positive, exact.n_negative)


@pytest.mark.parametrize("scale", [1.0, 1e36, 1e-16])
def test_vectors_in_float32_are_not_widened_and_divided_for_nothing(scale: float) -> None:
    """Neighbours as exactly as ever; the directions in float32 as good as those of float64, cut short."""
    values = regions(halves(20, 22).labels, dim=40) * scale
    values[3, 4], values[5] = 0.0, values[6]
    f = PatchFeatures.from_array(values, image_size=(220, 200))
    rough, exact = prepared(f, rough=True), prepared(f)
    assert boundary_auc(rough, halves(20, 22)).auc == boundary_auc(exact, halves(20, 22)).auc
    assert "directions" not in vars(rough)
    np.testing.assert_allclose(rough.rough_directions, exact.directions, rtol=2e-7)
