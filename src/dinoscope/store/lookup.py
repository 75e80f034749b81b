"""Photographs by their digests and places: by the derived index where there is one, else from the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dinoscope.store import reading
from dinoscope.store.built_index import report_path
from dinoscope.store.derived.index import open_derived
from dinoscope.store.derived.opened import OpenDerived
from dinoscope.store.reading import StoredRow, stored_row
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureTable


def rows_of(table: FeatureTable, digests: Sequence[str]) -> dict[str, StoredRow]:
    """Photographs by their digests; no more than the table has.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    opened = _any_opened(table)
    if opened is None:
        return reading.rows_of(table, digests)
    places = [place for place in map(opened.place_of, digests) if place is not None]
    found = {row.digest: row for row in rows_at(table, places)}
    missing = [digest for digest in digests if digest not in found]
    if missing and len(table) > len(opened.vectors):
        found |= reading.rows_of(table, missing)
    return found


def vector_of(table: FeatureTable, name: str, digest: str) -> Float64[np.ndarray, " dim"] | None:
    """The vector of one photograph; None where the table does not have it.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    opened = _opened(table, name)
    place = None if opened is None else opened.place_of(digest)
    if opened is not None and place is not None:
        return opened.vectors[place].astype(np.float64)
    if opened is not None and len(table) == len(opened.vectors):
        return None
    return reading.vector_of(table, name, digest)


def rows_at(table: FeatureTable, places: Sequence[int]) -> list[StoredRow]:
    """Photographs by their 0-based places in row order, in the order asked for.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    opened = _any_opened(table)
    if opened is None or max(places, default=0) >= len(opened.vectors):
        return reading.rows_at(table, places)
    return [stored_row(facts) for facts in opened.facts.at(places)]


def _any_opened(table: FeatureTable) -> OpenDerived | None:
    """All derived indexes of a table have its rows."""
    return next(filter(None, (_opened(table, pooling) for pooling in POOLED)), None)


def _opened(table: FeatureTable, pooling: str) -> OpenDerived | None:
    if not report_path(table, pooling).exists():
        return None
    found = open_derived(table, pooling)
    return found if isinstance(found, OpenDerived) else None
