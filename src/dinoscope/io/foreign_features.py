"""Feature files of any tool: dinoscope's own, and plain NumPy arrays ``h w dim`` or ``n dim``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dinoscope.data.features import Provenance
from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError, ShapeError, shortened
from dinoscope.io.arrays import Arrays, open_npz, read_npy
from dinoscope.io.features import read_features
from dinoscope.names import at_home, readable

SUFFIXES = (".npy", ".npz", ".safetensors")


@dataclass(frozen=True, slots=True, eq=False)
class ForeignFeatures:
    """One photograph's patch features as a file holds them.

    Attributes:
        rows: the patches, row by row; read-only.
        shape: ``(h, w)``; None where the file holds a bare sequence.
        provenance: what the file says about itself; None where it says nothing.
    """

    rows: Float32[np.ndarray, "n dim"]
    shape: tuple[int, int] | None
    provenance: Provenance | None = None


def holds_features(path: str | Path) -> bool:
    """Whether this is a file of features, and not a checkpoint of weights.

    A ``.safetensors`` file is one of features where `write_features` wrote it.
    """
    path = at_home(path)
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    if path.suffix.lower() != ".safetensors":
        return True
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return "dinoscope" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def read_foreign_features(
    path: str | Path, *, layer: int | None = None, key: str = "", grid: tuple[int, int] | None = None
) -> ForeignFeatures:
    """The features in a file.

    Args:
        path: a file that `holds_features`.
        layer: of a file of dinoscope's own; None for the last there is.
        key: name of the array in an npz of another tool; empty for its only one of 2 or 3 axes.
        grid: ``(h, w)`` of a bare sequence ``n dim``.

    Raises:
        InputError: not readable, no such layer or array, more than one, NaN or infinite values.
        ShapeError: not ``h w dim`` or ``n dim`` (leading axes of length 1 are dropped), or not ``h * w``
            rows.
    """
    path = at_home(path)
    if path.suffix.lower() != ".npy" and _is_own(path):
        return _own(path, layer)
    array = _array(path, key)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ShapeError(f"features in {str(path)!r}", expected="h w dim or n dim", actual=array.shape)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{str(path)!r} holds {array.dtype}, not floating-point features")
    shape = (int(array.shape[0]), int(array.shape[1])) if array.ndim == 3 else grid
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite there, and refused
        rows = array.reshape(-1, array.shape[-1]).astype(np.float32)
    if not np.isfinite(rows).all():
        raise InputError(f"{str(path)!r} holds NaN or infinite values, or some beyond float32")
    if shape is not None and len(rows) != shape[0] * shape[1]:
        raise ShapeError(
            f"features in {str(path)!r}", expected=f"n={shape[0]}*{shape[1]} dim", actual=rows.shape
        )
    return ForeignFeatures(read_only(rows), shape)


def _is_own(path: Path) -> bool:
    if path.suffix.lower() == ".safetensors":
        return True
    with _refusing(path), open_npz(path) as archive:
        return "dinoscope" in archive


def _own(path: Path, layer: int | None) -> ForeignFeatures:
    layers = read_features(path)
    chosen = max(layers) if layer is None else layer
    if chosen not in layers:
        raise InputError(f"{str(path)!r} has no layer {chosen}; it has {', '.join(map(str, sorted(layers)))}")
    f = layers[chosen]
    return ForeignFeatures(f.values.reshape(-1, f.dim), f.grid.shape, f.provenance)


def _array(path: Path, key: str) -> np.ndarray:
    with _refusing(path):
        if path.suffix.lower() == ".npy":
            return read_npy(path)
        with open_npz(path) as archive:
            return archive.read(_chosen(archive, path, key))


def _chosen(archive: Arrays, path: Path, key: str) -> str:
    if key:
        if key not in archive:
            raise InputError(
                f"{str(path)!r} has no array {key!r}; it has {shortened(', '.join(archive.names))}"
            )
        return key
    maps = [name for name in archive.names if len(archive.shape(name)) >= 2]
    if len(maps) != 1:
        raise InputError(
            f"{str(path)!r} holds {len(maps)} arrays of 2 or more axes ({shortened(', '.join(maps))}); "
            f"choose one: '{path}?key=NAME'"
        )
    return maps[0]


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        raise InputError(f"{readable(path)!r} cannot be read: {shortened(error)}") from error
