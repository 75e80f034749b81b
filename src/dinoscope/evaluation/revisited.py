"""The revisited Oxford and Paris protocol on a store, for whoever has the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import RevisitedScores
from dinoscope.errors import InputError
from dinoscope.evaluation.revisited_truth import RevisitedQuery, RevisitedTruth
from dinoscope.io.images import photograph_from_array
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import CUTOFFS, DECIMALS, revisited_scores
from dinoscope.maths.suppression import Suppression
from dinoscope.retrieval.fits import suppression_for
from dinoscope.retrieval.queries import Region, features_of, photograph_of, pooled
from dinoscope.store.reading import each_row, pooled_vectors
from dinoscope.store.store import FeatureStore, FeatureTable, table_of

SUFFIXES = (".jpg", ".jpeg", ".png")


def evaluate_revisited(
    store: FeatureStore,
    truth: RevisitedTruth,
    queries: str | Path,
    *,
    pooling: str = "mean",
    suppress: str | Suppression = "none",
    backbone: Backbone | None = None,
    ks: Sequence[int] = CUTOFFS,
    table: str | None = None,
) -> RevisitedScores:
    """Easy, medium and hard of one pooling and suppression.

    Each query is its photograph cropped to its box, and then embedded as the table's photographs were. The
    suppression is fitted on the photographs searched, which no query is among. Photographs of the store
    that the ground truth does not name are not searched.

    Args:
        store: that holds every photograph of ``truth.names``, by file name.
        truth: as `dinoscope.evaluation.revisited_truth.read_revisited` gives it.
        queries: the folder of the query photographs.
        pooling, suppress: as in `dinoscope.retrieval.search.search`.
        backbone: the table's; None to load it by the name the table remembers.
        ks: of the precision at k.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        InputError: photographs that the store or the folder lacks, a query that was embedded too, or a box
            outside its photograph.
    """
    chosen = table_of(store, table)
    place_of = {PurePosixPath(row.source).stem: place for place, row in enumerate(each_row(chosen))}
    missing = [name for name in truth.names if name not in place_of]
    if missing:
        raise InputError(
            f"the store lacks {len(missing)} of the {len(truth.names)} photographs searched, such as "
            f"{missing[0]!r}: embed them all first"
        )
    inside = [query.name for query in truth.queries if query.name in place_of]
    if inside:
        raise InputError(
            f"{len(inside)} queries, such as {inside[0]!r}, are in the store: suppressions would be fitted "
            "on them; embed the photographs of imlist alone"
        )
    fitted = suppression_for(chosen, suppress, pooling=pooling)
    places = [place_of[name] for name in truth.names]
    searched = unit(fitted.apply(pooled_vectors(chosen, pooling)[places].astype(np.float64)))
    asked = [
        pooled(features_of(chosen, _crop(chosen, Path(queries), query), backbone), pooling, Region())
        for query in truth.queries
    ]
    cosines = unit(fitted.apply(np.stack(asked).astype(np.float64))) @ searched.T
    ranking = np.argsort(-np.round(cosines, DECIMALS), axis=1, kind="stable")

    def lists(key: str) -> list[np.ndarray]:
        return [np.array(getattr(query, key), np.int64) for query in truth.queries]

    return revisited_scores(ranking, easy=lists("easy"), hard=lists("hard"), junk=lists("junk"), ks=ks)


def _crop(table: FeatureTable, folder: Path, query: RevisitedQuery) -> Photograph:
    found = next((p for s in SUFFIXES if (p := folder / f"{query.name}{s}").is_file()), None)
    if found is None:
        raise InputError(f"no photograph of the query {query.name!r} in {str(folder)!r}")
    photograph = photograph_of(table, found)
    width, height = photograph.size
    left, top, right, bottom = (round(value) for value in query.box)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        raise InputError(f"the box of {query.name!r} lies outside its photograph of {width}x{height}")
    part = np.ascontiguousarray(photograph.pixels[top:bottom, left:right])
    return photograph_from_array(part, name=query.name)
