"""The store behind the search page of `dinoscope view STORE`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.bundled import kind_of
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Match
from dinoscope.errors import InputError
from dinoscope.io.images import preview
from dinoscope.io.sources import inside
from dinoscope.maths.suppression import SUPPRESSIONS, Suppression
from dinoscope.retrieval.duplicates import duplicate_groups, duplicate_rows
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.page.question import Found, FoundPatches, Question, Shown, TableFacts
from dinoscope.retrieval.patches import search_patches, why_match
from dinoscope.retrieval.photographs import StorePhotographs
from dinoscope.retrieval.queries import Region, check_not_compressed, features_of
from dinoscope.retrieval.recent import Recent
from dinoscope.retrieval.search import Comparing, search_rows
from dinoscope.store.lookup import rows_of
from dinoscope.store.reading import StoredRow, rows_at
from dinoscope.store.schema import POOLED
from dinoscope.store.shots import ShotFacts, shot_facts
from dinoscope.store.store import FeatureStore, FeatureTable

KEPT_FEATURES = 8
KEPT_FITS = 32


class StoreFinder:
    """Searches a store for photographs of its own and for uploaded ones; see `Finder`.

    Args:
        store: searched in.
        backbones: for tables made with one of that name; other tables load theirs by the name they remember.
    """

    poolings: Sequence[str] = tuple(sorted(POOLED, key="mean".__ne__))
    suppressions: Sequence[str] = SUPPRESSIONS

    def __init__(self, store: FeatureStore, backbones: Iterable[Backbone] = ()) -> None:
        self._store = store
        self._backbones = {backbone.spec.name: backbone for backbone in backbones}
        self._photographs = StorePhotographs()
        self._features: Recent[tuple[str, str], PatchFeatures] = Recent(KEPT_FEATURES)
        self._models = threading.Lock()
        self._shots: Recent[tuple[str, int], ShotFacts] = Recent(KEPT_FITS)
        self._fits: Recent[tuple[str, int, str, str, int | None], Suppression] = Recent(KEPT_FITS)

    def tables(self) -> list[TableFacts]:
        """The chosen table first."""
        found = [self._store.table(name) for name in self._store.tables]
        found.sort(key=lambda table: table.name != self._store.chosen)
        return [
            TableFacts(
                table.name,
                table.settings.backbone,
                len(table),
                dense=table.settings.dense is not None,
                shots=self._shots.either((table.name, len(table)), partial(shot_facts, table)),
                kind=kind_of(table.settings.backbone),
            )
            for table in found
        ]

    def listed(self, table: str, first: int, n: int) -> list[Shown]:
        """In row order."""
        opened = self._store.table(table)
        return [_shown(row) for row in rows_at(opened, range(first, min(first + n, len(opened))))]

    def take(self, data: bytes, name: str) -> Shown:
        """Decoded at once, as the photographs of the first table were, and kept as it is."""
        first = self._store.table(self._store.chosen or self._store.tables[0])
        photograph = self._photographs.take(data, name, first)
        return Shown(photograph.digest, photograph.name, photograph.size)

    def shown(self, table: str, digest: str) -> Shown:
        """A stored photograph's facts come from its row: the file is not read."""
        for each in self._with_others(self._store.table(table)):
            row = rows_of(each, [digest]).get(digest)
            if row is not None:
                return _shown(row)
        photograph = self._photographs.uploaded(digest)
        return Shown(photograph.digest, photograph.name, photograph.size)

    def picture(self, table: str, digest: str, longest_px: int) -> Photograph:
        """Read from the file that was embedded; refused where it has changed since."""
        return preview(self._photograph(self._store.table(table), digest), longest_px=longest_px)

    def search(self, question: Question) -> Found:
        """The model runs only for regions, and for photographs that are not in the table."""
        table = self._store.table(question.table)
        whole = question.box is None and question.patch is None
        query = self._asked(table, question.query, stored=whole)
        suppress = "none" if question.suppress == "none" else self._fit(table, question)
        hits, rows = search_rows(
            self._store,
            [query, *(self._asked(table, digest) for digest in question.more)],
            Comparing(question.k, question.pooling, suppress, where=question.where),
            region=Region(question.box, question.patch),
            against=[self._asked(table, digest) for digest in question.against],
            table=table.name,
        )
        return Found(hits, tuple(map(_shown, rows)), query.grid.shape)

    def patches(self, question: Question) -> FoundPatches:
        """The best patch of each other photograph: one pass over every stored map, blockwise and exact."""
        table = self._store.table(question.table)
        if question.patch is None:
            raise InputError("click a patch of the photograph to look for patches like it")
        if question.more or question.against:
            raise InputError("patches are looked for by one photograph: take the others away first")
        if question.suppress not in ("none", "background"):
            raise InputError(
                f"{question.suppress!r} is fitted on vectors of whole photographs: for patches take the "
                "background, or none"
            )
        if table.settings.dense is None:
            raise InputError(
                f"the table {table.name} keeps no maps: `dinoscope embed ... --dense` makes them"
            )
        query = self._features_of(table, question.query)
        fitted = self._fit(table, question)
        hits = search_patches(
            self._store,
            query,
            question.patch,
            k=question.k,
            suppression=fitted,
            where=question.where,
            table=table.name,
        )
        rows = rows_of(table, [hit.digest for hit in hits])
        removed = fitted.kind != "none"
        return FoundPatches(
            hits,
            tuple(_shown(rows[hit.digest]) for hit in hits),
            query.grid.shape,
            suppression=fitted.kind,
            k_removed=fitted.k if removed else None,
            fitted_on=fitted.fitted_on if removed else "",
            notes=(
                "the best patch of each other photograph",
                *([] if question.where is None else [f"only photographs with {question.where}"]),
                f"exact: every patch compared, of maps kept as {table.settings.dense}",
            ),
        )

    def why(self, question: Question, hit: str) -> tuple[Match, Photograph, Photograph]:
        """The model runs where it has not yet."""
        table = self._store.table(question.table)
        check_not_compressed(table, "what each patch gives to a score")
        match = why_match(
            self._features_of(table, question.query),
            self._features_of(table, hit),
            pooling=question.pooling,
            suppression=self._fit(table, question),
            region=Region(question.box, question.patch),
        )
        return match, self._photograph(table, question.query), self._photograph(table, hit)

    def duplicates(self, table: str, pooling: str, least: float) -> list[list[Shown]]:
        """Every vector is compared with every other."""
        opened = self._store.table(table)
        groups = duplicate_groups(duplicate_rows(opened, least=least, pooling=pooling))
        return [[_shown(row) for row in rows_at(opened, group)] for group in groups]

    def _asked(self, table: FeatureTable, digest: str, *, stored: bool = True) -> StoredRow | PatchFeatures:
        """The row of a photograph where that is enough, else its features."""
        row = rows_of(table, [digest]).get(digest) if stored else None
        return self._features_of(table, digest) if row is None else row

    def _photograph(self, table: FeatureTable, digest: str) -> Photograph:
        return self._photographs.of(self._with_others(table), digest)

    def _with_others(self, table: FeatureTable) -> list[FeatureTable]:
        """A photograph of another table may be searched for, too."""
        return [table, *(self._store.table(name) for name in self._store.tables if name != table.name)]

    def _fit(self, table: FeatureTable, question: Question) -> Suppression:
        kind, pooling, components = question.suppress, question.pooling, question.components
        return self._fits.either(
            (table.name, len(table), kind, pooling, components),
            lambda: fit_suppression(table, kind, pooling=pooling, components=components),
        )

    def _features_of(self, table: FeatureTable, digest: str) -> PatchFeatures:
        """Made once, by one thread at a time: forward passes of one model are not for several."""
        backbone = self._backbones.get(table.settings.backbone)
        with self._models:
            return self._features.either(
                (table.name, digest),
                lambda: features_of(table, self._photograph(table, digest), backbone),
            )


def open_finder(store: FeatureStore, backbones: Sequence[Backbone]) -> StoreFinder:
    """A finder whose backbones all belong to the store.

    Raises:
        InputError: a backbone that no table was made with, or a store without tables.
    """
    finder = StoreFinder(store, backbones)
    known = {table.backbone for table in finder.tables()}
    if not known and store.lost_tables:
        store.table()  # raises, naming what is gone
    if not known:
        raise InputError(f"the store {str(store.path)!r} is empty: `dinoscope embed SOURCE STORE` fills it")
    for backbone in backbones:
        if backbone.spec.name not in known:
            raise InputError(
                f"no table of the store was made with {backbone.spec.name!r}; there are "
                + ", ".join(sorted(known))
            )
    return finder


def is_store(path: Path) -> bool:
    """Whether a folder is a feature store, whole or damaged, rather than one of photographs."""
    marked = os.path.isfile(path / "dinoscope-store.json")
    return marked or (os.path.isdir(path) and any(path.glob("tables/*/settings.json")))


def _shown(row: StoredRow) -> Shown:
    name = inside(row.source).name or row.source
    return Shown(row.digest, name, row.grid.image_size, row.source, row.shot)
