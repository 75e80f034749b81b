"""Planted features, where the right answer is known: class direction + background direction + noise."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import pytest

from dinoscope.data.retrieval import RetrievalScores
from dinoscope.errors import InputError, ShapeError
from dinoscope.evaluation.protocol import FoldStatistics, Protocol
from dinoscope.evaluation.scoring import evaluate_vectors
from dinoscope.evaluation.text import scores_text
from dinoscope.maths.pca import PatchMoments, patch_moments
from dinoscope.maths.suppression import fit_background, fit_common, fit_whiten, merged

DIM, CLASSES, GROUNDS, PATCHES, FOLDS = 24, 5, 5, 16, 4


@dataclass
class Planted:
    """A collection of photographs with known directions."""

    vectors: dict[str, np.ndarray]
    labels: list[str]
    folds: np.ndarray
    background: list[PatchMoments]
    patches: list[PatchMoments]


def plant(correlation: float, *, n: int = 90, seed: int = 0, class_strength: float = 2.0) -> Planted:
    """Half of each photograph's patches show its class, half its background.

    At ``correlation`` 1 the background is that of the class, at 0 it is drawn without looking.
    """
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((DIM, CLASSES + GROUNDS)))[0].T
    label = np.arange(n) % CLASSES
    ground = np.where(rng.random(n) < correlation, label, rng.integers(0, GROUNDS, n))
    subject = class_strength * directions[label][:, None]
    behind = 4.0 * directions[CLASSES + ground][:, None]
    half = (n, PATCHES // 2, DIM)
    front = subject + 0.8 * rng.standard_normal(half)
    back = behind + 0.8 * rng.standard_normal(half)
    values = np.concatenate([front, back], axis=1).astype(np.float32)
    folds = rng.permutation(np.arange(n) % FOLDS)
    return Planted(
        {"mean": values.mean(axis=1), "foreground": front.mean(axis=1).astype(np.float32)},
        [f"class {c}" for c in label],
        folds,
        [patch_moments(back[folds == f].reshape(-1, DIM).astype(np.float32)) for f in range(FOLDS)],
        [patch_moments(values[folds == f].reshape(-1, DIM)) for f in range(FOLDS)],
    )


def score(planted: Planted, **settings: object) -> RetrievalScores:
    asked = {"ks": (0, 2, GROUNDS), "kept": (8,), "draws": 2, **settings}
    statistics = FoldStatistics(planted.background, planted.patches)
    return evaluate_vectors(planted.vectors, planted.labels, planted.folds, statistics, Protocol(**asked))


@functools.cache
def independent() -> RetrievalScores:
    return score(plant(0.0))


def test_suppression_helps_where_backgrounds_are_independent_of_class():
    row = independent().row("mean", "background")
    assert row.chosen == (GROUNDS,) * FOLDS
    gain = row.gains["ap"]
    assert gain.interval.low > 0.2
    assert gain.above > 0.9
    assert row.summaries["ap"].mean > 0.9
    assert [round(i.mean, 9) for i in row.curve.means] == sorted(round(i.mean, 9) for i in row.curve.means)


def test_random_directions_do_nothing():
    found = independent()
    random = found.row("mean", "background", "random")
    assert abs(random.gains["ap"].interval.mean) < 0.05
    assert random.overlap == pytest.approx(GROUNDS / DIM, abs=0.1)
    assert random.margins["ap"].interval.low > 0.2


def test_every_control_of_the_background_is_beaten_by_it():
    found = independent()
    for control in ("random", "matched", "all_patches"):
        row = found.row("mean", "background", control)
        assert row.chosen == found.row("mean", "background").chosen
        assert row.margins["ap"].interval.mean == pytest.approx(
            found.row("mean", "background").summaries["ap"].mean - row.summaries["ap"].mean
        )
    # The planted backgrounds carry the most variance: all patches lead to them too.
    assert found.row("mean", "background", "all_patches").overlap > 0.9
    assert abs(found.row("mean", "background", "all_patches").margins["ap"].interval.mean) < 0.05


def test_suppression_does_not_help_where_backgrounds_carry_the_class():
    planted = plant(1.0, class_strength=0.5)
    forced = score(planted, ks=(GROUNDS,), suppressions=["background"], controls=["random"])
    assert forced.row("mean", "none").summaries["ap"].mean > 0.95
    assert forced.row("mean", "background").gains["ap"].interval.high < -0.2
    assert abs(forced.row("mean", "background", "random").gains["ap"].interval.mean) < 0.05
    offered = score(planted, suppressions=["background"], controls=[])
    row = offered.row("mean", "background")
    assert row.chosen == (0,) * FOLDS  # with the choice of nothing, nothing is removed
    assert row.gains["ap"].interval == offered.row("mean", "none").gains["ap"].interval
    assert row.gains["ap"].interval.mean == 0


def test_pooling_over_the_foreground_needs_no_suppression():
    found = independent()
    assert found.row("foreground", "none").pooling_gains["ap"].interval.low > 0.2
    assert found.row("foreground", "none").summaries["ap"].mean > 0.95


def test_gains_compare_like_with_like():
    found = independent()
    for pooling in ("mean", "foreground"):
        plain = found.row(pooling, "none")
        assert (plain.gains["ap"].tied, plain.gains["ap"].interval.high) == (1.0, 0.0)
        row = found.row(pooling, "background")
        own = row.values["ap"] - plain.values["ap"]
        assert row.gains["ap"].interval.mean == pytest.approx(own.mean())
        assert row.gains["ap"].above == pytest.approx((own > 1e-12).mean())
        curve = dict(zip(row.curve.ks, row.curve.gains, strict=True))
        assert curve[0].mean == pytest.approx(0, abs=1e-12)
        assert row.pooling_gains == {} and found.row(pooling, "background", "random").pooling_gains == {}
    assert found.row("mean", "none").pooling_gains == {}
    apart = found.row("foreground", "none").values["ap"] - found.row("mean", "none").values["ap"]
    assert found.row("foreground", "none").pooling_gains["ap"].interval.mean == pytest.approx(apart.mean())


def test_intervals_are_those_of_collections_without_each_photograph():
    """Suppressions as they were fitted: so without any, scoring again must give the same."""
    planted = plant(0.3, n=30, seed=5)
    asked = {"suppressions": [], "controls": []}
    whole = score(planted, **asked)
    left = {"value": [], "pooling": []}
    for i in range(30):
        stay = np.arange(30) != i
        part = Planted(
            {name: v[stay] for name, v in planted.vectors.items()},
            [label for label, kept in zip(planted.labels, stay, strict=True) if kept],
            planted.folds[stay],
            planted.background,
            planted.patches,
        )
        found = score(part, **asked).row("foreground", "none")
        left["value"].append(found.summaries["ndcg"].mean)
        left["pooling"].append(found.pooling_gains["ndcg"].interval.mean)
    row = whole.row("foreground", "none")
    for got, values in (
        (row.summaries["ndcg"], left["value"]),
        (row.pooling_gains["ndcg"].interval, left["pooling"]),
    ):
        error = math.sqrt(29 / 30 * np.sum((np.array(values) - np.mean(values)) ** 2))
        assert got.high - got.mean == pytest.approx(2.0452296 * error, rel=1e-6)


def test_values_are_those_of_a_slow_search_with_fits_that_never_saw_the_query():
    planted = plant(0.3, n=40, seed=3)
    found = score(planted, ks=(3,), kept=(6,), draws=1)
    x = planted.vectors["mean"].astype(np.float64)
    for i in range(40):
        out = planted.folds[i]
        pooled = patch_moments(planted.vectors["mean"][planted.folds != out])
        back = merged([m for f, m in enumerate(planted.background) if f != out])
        for kind, fitted in (
            ("common", fit_common(pooled, 3)),
            ("whiten", fit_whiten(pooled, 6)),
            ("background", fit_background(back, 3)),
        ):
            y = fitted.apply(x)
            y /= np.linalg.norm(y, axis=1, keepdims=True)
            order = [j for j in np.argsort(-(y @ y[i]), kind="stable") if j != i]
            hits = [planted.labels[j] == planted.labels[i] for j in order]
            at = np.flatnonzero(hits) + 1
            ap = np.mean([(r + 1) / rank for r, rank in enumerate(at)])
            values = found.row("mean", kind).values
            assert values["ap"][i] == pytest.approx(ap, abs=1e-9)
            assert values["recall@5"][i] == pytest.approx(np.sum(at <= 5) / len(at))


def test_what_is_scored_has_no_say_in_its_own_fit_or_rank():
    planted = plant(0.0, n=60)
    before = score(planted, controls=[])
    mine = planted.folds == 1
    # Other queries of the same fold change beyond recognition; photograph 0 of that fold stays.
    stay = int(np.flatnonzero(mine)[0])
    rest = mine.copy()
    rest[stay] = False
    changed = plant(0.0, n=60)
    changed.background[1] = patch_moments(1e3 * np.random.default_rng(0).standard_normal((50, DIM)))
    labels = [None if r else label for r, label in zip(rest, changed.labels, strict=True)]
    changed.labels = labels
    after = score(changed, controls=[])
    for kind in ("common", "background", "whiten"):
        assert before.row("mean", kind).chosen[1] == after.row("mean", kind).chosen[1]
    where = after.queries.index(stay)
    kept = ~rest
    fitted = fit_background(merged([m for f, m in enumerate(planted.background) if f != 1]), GROUNDS)
    y = fitted.apply(planted.vectors["mean"].astype(np.float64))[kept]
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    names = np.array(planted.labels)[kept]
    own = int(np.flatnonzero(np.flatnonzero(kept) == stay)[0])
    order = [j for j in np.argsort(-(y @ y[own]), kind="stable") if j != own]
    at = np.flatnonzero(names[order] == names[own]) + 1
    expected = np.mean(np.arange(1, len(at) + 1) / at)
    assert after.row("mean", "background").values["ap"][where] == pytest.approx(expected)


def test_lonely_and_unlabelled_photographs_are_counted_and_in_no_mean():
    planted = plant(0.0, n=50)
    planted.labels[7] = "the only one"
    planted.labels[8] = planted.labels[9] = None
    found = score(planted, suppressions=["centre"], controls=[])
    assert (found.n_images, found.n_unlabelled, found.n_undefined) == (48, 2, 1)
    assert len(found.queries) == 48
    assert 8 not in found.queries
    row = found.row("mean", "centre")
    assert math.isnan(row.values["ap"][found.queries.index(7)])
    assert row.summaries["ap"].n == 47
    assert any("no label" in w for w in found.warnings)
    assert any("no relevant" in w for w in found.warnings)


def test_features_that_know_nothing_score_as_chance_says():
    planted = plant(0.0, n=150)
    planted.vectors = {"mean": np.random.default_rng(1).standard_normal((150, DIM)).astype(np.float32)}
    found = score(planted, suppressions=[], controls=[])
    (row,) = found.rows
    assert row.summaries["ap"].mean == pytest.approx(found.chance, abs=0.02)


def test_the_same_seed_gives_the_same_scores_and_queries_can_be_fewer():
    planted = plant(0.2, n=50)
    few = [score(planted, max_queries=20, controls=["random"], ks=(2,), seed=s) for s in (4, 4, 5)]
    assert few[0].queries == few[1].queries != few[2].queries
    assert len(few[0].queries) == 20
    assert few[0].n_images == 50
    one, two = (f.row("mean", "background", "random") for f in few[:2])
    np.testing.assert_array_equal(one.values["ap"], two.values["ap"])
    assert one.summaries == two.summaries


def test_ranks_that_cannot_be_fitted_are_left_out_and_named():
    found = score(plant(0.0, n=40), ks=(1, 500), suppressions=["common"], controls=[])
    assert found.row("mean", "common").curve.ks == (1,)
    assert any("k = 500" in w for w in found.warnings)
    with pytest.raises(InputError, match="none of the ranks"):
        score(plant(0.0, n=40), ks=(500,), suppressions=["common"], controls=[])


@pytest.mark.usefixtures("unchecked_shapes")
def test_bad_input_is_named():
    planted = plant(0.0, n=20)

    def refused(words: str, **changes: object) -> None:
        given = {"vectors": planted.vectors, "labels": planted.labels, "folds": planted.folds, **changes}
        with pytest.raises(InputError, match=words):
            evaluate_vectors(**given)

    refused("plain mean", vectors={"cls": planted.vectors["mean"]})
    refused("at least two classes", labels=["a"] * 20)
    refused("at least two classes", labels=[None] * 20)
    refused("no query", labels=[str(i) for i in range(20)])
    refused("at least 3 folds", folds=np.arange(20) % 2)
    refused("background patches of each fold", protocol=Protocol(suppressions=["background"]))
    refused("all patches of each fold", protocol=Protocol(controls=["all_patches"]))
    refused("no suppression 'blur'", protocol=Protocol(suppressions=["blur"]))
    refused("no pooling 'cls'", protocol=Protocol(poolings=["cls"]))
    refused("no background patches left", statistics=FoldStatistics([None] * FOLDS))
    refused("channels", statistics=FoldStatistics([patch_moments(np.ones((9, 3), np.float32))] * FOLDS))
    broken = planted.vectors["mean"].copy()
    broken[3, 0] = np.nan
    refused("photograph 3", vectors={"mean": broken})
    with pytest.raises(ShapeError):
        evaluate_vectors(planted.vectors, planted.labels[:-1], planted.folds)
    with pytest.raises(ShapeError):
        evaluate_vectors(planted.vectors, planted.labels, planted.folds[:-1])


def test_very_few_queries_have_scores_and_no_interval_where_one_cannot_be_left_out():
    planted = plant(0.0, n=20)
    planted.labels = ["pair", "pair", *(f"alone {i}" for i in range(18))]
    found = score(planted, suppressions=[], controls=[], poolings=["mean"])
    ap = found.row("mean", "none").summaries["ap"]
    assert ap.n == 2 and math.isfinite(ap.mean) and math.isnan(ap.low)
    assert any("2 queries have relevant photographs: with fewer than 30" in w for w in found.warnings)
    text = scores_text(found)
    assert "nan" not in text and "no direction is named" in text
    same = plant(0.0, n=20)
    same.vectors = {name: np.ones_like(v) for name, v in same.vectors.items()}
    tied = score(same, suppressions=["centre"], controls=[])
    assert tied.row("foreground", "none").pooling_gains["ap"].tied == 1.0
