"""NumPy's files from anybody: what a header claims is checked before there is memory for it; no pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from dinoscope.io.limits import ARRAY_BYTES, file_size, in_units

_MAGIC = b"\x93NUMPY"
_ZIP = b"PK"
_END, _ZIP64 = b"PK\5\6", b"PK\6\7"
_DIRECTORY_BYTES = 16 * 2**20
"""Most bytes of the list of an archive's members, all of which `zipfile` holds at once."""


class Arrays:
    """The arrays of an ``.npz`` file, read one by one, together at most `ARRAY_BYTES`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = ARRAY_BYTES
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the file's order."""
        return tuple(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def shape(self, name: str) -> tuple[int, ...]:
        """What the header says; the array is not read."""
        with self._archive.open(self._members[name]) as file:
            return _header(file)[0]

    def read(self, name: str) -> np.ndarray:
        """One array.

        Raises:
            KeyError: there is none of that name.
            Exception: whatever a damaged archive makes `zipfile` or NumPy raise.
        """
        info = self._members[name]
        with self._archive.open(info) as file:
            array = _read(file, min(info.file_size, self._left), whole=info.file_size)
        self._left -= array.nbytes
        return array


def read_npy(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file.

    Raises:
        OSError: no ordinary file, or it cannot be read.
        ValueError: something else, or an array of objects, or larger than the file or than `ARRAY_BYTES`.
    """
    size = file_size(path, ARRAY_BYTES)
    with path.open("rb") as file:
        if file.read(2) == _ZIP:
            raise ValueError("it is a zip archive (an .npz, or a saved model), not a .npy array")
        file.seek(0)
        return _read(file, size, whole=size)


@contextmanager
def open_npz(path: Path) -> Iterator[Arrays]:
    """The arrays of an ``.npz`` file.

    Raises:
        OSError: no ordinary file, or it cannot be read.
        ValueError: no zip archive.
    """
    size = file_size(path, ARRAY_BYTES)
    try:
        _check_directory(path, size)
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ValueError(f"it is not a whole .npz archive ({error})") from error
    with archive:
        yield Arrays(archive)


def _check_directory(path: Path, size: int) -> None:
    """Source: PKWARE, APPNOTE.TXT 6.3.10, 4.3.16 (end of central directory record)."""
    with path.open("rb") as file:
        file.seek(max(0, size - 2**16 - 64))
        tail = file.read()
    end = tail.rfind(_END)
    listed = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if listed > _DIRECTORY_BYTES or _ZIP64 in tail:
        raise ValueError("the archive lists more members than any .npz of features has")


def _read(file: Any, limit: int, *, whole: int) -> np.ndarray:
    shape, dtype = _header(file)
    claimed = dtype.itemsize
    for side in shape:
        claimed *= side
    if claimed > limit:
        there = "the file holds" if limit == whole else "are read of one file"
        raise ValueError(f"an array of {in_units(claimed)} is announced, and {in_units(limit)} {there}")
    file.seek(0)
    return np.asarray(npy.read_array(file, allow_pickle=False))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    start = file.read(len(_MAGIC))
    if start != _MAGIC:
        raise ValueError("it does not begin as a .npy array does")
    file.seek(0)
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if any(side < 0 for side in shape):
        raise ValueError(f"an array of the shape {shape} is announced")
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which may hold code, is not opened")
    return shape, dtype
