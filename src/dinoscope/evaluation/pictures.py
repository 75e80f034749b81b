"""What does a suppression change for single queries, and what does it take out of a photograph?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64

from dinoscope.backbones.base import Backbone
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import RetrievalScores
from dinoscope.errors import DinoscopeError, ImageError, InputError
from dinoscope.evaluation.pictures_values import Pictures, QueryRow, RemovedMap, Shown
from dinoscope.evaluation.stored import fold_statistics, labelled_rows, stored_vectors
from dinoscope.io.images import preview
from dinoscope.io.labels import Labels
from dinoscope.io.sources import inside
from dinoscope.maths.folds import FOLDS, folds_of
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import DECIMALS
from dinoscope.maths.suppression import Suppression, fit_background, merged
from dinoscope.retrieval.queries import features_of, stored_photograph
from dinoscope.store.reading import StoredRow, read_dense
from dinoscope.store.store import FeatureStore, FeatureTable

HIT_PX, PHOTOGRAPH_PX = 128, 224
SHORTEST = 1e-12


def retrieval_pictures(
    store: FeatureStore,
    scores: RetrievalScores,
    *,
    labels: Labels,
    table: str | None = None,
    backbone: Backbone | None = None,
    n_queries: int = 6,
    n_hits: int = 7,
    n_maps: int = 6,
) -> Pictures:
    """Queries with their hits before and after removing the background subspace, and maps of what it removes.

    Each photograph is shown with the suppression its scores were made with: fitted without its fold, with
    the number of directions chosen without it. Where that number is 0, one direction is shown, and a note
    says so. Queries are one photograph of each label in the order of digests, whatever their scores.

    Args:
        store: what was scored.
        scores: of the pooling ``mean`` with the suppression ``background``.
        labels: the same as for the scores.
        table: the same.
        backbone: for maps where the table keeps none; None to load it by the name the table remembers.
        n_queries, n_hits, n_maps: at most.

    Raises:
        InputError: scores without ``background``, or of another store.
    """
    try:
        chosen = scores.row("mean", "background").chosen
    except KeyError:
        raise InputError("pictures show the suppression 'background' of mean vectors: score it") from None
    opened, rows, known = labelled_rows(store, labels, table)
    if not scores.queries or max(scores.queries) >= len(rows):
        raise InputError("these scores are of another store")
    fold = folds_of([row.digest for row in rows], _folds_of_scores(scores, rows))
    means = stored_vectors(opened, ("mean",))["mean"].astype(np.float64)
    fits = _fits(opened, rows, fold, means, chosen)
    album = _Album(opened, rows, known)
    asked = _one_a_label(scores, rows, known, album, n_queries)
    queries = tuple(_query_row(i, means, fits[int(fold[i])], known, album, n_hits) for i in asked)
    removed, problem = _maps(opened, backbone, rows, album, fits, fold, _more(asked, rows, album, n_maps))
    notes = []
    if any(k == 0 for k in chosen):
        notes.append("Where no direction was chosen for a fold, one is shown.")
    if not asked:
        notes.append("No hits are shown: the photographs are no files here any more.")
    if problem:
        notes.append(f"What was removed is not shown: {problem}")
    return Pictures(
        suppression="background",
        queries=queries,
        removed=removed,
        fitted_on="without the fold of the photograph shown",
        notes=tuple(notes),
    )


def _folds_of_scores(scores: RetrievalScores, rows: Sequence[StoredRow]) -> int:
    """How many folds the scores were made with; some may hold no photograph."""
    used = scores.settings.get("folds")
    for folds in (FOLDS, *range(2, 64)):
        if len(np.unique(folds_of([row.digest for row in rows], folds))) == used:
            return folds
    raise InputError("these scores are of another store")


def _fits(
    table: FeatureTable,
    rows: Sequence[StoredRow],
    fold: Int64[np.ndarray, " n"],
    means: Float64[np.ndarray, "n dim"],
    chosen: Sequence[int | None],
) -> dict[int, Suppression]:
    statistics = fold_statistics(table, rows, fold, means.astype(np.float32))
    fits = {}
    for number, k in zip(np.unique(fold), chosen, strict=True):
        others = merged([part for other, part in enumerate(statistics.background or ()) if other != number])
        if others is None:
            raise InputError("no photograph has a background by the rule")
        fits[int(number)] = fit_background(others, max(k or 0, 1), fitted_on=statistics.rule)
    return fits


class _Album:
    """Thumbnails of stored photographs that are still there."""

    def __init__(self, table: FeatureTable, rows: Sequence[StoredRow], labels: Sequence[str | None]) -> None:
        self._table, self.rows, self.labels = table, rows, labels
        self._read: dict[int, Photograph | None] = {}

    def photograph(self, place: int) -> Photograph | None:
        """The photograph as it was embedded; None where the file is gone or another."""
        if place not in self._read:
            row = self.rows[place]
            try:
                self._read[place] = stored_photograph(self._table, row.source, row.digest)
            except ImageError:
                self._read[place] = None
        return self._read[place]

    def shown(self, place: int, *, relevant: bool | None = None) -> Shown:
        """Grey where it is gone."""
        found = self.photograph(place)
        row = self.rows[place]
        return Shown(
            name=inside(row.source).name if found is None else found.name,
            label=f"{self.labels[place] or 'no label'}{'' if found is not None else ' (no file here)'}",
            pixels=np.full((12, 12, 3), 160, np.uint8)
            if found is None
            else np.asarray(preview(found, longest_px=PHOTOGRAPH_PX if relevant is None else HIT_PX).pixels),
            relevant=relevant,
        )


def _one_a_label(
    scores: RetrievalScores,
    rows: Sequence[StoredRow],
    labels: Sequence[str | None],
    album: _Album,
    n: int,
) -> list[int]:
    found: dict[str | None, int] = {}
    for place in sorted(scores.queries, key=lambda i: rows[i].digest):
        if len(found) == n:
            break
        common = sum(label == labels[place] for label in labels) > 1
        if labels[place] not in found and common and album.photograph(place) is not None:
            found[labels[place]] = place
    return list(found.values())


def _more(asked: list[int], rows: Sequence[StoredRow], album: _Album, n: int) -> list[int]:
    """The queries, and further photographs by digest where they are too few."""
    found = asked[:n]
    for place in sorted(range(len(rows)), key=lambda i: rows[i].digest):
        if len(found) >= n:
            break
        if place not in found and album.photograph(place) is not None:
            found.append(place)
    return found


def _query_row(
    place: int,
    means: Float64[np.ndarray, "n dim"],
    suppression: Suppression,
    labels: Sequence[str | None],
    album: _Album,
    n: int,
) -> QueryRow:
    others = np.array([i for i, label in enumerate(labels) if label is not None and i != place], np.int64)

    def hits(vectors: Float64[np.ndarray, "n _"]) -> tuple[Shown, ...]:
        turned = unit(vectors)
        order = np.argsort(-np.round(turned[others] @ turned[place], DECIMALS), kind="stable")[:n]
        return tuple(album.shown(int(i), relevant=labels[int(i)] == labels[place]) for i in others[order])

    return QueryRow(album.shown(place), hits(means), hits(suppression.apply(means)), suppression.k)


def _maps(
    table: FeatureTable,
    backbone: Backbone | None,
    rows: Sequence[StoredRow],
    album: _Album,
    fits: dict[int, Suppression],
    fold: Int64[np.ndarray, " n"],
    places: Sequence[int],
) -> tuple[tuple[RemovedMap, ...], str]:
    """Maps, and why there are none."""
    found = []
    try:
        for place in places:
            photograph = album.photograph(place)
            if table.settings.dense is not None:
                features = read_dense(table, rows[place].digest)
            elif photograph is not None:
                features = features_of(table, photograph, backbone)
            else:
                continue
            fitted = fits[int(fold[place])]
            found.append(RemovedMap(album.shown(place), removed_shares(features.values, fitted), fitted.k))
    except DinoscopeError as error:
        return (), str(error)
    return tuple(found), ""


def removed_shares(
    values: Float[np.ndarray, "h w dim"], suppression: Suppression
) -> Float64[np.ndarray, "h w"]:
    """The share of each patch's squared length that a suppression takes out, in [0, 1]; 0 for zero patches.

    ``1 - |apply(x)|² / |x|²``, never below 0 (where a mean is subtracted, a patch can become longer).
    """
    wide = values.astype(np.float64)
    before = (wide**2).sum(axis=-1)
    after = (suppression.apply(wide) ** 2).sum(axis=-1)
    share = 1.0 - np.divide(after, before, out=np.ones_like(before), where=before > SHORTEST)
    return np.asarray(np.clip(share, 0.0, 1.0))
