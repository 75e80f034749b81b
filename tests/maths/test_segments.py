import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score
from sklearn.neighbors import KNeighborsClassifier

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.segments import class_iou, knn_miou, linear_miou


def scenes(count, spread, seed, classes=3, h=6, w=8, dim=5):
    """Maps whose patches lie around one direction for each class."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, classes, (h, w)) for _ in range(count)]
    base = 3 * np.random.default_rng(99).normal(size=(classes, dim))
    return [base[y] + spread * rng.normal(size=(h, w, dim)) for y in labels], labels


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_separable_classes_are_read_off_and_noise_is_not(measure):
    train, test = scenes(3, 0.05, 0), scenes(2, 0.05, 1)
    got = measure(*train, *test)
    assert got.miou == 1.0 and (got.iou == 1).all() and list(got.classes) == [0, 1, 2]
    assert (got.n_train, got.n_test) == (144, 96) and got.converged
    blurred = [measure(*scenes(3, s, 0), *scenes(2, s, 1)).miou for s in (0.05, 3.0, 30.0)]
    assert blurred == sorted(blurred, reverse=True) and blurred[-1] < 0.45


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_rotation_and_scale_change_nothing(measure):
    (a, y), (b, z) = scenes(3, 3.0, 0), scenes(2, 3.0, 1)
    q = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]
    base = measure(a, y, b, z)
    turned = measure([m @ q * 50 for m in a], y, [m @ q * 50 for m in b], z)
    np.testing.assert_allclose(turned.iou, base.iou, atol=0.02)


def test_knn_votes_by_cosine_as_scikit_learn_does():
    (a, y), (b, z) = scenes(3, 3.0, 0), scenes(2, 3.0, 1)
    x, t = (np.concatenate([m.reshape(-1, 5) for m in maps]) for maps in (a, b))
    model = KNeighborsClassifier(7, metric="cosine", weights=lambda d: np.exp(-d / 0.07))
    model.fit(x, np.concatenate(y, axis=None))
    predicted = model.predict(t)
    truth = np.concatenate(z, axis=None)
    want = jaccard_score(truth, predicted, average=None)
    np.testing.assert_allclose(knn_miou(a, y, b, z, k=7).iou, want)


def test_iou_by_hand():
    predicted, truth = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 3])
    np.testing.assert_allclose(class_iou(predicted, truth, np.arange(5)), [1 / 3, 1 / 2, 0, 0, np.nan])


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_unknown_patches_count_for_nothing(measure):
    (a, y), (b, z) = scenes(3, 2.0, 0), scenes(2, 2.0, 1)
    base = measure(a, y, b, z)
    hidden_a, hidden_b = [m.copy() for m in a], [m.copy() for m in b]
    y2, z2 = [m.copy() for m in y], [m.copy() for m in z]
    for maps, labels in ((hidden_a, y2), (hidden_b, z2)):
        maps.append(np.full((2, 2, 5), 1e3))
        labels.append(np.full((2, 2), -1))
    got = measure(hidden_a, y2, hidden_b, z2)
    np.testing.assert_array_equal(got.iou, base.iou)
    assert got.n_test == base.n_test


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_classes_missing_on_one_side(measure):
    (a, y), (b, z) = scenes(3, 0.05, 0), scenes(2, 0.05, 1)
    only_train = measure(a, y, b, [np.where(m == 2, -1, m) for m in z])
    assert only_train.miou == 1.0 and math.isnan(only_train.iou[2])
    only_test = measure(a, [np.where(m == 2, -1, m) for m in y], b, z)
    assert only_test.iou[2] == 0.0 and only_test.miou < 0.7
    noisy = measure(*scenes(3, 30.0, 0), scenes(2, 30.0, 1)[0], [np.where(m == 2, -1, m) for m in z])
    assert noisy.iou[2] == 0.0  # predicted, never true: it costs the others, and is no class of the mean
    assert noisy.miou == pytest.approx(noisy.iou[:2].mean())
    one = measure(a, [np.where(m == 1, m, -1) for m in y], b, z)
    assert one.iou[1] == pytest.approx(np.mean(np.concatenate(z) == 1))
    none = measure(a, y, b, [np.full_like(m, -1) for m in z])
    assert math.isnan(none.miou) and none.n_test == 0


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_a_drawn_training_set_is_seeded(measure):
    (a, y), (b, z) = scenes(3, 4.0, 0), scenes(2, 4.0, 1)
    draws = [measure(a, y, b, z, max_train=20, seed=s).iou.tolist() for s in (1, 1, 2, 3)]
    assert draws[0] == draws[1] and (draws[0] != draws[2] or draws[0] != draws[3])
    assert measure(a, y, b, z, max_train=20).n_train == 20


@pytest.mark.parametrize("measure", [knn_miou, linear_miou])
def test_bad_input_is_named(measure):
    (a, y), (b, z) = scenes(2, 1.0, 0), scenes(1, 1.0, 1)
    with pytest.raises(InputError, match="no labelled patches"):
        measure(a, [np.full_like(m, -1) for m in y], b, z)
    with pytest.raises(InputError, match="train: 2 feature maps with 1"):
        measure(a, y[:1], b, z)
    with pytest.raises(GridMismatchError):
        measure(a, y, b, [z[0][:3]])
    with pytest.raises(ShapeError):
        measure(a, y, [b[0][..., :4]], z)
    b[0][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="test map 0: 1 of 48"):
        measure(a, y, b, z)
