"""Who is searched for where, and what every ranking of it scores."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dinoscope.evaluation.rows import LeftOut
from dinoscope.maths.left_out import counts_left_out, standings, sums_left_out
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import Ranks, relevant_ranks, scores_named
from dinoscope.maths.suppression import Suppression

QUERY_BLOCK = 512


class Bench:
    """A labelled collection, its folds and its queries."""

    def __init__(
        self,
        class_of: Int64[np.ndarray, " n"],
        folds: Int64[np.ndarray, " n"],
        labelled: Int64[np.ndarray, " l"],
        queries: Int64[np.ndarray, " q"],
        cutoffs: Sequence[int],
    ) -> None:
        self.class_of, self.folds, self.labelled, self.queries = class_of, folds, labelled, queries
        self.cutoffs, self.scores = cutoffs, scores_named(cutoffs)
        self.fold_of_query = folds[queries]
        self.used = [int(f) for f in np.unique(folds)]
        self.asked = [int(f) for f in np.unique(self.fold_of_query)]

    def ranks(
        self,
        vectors: Float64[np.ndarray, "n dim"],
        suppression: Suppression,
        fold: int,
        leave: int | None = None,
    ) -> list[Ranks]:
        """Of the queries of a fold, in order, among the labelled photographs outside fold ``leave``."""
        moved = unit(suppression.apply(vectors))
        collection = self.labelled if leave is None else self.labelled[self.folds[self.labelled] != leave]
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
        *,
        names: Collection[str],
    ) -> tuple[list[Ranks], dict[str, LeftOut]]:
        """The ranks of a fold's queries, and the sums of their scores without each labelled photograph."""
        moved = unit(suppression.apply(vectors))
        wanted = {name: self.scores[name] for name in names}
        found: list[Ranks] = []
        sums = {name: np.zeros(len(self.labelled)) for name in names}
        for part in self._blocks(fold):
            relevant, ignored = self._judged(part, self.labelled)
            ranks, above = standings(moved[part] @ moved[self.labelled].T, relevant, ignored)
            found += ranks
            for name, added in sums_left_out(ranks, above, relevant, ignored, wanted).items():
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
