"""A store's vectors made smaller, with the loss measured and a promise kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Int64

from dinoscope.compression.sizes import BITS, DIMS, NONE_KEEPS, Promise, Size, neighbours, size_of, smallest
from dinoscope.errors import EmptyIndexError, InputError, MissingFeaturesError
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.vector_code import VectorCode, fit_components, with_range
from dinoscope.store.compression import compression_digest, read_compression, small_row, write_compression
from dinoscope.store.digests import COMPRESSION
from dinoscope.store.lance import batches
from dinoscope.store.reading import pooled_vectors, row_columns, stored_row, vectors_in
from dinoscope.store.schema import POOLED, NewRow
from dinoscope.store.store import FeatureStore, FeatureTable, create_table, open_store, table_of
from dinoscope.store.writer import open_writer

FEWEST = 40
"""Photographs; a quarter of them is held out."""

HELD_OUT = 0.25
MOST_ASKED = 500
"""Held-out photographs whose neighbours are looked for, at most."""

COMMIT_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Compressed:
    """What each size loses, and which was chosen.

    Attributes:
        table: name of the table that was looked at.
        n_bytes: of one of its vectors.
        n_fitted, n_asked: photographs that the components were fitted on, and that the loss was measured on.
        centred: whether the mean of the vectors is taken away: cosines are then those of `suppress="centre"`.
        sizes: by kind of vector, every size that was measured, smallest first.
        promise: what a size must keep.
        chosen: channels and bits of the smallest that keeps it; None where nothing was promised, or no size
            keeps it.
        store: of the small vectors, with their table chosen; None where none was written.
    """

    table: str
    n_bytes: int
    n_fitted: int
    n_asked: int
    centred: bool
    sizes: Mapping[str, tuple[Size, ...]]
    promise: Promise
    chosen: tuple[int, int] | None = None
    store: FeatureStore | None = None


def compress(
    store: FeatureStore,
    out: str | Path | None = None,
    *,
    keep_cosine: float | None = None,
    keep_recall: float | None = None,
    poolings: Sequence[str] = ("mean",),
    centred: bool = False,
    table: str | None = None,
    seed: int = 0,
) -> Compressed:
    """What smaller vectors lose on a collection, and the smallest ones that keep a promise, as a new store.

    Principal components are fitted on three quarters of the photographs; for each number of channels, with
    8 and 16 bits a channel, the other quarter says what is lost: the cosine of a vector with what its code
    stands for, and the share of its ten nearest among all photographs that are still found. The kinds
    ``mean``, ``gem`` and ``foreground`` share the components of the first of them that is asked for; ``cls``
    has its own. The new store is searched, embedded into (``compressed=True``) and evaluated as any other.

    Args:
        store: with at least `FEWEST` photographs.
        out: folder of the new store; one that was cut short is gone on with. None only measures.
        keep_cosine, keep_recall: the promise, each by the lower end of its 95% interval; see `Promise`.
        poolings: the kinds of vector that must keep it, and whose loss is measured.
        centred: take the mean away first.
        table: name of the table or of its backbone, where the store has several.
        seed: of which photographs are held out.

    Raises:
        InputError: no promise where a store is to be written, or one that no size keeps; too few photographs;
            a table that is compressed already.
        MissingFeaturesError: no such kind of vector.

    Cost: the vectors of a kind in memory, 2 bytes a channel, and an exact search for each size.
    """
    chosen = table_of(store, table)
    promise = Promise(keep_cosine, keep_recall)
    _check(chosen, out, promise, poolings)
    fitted, asked = _split(len(chosen), seed)
    codes: dict[str, VectorCode] = {}
    sizes: dict[str, tuple[Size, ...]] = {}
    first = next((kind for kind in poolings if kind != "cls"), "mean")
    basis = None
    for kind in dict.fromkeys((first, *poolings, *POOLED)):
        try:
            vectors = pooled_vectors(chosen, kind)
        except MissingFeaturesError:
            if kind in poolings:
                raise
            continue
        learned = vectors[fitted]
        if basis is None or kind == "cls":
            found = fit_components(learned, centred=centred)
            basis = found if basis is None else basis
        else:
            found = basis
        codes[kind] = with_range(VectorCode(*found), learned)
        if kind in poolings:
            sizes[kind] = _sizes(codes[kind], vectors, asked)
    size = smallest(sizes.values(), promise) if promise != Promise() else None
    n_bytes = 2 * chosen.settings.dim
    result = Compressed(chosen.name, n_bytes, len(fitted), len(asked), centred, sizes, promise, size)
    if out is None:
        return result
    if size is None:
        raise InputError(f"{NONE_KEEPS}: promise less")
    small = {kind: code.leading(*size) for kind, code in codes.items()}
    return replace(result, store=_written(chosen, small, out))


def _check(table: FeatureTable, out: str | Path | None, promise: Promise, poolings: Sequence[str]) -> None:
    unknown = [name for name in poolings if name not in POOLED]
    if unknown or not poolings:
        raise InputError(f"no pooling {', '.join(unknown) or 'asked for'}; there are {', '.join(POOLED)}")
    if table.settings.compression:
        raise InputError(
            f"the table {table.name} is compressed already: compress the one that it was made of"
        )
    if out is not None and promise == Promise():
        raise InputError(
            "what must the small vectors keep? Say keep_cosine or keep_recall (--keep-cosine, ...)"
        )
    n = len(table)
    if not n:
        raise EmptyIndexError(f"the table {table.name} has no photographs: embed some first")
    if n < FEWEST:
        raise InputError(f"the loss is measured with at least {FEWEST} photographs, and there are {n}")


def _split(n: int, seed: int) -> tuple[Int64[np.ndarray, " fitted"], Int64[np.ndarray, " asked"]]:
    """Places of the photographs to fit on, and of held-out ones to ask for, ascending."""
    order = np.random.default_rng(seed).permutation(n)
    count = int(HELD_OUT * n)
    return np.sort(order[count:]), np.sort(order[: min(count, MOST_ASKED)])


def _sizes(
    code: VectorCode, vectors: Float16[np.ndarray, "n dim"], asked: Int64[np.ndarray, " q"]
) -> tuple[Size, ...]:
    shifted = (vectors.astype(np.float32) - code.mean.astype(np.float32)) if code.mean.any() else vectors
    truth = neighbours(shifted, asked)
    dim = vectors.shape[1]
    found = [
        size_of(code.leading(n, bits), vectors, asked, truth)
        for n in (*(n for n in DIMS if n < dim), dim)
        for bits in BITS
    ]
    return tuple(sorted(found, key=lambda size: (size.n_bytes, -size.dims)))


def _written(table: FeatureTable, codes: Mapping[str, VectorCode], out: str | Path) -> FeatureStore:
    """A store whose one table holds every photograph's codes."""
    one = next(iter(codes.values()))
    settings = replace(
        table.settings,
        dim=len(one.components),
        dense=None,
        compression=compression_digest(codes),
        bits=one.bits,
    )
    made = create_table(out, settings)
    if not (made.folder / COMPRESSION).is_file():
        write_compression(made.folder, codes)
    read_compression(made.folder, settings)
    columns = [*row_columns(table), "stamp"]
    with open_writer(out, settings, commit_rows=COMMIT_ROWS) as writer:
        for batch in batches(table.vectors_path, [*columns, *codes]):
            vectors = {kind: vectors_in(table, kind, batch.column(kind)) for kind in codes}
            facts = batch.select(columns).to_pylist()
            for place, row in enumerate(facts):
                if writer.claim(row["digest"]):
                    writer.add(small_row(_row(row, {kind: v[place] for kind, v in vectors.items()}), made))
    return open_store(out, table=settings.table_name)


def _row(facts: dict[str, object], vectors: dict[str, Float16[np.ndarray, " dim"]]) -> NewRow:
    stored = stored_row(facts)
    return NewRow(
        digest=stored.digest,
        source=stored.source,
        stamp=str(facts["stamp"] or ""),
        grid=stored.grid,
        vectors=vectors,
        foreground_share=stored.foreground_share,
        moments=patch_moments(vectors["mean"][None]),
        shot=stored.shot,
    )
