"""Score a store: every pooling, every suppression, every rank, against controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dinoscope.data.retrieval import RetrievalScores
from dinoscope.errors import InputError
from dinoscope.evaluation.protocol import KS, MAX_QUERIES, Protocol
from dinoscope.evaluation.scoring import evaluate_vectors
from dinoscope.evaluation.stored import fold_statistics, labelled_rows, stored_vectors
from dinoscope.io.labels import Labels, labels_told
from dinoscope.maths.folds import FOLDS, folds_of
from dinoscope.maths.retrieval_scores import CUTOFFS
from dinoscope.store.store import FeatureStore


def evaluate_retrieval(
    store: FeatureStore,
    *,
    labels: Labels,
    poolings: Sequence[str] | None = None,
    suppressions: Sequence[str] | None = None,
    ks: Sequence[int] = KS,
    controls: Sequence[str] | None = None,
    cutoffs: Sequence[int] = CUTOFFS,
    folds: int = FOLDS,
    table: str | None = None,
    max_queries: int = MAX_QUERIES,
    seed: int = 0,
) -> RetrievalScores:
    """How well a stored collection is found by class, and what suppressing background directions does to it.

    Photographs are in folds by their digests. The queries of a fold are scored with a suppression that was
    fitted, and whose number of directions was chosen, on the other folds alone.

    What is background is said by each photograph's own first component (`FOREGROUND_RULE`). Where the table
    keeps whole maps, the background subspace is that of all background patches; otherwise that of the mean
    background patch of each photograph, which follows from the vectors every table keeps. The control
    ``all_patches`` is made of the same kind of patches, foreground included.

    Args:
        store: with vectors.
        labels: as `dinoscope.io.labels.labels_of` takes them; photographs without one are fitted on, not
            ranked.
        poolings: of ``cls``, ``mean``, ``gem``, ``foreground``; None for all the table has.
        suppressions: of ``centre``, ``common``, ``whiten``, ``background``; None for all.
        ks: numbers of directions to choose from.
        controls: None for all; empty for none.
        cutoffs: of recall and success.
        folds: at least 3.
        table: name of the table or of its backbone, where the store has several.
        max_queries: a random choice of so many, where there are more.
        seed: of that choice and of the random controls.

    Raises:
        EmptyIndexError: a table without photographs.
        InputError: labels of fewer than two classes, no query with a relevant photograph, fewer photographs
            than folds, unknown names.
        MissingFeaturesError: a pooling that the table does not have.
    """
    chosen, rows, known = labelled_rows(store, labels, table)
    vectors = stored_vectors(chosen, poolings)
    fold = folds_of([row.digest for row in rows], folds)
    if len(np.unique(fold)) < 3:
        raise InputError(
            f"{len(rows)} photographs lie in {len(np.unique(fold))} folds: choosing a rank off the queries "
            "needs at least 3; add photographs"
        )
    protocol = Protocol(
        suppressions=suppressions,
        ks=ks,
        controls=controls,
        cutoffs=cutoffs,
        max_queries=max_queries,
        seed=seed,
    )
    scores = evaluate_vectors(
        vectors, known, fold, fold_statistics(chosen, rows, fold, vectors["mean"]), protocol
    )
    told = labels_told(labels, known, [row.source for row in rows], [row.digest for row in rows])
    return replace(
        scores,
        settings={"backbone": chosen.settings.backbone, **scores.settings},
        warnings=(*scores.warnings, *told),
    )
