"""Every score of a store, query by query, beside ir-measures on the same rankings."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, R, Rprec, Success, nDCG

from dinoscope.evaluation.evaluate import evaluate_retrieval
from dinoscope.io.labels import labels_of
from dinoscope.store.reading import each_row, pooled_vectors
from tests.evaluation.test_evaluate import planted_store

MEASURES = {
    "ap": AP,
    "r_precision": Rprec,
    "ndcg": nDCG,
    **{f"recall@{k}": R @ k for k in (1, 5, 10)},
    **{f"success@{k}": Success @ k for k in (1, 5, 10)},
}


def test_the_plain_means_scores_are_those_of_ir_measures(tmp_path: Path) -> None:
    store = planted_store(tmp_path / "store", background_knows=False)
    found = evaluate_retrieval(store, labels="folders", poolings=["mean", "gem"], suppressions=[])
    rows = list(each_row(store.table()))
    labels = labels_of("folders", [row.source for row in rows], [row.digest for row in rows])
    every = range(len(rows))
    relevant = {str(i): {str(j): int(labels[i] == labels[j]) for j in every if j != i} for i in every}
    for pooling in ("mean", "gem"):
        vectors = pooled_vectors(store.table(), pooling).astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        # trec_eval compares in single precision: minus the rank keeps the order of close cosines.
        run = {}
        for i in every:
            others = [j for j in every if j != i]
            others.sort(key=lambda j, i=i, v=vectors: (-round(float(v[i] @ v[j]), 12), j))
            run[str(i)] = {str(j): float(-rank) for rank, j in enumerate(others)}
        theirs = {
            (metric.query_id, str(metric.measure)): metric.value
            for metric in ir_measures.iter_calc(list(MEASURES.values()), relevant, run)
        }
        row = found.row(pooling, "none")
        assert set(row.values) == set(MEASURES)
        for key, measure in MEASURES.items():
            for query, value in zip(found.queries, row.values[key], strict=True):
                assert value == pytest.approx(theirs[str(query), str(measure)], abs=1e-6), key
