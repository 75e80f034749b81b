"""How the vectors of a compressed table were made smaller: one code for each kind, in a file beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.atomic import write_bytes
from dinoscope.errors import CorruptStoreError
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.vector_code import VectorCode
from dinoscope.store.digests import COMPRESSION
from dinoscope.store.schema import NewRow, TableSettings
from dinoscope.store.store import FeatureTable


def compression_digest(codes: Mapping[str, VectorCode]) -> str:
    """16 hexadecimal digits for some codes, by kind of vector."""
    found = hashlib.sha256()
    for name, array in sorted(_arrays(codes).items()):
        found.update(f"{name} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def write_compression(folder: Path, codes: Mapping[str, VectorCode]) -> None:
    """Into a table's folder."""
    from safetensors.numpy import save

    write_bytes(folder / COMPRESSION, save(_arrays(codes)))


def read_compression(folder: Path, settings: TableSettings) -> Mapping[str, VectorCode]:
    """The codes of a compressed table, by kind of vector.

    Raises:
        CorruptStoreError: the file is missing, damaged or another one than the settings say.
    """
    path = folder / COMPRESSION
    try:
        codes = _read(path, path.stat().st_mtime_ns)
    except OSError:
        codes = {}
    if not codes or compression_digest(codes) != settings.compression:
        raise CorruptStoreError(
            f"{str(path)!r}, by which the table's vectors are read, is missing or damaged: put it back from "
            "a copy, or compress the store again"
        )
    return codes


def small_vector(
    folder: Path, settings: TableSettings, kind: str, vector: Float[np.ndarray, " dim"]
) -> Float64[np.ndarray, " n"]:
    """A vector as the table would hold it, unrounded; itself where the table is not compressed."""
    if not settings.compression:
        return np.asarray(vector, np.float64)
    return read_compression(folder, settings)[kind].project(np.asarray(vector)[None])[0]


def model_dim(folder: Path, settings: TableSettings) -> int:
    """Channels of the model's features, from which the table's vectors were made."""
    if not settings.compression:
        return settings.dim
    return len(next(iter(read_compression(folder, settings).values())).mean)


def uncompressed(table: FeatureTable) -> TableSettings:
    """The settings of a table of the vectors as they came, of which a compressed one is made."""
    dim = model_dim(table.folder, table.settings)
    return replace(table.settings, compression="", bits=16, dim=dim, dense=None)


def small_row(row: NewRow, table: FeatureTable) -> NewRow:
    """A photograph's row as the table holds it; itself where the table is not compressed.

    Of a compressed table the moments are those of the photographs' mean vectors: patches are not at hand.
    """
    if not table.settings.compression:
        return row
    codes = read_compression(table.folder, table.settings)
    vectors = {kind: codes[kind].encode(v[None])[0] for kind, v in row.vectors.items() if kind in codes}
    mean = codes["mean"].project(row.vectors["mean"][None])
    return replace(row, vectors=vectors, moments=patch_moments(mean), values=None)


def _arrays(codes: Mapping[str, VectorCode]) -> dict[str, Float64[np.ndarray, "..."]]:
    arrays: dict[str, Float64[np.ndarray, "..."]] = {}
    for kind, code in codes.items():
        arrays[f"{kind}.mean"], arrays[f"{kind}.components"] = code.mean, code.components
        if code.low is not None and code.step is not None:
            arrays[f"{kind}.low"], arrays[f"{kind}.step"] = code.low, code.step
    return arrays


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Mapping[str, VectorCode]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
        kinds = sorted({name.partition(".")[0] for name in arrays})
        return {
            kind: VectorCode(
                arrays[f"{kind}.mean"],
                arrays[f"{kind}.components"],
                arrays.get(f"{kind}.low"),
                arrays.get(f"{kind}.step"),
            )
            for kind in kinds
        }
    except (OSError, SafetensorError, KeyError, ValueError):
        return {}
