"""A table for other tools: Parquet, safetensors, NumPy.

The Parquet file opens in one line elsewhere: ``pandas.read_parquet(path)``, ``polars.read_parquet(path)``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dinoscope.atomic import write_bytes, write_whole
from dinoscope.errors import InputError, MissingFeaturesError
from dinoscope.io.arrow import arrow
from dinoscope.store.lance import batches, exists
from dinoscope.store.reading import pooled_vectors
from dinoscope.store.schema import FACTS, POOLED, SHOT_COLUMNS
from dinoscope.store.shots import has_shots
from dinoscope.store.store import FeatureTable


def write_parquet(table: FeatureTable, path: str | Path) -> None:
    """All rows with their pooled vectors (lists of float16), streamed; the settings are in the metadata.

    Raises:
        MissingFeaturesError: an empty table.
        InputError: vectors of 8 bits a channel.
        CorruptStoreError: the table cannot be read.
    """
    import pyarrow.parquet as pq

    _check_filled(table)
    if table.settings.bits == 8:
        raise InputError(
            f"the vectors of {table.name} are codes of 8 bits: write_npz and write_safetensors decode them"
        )

    def write(file: BinaryIO) -> None:
        parquet = None
        shots = SHOT_COLUMNS if has_shots(table) else ()
        for batch in batches(table.vectors_path, [*FACTS, *shots, *POOLED]):
            if parquet is None:
                metadata = {"dinoscope.settings": _settings(table)}
                parquet = pq.ParquetWriter(file, batch.schema.with_metadata(metadata))
            parquet.write_batch(batch.replace_schema_metadata(parquet.schema.metadata))
        if parquet is not None:
            parquet.close()

    write_whole(Path(path), write)


def write_safetensors(table: FeatureTable, path: str | Path) -> None:
    """The pooled vectors ``mean``, ``gem``, ``foreground`` and, if there is one, ``cls``: n dim, float16.

    The header's metadata hold the settings, and as JSON lists in row order ``digest`` and ``source``.

    Raises:
        MissingFeaturesError: an empty table.
        CorruptStoreError: the table cannot be read.
    """
    from safetensors.numpy import save

    arrays, facts = _whole(table)
    metadata = {"settings": _settings(table)} | {
        name: json.dumps(facts[name]) for name in ("digest", "source")
    }
    write_bytes(Path(path), save(arrays, metadata=metadata))


def write_npz(table: FeatureTable, path: str | Path) -> None:
    """The pooled vectors, with ``digest``, ``source`` and the other facts as arrays of length n.

    Raises:
        MissingFeaturesError: an empty table.
        CorruptStoreError: the table cannot be read.
    """
    arrays, facts = _whole(table)
    columns = {name: np.array(values) for name, values in facts.items()}
    held: dict[str, Any] = {"settings": np.array(_settings(table)), **arrays, **columns}
    write_whole(Path(path), lambda file: np.savez(file, **held))


def _whole(table: FeatureTable) -> tuple[dict[str, np.ndarray], dict[str, list[Any]]]:
    _check_filled(table)
    facts = arrow().Table.from_batches(batches(table.vectors_path, FACTS)).to_pydict()
    first = next(iter(batches(table.vectors_path, ["cls"], rows=1))).column(0)
    arrays = {n: pooled_vectors(table, n) for n in POOLED if n != "cls" or not first.null_count}
    return arrays, facts


def _check_filled(table: FeatureTable) -> None:
    if not exists(table.vectors_path) or not len(table):
        raise MissingFeaturesError(f"the table {table.name} is empty: there is nothing to export")


def _settings(table: FeatureTable) -> str:
    return json.dumps(table.settings.facts, sort_keys=True)
