"""The store behind the search page of `dinoscope view STORE`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Match
from dinoscope.errors import InputError
from dinoscope.io.images import preview
from dinoscope.io.sources import inside
from dinoscope.maths.suppression import SUPPRESSIONS, Suppression
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.page.question import Found, FoundPatches, Question, Shown, TableFacts
from dinoscope.retrieval.patches import search_patches, why_match
from dinoscope.retrieval.photographs import StorePhotographs
from dinoscope.retrieval.queries import Region, features_of
from dinoscope.retrieval.recent import Recent
from dinoscope.retrieval.search import search
from dinoscope.store.reading import StoredRow, rows_at, rows_of
from dinoscope.store.schema import POOLED
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
        self._fits: Recent[tuple[str, int, str, str, int | None], Suppression] = Recent(KEPT_FITS)

    def tables(self) -> list[TableFacts]:
        """The chosen table first."""
        found = [self._store.table(name) for name in self._store.tables]
        found.sort(key=lambda table: table.name != self._store.chosen)
        return [
            TableFacts(
                table.name, table.settings.backbone, len(table), dense=table.settings.dense is not None
            )
            for table in found
        ]

    def listed(self, table: str, first: int, n: int) -> list[Shown]:
        """In row order."""
        opened = self._store.table(table)
        return [_shown(row) for row in rows_at(opened, range(first, min(first + n, len(opened))))]

    def take(self, data: bytes, name: str) -> Shown:
        """Decoded at once, and kept as it is."""
        photograph = self._photographs.take(data, name)
        return Shown(photograph.digest, photograph.name, photograph.size)

    def shown(self, table: str, digest: str) -> Shown:
        """A stored photograph's facts come from its row: the file is not read."""
        row = rows_of(self._store.table(table), [digest]).get(digest)
        if row is not None:
            return _shown(row)
        photograph = self._photographs.uploaded(digest)
        return Shown(photograph.digest, photograph.name, photograph.size)

    def picture(self, table: str, digest: str, longest_px: int) -> Photograph:
        """Read from the file that was embedded; refused where it has changed since."""
        return preview(self._photographs.of(self._store.table(table), digest), longest_px=longest_px)

    def search(self, question: Question) -> Found:
        """The model runs only for regions, and for photographs that are not in the table."""
        table = self._store.table(question.table)
        row = rows_of(table, [question.query]).get(question.query)
        whole = question.box is None and question.patch is None
        query: StoredRow | PatchFeatures
        if row is not None and whole:
            query, grid = row, row.grid
        else:
            query = self._features_of(table, question.query)
            grid = query.grid
        hits = search(
            self._store,
            query,
            k=question.k,
            pooling=question.pooling,
            suppress="none" if question.suppress == "none" else self._fit(table, question),
            box=question.box,
            patch=question.patch,
            table=table.name,
        )
        rows = rows_of(table, [hit.digest for hit in hits.hits])
        return Found(hits, tuple(_shown(rows[hit.digest]) for hit in hits.hits), grid.shape)

    def patches(self, question: Question) -> FoundPatches:
        """The best patch of each other photograph: one pass over every stored map, blockwise and exact."""
        table = self._store.table(question.table)
        if question.patch is None:
            raise InputError("click a patch of the photograph to look for patches like it")
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
            self._store, query, question.patch, k=question.k, suppression=fitted, table=table.name
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
                f"exact: every patch compared, of maps kept as {table.settings.dense}",
            ),
        )

    def why(self, question: Question, hit: str) -> tuple[Match, Photograph, Photograph]:
        """The model runs where it has not yet."""
        table = self._store.table(question.table)
        match = why_match(
            self._features_of(table, question.query),
            self._features_of(table, hit),
            pooling=question.pooling,
            suppression=self._fit(table, question),
            region=Region(question.box, question.patch),
        )
        return match, self._photographs.of(table, question.query), self._photographs.of(table, hit)

    def _fit(self, table: FeatureTable, question: Question) -> Suppression:
        kind, pooling, components = question.suppress, question.pooling, question.components
        return self._fits.either(
            (table.name, len(table), kind, pooling, components),
            lambda: fit_suppression(table, kind, pooling=pooling, components=components),
        )

    def _features_of(self, table: FeatureTable, digest: str) -> PatchFeatures:
        return self._features.either(
            (table.name, digest),
            lambda: features_of(
                table, self._photographs.of(table, digest), self._backbones.get(table.settings.backbone)
            ),
        )


def open_finder(store: FeatureStore, backbones: Sequence[Backbone]) -> StoreFinder:
    """A finder whose backbones all belong to the store.

    Raises:
        InputError: a backbone that no table was made with, or a store without tables.
    """
    finder = StoreFinder(store, backbones)
    known = {table.backbone for table in finder.tables()}
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
    return (path / "dinoscope-store.json").is_file() or any(path.glob("tables/*/settings.json"))


def _shown(row: StoredRow) -> Shown:
    return Shown(row.digest, inside(row.source).name or row.source, row.grid.image_size)
