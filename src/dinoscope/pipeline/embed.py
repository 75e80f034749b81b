"""Photographs into a feature store: streamed, resumable, nothing computed twice.

This is the whole of one worker. Several of them, each with its own ``shard``, fill one table together
without talking to each other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from dinoscope.backbones.base import Backbone, check_backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.data.spec import check_layers
from dinoscope.errors import DinoscopeError, InputError, MissingFeaturesError
from dinoscope.io.collections.collection import CollectionItem, each_item, file_stamp
from dinoscope.io.pixel_range import current_range
from dinoscope.io.resize import filter_name
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.pooling import gem_pool, mean_pool, own_foreground, weighted_pool
from dinoscope.names import readable
from dinoscope.pipeline.extract import ImageLike, OnFailure, extracted, load_photograph
from dinoscope.pipeline.feed import ahead, one_blas_thread
from dinoscope.pipeline.follow import Followed, Listing, followed_folder
from dinoscope.pipeline.photographs import reason_of
from dinoscope.pipeline.profile import timed
from dinoscope.pipeline.run import Run
from dinoscope.store.compression import small_row, uncompressed
from dinoscope.store.dense import DenseCoding
from dinoscope.store.files import store_folder
from dinoscope.store.moments import smaller_sample
from dinoscope.store.schema import FLOAT16_MAX, NewRow, TableSettings
from dinoscope.store.store import FeatureStore, open_store
from dinoscope.store.writer import TableWriter, open_writer

Source = str | Path | Iterable[ImageLike]
"""A collection by name (see `each_item`), or any number of photographs."""


def embed(
    source: Source,
    backbone: Backbone,
    store_path: str | Path,
    *,
    grid: int | tuple[int, int] = 32,
    layer: int | None = None,
    final_norm: bool = True,
    resize: str = "bilinear",
    dense: str | None = None,
    compressed: bool = False,
    batch_size: int | None = None,
    compiled: bool = False,
    commit_rows: int = 32,
    shard: tuple[int, int] | None = None,
    update: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
    on_failure: OnFailure = lambda _: None,
    on_followed: Callable[[Followed], None] = lambda _: None,
) -> FeatureStore:
    """Pooled vectors of every photograph of a collection, in the table of this backbone and settings.

    Photographs that are in that table already, by content, are not computed again, and one that is there
    several times is one row. Stopped at any moment, the same call goes on where the last commit was. What
    cannot be used is noted in the table's errors with its reason, and tried again by the next call. A URL
    that is in the table is not fetched again.

    Args:
        source: a folder tree, pattern, CSV or Parquet file of paths or URLs, tar, Hugging Face data set
            folder, or photographs.
        backbone: as `load_backbone` returns it.
        store_path: a folder, made where missing.
        grid: patches on the short side, or the exact ``(h, w)``.
        layer: absolute 0-based block number; None for the last.
        final_norm: apply the backbone's final normalisation.
        resize: as for `extract`.
        dense: keep whole maps too: ``float16``, or ``rank:D`` for D components of 8 bits, whose error
            stands in each row. The components are those of the first batch
            committed. See `dense_bytes` for the size.
        compressed: into the store's compressed table of this backbone and settings, by the codes that
            `compress` fitted.
        batch_size: photographs in one forward pass, at most; None as for `extract`.
        compiled: run DINO models through ``torch.compile``, as for `extract`.
        commit_rows: photographs in one commit, at most; what is lost when the process is killed.
        shard: ``(i, n)``: only the i-th of n parts of the collection, i from 0.
        update: follow a folder: rows of photographs that moved in it say where they are now, known by their
            content, and rows of those that are gone are deleted once the whole folder was looked at. What
            could not be read this time stays.
        on_progress: called with how many photographs of the source (of the shard) are done with: computed,
            known or failed.
        on_failure: called with each photograph that cannot be used.
        on_followed: called with what an update did.

    Returns:
        The store, with this table chosen.

    Raises:
        InputError: no photographs, an impossible argument, or anything but a whole folder to follow.
        StoreInUseError: another process writes this table (or this shard of it).
        SchemaVersionError, CorruptStoreError: the store cannot be used.
        MissingExtraError: the extra [store] is not installed.
        OSError: a commit failed, as on a full disk; everything committed before is intact.
    """
    run = Run(grid, final_norm=final_norm, resize=resize, batch_size=batch_size).at(layer)
    check_backbone(backbone)
    settings = table_settings(backbone, run, dense=dense)
    if compressed:
        settings = compressed_settings(store_path, settings)
    if update and shard is not None:
        raise InputError("a folder is followed as a whole: leave the shard out")
    listing = Listing(followed_folder(source)) if update else None
    with (
        open_writer(store_path, settings, shard=shard, commit_rows=commit_rows) as writer,
        one_blas_thread(),
    ):
        progress = _Progress(writer, on_progress, on_failure, listing)
        items = (item for item in source_items(source) if in_shard(item.key, shard))
        workers = 0 if backbone.device.type == "cpu" else min(8, os.cpu_count() or 1)
        new = progress.new_photographs(items, workers)
        for f in extracted(new, backbone, run, compiled=compiled, on_failure=progress.fail):
            progress.add(f)
        if listing is not None:
            writer.forget(listing.lacks)
            writer.commit()
            changes = listing.changes(writer.table)
            writer.rearrange(changes.touched | changes.moved, changes.gone)
            on_followed(Followed(listing.n_new, len(changes.moved), len(changes.gone)))
    return FeatureStore(store_folder(store_path), settings.table_name)


def table_settings(backbone: Backbone, run: Run, *, dense: str | None = None) -> TableSettings:
    """What `embed` so run calls its table's vectors.

    Args:
        run: of one layer.

    Raises:
        InputError: an impossible grid, resize or dense coding; tiles, several layers.
        LayerError: no such layer.
    """
    grid = run.grid
    sides = grid if isinstance(grid, tuple) else (grid, grid)
    if min(sides) < 1:
        raise InputError(f"a grid needs at least 1 patch on each side, got {sides[0]}x{sides[1]}")
    spec = backbone.spec
    rank = None if dense is None else DenseCoding.from_words(dense).rank
    if rank is not None and rank > spec.dim:
        raise InputError(f"cannot keep {rank} components of {spec.dim} channels")
    absolute, *others = check_layers(run.layers, spec.depth, spec.name)
    if others or run.size_px is not None or run.tile is not None:
        raise InputError("a table holds vectors of whole photographs on a patch grid, by one layer")
    return TableSettings(
        backbone=spec.name,
        weights_digest=backbone.origin.digest,
        layer=absolute,
        final_norm=run.final_norm and spec.final_norm,
        dtype=str(backbone.dtype).removeprefix("torch."),
        resize=filter_name(run.resize, spec.family),
        mean=spec.mean,
        std=spec.std,
        dim=spec.dim,
        grid=grid,
        dense=dense,
        weights_source="" if backbone.origin.digest else backbone.origin.source,
        pixel_range=current_range().words,
    )


def compressed_settings(store_path: str | Path, settings: TableSettings) -> TableSettings:
    """Those of the store's compressed table whose vectors were made as these settings say.

    Raises:
        InputError: whole maps are asked for, or several tables fit.
        MissingFeaturesError: there is none.
    """
    if settings.dense is not None:
        raise InputError("a compressed table keeps no maps: leave dense= (--dense) out")
    store = open_store(store_path)
    found = [store.table(name) for name in store.tables]
    fit = [t.settings for t in found if t.settings.compression and uncompressed(t) == settings]
    if len(fit) != 1:
        said = "several compressed tables" if fit else "no compressed table"
        raise (InputError if fit else MissingFeaturesError)(
            f"the store {str(store_path)!r} has {said} of {settings.backbone} with these settings (layer, "
            "grid, resize): `dinoscope compress` makes one"
        )
    return fit[0]


def source_items(source: Source) -> Iterator[CollectionItem]:
    """The photographs of a source, not read yet."""
    if isinstance(source, str | Path):
        return (replace(item, load=partial(_decoded, item.load)) for item in each_item(source))
    return (_given_item(image, i) for i, image in enumerate(source))


def in_shard(key: str, shard: tuple[int, int] | None) -> bool:
    """Whether a photograph belongs to the i-th of n parts: by a hash of its place in the collection."""
    if shard is None:
        return True
    number = int.from_bytes(hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest())
    return number % shard[1] == shard[0]


def new_row(
    features: PatchFeatures,
    *,
    source: str = "",
    stamp: str = "",
    keep_values: bool = False,
    shot: Shot = UNKNOWN,
) -> NewRow:
    """One photograph's row: every pooled vector, and the moments of its patches.

    Raises:
        InputError: a vector that float16 cannot hold.
    """
    values = features.values.reshape(-1, features.dim)
    moments = patch_moments(values)
    mask = own_foreground(features, moments)
    vectors: dict[str, np.ndarray] = {
        "mean": mean_pool(values),
        "gem": gem_pool(values),
        "foreground": weighted_pool(values, mask.ravel().astype(np.float64)),
    }
    if features.cls is not None:
        vectors["cls"] = features.cls.astype(np.float64)
    for name, vector in vectors.items():
        if not np.isfinite(vector).all() or np.abs(vector).max() > FLOAT16_MAX:
            raise InputError(f"its {name} vector is NaN or larger than float16 can hold")
    if keep_values and np.abs(values).max() > FLOAT16_MAX:
        raise InputError("its feature map is larger than float16 can hold")
    return NewRow(
        digest=features.provenance.image_digest,
        source=source,
        stamp=stamp,
        grid=features.grid,
        vectors=vectors,
        foreground_share=float(mask.mean()),
        moments=smaller_sample(moments),
        values=values if keep_values else None,
        shot=shot,
    )


class _Progress:
    """One call of `embed`: which photograph came from where, and how many are done with."""

    def __init__(
        self,
        writer: TableWriter,
        on_progress: Callable[[int], None],
        on_failure: OnFailure,
        listing: Listing | None = None,
    ) -> None:
        self._writer = writer
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._listing = listing or Listing("")
        self._waiting: dict[str, tuple[CollectionItem, Shot]] = {}
        self._done = 0

    def new_photographs(self, items: Iterator[CollectionItem], workers: int) -> Iterator[Photograph]:
        """Photographs that the table does not have, in order; loaded ahead by ``workers`` threads."""
        for item, load in _loaded(self._unknown(items), workers):
            try:
                photograph = load()
            except DinoscopeError as error:
                self.fail(Failure(item.source, reason_of(error)))
                continue
            self._listing.digests[item.source] = photograph.digest
            if not self._writer.claim(photograph.digest):
                self._writer.mend(item.source)
                self._advance()
                continue
            self._waiting[photograph.digest] = item, photograph.shot
            yield replace(photograph, source=item.source)

    def add(self, features: PatchFeatures) -> None:
        """Into the table."""
        item, shot = self._waiting.pop(features.provenance.image_digest)
        keep = self._writer.table.settings.dense is not None
        with timed("write"):
            try:
                row = new_row(features, source=item.source, stamp=item.stamp, keep_values=keep, shot=shot)
                row = small_row(row, self._writer.table)
            except InputError as error:
                self.fail(Failure(item.source, str(error)))
                return
            self._writer.add(row)
        self._listing.n_new += 1
        self._advance()

    def _unknown(self, items: Iterator[CollectionItem]) -> Iterator[CollectionItem]:
        for item in items:
            self._listing.stamps[item.source] = item.stamp
            if self._writer.knows(item.source, item.stamp):
                self._advance()
            else:
                yield item

    def fail(self, failure: Failure) -> None:
        """One that cannot be used."""
        self._writer.fail(failure)
        self._listing.failed.add(failure.source)
        self._on_failure(failure)
        self._advance()

    def _advance(self) -> None:
        self._done += 1
        self._on_progress(self._done)


def _loaded(
    items: Iterator[CollectionItem], workers: int
) -> Iterator[tuple[CollectionItem, Callable[[], Photograph]]]:
    """Each item with what gives its photograph: loaded on the spot, or by threads beforehand."""
    if workers == 0:
        return ((item, item.load) for item in items)
    return ahead(items, lambda item: item.load(), workers=workers, depth=2 * workers)


def _decoded(load: Callable[[], Photograph]) -> Photograph:
    with timed("decode"):
        return load()


def _given_item(image: ImageLike, place: int) -> CollectionItem:
    if isinstance(image, str | Path):
        path = Path(image).absolute()
        return CollectionItem(readable(path), str(image), file_stamp(path), partial(load_photograph, path))
    name = (image.source or image.name) if isinstance(image, Photograph) else f"image {place}"
    return CollectionItem(name, f"{place}", "", partial(load_photograph, image))
