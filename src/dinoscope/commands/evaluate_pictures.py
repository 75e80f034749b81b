"""Pictures of `dinoscope evaluate`: hits before and after, and what a suppression removes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dinoscope.analyses.search import search
from dinoscope.analyses.search_fits import fit_suppression
from dinoscope.analyses.search_queries import features_of
from dinoscope.data.retrieval import Hits
from dinoscope.errors import DinoscopeError
from dinoscope.io.images import preview, read_photograph
from dinoscope.io.labels import Labels, labels_of
from dinoscope.io.store import FeatureStore, each_row
from dinoscope.maths.suppression import Suppression
from dinoscope.present.retrieval_page import Pictures, QueryRow, RemovedMap, Shown

QUERIES, HITS, MAPS = 5, 6, 6
THUMBNAIL_PX = 192


def retrieval_pictures(store: FeatureStore, labels: Labels, components: int | None) -> Pictures:
    """Of the labelled photographs whose digests are smallest and that are files here.

    Args:
        store: one table.
        labels: as for `evaluate_retrieval`.
        components: background directions to remove, as they were chosen; None for the default.
    """
    table = store.table()
    rows = list(each_row(table))
    known = labels_of(labels, [row.source for row in rows], [row.digest for row in rows])
    label_of = {row.source: label for row, label in zip(rows, known, strict=True)}
    chosen = [
        row.source
        for row in sorted(rows, key=lambda row: row.digest)
        if label_of[row.source] is not None and Path(row.source).is_file()
    ][: max(QUERIES, MAPS)]
    fitted = fit_suppression(table, "background", components=components)
    queries = tuple(
        QueryRow(
            _shown(source, label_of),
            _hits(search(store, source, k=HITS), label_of, label_of[source]),
            _hits(search(store, source, k=HITS, suppress=fitted), label_of, label_of[source]),
        )
        for source in chosen[:QUERIES]
    )
    count = "1 direction" if fitted.k == 1 else f"{fitted.k} directions"
    return Pictures(
        f"background suppressed ({count})", queries, _removed(store, chosen[:MAPS], fitted, label_of)
    )


def _hits(hits: Hits, label_of: Mapping[str, str | None], wanted: str | None) -> tuple[Shown, ...]:
    return tuple(_shown(h.source, label_of, wanted=wanted) for h in hits.hits if _here(h.source))


def _here(source: str) -> bool:
    return Path(source).is_file()


def _shown(source: str, label_of: Mapping[str, str | None], *, wanted: str | None = None) -> Shown:
    seen = preview(read_photograph(source), longest_px=THUMBNAIL_PX)
    relevant = None if wanted is None else label_of[source] == wanted
    return Shown(Path(source).name, label_of[source] or "", np.array(seen.pixels), relevant)


def _removed(
    store: FeatureStore, sources: list[str], fitted: Suppression, label_of: Mapping[str, str | None]
) -> tuple[RemovedMap, ...]:
    """Nothing where the store's model cannot be loaded by its name."""
    maps = []
    try:
        for source in sources:
            features = features_of(store.table(), read_photograph(source), None)
            wide = features.values.astype(np.float64)
            kept = np.square(fitted.apply(wide)).sum(axis=-1) / np.square(wide).sum(axis=-1).clip(1e-12)
            maps.append(RemovedMap(_shown(source, label_of), np.clip(1 - kept, 0.0, 1.0)))
    except DinoscopeError as error:
        print(f"no pictures of what was removed: {error}", file=sys.stderr)
    return tuple(maps)
