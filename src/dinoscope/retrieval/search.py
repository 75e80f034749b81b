"""Which photographs of a store are like this one?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.bundled import toys_told
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import whole_number
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hit, Hits
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.maths.suppression import Suppression
from dinoscope.names import readable, well_formed
from dinoscope.retrieval.fits import suppression_for
from dinoscope.retrieval.queries import (
    Asked,
    Box,
    Query,
    Region,
    Stored,
    apart,
    backbone_of,
    features_of,
    listed,
    photograph_of,
    pooled,
)
from dinoscope.retrieval.ranking import Ranked, ranked
from dinoscope.store.compression import small_vector
from dinoscope.store.lookup import rows_at, vector_of
from dinoscope.store.reading import StoredRow, row_from
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureStore, FeatureTable, table_of
from dinoscope.store.suppressions import collection_digest


@dataclass(frozen=True, slots=True)
class Comparing:
    """How a query is compared with a table, and how much of it is told; see `search`."""

    k: int
    pooling: str
    suppress: str | Suppression
    components: int | None = None
    where: str | None = None
    exact: bool = False


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
    against: Query = (),
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
        against: photographs, as the query's, whose mean direction is subtracted from that of the query: hits
            are like the one and unlike the other.
        where: a condition on the columns, in SQL: ``foreground_share > 0.2``, ``source LIKE '%beach%'``.
        exact: compare every photograph, also where there is an index.
        backbone: the table's; None to load it by the name the table remembers.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        EmptyIndexError: nothing to search in.
        ProvenanceMismatchError: features, a backbone or a suppression of another kind than the table's.
        CorruptStoreError: the table cannot be read.
        InputError: k below 1, no such pooling or suppression, a region without an area, a bad condition, or
            nothing left of a query because it is searched against.
        ImageError: the query cannot be read.
    """
    return search_rows(
        store,
        query,
        Comparing(k, pooling, suppress, components, where, exact),
        region=Region(box, patch, mask),
        against=against,
        backbone=backbone,
        table=table,
    )[0]


def search_rows(
    store: FeatureStore,
    query: Query,
    how: Comparing,
    *,
    region: Region,
    against: Query = (),
    backbone: Backbone | None = None,
    table: str | None = None,
) -> tuple[Hits, list[StoredRow]]:
    """As `search`, with what the store knows of each hit's photograph."""
    chosen = table_of(store, table)
    images, others = listed(query), listed(against)
    k = whole_number(how.k, "k")
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    if how.pooling not in POOLED:
        raise InputError(f"no pooling {how.pooling!r}; there are {', '.join(POOLED)}")
    if not images:
        raise InputError("nothing to search for: name a photograph")
    if len(images) > 1 and not region.whole:
        raise InputError("a region is of one photograph: search for one at a time")
    if not len(chosen):
        raise EmptyIndexError(f"the table {chosen.name} has no photographs: embed some first")
    fitted = suppression_for(chosen, how.suppress, pooling=how.pooling, components=how.components)
    vectors, digests = _vectors(chosen, images, how.pooling, region, backbone)
    negative, left_out = _vectors(chosen, others, how.pooling, Region(), backbone)
    digests += left_out
    asked = apart([fitted.apply(vector) for vector in vectors], [fitted.apply(vector) for vector in negative])
    found = ranked(
        chosen, how.pooling, asked, fitted, k + len(set(digests)), where=how.where, exact=how.exact
    )
    pairs = list(zip(rows_at(chosen, found.places.tolist()), found.places, found.scores, strict=True))
    unasked = [pair for pair in pairs if pair[0].digest not in digests]
    notes = _notes(k, min(k, len(unasked)), how.where, len(pairs) - len(unasked))
    shown = unasked[:k]
    toys = toys_told([chosen.settings.backbone])
    hits = Hits(
        query=_in_words(images, region, others),
        hits=tuple(
            Hit(rank, float(score), row.source, row.digest, int(place))
            for rank, (row, place, score) in enumerate(shown, 1)
        ),
        table=chosen.name,
        pooling=how.pooling,
        suppression=fitted.kind,
        k_removed=fitted.k if fitted.kind in ("common", "whiten", "background") else None,
        fitted_on=fitted.fitted_on if fitted.kind != "none" else "",
        exact=found.exact,
        notes=(
            *([toys] if toys else []),
            *_combined(len(images), len(others)),
            *notes,
            *_strangers(chosen, how.suppress),
            found.way + _unmeasured(found, region, [*images, *others]),
        ),
    )
    return hits, [row for row, _, _ in shown]


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
    its_own = backbone is None or backbone.spec.name == table.settings.backbone
    for image in images:
        given = _given(table, image)
        digest = given.provenance.image_digest if isinstance(given, PatchFeatures) else given.digest
        usable = region.whole and not isinstance(given, PatchFeatures)
        vector = vector_of(table, pooling, digest) if usable and its_own else None
        if vector is None:
            if not isinstance(given, PatchFeatures):
                model = backbone_of(table, model)
            found = pooled(features_of(table, given, model), pooling, region)
            vector = small_vector(table.folder, table.settings, pooling, found)
        vectors.append(vector)
        digests.append(digest)
    return vectors, digests


def _given(table: FeatureTable, image: Asked) -> Photograph | PatchFeatures | Stored:
    """The query at hand; a path or an address that is no file here may be the source of a stored one."""
    if isinstance(image, PatchFeatures | Stored):
        return image
    if isinstance(image, str | Path) and not os.path.exists(image):
        for name in (readable(image), well_formed(str(image))):
            stored = row_from(table, name)
            if stored is not None:
                return stored
    return photograph_of(table, image)


def _combined(n: int, n_against: int) -> tuple[str, ...]:
    """How several photographs became one vector."""
    if n + n_against < 2:
        return ()
    mean = "the direction of the query" if n == 1 else f"the mean direction of {n} photographs"
    minus = "" if not n_against else f" minus that of {n_against} searched against"
    return (f"searched for {mean}{minus}",)


def _in_words(images: Sequence[Asked], region: Region, others: Sequence[Asked]) -> str:
    words = _named(images)
    if others:
        return f"{_in_words(images, region, ())}; against {_named(others)}"
    if region.box is not None:
        return f"{words}, box {','.join(f'{v:g}' for v in region.box)}"
    if region.patch is not None:
        return f"{words}, patch at {','.join(f'{v:g}' for v in region.patch)}"
    return f"{words}, masked" if region.mask is not None else words


def _named(images: Sequence[Asked]) -> str:
    named = [_name(image) for image in images]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


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
