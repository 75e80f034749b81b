"""Scores against references that walk through whole rankings, and against values of ir-measures 0.4.3."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.retrieval_scores import (
    chance_average_precision,
    relevant_ranks,
    revisited_scores,
    score_columns,
    trapezoid_average_precision,
)

relevances = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)


def ranks_of(relevance):
    return np.flatnonzero(relevance) + 1


def walked(relevance):
    """Every score, one place of the ranking after the other."""
    total = sum(relevance)
    precisions, gains = [], []
    hits = 0
    for i, yes in enumerate(relevance, 1):
        hits += yes
        if yes:
            precisions.append(hits / i)
            gains.append(1 / math.log2(i + 1))
    found = {
        "ap": sum(precisions) / total,
        "r_precision": sum(relevance[:total]) / total,
        "ndcg": sum(gains) / sum(1 / math.log2(i + 1) for i in range(1, total + 1)),
    }
    for k in (1, 5, 10):
        found[f"recall@{k}"] = sum(relevance[:k]) / total
        found[f"success@{k}"] = float(any(relevance[:k]))
    return found


def one(ranks):
    """Every score of a single ranking."""
    return {key: float(column[0]) for key, column in score_columns([np.asarray(ranks)]).items()}


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=15), max_size=6))
def test_many_queries_at_once_agree_with_each_alone(queries):
    got = score_columns([ranks_of(relevance) for relevance in queries])
    for i, relevance in enumerate(queries):
        if any(relevance):
            expected = walked(relevance)
            assert set(got) == set(expected)
            for key, value in expected.items():
                assert got[key][i] == pytest.approx(value, abs=1e-12), key
        else:
            assert all(math.isnan(column[i]) for column in got.values())


@given(relevances)
def test_the_trapezoid_lies_below_and_meets_it_when_perfect(relevance):
    ranks = ranks_of(relevance)
    assert trapezoid_average_precision(ranks) <= one(ranks)["ap"] + 1e-12
    perfect = np.arange(1, len(ranks) + 1)
    assert trapezoid_average_precision(perfect) == one(perfect)["ap"] == 1


# AP, Rprec, R@1, R@5, R@10, Success@5, nDCG of ir-measures 0.4.3 (pytrec_eval-terrier 0.5.11).
IR_MEASURES = [
    ([1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ([7], [0.1428571, 0.0, 0.0, 0.0, 1.0, 0.0, 0.3333333]),
    ([1, 2, 3], [1.0, 1.0, 0.3333333, 1.0, 1.0, 1.0, 1.0]),
    ([2, 3, 9, 11], [0.4659091, 0.5, 0.0, 0.5, 0.75, 1.0, 0.6679023]),
    ([4, 5, 6, 30], [0.3208333, 0.25, 0.0, 0.5, 0.75, 1.0, 0.5370012]),
    (
        [1, 2, 3, 8, 10, 12, 18, 22, 28],
        [0.6193282, 0.4444444, 0.1111111, 0.3333333, 0.5555556, 1.0, 0.8621513],
    ),
]


@pytest.mark.parametrize(("ranks", "expected"), IR_MEASURES)
def test_scores_are_those_of_ir_measures(ranks, expected):
    found = one(ranks)
    ours = [found[k] for k in ("ap", "r_precision", "recall@1", "recall@5", "recall@10", "success@5", "ndcg")]
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_without_relevant_images_nothing_is_defined():
    nothing = np.zeros(0, np.int64)
    assert all(math.isnan(score) for score in one(nothing).values())
    assert math.isnan(trapezoid_average_precision(nothing))
    assert math.isnan(chance_average_precision(0, 5))


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_ranks_are_those_of_a_stable_sort_without_the_ignored(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (3, 12)) / 4.0  # many ties
    relevant, ignored = rng.random((3, 12)) < 0.4, rng.random((3, 12)) < 0.2
    got = relevant_ranks(scores, relevant, ignored=ignored)
    for i in range(3):
        kept = [j for j in sorted(range(12), key=lambda j, i=i: (-scores[i, j], j)) if not ignored[i, j]]
        np.testing.assert_array_equal(got[i], [rank for rank, j in enumerate(kept, 1) if relevant[i, j]])


def test_differences_below_rounding_are_ties():
    scores = np.array([[0.5, 0.5 + 1e-15, 0.1]])
    assert relevant_ranks(scores, np.array([[True, False, False]]))[0].tolist() == [1]


def test_bad_scores_are_refused():
    with pytest.raises(InputError, match="NaN"):
        relevant_ranks(np.array([[np.nan, 1.0]]), np.array([[True, False]]))
    with pytest.raises(InputError, match="start at 1"):
        score_columns([], (0,))


@pytest.mark.parametrize(("r", "n"), [(1, 1), (1, 6), (3, 7), (7, 7)])
def test_chance_is_the_mean_over_all_rankings(r, n):
    values = [one(np.array(c))["ap"] for c in combinations(range(1, n + 1), r)]
    assert chance_average_precision(r, n) == pytest.approx(np.mean(values))


def walked_revisited(ranking, positive, dropped, ks):
    """Drop the junk from the list itself, then draw the precision-recall curve."""
    kept = [j for j in ranking if j not in dropped]
    if not positive:
        return float("nan"), [float("nan")] * len(ks)
    area, hits, last_recall, last_precision = 0.0, 0, 0.0, 1.0
    last = 0
    for i, j in enumerate(kept, 1):
        hits += j in positive
        recall, precision = hits / len(positive), hits / i
        area += (recall - last_recall) * (last_precision + precision) / 2
        last_recall, last_precision = recall, precision
        last = i if j in positive else last
    depth = [min(k, last) for k in ks]
    return area, [sum(j in positive for j in kept[:d]) / d for d in depth]


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_the_revisited_protocol_agrees_with_a_walk(seed):
    rng = np.random.default_rng(seed)
    n, q = 25, 3
    ranking = np.stack([rng.permutation(n) for _ in range(q)])
    kind = rng.choice(4, (q, n), p=[0.15, 0.1, 0.15, 0.6])
    kind[0][kind[0] == 0] = 3  # a query without easy positives
    easy, hard, junk = ([np.flatnonzero(kind[i] == c) for i in range(q)] for c in range(3))
    got = revisited_scores(ranking, easy=easy, hard=hard, junk=junk)
    for name, positive, dropped in (("easy", {0}, {1, 2}), ("medium", {0, 1}, {2}), ("hard", {1}, {0, 2})):
        part = getattr(got, name)
        for i in range(q):
            ap, at = walked_revisited(
                ranking[i].tolist(),
                {j for j in range(n) if kind[i, j] in positive},
                {j for j in range(n) if kind[i, j] in dropped},
                (1, 5, 10),
            )
            np.testing.assert_allclose(part.average_precision[i], ap, atol=1e-12)
            np.testing.assert_allclose([part.precision_at[k][i] for k in (1, 5, 10)], at)
        undefined = np.isnan(part.average_precision)
        assert part.n_undefined == undefined.sum()
        if not undefined.all():
            assert part.mean_average_precision == pytest.approx(part.average_precision[~undefined].mean())
    assert got.easy.n_undefined >= 1


def test_bad_revisited_lists_are_named():
    none = [np.zeros(0, np.int64)]
    ranking = np.arange(4)[None]
    one = [np.array([1])]
    with pytest.raises(InputError, match="listed twice"):
        revisited_scores(ranking, easy=one, hard=one, junk=none)
    with pytest.raises(InputError, match="not in the collection"):
        revisited_scores(ranking, easy=[np.array([4])], hard=none, junk=none)
    with pytest.raises(InputError, match="once"):
        revisited_scores(np.zeros((1, 4), np.int64), easy=one, hard=none, junk=none)
    with pytest.raises(ShapeError):
        revisited_scores(ranking, easy=[], hard=none, junk=none)
