"""Who is searched for in a labelled collection, what should be found, and what every ranking of it scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from dinoscope.errors import InputError, ShapeError
from dinoscope.evaluation.rows import LeftOut
from dinoscope.maths.left_out import counts_left_out, standings, sums_left_out
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import Ranks, Score, chance_average_precision, relevant_ranks
from dinoscope.maths.suppression import Suppression

QUERY_BLOCK = 512


class JudgedCollection:
    """A labelled collection, its folds and its queries: each labelled photograph searches for its class.

    Attributes:
        labelled: places of the photographs with a label.
        queries: of those, the ones that search.
        n_relevant: of each query, how many photographs it should find.
        used, asked: the folds that hold photographs, and those that hold queries.

    Args:
        labels: of the photographs; None where unknown: not ranked.
        folds: of the photographs.
        max_queries: a random choice of so many labelled photographs, where there are more.
        seed: of that choice.

    Raises:
        ShapeError: labels and folds of different numbers of photographs.
        InputError: fewer than two classes, or no query with a relevant photograph.
    """

    def __init__(
        self, labels: Sequence[str | None], folds: Int[np.ndarray, " n"], *, max_queries: int, seed: int
    ) -> None:
        if folds.shape != (len(labels),):
            raise ShapeError("folds", expected=f"n={len(labels)}", actual=folds.shape)
        if max_queries < 1:
            raise InputError(f"max_queries must be at least 1, got {max_queries}")
        self.classes = sorted({label for label in labels if label is not None})
        if len(self.classes) < 2:
            raise InputError(
                f"retrieval needs photographs of at least two classes, the labels name {len(self.classes)}: "
                "with one class every ranking is perfect"
            )
        number = {label: i for i, label in enumerate(self.classes)}
        self.class_of = np.array([-1 if label is None else number[label] for label in labels], np.int64)
        self.folds = np.asarray(folds, dtype=np.int64)
        self.labelled = self.queries = np.flatnonzero(self.class_of >= 0)
        if len(self.labelled) > max_queries:
            chosen = np.random.default_rng(seed).choice(self.labelled, max_queries, replace=False)
            self.queries = np.sort(chosen)
        self.n_relevant = np.bincount(self.class_of[self.labelled])[self.class_of[self.queries]] - 1
        if not self.n_relevant.any():
            raise InputError("no query has a relevant photograph: every label is used once")
        self.fold_of_query = self.folds[self.queries]
        self.used = [int(f) for f in np.unique(self.folds)]
        self.asked = [int(f) for f in np.unique(self.fold_of_query)]

    def chance(self) -> Float64[np.ndarray, " q"]:
        """Each query's average precision expected of a random ranking; NaN where nothing is relevant."""
        others = len(self.labelled) - 1
        return np.array([chance_average_precision(int(r), others) for r in self.n_relevant])

    def ranks(
        self, vectors: Float64[np.ndarray, "n dim"], suppression: Suppression, fold: int, *, without: int
    ) -> list[Ranks]:
        """Ranks of a fold's queries, in order, among the labelled photographs outside another fold."""
        moved = unit(suppression.apply(vectors))
        collection = self.labelled[self.folds[self.labelled] != without]
        found: list[Ranks] = []
        for part in self._blocks(fold):
            relevant, ignored = self._judged(part, collection)
            found += relevant_ranks(moved[part] @ moved[collection].T, relevant, ignored=ignored)
        return found

    def left_out(
        self,
        vectors: Float64[np.ndarray, "n dim"],
        suppression: Suppression,
        fold: int,
        scores: Mapping[str, Score],
    ) -> tuple[list[Ranks], dict[str, LeftOut]]:
        """The ranks of a fold's queries, and the sums of their scores without each labelled photograph."""
        moved = unit(suppression.apply(vectors))
        found: list[Ranks] = []
        sums = {name: np.zeros(len(self.labelled)) for name in scores}
        for part in self._blocks(fold):
            relevant, ignored = self._judged(part, self.labelled)
            ranks, above = standings(moved[part] @ moved[self.labelled].T, relevant, ignored)
            found += ranks
            for name, added in sums_left_out(ranks, above, relevant, ignored, scores).items():
                sums[name] += added
        return found, sums

    def counts_left_out(self) -> Int64[np.ndarray, " l"]:
        """For each labelled photograph, the queries with relevant photographs without it."""
        blocks = [part for fold in self.asked for part in self._blocks(fold)]
        counts = [counts_left_out(*self._judged(part, self.labelled)) for part in blocks]
        return np.asarray(np.sum(counts, axis=0), dtype=np.int64)

    def _blocks(self, fold: int) -> Iterator[Int64[np.ndarray, " _"]]:
        asking = self.queries[self.fold_of_query == fold]
        for start in range(0, len(asking), QUERY_BLOCK):
            yield asking[start : start + QUERY_BLOCK]

    def _judged(
        self, part: Int64[np.ndarray, " q"], collection: Int64[np.ndarray, " m"]
    ) -> tuple[Bool[np.ndarray, "q m"], Bool[np.ndarray, "q m"]]:
        """Which photographs each query should find, and which it ignores: itself."""
        same = self.class_of[part][:, None] == self.class_of[collection]
        return same, part[:, None] == collection
