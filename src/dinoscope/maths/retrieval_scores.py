"""How good is a ranking? Scores of one query, from the ranks of what it should have found.

Everything follows from the 1-based ranks of a query's relevant images in its whole ranking, so a ranking is
never stored. A query without relevant images has no score: NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from dinoscope.data.retrieval import RevisitedDifficulty, RevisitedScores
from dinoscope.errors import InputError, ShapeError

Ranks = Int64[np.ndarray, " _"]
"""1-based, ascending."""

DECIMALS = 12
"""Scores are compared to so many: equal vectors tie, in whatever order their products were summed."""

CUTOFFS = (1, 5, 10)


def relevant_ranks(
    scores: Float[np.ndarray, "q n"],
    relevant: Bool[np.ndarray, "q n"],
    *,
    ignored: Bool[np.ndarray, "q n"] | None = None,
) -> list[Ranks]:
    """Where each query's relevant images stand in its ranking by descending score.

    Of equal scores (to `DECIMALS`) the lower place comes first. Ignored images (the query itself, junk)
    are taken out of the ranking before ranks are counted, and are not relevant.

    Raises:
        InputError: NaN scores.
        ShapeError: the shapes differ.
    """
    if relevant.shape != scores.shape or (ignored is not None and ignored.shape != scores.shape):
        raise ShapeError("relevant and ignored", expected=f"q n = {scores.shape}", actual=relevant.shape)
    if np.isnan(scores).any():
        raise InputError("the scores hold NaN")
    rounded = np.round(scores.astype(np.float64), DECIMALS)
    if ignored is not None:
        rounded = np.where(ignored, -np.inf, rounded)
        relevant = relevant & ~ignored
    ordered = np.sort(-rounded, axis=1)
    tied = ((ordered[:, 1:] == ordered[:, :-1]) & np.isfinite(ordered[:, 1:])).any(axis=1)
    row, place = np.nonzero(relevant)
    mine = -rounded[row, place]
    found = []
    for i, stop in enumerate(np.cumsum(np.bincount(row, minlength=len(ordered)))):
        start = stop - np.count_nonzero(relevant[i])
        line, wanted = ordered[i], mine[start:stop]
        ranks = line.searchsorted(wanted) + 1
        if tied[i]:
            for j in np.flatnonzero(line.searchsorted(wanted, side="right") > ranks):
                where = place[start + j]
                ranks[j] += np.count_nonzero(rounded[i, :where] == rounded[i, where])
        ranks.sort()
        found.append(ranks)
    return found


def trapezoid_average_precision(ranks: Ranks) -> float:
    """Area under the precision-recall curve by trapezoids, in [0, 1]; NaN without relevant images.

    The j-th relevant image at rank r adds the mean of the precisions just before it, (j - 1)/(r - 1) (1
    where r is 1), and at it, j/r. Never above average precision.
    Source: Philbin et al., Object retrieval with large vocabularies and fast spatial matching (2007); the
    Oxford buildings evaluation; ``filipradenovic/revisitop python/evaluate.py@3bb68d3``.
    """
    if not len(ranks):
        return float("nan")
    j = np.arange(1, len(ranks) + 1)
    before = np.where(ranks > 1, (j - 1) / np.maximum(ranks - 1, 1), 1.0)
    return float(((before + j / ranks) / 2).mean())


class Score(NamedTuple):
    """A score of a ranking as a sum over its relevant images.

    Attributes:
        weight: of relevant images, from their number among the relevant ones (from 1), their rank, and how
            many relevant images their query has.
        finish: the score, from the sum, how many relevant images there are, and how many were ranked.
    """

    weight: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    finish: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def scores_named(ks: Sequence[int] = CUTOFFS) -> dict[str, Score]:
    """Scores of a ranking, each in [0, 1], by name.

    - ``ap``, average precision: mean over the relevant images of the precision at their ranks. Source:
      Buckley & Voorhees, Evaluating evaluation measure stability (2000); ``AP`` of trec_eval.
    - ``r_precision``: share of relevant images among the first R, R being how many there are.
    - ``recall@k``: share of the relevant images among the first k; at most k / R.
    - ``success@k``: 1 where any of the first k is relevant, otherwise 0; metric learning's "Recall@k".
    - ``ndcg``, normalised discounted cumulative gain: gains of 1 / log2(rank + 1), over those of a perfect
      ranking. Source: Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002), with
      the discount of Burges et al. (2005), as trec_eval has it.

    Raises:
        InputError: a cut-off below 1.
    """
    if any(k < 1 for k in ks):
        raise InputError(f"cut-offs start at 1, got {tuple(ks)}")
    return {
        "ap": _AP,
        "r_precision": Score(lambda nth, rank, r: rank <= r, _mean),
        **{f"recall@{k}": _recall(k) for k in ks},
        **{f"success@{k}": _success(k) for k in ks},
        "ndcg": Score(lambda nth, rank, r: 1.0 / np.log2(rank + 1), _of_ideal),
    }


def _recall(k: int) -> Score:
    return Score(lambda nth, rank, r: rank <= k, _mean)


def _success(k: int) -> Score:
    return Score(lambda nth, rank, r: (rank <= k) & (nth == 1), lambda total, r, n: total)


def score_columns(
    ranks: Sequence[Ranks], ks: Sequence[int] = CUTOFFS
) -> dict[str, Float64[np.ndarray, " queries"]]:
    """The scores of `scores_named` for many queries at once; NaN without relevant images.

    Raises:
        InputError: a cut-off below 1.
    """
    q = len(ranks)
    counts = np.array([len(r) for r in ranks], np.int64)
    every = np.concatenate([*ranks, np.zeros(0, np.int64)])
    owner = np.repeat(np.arange(q), counts)
    nth = np.arange(1, len(every) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    found = {}
    for name, (weight, finish) in scores_named(ks).items():
        summed = np.bincount(owner, weight(nth, every, counts[owner]).astype(np.float64), minlength=q)
        found[name] = np.where(counts > 0, finish(summed, np.maximum(counts, 1), counts), np.nan)
    return found


def _mean(total: np.ndarray, r: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.asarray(total / r)


_AP = Score(lambda nth, rank, r: nth / rank, _mean)


def _of_ideal(total: np.ndarray, r: np.ndarray, n: np.ndarray) -> np.ndarray:
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, r.max(initial=1) + 2)))
    return np.asarray(total / ideal[r - 1])


def chance_average_precision(n_relevant: int, n: int) -> float:
    """Expected average precision of a random ranking of ``n`` images, of which some are relevant.

    ``H/n + (R - 1)(n - H) / (n (n - 1))`` with ``H`` the n-th harmonic number. NaN where none is relevant.

    Raises:
        InputError: more relevant images than images.
    """
    if not 0 <= n_relevant <= n:
        raise InputError(f"{n_relevant} of {n} images cannot be relevant")
    if n_relevant == 0:
        return float("nan")
    return float(_chance(np.array([n_relevant]), np.array([n]))[0])


def _chance(r: np.ndarray, n: np.ndarray) -> Float64[np.ndarray, " _"]:
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n.max(initial=1) + 1))])[n]
    return np.asarray(harmonic / n + (r - 1) * (n - harmonic) / (n * np.maximum(n - 1, 1)))


def _above_chance(total: np.ndarray, r: np.ndarray, n: np.ndarray) -> np.ndarray:
    chance = _chance(r, n)
    return np.divide(total / r - chance, 1.0 - chance, out=np.zeros(len(r)), where=r < n)


EXCESS = Score(_AP.weight, _above_chance)
"""Average precision above chance, as a share of what a perfect ranking has; 0 where all are relevant."""


def revisited_scores(
    ranking: Int[np.ndarray, "q n"],
    *,
    easy: Sequence[Int[np.ndarray, " _"]],
    hard: Sequence[Int[np.ndarray, " _"]],
    junk: Sequence[Int[np.ndarray, " _"]],
    ks: Sequence[int] = CUTOFFS,
) -> RevisitedScores:
    """The revisited Oxford and Paris protocol: easy, medium and hard.

    ==========  ============  ===========================
    difficulty  positives     taken out of the ranking
    ==========  ============  ===========================
    easy        easy          hard and junk
    medium      easy, hard    junk
    hard        hard          easy and junk
    ==========  ============  ===========================

    Trapezoid average precision, and precision at k, where k is lowered to the rank of the query's last
    positive where that is smaller. Queries without positives are undefined, and counted.
    Source: Radenović et al., Revisiting Oxford and Paris (arXiv 1803.11285, section 3.3);
    ``filipradenovic/revisitop python/evaluate.py@3bb68d3``.

    Args:
        ranking: each query's whole ranking as places in the collection, best first.
        easy, hard, junk: of each query, places in the collection.
        ks: of the precision at k.

    Raises:
        InputError: a ranking that does not name every place once, a place in two lists, or k below 1.
        ShapeError: lists for another number of queries.
    """
    q, n = ranking.shape
    for name, lists in (("easy", easy), ("hard", hard), ("junk", junk)):
        if len(lists) != q:
            raise ShapeError(name, expected=f"q={q} lists", actual=(len(lists),))
    if any(k < 1 for k in ks):
        raise InputError(f"cut-offs start at 1, got {tuple(ks)}")
    if not (np.sort(ranking, axis=1) == np.arange(n)).all():
        raise InputError("each query's ranking must name every place of the collection once")
    rank_of = np.empty((q, n), np.int64)
    np.put_along_axis(rank_of, ranking.astype(np.int64), np.arange(1, n + 1)[None, :], axis=1)
    sets = [[_places(lists[i], n, i) for lists in (easy, hard, junk)] for i in range(q)]
    for i, (one, two, three) in enumerate(sets):
        if len(np.unique(np.concatenate([one, two, three]))) < len(one) + len(two) + len(three):
            raise InputError(f"query {i}: a place is listed twice among easy, hard and junk")
    found: dict[str, RevisitedDifficulty] = {}
    for name, positive, out in (("easy", (0,), (1, 2)), ("medium", (0, 1), (2,)), ("hard", (1,), (0, 2))):
        ap = np.full(q, np.nan)
        precision = {k: np.full(q, np.nan) for k in ks}
        for i in range(q):
            wanted = np.sort(rank_of[i, np.concatenate([sets[i][j] for j in positive])])
            dropped = np.sort(rank_of[i, np.concatenate([sets[i][j] for j in out])])
            ranks = wanted - np.searchsorted(dropped, wanted)
            if not len(ranks):
                continue
            ap[i] = trapezoid_average_precision(ranks)
            for k in ks:
                depth = min(int(ranks[-1]), k)
                precision[k][i] = np.count_nonzero(ranks <= depth) / depth
        found[name] = RevisitedDifficulty(
            average_precision=ap, precision_at=precision, n_undefined=int(np.isnan(ap).sum())
        )
    return RevisitedScores(found["easy"], found["medium"], found["hard"])


def _places(listed: Int[np.ndarray, " _"], n: int, query: int) -> Int64[np.ndarray, " listed"]:
    places = np.asarray(listed, dtype=np.int64).ravel()
    if len(places) and (places.min() < 0 or places.max() >= n):
        raise InputError(f"query {query}: a listed place is not in the collection of {n}")
    return places
