"""Which photographs of a store are like this one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float64

from dinoscope.analyses.search_fits import fit_suppression
from dinoscope.analyses.search_queries import (
    Box,
    Query,
    Region,
    backbone_of,
    features_of,
    listed,
    photograph_of,
    pooled,
    together,
)
from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hit, Hits
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.io.store import FeatureStore, FeatureTable, each_vectors, rows_at
from dinoscope.io.store_lance import batches
from dinoscope.io.store_schema import POOLED
from dinoscope.maths.ranking import top_k
from dinoscope.maths.suppression import Suppression
from dinoscope.pipeline.extract import ImageLike


def search(
    store: FeatureStore,
    query: Query,
    *,
    k: int = 10,
    pooling: str = "mean",
    suppress: str | Suppression = "none",
    components: int | None = None,
    box: Box | None = None,
    patch: tuple[float, float] | None = None,
    mask: Bool[np.ndarray, "H W"] | None = None,
    where: str | None = None,
    backbone: Backbone | None = None,
    table: str | None = None,
) -> Hits:
    """The ``k`` stored photographs of largest cosine with a query, every one of them compared.

    A photograph that is in the store already is not found again by itself. Several photographs are searched
    for by the mean of their directions, after the suppression.

    Args:
        store: with vectors.
        query: a photograph as `extract` takes it, features made as the table's, or a list of these.
        k: hits; all there are where the table has fewer.
        pooling: ``mean``, ``cls``, ``gem`` or ``foreground``. A region's patches are averaged.
        suppress: ``none``, ``centre``, ``common``, ``whiten``, ``background``, or a fitted one.
        components: directions it removes; see `fit_suppression`.
        box: left, top, right, bottom in [0, 1]²: a region of the query.
        patch: x, y in [0, 1]²: one patch of the query.
        mask: of the query: its patches that lie at least half inside.
        where: a condition on the columns, in SQL: ``foreground_share > 0.2``, ``source LIKE '%beach%'``.
        backbone: the table's; None to load it by the name the table remembers.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        EmptyIndexError: nothing to search in.
        ProvenanceMismatchError: features or a backbone of another kind than the table's.
        InputError: k below 1, no such pooling or suppression, a region without an area, a bad condition.
        ImageError: the query cannot be read.
    """
    chosen = store.table(table)
    images = listed(query)
    region = Region(box, patch, mask)
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    if pooling not in POOLED:
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(POOLED)}")
    if not images:
        raise InputError("nothing to search for: name a photograph")
    if len(images) > 1 and not region.whole:
        raise InputError("a region is of one photograph: search for one at a time")
    if not len(chosen):
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    fitted = (
        suppress
        if isinstance(suppress, Suppression)
        else fit_suppression(chosen, suppress, pooling=pooling, components=components)
    )
    vectors, digests = _vectors(chosen, images, pooling, region, backbone)
    kept, own = _rows(chosen, where, digests)
    if not len(kept):
        raise EmptyIndexError(f"no photograph of the table {chosen.name} fits the condition {where!r}")
    ranking = top_k(
        together([fitted.apply(vector) for vector in vectors])[None],
        _blocks(chosen, pooling, fitted, None if where is None else kept),
        min(k + len(own), len(kept)),
    )
    places = kept[ranking.indices[0]]
    found = [(int(p), float(s)) for p, s in zip(places, ranking.scores[0], strict=True) if p not in own][:k]
    rows = rows_at(chosen, [place for place, _ in found])
    return Hits(
        query=_in_words(images, region),
        hits=tuple(
            Hit(rank, score, row.source, row.digest, place)
            for rank, ((place, score), row) in enumerate(zip(found, rows, strict=True), 1)
        ),
        table=chosen.name,
        pooling=pooling,
        suppression=fitted.kind,
        k_removed=fitted.k if fitted.kind in ("common", "whiten", "background") else None,
        fitted_on=fitted.fitted_on if fitted.kind != "none" else "",
        notes=_notes(k, len(found), where, len(own)),
    )


def near_duplicates(
    store: FeatureStore, *, least: float = 0.98, pooling: str = "mean", table: str | None = None
) -> tuple[tuple[str, str, float], ...]:
    """Pairs of stored photographs (sources) with a cosine of at least ``least``, most alike first.

    Of vectors from which the collection's mean has been taken: what all photographs share makes no
    duplicate. Each photograph's 8 nearest are looked at.

    Raises:
        EmptyIndexError: nothing to search in.
        InputError: ``least`` not in (0, 1].
    """
    if not 0 < least <= 1:
        raise InputError(f"least must lie in (0, 1], got {least}")
    chosen = store.table(table)
    if not len(chosen):
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    centre = fit_suppression(chosen, "centre", pooling=pooling)
    vectors = np.concatenate(list(_blocks(chosen, pooling, centre, None)))
    ranking = top_k(vectors, vectors, 8, exclude=np.arange(len(vectors)))
    pairs = {
        (min(i, int(j)), max(i, int(j))): float(score)
        for i, (places, scores) in enumerate(zip(ranking.indices, ranking.scores, strict=True))
        for j, score in zip(places, scores, strict=True)
        if score >= least
    }
    wanted = sorted({place for pair in pairs for place in pair})
    sources = dict(zip(wanted, (row.source for row in rows_at(chosen, wanted)), strict=True))
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return tuple((sources[a], sources[b], score) for (a, b), score in ordered)


def _vectors(
    table: FeatureTable,
    images: Sequence[ImageLike | PatchFeatures],
    pooling: str,
    region: Region,
    backbone: Backbone | None,
) -> tuple[list[Float64[np.ndarray, " dim"]], list[str]]:
    """Of every image: its vector, and its digest. The model runs only where the store has no answer."""
    vectors, digests = [], []
    model = backbone
    for image in images:
        given = image if isinstance(image, PatchFeatures) else photograph_of(image)
        digest = given.provenance.image_digest if isinstance(given, PatchFeatures) else given.digest
        usable = region.whole and not isinstance(given, PatchFeatures)
        vector = _stored(table, digest, pooling) if usable and _fits(table, backbone) else None
        if vector is None:
            if not isinstance(given, PatchFeatures):
                model = backbone_of(table, model)
            vector = pooled(features_of(table, given, model), pooling, region)
        vectors.append(vector)
        digests.append(digest)
    return vectors, digests


def _fits(table: FeatureTable, backbone: Backbone | None) -> bool:
    return backbone is None or backbone.spec.name == table.settings.backbone


def _stored(table: FeatureTable, digest: str, pooling: str) -> Float64[np.ndarray, " dim"] | None:
    for batch in batches(table.vectors_path, [pooling], where=f"digest = '{digest}'"):
        column = batch.column(0)
        if len(column) and not column.null_count:
            return np.asarray(
                column.flatten().to_numpy(zero_copy_only=False)[: table.settings.dim], np.float64
            )
    return None


def _rows(table: FeatureTable, where: str | None, digests: list[str]) -> tuple[np.ndarray, set[int]]:
    """Places of the rows that may be found, and those among them that are the query itself."""
    wanted = None
    if where is not None:
        try:
            parts = [b.column(0).to_pylist() for b in batches(table.vectors_path, ["digest"], where=where)]
        except Exception as error:  # Lance raises whatever its parser does
            raise InputError(f"the condition {where!r} cannot be used: {str(error)[-200:]}") from error
        wanted = {digest for part in parts for digest in part}
    kept, own, place = [], set(), 0
    for batch in batches(table.vectors_path, ["digest"]):
        for digest in batch.column(0).to_pylist():
            if wanted is None or digest in wanted:
                kept.append(place)
                if digest in digests:
                    own.add(place)
            place += 1
    return np.array(kept, np.int64), own


def _blocks(
    table: FeatureTable, pooling: str, suppression: Suppression, kept: np.ndarray | None
) -> Iterator[Float[np.ndarray, "n _"]]:
    first = 0
    for vectors in each_vectors(table, pooling):
        part = vectors
        if kept is not None:
            part = vectors[kept[(kept >= first) & (kept < first + len(vectors))] - first]
        first += len(vectors)
        if len(part):
            plain = suppression.kind == "none"
            yield part.astype(np.float32) if plain else suppression.apply(part.astype(np.float64))


def _in_words(images: Sequence[ImageLike | PatchFeatures], region: Region) -> str:
    named = [_name(image) for image in images]
    words = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    if region.box is not None:
        return f"{words}, box {','.join(f'{v:g}' for v in region.box)}"
    if region.patch is not None:
        return f"{words}, patch at {','.join(f'{v:g}' for v in region.patch)}"
    return f"{words}, masked" if region.mask is not None else words


def _name(image: ImageLike | PatchFeatures) -> str:
    if isinstance(image, PatchFeatures):
        return image.provenance.image
    return (
        image.name
        if isinstance(image, Photograph)
        else str(image)
        if isinstance(image, str | Path)
        else "an image"
    )


def _notes(k: int, found: int, where: str | None, own: int) -> tuple[str, ...]:
    notes = []
    if found < k:
        notes.append(f"{k} were asked for, there are {found}")
    if where is not None:
        notes.append(f"only photographs with {where}")
    if own:
        notes.append("the query itself is in the store and was left out")
    return tuple(notes)
