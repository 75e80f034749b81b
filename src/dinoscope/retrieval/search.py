"""Which photographs of a store are like this one?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.bundled import toys_told
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hit, Hits
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.maths.ranking import top_k
from dinoscope.maths.suppression import Suppression
from dinoscope.names import readable
from dinoscope.retrieval.fits import fit_suppression, suppression_for
from dinoscope.retrieval.queries import (
    Asked,
    Box,
    Query,
    Region,
    Stored,
    backbone_of,
    features_of,
    listed,
    photograph_of,
    pooled,
    together,
)
from dinoscope.retrieval.ranking import Ranked, ranked, suppressed_vectors
from dinoscope.store.reading import row_from, rows_at, vector_of
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureStore, FeatureTable
from dinoscope.store.suppressions import collection_digest


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
    exact: bool = False,
    backbone: Backbone | None = None,
    table: str | None = None,
) -> Hits:
    """The ``k`` stored photographs of largest cosine with a query; the last note says how they were found.

    Every one is compared, unless `build_index` has made an index and it holds for the question: no
    suppression, no condition, at most a hundred hits. Scores are exact either way.

    A photograph that is in the store already is not found again by itself. Several photographs are searched
    for by the mean of their directions, after the suppression.

    Args:
        store: with vectors.
        query: a photograph as `extract` takes it, a hit of an earlier search or the source of a stored
            photograph, features made as the table's, or a list of these. Of what is stored the vector is
            taken; the file is read for a region alone.
        k: hits; all there are where the table has fewer.
        pooling: ``mean``, ``cls``, ``gem`` or ``foreground``. A region's patches are averaged.
        suppress: ``none``, ``centre``, ``common``, ``whiten``, ``background``, or a fitted one.
        components: directions it removes; see `fit_suppression`.
        box: left, top, right, bottom in [0, 1]²: a region of the query.
        patch: x, y in [0, 1]²: one patch of the query.
        mask: of the query, in any resolution: each patch counts by the share of it that lies inside.
        where: a condition on the columns, in SQL: ``foreground_share > 0.2``, ``source LIKE '%beach%'``.
        exact: compare every photograph, also where there is an index.
        backbone: the table's; None to load it by the name the table remembers.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        EmptyIndexError: nothing to search in.
        ProvenanceMismatchError: features, a backbone or a suppression of another kind than the table's.
        CorruptStoreError: the table cannot be read, or its index is gone.
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
    fitted = suppression_for(chosen, suppress, pooling=pooling, components=components)
    vectors, digests = _vectors(chosen, images, pooling, region, backbone)
    asked = together([fitted.apply(vector) for vector in vectors])
    found = ranked(chosen, pooling, asked, fitted, k + len(set(digests)), where=where, exact=exact)
    pairs = list(zip(rows_at(chosen, found.places.tolist()), found.places, found.scores, strict=True))
    others = [pair for pair in pairs if pair[0].digest not in digests]
    notes = _notes(k, min(k, len(others)), where, len(pairs) - len(others))
    toys = toys_told([chosen.settings.backbone])
    return Hits(
        query=_in_words(images, region),
        hits=tuple(
            Hit(rank, float(score), row.source, row.digest, int(place))
            for rank, (row, place, score) in enumerate(others[:k], 1)
        ),
        table=chosen.name,
        pooling=pooling,
        suppression=fitted.kind,
        k_removed=fitted.k if fitted.kind in ("common", "whiten", "background") else None,
        fitted_on=fitted.fitted_on if fitted.kind != "none" else "",
        exact=found.exact,
        notes=(
            *([toys] if toys else []),
            *notes,
            *_strangers(chosen, suppress),
            found.way + _unmeasured(found, region, images),
        ),
    )


def near_duplicates(
    store: FeatureStore, *, least: float = 0.98, pooling: str = "mean", table: str | None = None
) -> tuple[tuple[str, str, float], ...]:
    """Pairs of stored photographs (sources) with a cosine of at least ``least``, most alike first.

    The vectors are compared without the collection's mean: what all photographs share makes no
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
    vectors = np.concatenate(list(suppressed_vectors(chosen, pooling, centre)))
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


def _strangers(table: FeatureTable, suppress: str | Suppression) -> tuple[str, ...]:
    known = None if isinstance(suppress, str) else suppress.fitted_for
    if known is None or known.collection == collection_digest(table):
        return ()
    return ("the suppression was fitted on other photographs than those searched",)


def _unmeasured(found: Ranked, region: Region, images: Sequence[Asked]) -> str:
    """The index was measured with whole photographs, one at a time."""
    asked = "regions" if not region.whole else "several photographs together" if len(images) > 1 else ""
    return f"; the recall was not measured for {asked}" if asked and not found.exact else ""


def _vectors(
    table: FeatureTable,
    images: Sequence[Asked],
    pooling: str,
    region: Region,
    backbone: Backbone | None,
) -> tuple[list[Float64[np.ndarray, " dim"]], list[str]]:
    """Vector and digest of every image. The model runs only where the store has no answer."""
    vectors, digests = [], []
    model = backbone
    for image in images:
        given = _given(table, image)
        digest = given.provenance.image_digest if isinstance(given, PatchFeatures) else given.digest
        usable = region.whole and not isinstance(given, PatchFeatures)
        vector = vector_of(table, pooling, digest) if usable and _fits(table, backbone) else None
        if vector is None:
            if not isinstance(given, PatchFeatures):
                model = backbone_of(table, model)
            vector = pooled(features_of(table, given, model), pooling, region)
        vectors.append(vector)
        digests.append(digest)
    return vectors, digests


def _given(table: FeatureTable, image: Asked) -> Photograph | PatchFeatures | Stored:
    """The query at hand; a path or an address that is no file here may be the source of a stored one."""
    if isinstance(image, PatchFeatures | Stored):
        return image
    if isinstance(image, str | Path) and not os.path.exists(image):
        stored = row_from(table, readable(image)) or row_from(table, str(image))
        if stored is not None:
            return stored
    return photograph_of(image)


def _fits(table: FeatureTable, backbone: Backbone | None) -> bool:
    return backbone is None or backbone.spec.name == table.settings.backbone


def _in_words(images: Sequence[Asked], region: Region) -> str:
    named = [_name(image) for image in images]
    words = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    if region.box is not None:
        return f"{words}, box {','.join(f'{v:g}' for v in region.box)}"
    if region.patch is not None:
        return f"{words}, patch at {','.join(f'{v:g}' for v in region.patch)}"
    return f"{words}, masked" if region.mask is not None else words


def _name(image: Asked) -> str:
    if isinstance(image, PatchFeatures):
        return image.provenance.image
    return (
        image.source
        if isinstance(image, Stored)
        else image.name
        if isinstance(image, Photograph)
        else readable(image)
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
