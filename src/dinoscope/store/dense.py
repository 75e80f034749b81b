"""Whole feature maps in a table: as float16, or as ``d`` components of 8 bits each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from dinoscope.atomic import write_bytes
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import CorruptStoreError, InputError
from dinoscope.maths.pca import PatchMoments, pca_of_moments
from dinoscope.store.digests import check_whole


@dataclass(frozen=True, slots=True)
class DenseCoding:
    """How maps are kept.

    Attributes:
        rank: components kept; None for float16 of every channel.
    """

    rank: int | None

    @classmethod
    def from_words(cls, words: str) -> DenseCoding:
        """``float16``, or ``rank:D``.

        >>> DenseCoding.from_words("rank:64")
        DenseCoding(rank=64)

        Raises:
            InputError: anything else.
        """
        if words == "float16":
            return cls(None)
        match = re.fullmatch(r"rank:(\d+)", words)
        if match is None or int(match[1]) < 1:
            raise InputError(f"dense maps are kept as float16 or rank:D (such as rank:64), not {words!r}")
        return cls(int(match[1]))


@dataclass(frozen=True, slots=True, eq=False)
class DenseBasis:
    """Where rank-d maps are projected to.

    Attributes:
        mean, components: of the patches of the first batch committed; components are orthonormal.
    """

    mean: Float32[np.ndarray, " dim"]
    components: Float32[np.ndarray, "d dim"]


@dataclass(frozen=True, slots=True, eq=False)
class CodedMap:
    """A map as d components of 8 bits: score = low + step * code.

    Attributes:
        codes: one for each patch, row-major, and component.
        low, step: of each component in this map.
        error: squared distance of the decoded patches from the true ones, over that of the basis mean
            from them: 0 is exact, 1 is no better than the mean.
    """

    codes: UInt8[np.ndarray, "n d"]
    low: Float32[np.ndarray, " d"]
    step: Float32[np.ndarray, " d"]
    error: float


def dense_bytes(
    n_images: int, dim: int, *, dense: str, grid: int | tuple[int, int] = 32, aspect: float = 1.5
) -> int:
    """About how many bytes the dense maps of some photographs take on disk.

    Args:
        n_images: photographs.
        dim: channels.
        dense: ``float16`` or ``rank:D``.
        grid: patches on the short side, or exactly ``(h, w)``.
        aspect: long side over short side of the photographs, where ``grid`` is one number.

    Raises:
        InputError: an impossible grid, aspect or coding.
    """
    if aspect < 1:
        raise InputError(f"aspect is the long side over the short one, at least 1, got {aspect}")
    coding = DenseCoding.from_words(dense)
    patches = PatchGrid.fit((round(1000 * aspect), 1000), 1, grid=grid).n
    one = patches * dim * 2 if coding.rank is None else patches * coding.rank + coding.rank * 8
    return n_images * one


def fit_dense_basis(moments: PatchMoments, rank: int) -> DenseBasis:
    """The leading components of some patches.

    Raises:
        InputError: more components than channels, or fewer than two patches.
    """
    pca = pca_of_moments(moments, rank)
    return DenseBasis(pca.mean.astype(np.float32), pca.components.astype(np.float32))


def code_map(values: Float[np.ndarray, "n dim"], basis: DenseBasis) -> CodedMap:
    """Project, and spread each component's range in this map over 0..255."""
    centred = values.astype(np.float64) - basis.mean
    scores = centred @ basis.components.T.astype(np.float64)
    low, high = scores.min(axis=0), scores.max(axis=0)
    step = ((high - low) / 255.0).astype(np.float32)
    low32 = low.astype(np.float32)
    wide = step.astype(np.float64)
    levels = np.divide(scores - low32, wide, out=np.zeros_like(scores), where=wide > 0)
    codes = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    coded = CodedMap(codes, low32, step, 0.0)
    lost = float(((decode_map(coded, basis).astype(np.float64) - basis.mean - centred) ** 2).sum())
    total = float((centred**2).sum())
    return CodedMap(codes, low32, step, lost / total if total > 0 else 0.0)


def decode_map(coded: CodedMap, basis: DenseBasis) -> Float32[np.ndarray, "n dim"]:
    """The patches a coded map stands for."""
    scores = coded.low + coded.step * coded.codes.astype(np.float32)
    return (scores @ basis.components + basis.mean).astype(np.float32)


def dense_columns(rank: int | None) -> tuple[str, ...]:
    """The columns that hold maps."""
    return ("dense",) if rank is None else ("dense", "dense_low", "dense_step", "dense_error")


def decoded_maps(batch: Any, dim: int, basis: DenseBasis | None) -> Iterator[Float32[np.ndarray, "n dim"]]:
    """The map of each row of an Arrow record batch with `dense_columns`.

    Args:
        batch: of consecutive rows.
        dim: channels.
        basis: of rank-d maps; None where maps are float16.
    """
    if not len(batch):
        return
    column = batch.column("dense")
    ends = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
    flat = column.flatten().flatten().to_numpy(zero_copy_only=False)
    maps = np.split(flat.reshape(-1, dim if basis is None else len(basis.components)), ends[:-1])
    if basis is None:
        for values in maps:
            yield values.astype(np.float32)
        return
    lows, steps = (_rows_of(batch.column(name)) for name in ("dense_low", "dense_step"))
    errors = batch.column("dense_error").to_numpy(zero_copy_only=False)
    for codes, low, step, error in zip(maps, lows, steps, errors, strict=True):
        yield decode_map(CodedMap(codes, low, step, float(error)), basis)


def write_dense_basis(path: Path, basis: DenseBasis) -> None:
    """Write a basis whole or not at all."""
    from safetensors.numpy import save

    arrays = {"mean": basis.mean, "components": np.ascontiguousarray(basis.components)}
    write_bytes(path, save(arrays))


def read_dense_basis(path: Path) -> DenseBasis:
    """A basis as written.

    Raises:
        CorruptStoreError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    check_whole(path.parent, [path])
    try:
        arrays = load_file(path)
        return DenseBasis(arrays["mean"], arrays["components"])
    except (OSError, SafetensorError, KeyError) as error:
        raise CorruptStoreError(
            f"the basis of the dense maps, {str(path)!r}, is missing or damaged: put it back from a copy, or "
            "delete the table's folder and embed again"
        ) from error


def _rows_of(column: Any) -> Float32[np.ndarray, "n d"]:
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(column), -1), np.float32)
