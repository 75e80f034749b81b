import math

import numpy as np
import pytest
from sklearn.cluster import KMeans

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.dispersion import dispersion, dse_over_checkpoints

SMALL = {"local_clusters": 2, "group_clusters": 4, "group": 2}


def maps(count=4, spread=0.3, seed=0, h=5, w=6, dim=5):
    """Each photograph holds patches around a few shared directions."""
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(9).normal(size=(4, dim))
    return [base[rng.integers(0, 4, (h, w))] + spread * rng.normal(size=(h, w, dim)) for _ in range(count)]


def radius(rows):
    rows = rows - rows.mean(axis=0)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(rows.T @ rows), 0)).sum() / math.sqrt(
        max(len(rows) - 1, rows.shape[1])
    )


def test_separability_by_hand():
    f = maps()
    x = np.stack([(m / np.linalg.norm(m, axis=2, keepdims=True)).reshape(30, 5) for m in f])
    spread = np.linalg.norm(x - x.mean(axis=(0, 1)), axis=2).mean()
    local, pooled, inter = [], [], []
    for rows in x:
        labels = KMeans(2, n_init=1, max_iter=20, random_state=0).fit(rows).labels_
        local.append(np.mean([radius(rows[labels == k]) for k in range(2)]))
    for rows in (x[:2].reshape(60, 5), x[2:].reshape(60, 5)):
        model = KMeans(4, n_init=1, max_iter=20, random_state=0).fit(rows)
        pooled += [radius(rows[model.labels_ == k]) for k in range(4)]
        inter.append(
            np.mean(
                [
                    min(np.linalg.norm(r - c) for j, c in enumerate(model.cluster_centers_) if j != k)
                    for r, k in zip(rows, model.labels_, strict=True)
                ]
            )
        )
    got = dispersion(f, **SMALL)
    assert got.inter == pytest.approx(np.mean(inter) / spread, rel=1e-9)
    assert got.intra == pytest.approx((np.mean(local) + np.mean(pooled)) / 2 / spread, rel=1e-6)
    assert got.dse == pytest.approx(got.inter - got.intra + got.dim)


def test_dimension_is_one_for_orthogonal_photographs_and_low_for_equal_ones():
    orthogonal = [np.broadcast_to(np.eye(5)[i], (5, 6, 5)) + 1e-9 * maps(1, seed=i)[0] for i in range(4)]
    assert dispersion(orthogonal, **SMALL).dim == pytest.approx(1.0, abs=1e-6)
    one = maps(1, spread=0.0)[0]
    flat = [np.broadcast_to(one[0, 0], (5, 6, 5)) + 1e-4 * maps(1, seed=i)[0] for i in range(4)]
    assert dispersion(flat, **SMALL).dim == pytest.approx(0.25, abs=0.01)
    assert math.isnan(dispersion(maps(1), **SMALL).dim)


def test_tight_clusters_have_small_radii():
    got = [dispersion(maps(spread=s), **SMALL).intra for s in (0.05, 0.3, 1.0)]
    assert got == sorted(got)


def test_scale_of_patches_changes_nothing_and_a_seed_repeats():
    f = maps()
    base = dispersion(f, **SMALL)
    scaled = [m * np.random.default_rng(1).uniform(0.5, 9, (5, 6, 1)) for m in f]
    again = dispersion(scaled, **SMALL)
    for name in ("inter", "intra", "dim", "dse"):
        assert getattr(again, name) == pytest.approx(getattr(base, name), rel=1e-9)
    assert dispersion(f, **SMALL) == base


def test_checkpoints_are_weighed_by_how_much_each_part_varies():
    measures = [dispersion(maps(spread=s), **SMALL) for s in (0.1, 0.4, 1.2)]
    parts = np.array([m.inter - m.intra for m in measures]), np.array([m.dim for m in measures])
    want = parts[0] + np.std(parts[0]) / np.std(parts[1]) * parts[1]
    np.testing.assert_allclose(dse_over_checkpoints(measures), want)
    assert np.isnan(dse_over_checkpoints(measures[:1])).all()


def test_constant_maps_are_undefined_and_few_distinct_patches_are_not_an_error():
    assert math.isnan(dispersion([np.full((5, 6, 3), 0.1)] * 3, **SMALL).dse)
    two = np.zeros((5, 6, 3))
    two[..., 0] = 1
    two[:2, :, 1] = 1
    assert math.isfinite(dispersion([two, two[::-1].copy()], **SMALL).dse)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="at least one"):
        dispersion([])
    with pytest.raises(InputError, match="too few"):
        dispersion(maps(1, h=2, w=2))
    with pytest.raises(ShapeError):
        dispersion([maps(1)[0], maps(1, w=7)[0]], **SMALL)
    broken = maps()
    broken[2][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="feature map 2: 1 of 30"):
        dispersion(broken, **SMALL)


@pytest.mark.parametrize(("count", "dim"), [(4, 9), (7, 3)])
def test_dimension_is_the_mean_rank_of_draws_one_from_each_photograph(count, dim, monkeypatch):
    f = maps(count, dim=dim)
    x = np.stack([(m / np.linalg.norm(m, axis=2, keepdims=True)).reshape(30, dim) for m in f])
    order = np.random.default_rng(0).permuted(np.tile(np.arange(30), (count, 1)), axis=1)
    ranks = []
    for i in range(30):
        sigma = np.linalg.svd(np.stack([x[j, order[j, i]] for j in range(count)]), compute_uv=False)
        p = sigma / sigma.sum()
        ranks.append(math.exp(-(p[p > 0] * np.log(p[p > 0])).sum()))
    want = np.mean(ranks) / min(count, dim)
    assert dispersion(f, **SMALL).dim == pytest.approx(want, abs=1e-6)
    monkeypatch.setattr("dinoscope.maths.dispersion.HELD", 1)
    assert dispersion(f, **SMALL).dim == pytest.approx(want, abs=1e-6)
